"""Gemini: a JSON list of `{"box_2d": [y0, x0, y1, x1], "label": ...}` or `{"point": [y, x], "label": ...}`, thousandths of the
photo's sides, y first; with `"mask": "data:image/png;base64,..."` beside a box a picture of how probable each of its places is.

Source: github.com/google-gemini/cookbook, `quickstarts/Spatial_understanding.ipynb` (`plot_bounding_boxes`: n / 1000 of the
side; it turns swapped corners round for drawing, which is not done here), and its earlier segmentation code, seen in copies
(`parse_segmentation_masks`, `overlay_mask_on_img`: corners cut to whole pixels, the picture resized to the box by Pillow's
BILINEAR, above 127 is the mask; what has no such box or picture is left out). `"confidence"`, where it was asked for, is the
confidence. An object with a mask is a mask, unless the sample asks for boxes. The model's own encoder is not published;
numbers are rounded to the nearest.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from vtinstruct.dialect import Dialect, Grid, Heard, SizeWH, Spoken
from vtinstruct.dialects._furniture import Read, mark_of
from vtinstruct.dialects._json_list import COUNTS, Fields, keyed, numbers_in, read_list, write_list
from vtinstruct.dialects._saying import numbers_of
from vtinstruct.dialogue import Parts
from vtinstruct.geometry import encode_mask
from vtinstruct.units import Mask, Unit, UnitKind

GRID = Grid(1000, 1000)
KEYS: dict[UnitKind, str] = {"box": "box_2d", "point": "point"}
MASK, PREFIX = "mask", "data:image/png;base64,"
THRESHOLD = 127  # of 255
MAX_SIDE = 4096  # the model's pictures have 256


def read(spoken: Spoken) -> Heard:
    """The list's boxes, points and masks."""

    def place(numbers: Sequence[float]) -> Read:
        return mark_of([GRID.share(number) for number in _turned(numbers)], spoken.size_wh)

    boxes_and_points = keyed(KEYS, place)

    def element(fields: Fields) -> tuple[UnitKind, Read] | None:
        if MASK in fields and KEYS["box"] in fields and spoken.wanted != "box":
            return "mask", _mask(fields, spoken.size_wh)
        return boxes_and_points(fields)

    return read_list(spoken, element, place)


def _turned(numbers: Sequence[Any]) -> list[Any]:
    """x and y exchanged, in pairs."""
    return [number for y, x in zip(numbers[0::2], numbers[1::2], strict=True) for number in (x, y)]


def _mask(fields: Fields, size_wh: SizeWH) -> Read:
    box, text = numbers_in(fields[KEYS["box"]], COUNTS["box"]), fields[MASK]
    if not box or not isinstance(text, str) or not text.startswith(PREFIX):
        return None, "unreadable"
    if not all(0 <= number <= GRID.top for number in box):
        return None, "beyond the grid"  # the original would fail on it: no pixel is outside of the photo
    left, top, right, bottom = (
        int(number / GRID.scale * size_wh[index % 2]) for index, number in enumerate(_turned(box))
    )
    if right <= left or bottom <= top:
        return None, "swapped corners"
    picture = _picture(text[len(PREFIX) :])
    if picture is None:
        return None, "unreadable"
    whole = np.zeros((size_wh[1], size_wh[0]), dtype=np.uint8)
    inside = picture.resize((right - left, bottom - top), resample=Image.Resampling.BILINEAR)
    whole[top:bottom, left:right] = np.asarray(inside) > THRESHOLD
    return Mask(encode_mask(whole)), ""


def _picture(text: str) -> Image.Image | None:
    """The grey picture of eight bits; None where it is none."""
    try:
        picture = Image.open(io.BytesIO(base64.b64decode(text, validate=True)), formats=("PNG",))
        if picture.mode != "L" or max(picture.size) > MAX_SIDE:
            return None
        picture.load()
    except Exception:  # Pillow's readers raise whatever a broken file makes them trip over
        return None
    return picture


def render(parts: Parts, size_wh: SizeWH) -> str:
    """The list of an answer's boxes and points."""

    def write(kind: UnitKind, unit: Unit | None) -> Fields:
        return {KEYS[kind]: _turned(numbers_of(unit, GRID, size_wh))}

    return write_list(parts, write, KEYS)


DIALECT = Dialect(
    "gemini", "Gemini, JSON list", "github.com/google-gemini/cookbook, quickstarts/Spatial_understanding.ipynb",
    "thousandths of the photo's sides, y first, 0 to 1000, rounded; read as n / 1000", GRID,
    ("box", "point", "mask"), ("box", "point"), "words between the phrases; masks when written", read, render,
)  # fmt: skip
