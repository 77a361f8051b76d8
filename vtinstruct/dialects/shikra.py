"""Shikra: `words[x0,y0,x1,y1]`, shares with three decimals; several boxes of a phrase with `;` between them; two numbers are
a point.

Source: github.com/shikras/shikra, `mllm/dataset/process_function/box_process_function.py` (`PlainBoxFormatter`) and
`mllm/dataset/utils/transform.py` (`Expand2square`, `norm_box_xyxy`): the photo is padded to a square, left and right or above
and below alike, and the numbers are shares of the side of that square.
"""

from __future__ import annotations

import re

from vtinstruct.dialect import Dialect, Grid, Heard, SizeWH, Spoken
from vtinstruct.dialects._furniture import Marks, Read, Units, floats, listen_behind, mark_of
from vtinstruct.dialects._saying import shares_of, written_behind
from vtinstruct.dialogue import Parts, Triplet
from vtinstruct.units import Unit, UnitKind

GRID = Grid(1000, 1000, square=True)
_ONE = r"\s*+[0-9](?:\.[0-9]*+)?\s*+"
_BOX, _POINT = rf"{_ONE}(?:,{_ONE}){{3}}", rf"{_ONE},{_ONE}"
_MARKS = Marks(
    re.compile(rf"\[({_BOX}(?:;{_BOX})*+|{_POINT}(?:;{_POINT})*+)\]"),
    re.compile(r"\[[-+0-9.,;\s]*+\]"),
    re.compile(r"\[[-+0-9.,;\s]*+\Z"),
)


def _pad(size_wh: SizeWH) -> tuple[int, int, int]:
    """The side of the square, and what is left of and above the photo in it."""
    width, height = size_wh
    side = max(size_wh)
    return side, (side - width) // 2, (side - height) // 2


def read(spoken: Spoken) -> Heard:
    """Phrases with what stands behind them."""
    side, *pads = _pad(spoken.size_wh)

    def units(match: re.Match[str]) -> tuple[UnitKind, Units]:
        found: list[Read] = []
        for one in match[1].split(";"):
            numbers = floats(one.split(","))
            shares = [(n * side - pads[i % 2]) / spoken.size_wh[i % 2] for i, n in enumerate(numbers)]
            found.append(mark_of(shares, spoken.size_wh))
        return ("box" if match[1].split(";", 1)[0].count(",") == 3 else "point"), found

    return listen_behind(spoken, _MARKS, units)


def render(parts: Parts, size_wh: SizeWH) -> str:
    """Running text with shares behind the phrases."""
    side, *pads = _pad(size_wh)

    def numbers(unit: Unit | None) -> str:
        shares = shares_of(unit, size_wh)
        padded = ((share * size_wh[i % 2] + pads[i % 2]) / side for i, share in enumerate(shares))
        return ",".join(f"{GRID.number(share) / 1000:.3f}" for share in padded)

    def say(triplet: Triplet) -> str:
        return f"{triplet.concept}[{';'.join(numbers(reference.unit) for reference in triplet.references)}]"

    return written_behind(parts, say, ("box", "point"))


DIALECT = Dialect(
    "shikra", "Shikra, shares in brackets",
    "github.com/shikras/shikra, mllm/dataset/process_function/box_process_function.py",
    "shares of the photo padded to a square, three decimals, rounded; read as they are", GRID, ("box", "point"),
    ("box", "point"), "where a phrase begins; masks, phrases that name nothing", read, render,
)  # fmt: skip
