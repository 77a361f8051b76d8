"""Qwen-VL and Qwen2-VL: `<ref>phrase</ref><box>(x0,y0),(x1,y1)</box>`, one `<box>` a box; Qwen2-VL writes the same with
`<|object_ref_start|>`, `<|object_ref_end|>`, `<|box_start|>` and `<|box_end|>`.

Source: github.com/QwenLM/Qwen-VL, `eval_mm/evaluate_grounding.py`, which reads a number as n / 999 of the side (the README
says "[0, 1000)"), and which decodes answers without special tokens: `(x0,y0),(x1,y1)` stands bare there, and is a box too.
The model's own encoder is not published; numbers are rounded to the nearest of the evaluation's grid.
"""

from __future__ import annotations

import re

from vtinstruct.dialect import Dialect, Grid, Heard, SizeWH, Spoken
from vtinstruct.dialects._furniture import floats
from vtinstruct.dialects._ref_box import NUMBER, QWEN, read_ref_box
from vtinstruct.dialects._saying import numbers_of, written
from vtinstruct.dialogue import Parts, Triplet

GRID = Grid(999, 999)
_PAIR = rf"\({NUMBER},{NUMBER}\)\s*+,\s*+\({NUMBER},{NUMBER}\)"
_INSIDE, _BARE = re.compile(rf"\s*+{_PAIR}\s*+"), QWEN.unmarked(_PAIR)


def _inside(content: str) -> list[list[float]] | None:
    match = _INSIDE.fullmatch(content)
    return [floats(match.groups())] if match else None


def read(spoken: Spoken) -> Heard:
    """Phrases with their boxes."""
    return read_ref_box(spoken, GRID, _inside, _BARE)


def render(parts: Parts, size_wh: SizeWH) -> str:
    """Running text with the marks of Qwen-VL."""

    def say(triplet: Triplet) -> str:
        boxes = [numbers_of(reference.unit, GRID, size_wh) for reference in triplet.references]
        marks = "".join(f"<box>({x0},{y0}),({x1},{y1})</box>" for x0, y0, x1, y1 in boxes)
        return f"<ref>{triplet.concept}</ref>{marks}"

    return written(parts, QWEN.debris, say, ("box",))


DIALECT = Dialect(
    "qwen_vl", "Qwen-VL and Qwen2-VL, <ref> and <box>", "github.com/QwenLM/Qwen-VL, eval_mm/evaluate_grounding.py",
    "0 to 999 of the photo's sides, rounded; read as n / 999", GRID, ("box",), ("box",),
    "points, masks, phrases that name nothing", read, render,
)  # fmt: skip
