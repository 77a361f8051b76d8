"""Boxes, run lengths, polygons, label maps and the letterbox: pure functions on numbers and arrays.

Frames: absolute pixel edges, float64. Masks are COCO run lengths (`Rle`): column-major runs that start with
background. Everything is checked in Python *before* native code sees it: pycocotools 2.0.11 dies on a NaN vertex, reads
past the end of a short run-length string, and takes a polygon of four numbers for a box.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from vtinstruct.units import Rle

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Farther out than this no photo reaches, and the rasteriser walks every edge pixel by pixel.
MAX_COORDINATE = 65_536.0
MAX_PIXELS = 1 << 28  # 16k x 16k; a larger mask is a fault, not a photo


class GeometryError(ValueError):
    """Geometry that cannot be used. `reason` is a short class to count by, the message says what would be right."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


# --- boxes -----------------------------------------------------------------------------------------------------------


def box_xyxy_of_xywh(box_xywh: Sequence[float]) -> tuple[float, float, float, float]:
    """COCO's `[x, y, width, height]` as edges. Raises `GeometryError` unless 4 finite numbers with sides >= 0."""
    if len(box_xywh) != 4 or not all(math.isfinite(value) for value in box_xywh):
        raise GeometryError("box: not 4 finite numbers", f"{list(box_xywh)!r:.80}; [x, y, width, height] is right")
    x, y, width, height = (float(value) for value in box_xywh)
    if width < 0 or height < 0:
        raise GeometryError("box: negative side", f"[{x}, {y}, {width}, {height}]; width and height >= 0 are right")
    return (x, y, x + width, y + height)


def clip_box(
    box_xyxy: tuple[float, float, float, float], size_wh: tuple[int, int]
) -> tuple[float, float, float, float]:
    """The part of a box inside a photo. Raises `GeometryError` when nothing is inside (touching edges is nothing)."""
    x0, y0, x1, y1 = box_xyxy
    clipped = (max(x0, 0.0), max(y0, 0.0), min(x1, float(size_wh[0])), min(y1, float(size_wh[1])))
    if clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
        raise GeometryError(
            "box: outside the photo", f"{[x0, y0, x1, y1]} in a photo of {size_wh[0]} x {size_wh[1]}; overlap is right"
        )
    return clipped


def box_area(boxes_xyxy: FloatArray) -> FloatArray:
    """Areas of boxes (..., 4) in square pixels, (...)."""
    return (boxes_xyxy[..., 2] - boxes_xyxy[..., 0]) * (boxes_xyxy[..., 3] - boxes_xyxy[..., 1])


def box_iou(a_xyxy: FloatArray, b_xyxy: FloatArray) -> FloatArray:
    """Intersection over union of every box of a (N, 4) with every box of b (M, 4): (N, M); 0 where both are empty."""
    low = np.maximum(a_xyxy[:, None, :2], b_xyxy[None, :, :2])
    high = np.minimum(a_xyxy[:, None, 2:], b_xyxy[None, :, 2:])
    sides = np.clip(high - low, 0.0, None)
    inter = sides[..., 0] * sides[..., 1]
    union = box_area(a_xyxy)[:, None] + box_area(b_xyxy)[None, :] - inter
    return np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)


# --- run lengths -----------------------------------------------------------------------------------------------------


def rle_runs(rle: Rle) -> IntArray:
    """The run lengths behind the compressed string: background first, column by column; sum = height * width.

    Format: cocoapi `common/maskApi.c` (`rleFrString`): 5 data bits a byte, bit 5 continues, bit 4 of the last byte is
    the sign, and from the third run on each value is the difference to the run two before. Raises `GeometryError`
    when the string is not that, or does not fill the photo exactly.
    """
    height, width = rle.size_hw
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise GeometryError("mask: absurd size", f"{height} x {width}; 1 to {MAX_PIXELS} pixels is right")
    codes = np.frombuffer(rle.counts, dtype=np.uint8).astype(np.int64) - 48
    if codes.size == 0 or int(codes.min()) < 0 or int(codes.max()) > 63:
        raise GeometryError("mask: not a COCO RLE string", f"{rle.counts[:40]!r}; characters '0' to 'o' are right")
    last = (codes & 32) == 0
    if not bool(last[-1]):
        raise GeometryError("mask: RLE cut short", f"{rle.counts[-20:]!r} ends inside a number")
    ends = np.flatnonzero(last)
    starts = np.concatenate(([0], ends[:-1] + 1))
    place = np.arange(codes.size) - np.repeat(starts, ends - starts + 1)
    if int(place.max()) > 6:
        raise GeometryError("mask: RLE number too long", "no run of a photo needs more than 7 characters")
    values = np.add.reduceat((codes & 31) << (5 * place), starts)
    negative = (codes[ends] & 16) != 0
    values = values - np.where(negative, np.int64(1) << (5 * (ends - starts + 1)), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    if int(values.min()) < 0:
        raise GeometryError("mask: negative run", "an RLE run is a number of pixels, 0 or more")
    if int(values.sum()) != height * width:
        raise GeometryError(
            "mask: RLE of wrong length", f"runs cover {int(values.sum())} pixels; {height} x {width} = {height * width}"
        )
    return values


def check_rle(rle: Rle) -> None:
    """Raise `GeometryError` unless the mask is safe for native code and fills its photo exactly."""
    rle_runs(rle)


def rle_from_runs(runs: Sequence[int] | IntArray, size_hw: tuple[int, int]) -> Rle:
    """Compress run lengths (COCO's "uncompressed RLE"). Raises `GeometryError` when they do not fill the photo."""
    height, width = size_hw
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise GeometryError("mask: absurd size", f"{height} x {width}; 1 to {MAX_PIXELS} pixels is right")
    try:
        found = np.asarray(runs)
    except (ValueError, OverflowError) as error:
        raise GeometryError("mask: runs are no numbers", f"{error}; whole numbers >= 0 are right") from error
    if found.ndim != 1 or found.size == 0 or found.dtype.kind not in "iu":
        raise GeometryError("mask: runs are no whole numbers", f"{runs!r:.60}; whole numbers >= 0 are right")
    if int(found.min()) < 0 or int(found.max()) > height * width or int(found.sum()) != height * width:
        raise GeometryError(
            "mask: RLE of wrong length", f"runs do not fill {height} x {width} = {height * width} pixels exactly"
        )
    native: Any = {"size": [height, width], "counts": found.tolist()}
    return _rle(coco_mask.frPyObjects(native, height, width))


def _rle(native: Any) -> Rle:
    height, width = native["size"]
    return Rle((int(height), int(width)), bytes(native["counts"]))


def rle_to_coco(rle: Rle) -> dict[str, Any]:
    """A mask as the object that COCO's JSON files have."""
    return {"size": list(rle.size_hw), "counts": rle.counts.decode("ascii")}


def _native(rle: Rle) -> Any:
    return {"size": list(rle.size_hw), "counts": rle.counts}


def encode_mask(mask: NDArray[Any]) -> Rle:
    """A binary mask (H, W) of any dtype (non-zero is inside) as run lengths."""
    return _rle(coco_mask.encode(np.asfortranarray(mask != 0).view(np.uint8)))


def decode_rle(rle: Rle) -> BoolArray:
    """The mask as booleans (H, W). Checked first, so a broken string raises `GeometryError` and never crashes."""
    runs = rle_runs(rle)
    inside = np.zeros(runs.size, dtype=np.bool_)
    inside[1::2] = True
    flat = np.repeat(inside, runs)
    return np.ascontiguousarray(flat.reshape(rle.size_hw[::-1]).T)


def rle_area(rle: Rle) -> int:
    """Pixels inside. The string must be sound (`check_rle`)."""
    return int(coco_mask.area(_native(rle)))


def rle_box(rle: Rle) -> tuple[float, float, float, float]:
    """The tight box of a mask in pixel edges, without decoding; (0, 0, 0, 0) when empty. The string must be sound."""
    x, y, width, height = (float(value) for value in coco_mask.toBbox(_native(rle)))
    return (x, y, x + width, y + height)


def rle_union(rles: Sequence[Rle]) -> Rle:
    """The union of masks of one photo. Strings must be sound and of one size."""
    return _rle(coco_mask.merge([_native(rle) for rle in rles]))


def rle_iou(a: Sequence[Rle], b: Sequence[Rle], crowd: Sequence[bool] | None = None) -> FloatArray:
    """Mask IoU of every a with every b: (N, M). Where `crowd[m]`, the union is a's own area (COCO's crowd rule).

    Raises `GeometryError` on masks of different sizes, which have no IoU, and where run lengths turn out to be broken.
    """
    if len({rle.size_hw for rle in (*a, *b)}) > 1:
        raise GeometryError("mask: sizes differ", "IoU needs masks of one photo")
    if not a or not b:
        return np.zeros((len(a), len(b)))
    from hotcoco.primitives import mask_iou  # the same bits, a few masks at a time twice as fast

    try:
        return mask_iou([_native(rle) for rle in a], [_native(rle) for rle in b], crowd or [False] * len(b))
    except ValueError as error:
        raise GeometryError("mask: broken run lengths", str(error)) from error


def rles_of_label_map(labels: NDArray[Any]) -> dict[int, Rle]:
    """Every value of an integer label map (H, W) with its mask, in ascending order, in one run-length pass.

    One pass over the column-major pixels finds all runs of all labels; the usual `labels == value` per value is 23
    times slower on a Cityscapes frame.
    """
    height, width = labels.shape
    flat = np.asarray(labels).T.reshape(-1)
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate(([0], edges))
    stops = np.concatenate((edges, [flat.size]))
    values = flat[starts]
    order = np.argsort(values, kind="stable")
    values, starts, stops = values[order], starts[order], stops[order]
    cuts = np.flatnonzero(values[1:] != values[:-1]) + 1
    found: dict[int, Rle] = {}
    for group in np.split(np.arange(values.size), cuts):
        bounds = np.stack((starts[group], stops[group]), axis=1).reshape(-1)
        runs = np.diff(np.concatenate(([0], bounds, [flat.size])))
        if runs.size % 2 == 1 and runs[-1] == 0:  # ends inside: no trailing background
            runs = runs[:-1]
        found[int(values[group[0]])] = rle_from_runs(runs, (height, width))
    return found


# --- polygons --------------------------------------------------------------------------------------------------------


def check_polygon(polygon: Sequence[float]) -> None:
    """Raise `GeometryError` unless a flat `[x0, y0, x1, y1, ...]` has 3 or more finite vertices near the photo."""
    n = len(polygon)
    if n % 2 == 1:
        raise GeometryError("polygon: odd number of coordinates", f"{n}; pairs x, y are right")
    if n < 6:
        raise GeometryError("polygon: fewer than 3 points", f"{n // 2}; 3 or more are right")
    low, high = min(polygon), max(polygon)
    # A NaN anywhere makes the sum NaN, an infinity makes it infinite or NaN; min and max alone can miss a NaN.
    if not math.isfinite(sum(polygon)) or low < -MAX_COORDINATE or high > MAX_COORDINATE:
        raise GeometryError("polygon: not finite", f"finite coordinates within {MAX_COORDINATE:.0f} pixels are right")


def polygons_to_rle(polygons: Sequence[Sequence[float]], size_wh: tuple[int, int]) -> Rle:
    """The union of all polygon parts as pycocotools rasterises them (cv2 and PIL differ: IoU 0.93-0.95).

    `size_wh` is the photo's size in pixels. Raises `GeometryError` on the first part that is no polygon, or when
    there is none.
    """
    width, height = size_wh
    if not polygons:
        raise GeometryError("polygon: none", "one or more parts are right")
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise GeometryError("mask: absurd size", f"{height} x {width}; 1 to {MAX_PIXELS} pixels is right")
    for polygon in polygons:
        check_polygon(polygon)
    parts: Any = [list(polygon) for polygon in polygons]
    native = cast(Any, coco_mask.frPyObjects(parts, height, width))
    return _rle(native[0] if len(native) == 1 else coco_mask.merge(native))


# --- letterbox -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Letterbox:
    """A photo scaled to fit a square and padded right and below: original frame <-> square frame, both ways.

    `size_wh` is the photo, `side` the square, `scaled_wh` the whole pixels the photo takes of it. Both axes have their own
    scale because `scaled_wh` is rounded to pixels; forgetting that costs more than a pixel on tall photos.
    """

    size_wh: tuple[int, int]
    side: int

    @property
    def scaled_wh(self) -> tuple[int, int]:
        """Pixels of the square that show the photo."""
        width, height = self.size_wh
        scale = self.side / max(width, height)
        return max(1, round(width * scale)), max(1, round(height * scale))

    @property
    def scale_xy(self) -> FloatArray:
        """Pixels of the square to one of the photo, (2,)."""
        return np.asarray(self.scaled_wh, dtype=np.float64) / np.asarray(self.size_wh, dtype=np.float64)

    def to_square(self, points_xy: FloatArray) -> FloatArray:
        """Original pixel edges (..., 2) -> the square's pixel edges (..., 2)."""
        return points_xy * self.scale_xy

    def to_photo(self, points_xy: FloatArray) -> FloatArray:
        """The square's pixel edges (..., 2) -> original pixel edges (..., 2)."""
        return points_xy / self.scale_xy
