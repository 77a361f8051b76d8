"""DeepSeek-VL2 and DeepSeek-OCR: `<|ref|>phrase<|/ref|><|det|>[[x0, y0, x1, y1], ...]<|/det|>`, all boxes of a phrase in one
`<|det|>`.

Source: github.com/deepseek-ai/DeepSeek-VL2, `deepseek_vl2/serve/app_modules/utils.py` (`parse_ref_bbox`: every `[...]` inside
the outer brackets, n / 999 of the side, cut to whole pixels for drawing, which is not done here; it draws nothing where a
phrase has no boxes or boxes no phrase) and the README's example; github.com/deepseek-ai/DeepSeek-OCR, `run_dpsk_ocr_image.py`,
has the same. Decoded without special tokens an answer is `phrase[[...]]`: the boxes are read, the phrase stays words. The
model's own encoder is not published; numbers are rounded to the nearest.
"""

from __future__ import annotations

import re
from dataclasses import replace

from vtinstruct.dialect import Dialect, Grid, Heard, SizeWH, Spoken
from vtinstruct.dialects._furniture import floats
from vtinstruct.dialects._ref_box import NUMBER, Names, read_ref_box
from vtinstruct.dialects._saying import numbers_of, written
from vtinstruct.dialogue import Parts, Triplet

GRID = Grid(999, 999)
NAMES = Names((("<|ref|>", "<|/ref|>"),), (("<|det|>", "<|/det|>"),))
_ONE = rf"\s*+\[{NUMBER},{NUMBER},{NUMBER},{NUMBER}\]\s*+"
_LIST = rf"\[{_ONE}(?:,{_ONE})*+,?+\s*+\]"
_BOX, _INSIDE = re.compile(_ONE), re.compile(rf"\s*+{_LIST}\s*+|{_ONE}")
_BARE = NAMES.unmarked(_LIST)
_MODE = re.compile(r"<\|grounding\|>")  # the prompt's, which some decoders repeat


def read(spoken: Spoken) -> Heard:
    """Phrases with their boxes."""

    def inside(content: str) -> list[list[float]] | None:
        return [floats(numbers) for numbers in _BOX.findall(content)] if _INSIDE.fullmatch(content) else None

    return read_ref_box(replace(spoken, text=_MODE.sub("", spoken.text)), GRID, inside, _BARE, NAMES)


def render(parts: Parts, size_wh: SizeWH) -> str:
    """Running text with the marks of DeepSeek-VL2."""

    def say(triplet: Triplet) -> str:
        boxes = [numbers_of(reference.unit, GRID, size_wh) for reference in triplet.references]
        return f"<|ref|>{triplet.concept}<|/ref|><|det|>{boxes}<|/det|>"

    return written(parts, NAMES.debris, say, ("box",))


DIALECT = Dialect(
    "deepseek_vl2", "DeepSeek-VL2, marks of ref and det",
    "github.com/deepseek-ai/DeepSeek-VL2, deepseek_vl2/serve/app_modules/utils.py",
    "0 to 999 of the photo's sides, rounded; read as n / 999", GRID, ("box",), ("box",),
    "points, masks, phrases that name nothing", read, render,
)  # fmt: skip
