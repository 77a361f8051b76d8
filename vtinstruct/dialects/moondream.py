"""Moondream: what `detect` and `point` return, as JSON: `{"objects": [{"x_min": 0.1, "y_min": 0.2, "x_max": 0.3, "y_max": 0.4}]}`
or `{"points": [{"x": 0.5, "y": 0.5}]}`, shares of the photo's sides.

Source: github.com/vikhyat/moondream, `moondream/torch/moondream.py` (`detect`, `point`, `_generate_points`) and
`moondream/eval/coco_map.py` (share * side). The objects have no label there and are what was asked for; a `"label"` that
somebody added is read. A box is a middle and a size, so its corners may lie outside of the photo: they stay. The model counts
in 1,024 bins and returns shares; they are written with six decimals.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from vtinstruct.dialect import Dialect, Grid, Heard, SizeWH, Spoken
from vtinstruct.dialects._furniture import Read, mark_of
from vtinstruct.dialects._json_list import Fields, numbers_in, read_list, write_list
from vtinstruct.dialects._saying import numbers_of
from vtinstruct.dialogue import Parts
from vtinstruct.units import Unit, UnitKind

GRID = Grid(1_000_000, 1_000_000)
KEYS: Mapping[UnitKind, tuple[str, ...]] = {"box": ("x_min", "y_min", "x_max", "y_max"), "point": ("x", "y")}
_BEGIN = re.compile(r"""\s*+\{\s*+["'](?:objects|points)["']\s*+:(?=\s*+\[)""")
_END = re.compile(r"(?<=\])\s*+\}\s*+\Z")


def read(spoken: Spoken) -> Heard:
    """The objects' boxes and points."""
    begun = _BEGIN.match(spoken.text)
    if begun:
        spoken = replace(spoken, text=_END.sub("", spoken.text[begun.end() :]))

    def element(fields: Fields) -> tuple[UnitKind, Read] | None:
        for kind, keys in KEYS.items():
            if any(key in fields for key in keys):
                shares = numbers_in([fields.get(key) for key in keys], len(keys))
                return kind, mark_of(shares, spoken.size_wh) if shares else (None, "unreadable")
        return None

    return read_list(spoken, element)


def render(parts: Parts, size_wh: SizeWH) -> str:
    """The list of an answer's boxes and points, each with its label."""

    def write(kind: UnitKind, unit: Unit | None) -> Fields:
        numbers = numbers_of(unit, GRID, size_wh)
        return {key: number / GRID.scale for key, number in zip(KEYS[kind], numbers, strict=True)}

    return write_list(parts, write, KEYS)


DIALECT = Dialect(
    "moondream", "Moondream, JSON of detect and point", "github.com/vikhyat/moondream, moondream/torch/moondream.py",
    "shares of the photo's sides, read as they are; written with six decimals", GRID, ("box", "point"), ("box", "point"),
    "words between the phrases", read, render,
)  # fmt: skip
