"""Ferret: `words [x0, y0, x1, y1]`, whole thousandths of the photo's sides.

Source: github.com/apple/ml-ferret, `ferret/eval/eval_refexp.py` (`resize_bbox`: n * side / 1000, cut to whole pixels) and
`ferretui/ferretui/eval/model_UI.py` (written rounded down). Boxes stay as they are; `form` "pixels" beside the answer cuts
them as that script does, for numbers that are put beside Ferret's own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from vtinstruct.dialect import Dialect, Grid, Heard, SizeWH, Spoken
from vtinstruct.dialects._furniture import REACH, Marks, Read, Units, box_of, floats, listen_behind
from vtinstruct.dialects._saying import numbers_of, written_behind
from vtinstruct.dialogue import Parts, Triplet
from vtinstruct.units import Box, UnitKind

GRID = Grid(1000, 1000, floor=True)
FORMS = ("pixels",)
_ONE = r"\s*+(-?[0-9]++)\s*+"
_MARKS = Marks(
    re.compile(rf"\[{_ONE},{_ONE},{_ONE},{_ONE}\]"),
    re.compile(r"\[[-+0-9.,;\s]*+\]"),
    re.compile(r"\[[-+0-9.,;\s]*+\Z"),
)


def read(spoken: Spoken) -> Heard:
    """Phrases with the boxes behind them."""

    def units(match: re.Match[str]) -> tuple[UnitKind, Units]:
        numbers = floats(match.groups())
        if spoken.form == "pixels":
            return "box", [_cut(numbers, spoken.size_wh)]
        return "box", [box_of([GRID.share(number) for number in numbers], spoken.size_wh)]

    return listen_behind(spoken, _MARKS, units)


def _cut(numbers: Sequence[float], size_wh: SizeWH) -> Read:
    """A box of whole pixels; the product is taken in the script's order, for its last bit decides where a pixel begins."""
    if max(map(abs, numbers)) > REACH:
        return None, "beyond the grid"
    x0, y0, x1, y1 = (float(int(number * (size_wh[index % 2] / GRID.scale))) for index, number in enumerate(numbers))
    return (None, "swapped corners") if x1 < x0 or y1 < y0 else (Box((x0, y0, x1, y1)), "")


def render(parts: Parts, size_wh: SizeWH) -> str:
    """Running text with boxes behind the phrases."""

    def say(triplet: Triplet) -> str:
        boxes = (numbers_of(reference.unit, GRID, size_wh) for reference in triplet.references)
        return " ".join((triplet.concept, *map(str, boxes)))

    return written_behind(parts, say, ("box",))


DIALECT = Dialect(
    "ferret", "Ferret, boxes in brackets", "github.com/apple/ml-ferret, ferret/eval/eval_refexp.py",
    "thousandths of the photo's sides, 0 to 1000, rounded down; read as n / 1000", GRID, ("box",), ("box",),
    "where a phrase begins; points, masks, phrases that name nothing", read, render, FORMS,
)  # fmt: skip
