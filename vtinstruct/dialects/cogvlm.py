"""CogVLM: `words [[x0,y0,x1,y1]]`, three digits a number, 000 to 999; several boxes of a phrase with `;` between them; two
numbers are a point.

Source: github.com/THUDM/CogVLM, `utils/utils/grounding_parser.py` (`boxstr_to_boxes`: n / 1000); the paper (arXiv 2311.03079)
and the README say that numbers run from 000 to 999. The model's own encoder is not published; numbers are rounded down,
so that 999 is the last thousandth.
"""

from __future__ import annotations

import re

from vtinstruct.dialect import Dialect, Grid, Heard, SizeWH, Spoken
from vtinstruct.dialects._furniture import Marks, Units, floats, listen_behind, mark_of
from vtinstruct.dialects._saying import numbers_of, written_behind
from vtinstruct.dialogue import Parts, Triplet
from vtinstruct.units import Unit, UnitKind

GRID = Grid(1000, 999, floor=True)
_ONE = r"\s*+[0-9]++\s*+"
_BOX, _POINT = rf"{_ONE}(?:,{_ONE}){{3}}", rf"{_ONE},{_ONE}"
_MARKS = Marks(
    re.compile(rf"\[\[({_BOX}(?:;{_BOX})*+|{_POINT}(?:;{_POINT})*+)\]\]"),
    re.compile(r"\[\[[^\[\]]*+\]\]"),
    re.compile(r"\[\[[^\[\]]*+\]?\Z|\[\Z"),
)


def read(spoken: Spoken) -> Heard:
    """Phrases with what stands behind them."""

    def units(match: re.Match[str]) -> tuple[UnitKind, Units]:
        marks = [[GRID.share(number) for number in floats(one.split(","))] for one in match[1].split(";")]
        return ("box" if len(marks[0]) == 4 else "point"), [mark_of(one, spoken.size_wh) for one in marks]

    return listen_behind(spoken, _MARKS, units)


def render(parts: Parts, size_wh: SizeWH) -> str:
    """Running text with numbers behind the phrases."""

    def numbers(unit: Unit | None) -> str:
        return ",".join(f"{number:03d}" for number in numbers_of(unit, GRID, size_wh))

    def say(triplet: Triplet) -> str:
        return f"{triplet.concept} [[{';'.join(numbers(reference.unit) for reference in triplet.references)}]]"

    return written_behind(parts, say, ("box", "point"))


DIALECT = Dialect(
    "cogvlm", "CogVLM, boxes in double brackets", "github.com/THUDM/CogVLM, utils/utils/grounding_parser.py",
    "thousandths of the photo's sides, 000 to 999, rounded down; read as n / 1000", GRID, ("box", "point"),
    ("box", "point"), "where a phrase begins; masks, phrases that name nothing", read, render,
)  # fmt: skip
