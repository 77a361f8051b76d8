"""Qwen2.5-VL: a JSON list of `{"bbox_2d": [x0, y0, x1, y1], "label": ...}` or `{"point_2d": [x, y], "label": ...}`, every
number a pixel of the picture as the model got it, that is of the photo after `smart_resize`; or, asked for XML,
`<points x1="10" y1="20" alt="...">words</points>` in the same pixels (the notebook's `decode_xml_points`, `plot_points`).

Source: github.com/QwenLM/Qwen2.5-VL, `qwen-vl-finetune/tools/process_bbox.ipynb` (`convert_to_qwen25vl_format`: rounded, at
most one less than the side) and `cookbooks/spatial_understanding.ipynb` (read as `x / input_width * width`).
`smart_resize`: Transformers, `models/qwen2_vl/image_processing_qwen2_vl.py`; its bounds are the published checkpoints'
(`preprocessor_config.json`: 3,136 to 12,845,056 pixels). Who ran the model with other bounds gives the size of each picture
beside its answer (`input_wh`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from vtinstruct.dialect import Dialect, Grid, Heard, SizeWH, Spoken
from vtinstruct.dialects._furniture import ENDS, Read, Reading, floats, listen, mark_of, unit_of
from vtinstruct.dialects._json_list import KEYS, keyed, read_list, write_list
from vtinstruct.dialects._saying import shares_of
from vtinstruct.dialects._xml_points import MARKS, pairs_of, words_of
from vtinstruct.dialogue import Parts
from vtinstruct.units import Unit, UnitKind

FACTOR = 28  # two patches of 14 pixels
_FENCE = re.compile(r"```(?:xml)?\s*+")
MIN_PIXELS, MAX_PIXELS = 56 * 56, 12_845_056


def smart_resize(size_wh: SizeWH) -> SizeWH:
    """The size in which the model sees a photo: sides are multiples of 28, the area within bounds, the shape about kept."""
    width, height = size_wh
    wide, high = round(width / FACTOR) * FACTOR, round(height / FACTOR) * FACTOR
    if wide * high > MAX_PIXELS:
        shrink = math.sqrt(height * width / MAX_PIXELS)
        high = max(FACTOR, math.floor(height / shrink / FACTOR) * FACTOR)
        wide = max(FACTOR, math.floor(width / shrink / FACTOR) * FACTOR)
    elif wide * high < MIN_PIXELS:
        grow = math.sqrt(MIN_PIXELS / (height * width))
        high = math.ceil(height * grow / FACTOR) * FACTOR
        wide = math.ceil(width * grow / FACTOR) * FACTOR
    return wide, high


def read(spoken: Spoken) -> Heard:
    """The list's boxes and points."""
    input_wh = spoken.input_wh or smart_resize(spoken.size_wh)

    def place(numbers: Sequence[float]) -> Read:
        return mark_of([number / input_wh[index % 2] for index, number in enumerate(numbers)], spoken.size_wh)

    if "{" not in spoken.text and MARKS.debris.search(spoken.text):
        return _read_points(spoken, place)
    return read_list(spoken, keyed(KEYS, place), place)


def _read_points(spoken: Spoken, place: Callable[[Sequence[float]], Read]) -> Heard:
    def element(reading: Reading, match: re.Match[str]) -> None:
        read = [place(floats(pair)) for pair in pairs_of(match)] or [(None, "unreadable")]
        reading.phrase(words_of(match), "point", [unit_of(reading, *one) for one in read])

    text = _FENCE.sub("", ENDS.sub("", spoken.text))
    return listen(replace(spoken, text=text), MARKS, element)


def render(parts: Parts, size_wh: SizeWH) -> str:
    """The list of an answer's boxes and points, in pixels of the photo after `smart_resize`."""
    grids = [Grid(side, side - 1) for side in smart_resize(size_wh)]

    def write(kind: UnitKind, unit: Unit | None) -> Mapping[str, list[int]]:
        shares = shares_of(unit, size_wh)
        return {KEYS[kind]: [grids[index % 2].number(share) for index, share in enumerate(shares)]}

    return write_list(parts, write, KEYS)


DIALECT = Dialect(
    "qwen2_5_vl", "Qwen2.5-VL, JSON list",
    "github.com/QwenLM/Qwen2.5-VL, qwen-vl-finetune/tools/process_bbox.ipynb",
    "pixels of the picture as the model got it (smart_resize, or input_wh), rounded; read as n / side", Grid(0, 0),
    ("box", "point"), ("box", "point"), "words between the phrases", read, render,
)  # fmt: skip
