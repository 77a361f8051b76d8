"""InternVL: `<ref>phrase</ref><box>[[x0, y0, x1, y1], ...]</box>`, all boxes of a phrase in one `<box>`.

Source: github.com/OpenGVLab/InternVL, `internvl_chat/eval/refcoco/evaluate_grounding.py`, which reads a number as n / 1000 of
the side, and takes `[[...]]` and `[...]` without `<box>` too. It reads a box whose numbers are below 4 in sum as shares;
here only one with a decimal point, as the model writes thousandths without: `[0, 0, 1, 1]` stays a box of one thousandth. The
model's own encoder is not published; numbers are rounded to the nearest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from vtinstruct.dialect import Dialect, Grid, Heard, SizeWH, Spoken
from vtinstruct.dialects._furniture import floats
from vtinstruct.dialects._ref_box import NUMBER, QWEN, read_ref_box
from vtinstruct.dialects._saying import numbers_of, written
from vtinstruct.dialogue import Parts, Triplet

GRID = Grid(1000, 1000)
_ONE = rf"\s*+\[{NUMBER},{NUMBER},{NUMBER},{NUMBER}\]\s*+"
_BOX = re.compile(_ONE)
_INSIDE = re.compile(rf"\s*+\[{_ONE}(?:,{_ONE})*+,?+\s*+\]\s*+|{_ONE}")
_BARE = QWEN.unmarked(rf"\[{_ONE}(?:,{_ONE})*+\]|\[{NUMBER},{NUMBER},{NUMBER},{NUMBER}\]")
_SHARES = 4.0  # below this in sum, numbers with a decimal point are shares


def _inside(content: str) -> list[list[float]] | None:
    if not _INSIDE.fullmatch(content):
        return None
    return [_thousandths(numbers) for numbers in _BOX.findall(content)]


def _thousandths(texts: Sequence[str]) -> list[float]:
    numbers = floats(texts)
    shares = sum(numbers) < _SHARES and any("." in text for text in texts)
    return [number * GRID.scale for number in numbers] if shares else numbers


def read(spoken: Spoken) -> Heard:
    """Phrases with their boxes."""
    return read_ref_box(spoken, GRID, _inside, _BARE)


def render(parts: Parts, size_wh: SizeWH) -> str:
    """Running text with the marks of InternVL."""

    def say(triplet: Triplet) -> str:
        boxes = [numbers_of(reference.unit, GRID, size_wh) for reference in triplet.references]
        return f"<ref>{triplet.concept}</ref><box>{boxes}</box>"

    return written(parts, QWEN.debris, say, ("box",))


DIALECT = Dialect(
    "internvl", "InternVL, <ref> and <box>",
    "github.com/OpenGVLab/InternVL, internvl_chat/eval/refcoco/evaluate_grounding.py",
    "thousandths of the photo's sides, 0 to 1000, rounded; read as n / 1000", GRID, ("box",), ("box",),
    "points, masks, phrases that name nothing", read, render,
)  # fmt: skip
