"""Units and prompts as pictures for a page: SVG shapes in photo pixels, and small PNGs for masks and depth.

Colours come from a list long enough that neighbours in an answer differ; depth goes from warm (near) to dark (far).
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vtinstruct.geometry import decode_rle
from vtinstruct.units import COCO_KEYPOINTS, Box, Keypoints, Mask, Point, Rle, Unit

COLOURS = (
    "#ff4d5e", "#2f8fff", "#22b573", "#ffb000", "#b45cff", "#00c2c7", "#ff7ac6", "#9bd000", "#ff7f2a", "#6b7cff",
    "#e0d000", "#c98a5a",
)  # fmt: skip
PROMPT_COLOUR = "#ffffff"
# pairs of COCO's points that a person would draw a line between
LIMBS = tuple(
    (COCO_KEYPOINTS.index(a), COCO_KEYPOINTS.index(b))
    for a, b in (
        ("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear"),
        ("left_shoulder", "right_shoulder"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
        ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"), ("left_shoulder", "left_hip"),
        ("right_shoulder", "right_hip"), ("left_hip", "right_hip"), ("left_hip", "left_knee"),
        ("left_knee", "left_ankle"), ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
    )
)  # fmt: skip

# depth from near to far, as RGB
_NEAR_TO_FAR = np.array([(255, 243, 176), (249, 168, 77), (214, 73, 80), (110, 35, 110), (22, 16, 60)], np.float64)


@dataclass(frozen=True, slots=True)
class Mark:
    """One SVG element: `key` ties it to its chip in the words. Numbers are photo pixels, `image` a data URI.

    `shape` "rect" uses x, y, width, height; "image" also `image`; "circle" x, y (and `hollow`); "line" x, y to x2, y2.
    """

    shape: Literal["rect", "image", "circle", "line"]
    key: str
    colour: str
    x: float
    y: float
    width: float = 0.0
    height: float = 0.0
    x2: float = 0.0
    y2: float = 0.0
    image: str = ""
    hollow: bool = False
    dashed: bool = False


def colour(number: int) -> str:
    """The colour of the n-th reference of an answer."""
    return COLOURS[number % len(COLOURS)]


def marks(unit: Unit, key: str, paint: str, prompt: bool = False) -> Iterator[Mark]:
    """The marks that show a unit (a depth map has none). `prompt` draws dashed, as a person's mark."""
    match unit:
        case Box():
            x0, y0, x1, y1 = unit.box_xyxy
            yield Mark("rect", key, paint, x0, y0, x1 - x0, y1 - y0, dashed=prompt)
        case Mask():
            height, width = unit.mask_rle.size_hw
            yield Mark("image", key, paint, 0.0, 0.0, width, height, image=mask_uri(unit.mask_rle, paint))
        case Point():
            yield Mark("circle", key, paint, *unit.point_xy)
        case Keypoints():
            yield from _skeleton(unit, key, paint)
        case _:
            return


def _skeleton(pose: Keypoints, key: str, paint: str) -> Iterator[Mark]:
    points = pose.keypoints_xyv
    if len(points) == len(COCO_KEYPOINTS):
        for a, b in LIMBS:
            if points[a][2] and points[b][2]:
                yield Mark("line", key, paint, points[a][0], points[a][1], x2=points[b][0], y2=points[b][1])
    for x, y, v in points:
        if v:
            yield Mark("circle", key, paint, x, y, hollow=v == 1)


def mask_uri(rle: Rle, paint: str, longest: int = 480) -> str:
    """A mask as a PNG of three entries (nothing, the inside half clear, the rim), no longer than `longest` pixels."""
    mask = decode_rle(rle)
    step = max(1, -(-max(mask.shape) // longest))
    mask = _shrink(mask, step)
    rim = mask.copy()
    rim[1:-1, 1:-1] &= ~(mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:])
    picture = Image.fromarray(mask.astype(np.uint8) + rim.astype(np.uint8), "L")
    paletted = Image.new("P", picture.size)
    paletted.putdata(picture.tobytes())
    rgb = bytes.fromhex(paint.removeprefix("#"))
    paletted.putpalette(bytes(3) + rgb + rgb)
    return _uri(paletted, "PNG", transparency=bytes([0, 110, 255]), optimize=True)


def _shrink(mask: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    # any pixel of a cell sets it: a mask of three pixels stays to be seen
    if step == 1:
        return mask
    height, width = mask.shape
    padded = np.zeros((-(-height // step) * step, -(-width // step) * step), np.bool_)
    padded[:height, :width] = mask
    return np.any(padded.reshape(padded.shape[0] // step, step, -1, step), axis=(1, 3), keepdims=True)[:, 0, :, 0]


def photo_uri(photo: Image.Image, longest: int = 640) -> str:
    """A photo as a JPEG no longer than `longest` pixels."""
    small = photo.copy()
    small.thumbnail((longest, longest))
    return _uri(small, "JPEG", quality=82, optimize=True)


def depth_uri(metres: NDArray[np.float32], longest: int = 480) -> tuple[str, float, float]:
    """A depth map in colours as a PNG, and its nearest and farthest metres; missing pixels are clear."""
    step = max(1, -(-max(metres.shape) // longest))
    small = metres[::step, ::step]
    there = small > 0
    if not there.any():
        return _uri(Image.new("RGBA", (small.shape[1], small.shape[0])), "PNG"), 0.0, 0.0
    near, far = float(small[there].min()), float(small[there].max())
    share = np.clip((small - near) / max(far - near, 1e-9), 0.0, 1.0) * (len(_NEAR_TO_FAR) - 1)
    stops = np.arange(len(_NEAR_TO_FAR))
    rgba = np.zeros((*small.shape, 4), np.uint8)
    for channel in range(3):
        rgba[..., channel] = np.interp(share, stops, _NEAR_TO_FAR[:, channel]).round()
    rgba[..., 3] = np.where(there, 255, 0)
    return _uri(Image.fromarray(rgba, "RGBA"), "PNG", optimize=True), near, far


def _uri(picture: Image.Image, kind: str, **options: object) -> str:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
