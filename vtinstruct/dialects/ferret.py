"""Ferret: `words [x0, y0, x1, y1]`, whole thousandths of the photo's sides.

Source: github.com/apple/ml-ferret, `ferret/eval/eval_refexp.py` (`resize_bbox`: n * side / 1000, cut to whole pixels, which is
not done here) and `ferretui/ferretui/eval/model_UI.py` (written rounded down).
"""

from __future__ import annotations

import re

from vtinstruct.dialect import Dialect, Grid, Heard, SizeWH, Spoken
from vtinstruct.dialects._furniture import Marks, Units, box_of, floats, listen_behind
from vtinstruct.dialects._saying import numbers_of, written_behind
from vtinstruct.dialogue import Parts, Triplet
from vtinstruct.units import UnitKind

GRID = Grid(1000, 1000, floor=True)
_ONE = r"\s*+(-?[0-9]++)\s*+"
_MARKS = Marks(
    re.compile(rf"\[{_ONE},{_ONE},{_ONE},{_ONE}\]"),
    re.compile(r"\[[-+0-9.,;\s]*+\]"),
    re.compile(r"\[[-+0-9.,;\s]*+\Z"),
)


def read(spoken: Spoken) -> Heard:
    """Phrases with the boxes behind them."""

    def units(match: re.Match[str]) -> tuple[UnitKind, Units]:
        return "box", [box_of([GRID.share(number) for number in floats(match.groups())], spoken.size_wh)]

    return listen_behind(spoken, _MARKS, units)


def render(parts: Parts, size_wh: SizeWH) -> str:
    """Running text with boxes behind the phrases."""

    def say(triplet: Triplet) -> str:
        boxes = (numbers_of(reference.unit, GRID, size_wh) for reference in triplet.references)
        return " ".join((triplet.concept, *map(str, boxes)))

    return written_behind(parts, say, ("box",))


DIALECT = Dialect(
    "ferret", "Ferret, boxes in brackets", "github.com/apple/ml-ferret, ferret/eval/eval_refexp.py",
    "thousandths of the photo's sides, 0 to 1000, rounded down; read as n / 1000", GRID, ("box",), ("box",),
    "where a phrase begins; points, masks, phrases that name nothing", read, render,
)  # fmt: skip
