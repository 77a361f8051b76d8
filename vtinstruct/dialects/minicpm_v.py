"""MiniCPM-V (2.6, o 2.6, 4.5): `<ref>phrase</ref><box>x0 y0 x1 y1</box>`, thousandths of the photo's sides, blanks between the
numbers; one `<box>` a box, often without a phrase.

Source: github.com/OpenBMB/MiniCPM-V, its authors' words in issues 772 ("normalised to whole numbers of the range 0-1000") and 982
(the question to ask, and the form of the answer); `web_demos/web_demo_2.6.py` takes the same marks out of answers. No decoder is
published; a number is read as n / 1000 and rounded to the nearest when written.
"""

from __future__ import annotations

import re

from vtinstruct.dialect import Dialect, Grid, Heard, SizeWH, Spoken
from vtinstruct.dialects._furniture import floats
from vtinstruct.dialects._ref_box import Names, read_ref_box
from vtinstruct.dialects._saying import numbers_of, written
from vtinstruct.dialogue import Parts, Triplet

GRID = Grid(1000, 1000)
NAMES = Names((("<ref>", "</ref>"),), (("<box>", "</box>"),))
_NUMBER = r"([-+]?[0-9]++(?:\.[0-9]++)?)"
_INSIDE = re.compile(rf"\s*+{_NUMBER}\s++{_NUMBER}\s++{_NUMBER}\s++{_NUMBER}\s*+")
_NEVER = NAMES.unmarked(r"(?!)")  # four numbers without marks are no box


def read(spoken: Spoken) -> Heard:
    """Phrases with their boxes."""

    def inside(content: str) -> list[list[float]] | None:
        match = _INSIDE.fullmatch(content)
        return [floats(match.groups())] if match else None

    return read_ref_box(spoken, GRID, inside, _NEVER, NAMES)


def render(parts: Parts, size_wh: SizeWH) -> str:
    """Running text with the marks of MiniCPM-V."""

    def say(triplet: Triplet) -> str:
        boxes = (numbers_of(reference.unit, GRID, size_wh) for reference in triplet.references)
        return f"<ref>{triplet.concept}</ref>" + "".join(f"<box>{' '.join(map(str, box))}</box>" for box in boxes)

    return written(parts, NAMES.debris, say, ("box",))


DIALECT = Dialect(
    "minicpm_v", "MiniCPM-V, <box> with blanks", "github.com/OpenBMB/MiniCPM-V, issues 772 and 982",
    "thousandths of the photo's sides, 0 to 1000, rounded; read as n / 1000", GRID, ("box",), ("box",),
    "points, masks, phrases that name nothing", read, render,
)  # fmt: skip
