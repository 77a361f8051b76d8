"""InternVL: `<ref>phrase</ref><box>[[x0, y0, x1, y1], ...]</box>`, all boxes of a phrase in one `<box>`.

Source: github.com/OpenGVLab/InternVL, `internvl_chat/eval/refcoco/evaluate_grounding.py`, which reads a number as n / 1000 of
the side, and takes `[[...]]` without `<box>` too. (It reads numbers below 4 in sum as shares: a guess that is not made here.)
The model's own encoder is not published; numbers are rounded to the nearest.
"""

from __future__ import annotations

import re
from dataclasses import replace

from vtinstruct.dialect import Dialect, Grid, Heard, SizeWH, Spoken
from vtinstruct.dialects._furniture import floats
from vtinstruct.dialects._ref_box import DEBRIS, NUMBER, read_ref_box
from vtinstruct.dialects._saying import numbers_of, written
from vtinstruct.dialogue import Parts, Triplet

GRID = Grid(1000, 1000)
_ONE = rf"\s*+\[{NUMBER},{NUMBER},{NUMBER},{NUMBER}\]\s*+"
_BOX = re.compile(_ONE)
_INSIDE = re.compile(rf"\s*+\[{_ONE}(?:,{_ONE})*+,?+\s*+\]\s*+|{_ONE}")
_BARE = re.compile(rf"(?<!<box>)\[{_ONE}(?:,{_ONE})*+\](?!</box>)")


def _inside(content: str) -> list[list[float]] | None:
    return [floats(numbers) for numbers in _BOX.findall(content)] if _INSIDE.fullmatch(content) else None


def read(spoken: Spoken) -> Heard:
    """Phrases with their boxes."""
    text = _BARE.sub(lambda match: f"<box>{match[0]}</box>", spoken.text)
    return read_ref_box(replace(spoken, text=text), GRID, _inside)


def render(parts: Parts, size_wh: SizeWH) -> str:
    """Running text with the marks of InternVL."""

    def say(triplet: Triplet) -> str:
        boxes = [numbers_of(reference.unit, GRID, size_wh) for reference in triplet.references]
        return f"<ref>{triplet.concept}</ref><box>{boxes}</box>"

    return written(parts, DEBRIS, say, ("box",))


DIALECT = Dialect(
    "internvl", "InternVL, <ref> and <box>",
    "github.com/OpenGVLab/InternVL, internvl_chat/eval/refcoco/evaluate_grounding.py",
    "thousandths of the photo's sides, 0 to 1000, rounded; read as n / 1000", GRID, ("box",), ("box",),
    "points, masks, phrases that name nothing", read, render,
)  # fmt: skip
