"""Units and prompts as pictures for a page: SVG shapes in photo pixels, and small PNGs for depth.

Colours come from a list long enough that neighbours in an answer differ; depth goes from warm (near) to dark (far).
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image

from vtinstruct.geometry import rle_box, rle_runs
from vtinstruct.units import COCO_KEYPOINTS, Box, Keypoints, Mask, Point, Rle, Unit

COLOURS = (
    "#ff4d5e", "#2f8fff", "#22b573", "#ffb000", "#b45cff", "#00c2c7", "#ff7ac6", "#9bd000", "#ff7f2a", "#6b7cff",
    "#e0d000", "#c98a5a",
)  # fmt: skip
PROMPT_COLOUR = "#ffffff"
# COCO's own skeleton (person_keypoints annotations, `categories[0].skeleton`), joints counted from 0
LIMBS = (
    (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10), (1, 2),
    (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
)  # fmt: skip

# depth from near to far, as RGB
_NEAR_TO_FAR = np.array([(255, 243, 176), (249, 168, 77), (214, 73, 80), (110, 35, 110), (22, 16, 60)], np.float64)


@dataclass(frozen=True, slots=True)
class Mark:
    """One SVG element: `key` ties it to its chip in the words. Numbers are photo pixels.

    `shape` "rect" uses x, y, width, height; "path" `path`; "circle" x, y (and `hollow`); "line" x, y to x2, y2.
    """

    shape: Literal["rect", "path", "circle", "line"]
    key: str
    colour: str
    x: float
    y: float
    width: float = 0.0
    height: float = 0.0
    x2: float = 0.0
    y2: float = 0.0
    path: str = ""
    hollow: bool = False
    dashed: bool = False


def colour(number: int) -> str:
    """The colour of the n-th reference of an answer."""
    return COLOURS[number % len(COLOURS)]


def marks(unit: Unit, key: str, paint: str, prompt: bool = False, shown: float = 0.0) -> Iterator[Mark]:
    """The marks that show a unit (a depth map has none). `prompt` draws dashed, as a person's mark; `shown` as `outline`."""
    match unit:
        case Box():
            x0, y0, x1, y1 = unit.box_xyxy
            yield Mark("rect", key, paint, x0, y0, x1 - x0, y1 - y0, dashed=prompt)
        case Mask():
            x0, y0, x1, y1 = rle_box(unit.mask_rle)
            yield Mark("path", key, paint, x0, y0, x1 - x0, y1 - y0, path=outline(unit.mask_rle, shown))
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


def outline(rle: Rle, shown: float = 0.0) -> str:
    """A mask's outline as the `d` of an SVG path in photo pixels, holes and all parts included (fill rule "evenodd").

    Traced along the pixel edges, then smoothed by up to a 300th of the longer side of what is shown (`shown` pixels; 0: the
    whole photo): stairs of single pixels go, and no part is lost. Raises `GeometryError` on a mask that is no mask.
    """
    height = rle.size_hw[0]
    ends = np.cumsum(rle_runs(rle))
    starts, stops = ends[:-1:2], ends[1::2]  # of the runs inside, in column-major pixels
    starts, stops = starts[stops > starts], stops[stops > starts]
    first, last = starts // height, (stops - 1) // height
    top, bottom = starts % height, (stops - 1) % height + 1
    tall = last > first  # such a run leaves its first column below, fills whole ones, and enters its last one above
    full = tall & (last > first + 1)
    x0, x1 = np.r_[first, last[tall], first[full] + 1], np.r_[first + 1, last[tall] + 1, last[full]]
    y0 = np.r_[top, np.zeros(int(tall.sum()) + int(full.sum()), np.int64)]
    y1 = np.r_[np.where(tall, height, bottom), bottom[tall], np.full(int(full.sum()), height)]
    boxes = cast(Any, shapely.box(*(side.astype(np.float64) for side in (x0, y0, x1, y1))))
    whole = shapely.union_all(boxes)
    smooth = shapely.simplify(whole, (shown or max(rle.size_hw)) / 300)
    rings = shapely.get_rings(shapely.get_parts(smooth))
    return "".join(_ring(shapely.get_coordinates(ring)) for ring in rings)


def _ring(points_xy: NDArray[np.float64]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points_xy[:-1].tolist()) + "Z"


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
