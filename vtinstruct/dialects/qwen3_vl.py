"""Qwen3-VL: a JSON list of `{"bbox_2d": [x0, y0, x1, y1], "label": ...}` or `{"point_2d": [x, y], "label": ...}`, every
number a thousandth of the photo's width or height.

Source: github.com/QwenLM/Qwen3-VL, `cookbooks/2d_grounding.ipynb` (`plot_bounding_boxes`: `x / 1000 * width`). The model's
own encoder is not published; numbers are rounded to the nearest.
"""

from __future__ import annotations

from collections.abc import Sequence

from vtinstruct.dialect import Dialect, Grid, Heard, SizeWH, Spoken
from vtinstruct.dialects._furniture import Read, mark_of
from vtinstruct.dialects._json_list import KEYS, keyed, read_list, write_list
from vtinstruct.dialects._saying import numbers_of
from vtinstruct.dialogue import Parts

GRID = Grid(1000, 1000)


def read(spoken: Spoken) -> Heard:
    """The list's boxes and points."""

    def place(numbers: Sequence[float]) -> Read:
        return mark_of([GRID.share(number) for number in numbers], spoken.size_wh)

    return read_list(spoken, keyed(KEYS, place), place)


def render(parts: Parts, size_wh: SizeWH) -> str:
    """The list of an answer's boxes and points."""
    return write_list(parts, lambda kind, unit: {KEYS[kind]: numbers_of(unit, GRID, size_wh)}, KEYS)


DIALECT = Dialect(
    "qwen3_vl", "Qwen3-VL, JSON list", "github.com/QwenLM/Qwen3-VL, cookbooks/2d_grounding.ipynb",
    "thousandths of the photo's sides, 0 to 1000, rounded; read as n / 1000", GRID,
    ("box", "point"), ("box", "point"), "words between the phrases", read, render,
)  # fmt: skip
