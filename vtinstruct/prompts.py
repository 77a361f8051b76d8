"""Visual prompts: how a person would mark a region on the photo, and how a mark becomes a region mask again.

`draw_point`, `draw_box`, `draw_scribble` and `draw_mask` make a mark from a region's own geometry; `draw` picks one.
All are deterministic for the same `rng`, never leave the photo and never come out empty. What they do with odd regions:

* 1 to 9 pixels: a point is the centre of one of the pixels, a scribble and a mask are all of them.
* crowds: like any region (tasks do not ask about them).
* a box without a mask: a point lies in the middle half of the box, a box is drawn as usual, scribble and mask raise.
* no geometry, an empty or broken mask, a mask of another size than the photo: `PromptError`.

`exact=True` is for evaluation: the deepest point of the mask, the box and the mask as annotated.

Speed matters (this runs for every region of every dataset): only the columns of the region's box are decoded, and
distances to the border are counted on a grid of at most `GRID` cells a side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np

from vtinstruct.dialogue import Prompt, PromptKind
from vtinstruct.geometry import BoolArray, GeometryError, IntArray, decode_rle, encode_mask, rle_runs
from vtinstruct.record import Region
from vtinstruct.strokes import deep_cells, eroded, smooth, stamp, way_through
from vtinstruct.units import Box, Mask, Point, Rle

GRID = 48  # cells a side on which distance to the border is counted
TINY = 9  # pixels; at most so many are never thinned
BOX_JITTER = 0.1  # of a side, for each edge
POINT_RADIUS = 0.015  # of the photo's geometric mean side: 8 pixels at 640 x 480
STROKE_RADIUS = 0.01

Drawer = Callable[[Region, tuple[int, int], Random, bool], Prompt]


class PromptError(ValueError):
    """A region that no such prompt can be drawn from; the message says why."""


def draw(kind: PromptKind, region: Region, size_wh: tuple[int, int], rng: Random, exact: bool = False) -> Prompt:
    """A prompt of that kind for a region of a photo of that size. Raises `PromptError`."""
    return _DRAWERS[kind](region, size_wh, rng, exact)


def draw_point(region: Region, size_wh: tuple[int, int], rng: Random, exact: bool = False) -> Prompt:
    """The centre of a pixel inside the region and away from its border: at least half as deep as the deepest one."""
    if region.mask_rle is None:
        x0, y0, x1, y1 = _box_of(region, size_wh)
        u, v = (0.5, 0.5) if exact else (rng.uniform(0.25, 0.75), rng.uniform(0.25, 0.75))
        return Prompt("point", Point((x0 + u * (x1 - x0), y0 + v * (y1 - y0))))
    crop, (left, top) = _crop(region, size_wh)
    rows, columns, depth = deep_cells(crop, GRID)
    deepest = int(depth.max())
    choice = np.flatnonzero(depth == deepest if exact else 2 * depth >= deepest)
    index = int(choice[choice.size // 2 if exact else rng.randrange(choice.size)])
    return Prompt("point", Point((left + float(columns[index]) + 0.5, top + float(rows[index]) + 0.5)))


def draw_box(region: Region, size_wh: tuple[int, int], rng: Random, exact: bool = False) -> Prompt:
    """The region's box, each edge moved by at most `BOX_JITTER` of its side, inside the photo, a pixel or more wide."""
    x0, y0, x1, y1 = _box_of(region, size_wh)
    if not exact:
        dx, dy = BOX_JITTER * (x1 - x0), BOX_JITTER * (y1 - y0)
        x0, x1 = x0 + rng.uniform(-dx, dx), x1 + rng.uniform(-dx, dx)
        y0, y1 = y0 + rng.uniform(-dy, dy), y1 + rng.uniform(-dy, dy)
    x0, x1 = _side(x0, x1, size_wh[0])
    y0, y1 = _side(y0, y1, size_wh[1])
    return Prompt("box", Box((x0, y0, x1, y1)))


def draw_scribble(region: Region, size_wh: tuple[int, int], rng: Random, exact: bool = False) -> Prompt:
    """A smooth stroke inside the mask that follows its shape: the cheapest way between two far cells, where cells near
    the border cost more, rounded off, as wide as a pen, cut to the mask. `exact` changes nothing."""
    crop, (left, top) = _crop(region, size_wh)
    if int(crop.sum()) <= TINY:
        return Prompt("scribble", Mask(_paste(crop, left, top, size_wh)))
    way, room = way_through(crop, rng)
    radius = max(1.0, min(STROKE_RADIUS * math.sqrt(size_wh[0] * size_wh[1]), 0.6 * room))
    stroke = stamp(smooth(way, radius), radius, crop.shape) & crop
    if not stroke.any():  # a way so thin that rounding it off left the mask
        stroke[way[:, 1].astype(np.int64), way[:, 0].astype(np.int64)] = True
    return Prompt("scribble", Mask(_paste(stroke, left, top, size_wh)))


def draw_mask(region: Region, size_wh: tuple[int, int], rng: Random, exact: bool = False) -> Prompt:
    """The region's mask as annotated, or (each in a third of the draws) worn off at the border or coarse as a small
    model's; with at least half of its pixels kept, and untouched when it has few."""
    crop, (left, top) = _crop(region, size_wh)
    style, strength = rng.randrange(3), rng.random()  # always both, so that `exact` shifts nothing behind it
    area = int(crop.sum())
    if exact or style == 0 or area <= TINY:
        assert region.mask_rle is not None
        return Prompt("mask", Mask(region.mask_rle))
    worn = _coarse(crop, 8 + int(24 * strength)) if style == 1 else eroded(crop, 1 + int(0.05 * strength * area**0.5))
    kept = worn if 2 * int((worn & crop).sum()) >= area else crop
    return Prompt("mask", Mask(_paste(kept, left, top, size_wh)))


_DRAWERS: dict[PromptKind, Drawer] = {
    "point": draw_point, "box": draw_box, "scribble": draw_scribble, "mask": draw_mask,
}  # fmt: skip


def prompt_mask(prompt: Prompt, size_wh: tuple[int, int]) -> BoolArray:
    """A prompt as a region mask (H, W), never empty: every prompt is one to the model's prompt encoder.

    A point becomes a disc of `POINT_RADIUS` (at least 1 pixel), a box its pixels, a scribble and a mask themselves.
    Raises `PromptError` for a mark outside the photo or of another size, `GeometryError` for a broken mask.
    """
    width, height = size_wh
    mark = prompt.mark
    if isinstance(mark, Mask):
        if mark.mask_rle.size_hw != (height, width):
            raise PromptError(f"a {prompt.kind} prompt of {mark.mask_rle.size_hw} on a photo of {(height, width)}")
        mask = decode_rle(mark.mask_rle)
        if not mask.any():
            raise PromptError(f"a {prompt.kind} prompt without a single pixel")
        return mask
    mask = np.zeros((height, width), dtype=np.bool_)
    if isinstance(mark, Box):
        x0, y0, x1, y1 = mark.box_xyxy
        if not (x0 <= x1 and y0 <= y1 and x1 > 0 and y1 > 0 and x0 < width and y0 < height):
            raise PromptError(f"a box prompt {mark.box_xyxy} outside a photo of {width} x {height}")
        (left, right), (top, bottom) = _pixels(x0, x1, width), _pixels(y0, y1, height)
        mask[top:bottom, left:right] = True
        return mask
    x, y = mark.point_xy
    if not (0 <= x <= width and 0 <= y <= height):
        raise PromptError(f"a point prompt {mark.point_xy} outside a photo of {width} x {height}")
    radius = max(1.0, POINT_RADIUS * math.sqrt(width * height))
    return stamp(np.array([[x, y]]), radius, mask.shape)


# --- geometry of one region ------------------------------------------------------------------------------------------


def _pixels(low: float, high: float, size: int) -> tuple[int, int]:
    """First and past-last pixel whose centre is between two edges; the pixel that holds `low` when none is."""
    first, stop = math.ceil(low - 0.5), math.ceil(high - 0.5)
    if stop <= first:
        first = math.floor((low + high) / 2)
        stop = first + 1
    first = min(max(first, 0), size - 1)
    return first, max(first + 1, min(stop, size))


def _side(low: float, high: float, size: int) -> tuple[float, float]:
    low, high = min(max(low, 0.0), float(size)), min(max(high, 0.0), float(size))
    if high - low < 1.0:
        low = min(max((low + high) / 2 - 0.5, 0.0), float(size - 1))
        high = low + 1.0
    return low, high


def _box_of(region: Region, size_wh: tuple[int, int]) -> tuple[float, float, float, float]:
    box = region.box_xyxy
    if box is None:
        crop, (left, top) = _crop(region, size_wh)
        return (float(left), float(top), float(left + crop.shape[1]), float(top + crop.shape[0]))
    x0, x1 = _side(box[0], box[2], size_wh[0])
    y0, y1 = _side(box[1], box[3], size_wh[1])
    return (x0, y0, x1, y1)


def _crop(region: Region, size_wh: tuple[int, int]) -> tuple[BoolArray, tuple[int, int]]:
    """The mask inside its tight box (h, w), and the box's left and top."""
    rle = region.mask_rle
    if rle is None:
        raise PromptError(f"region {region.id} has no mask to draw a prompt from")
    if rle.size_hw != (size_wh[1], size_wh[0]):
        raise PromptError(f"region {region.id} has a mask of {rle.size_hw} on a photo of {(size_wh[1], size_wh[0])}")
    try:
        runs = rle_runs(rle)
    except GeometryError as error:
        raise PromptError(f"region {region.id}: {error}") from error
    height = rle.size_hw[0]
    ends = np.cumsum(runs)
    inside = np.flatnonzero(runs[1::2]) * 2 + 1
    if inside.size == 0:
        raise PromptError(f"region {region.id} has an empty mask")
    # Runs go down the columns, so the columns from the first to the last inside pixel are one slice of them.
    left, right = int(ends[inside[0] - 1]) // height, (int(ends[inside[-1]]) - 1) // height + 1
    start, stop = left * height, right * height
    clipped = np.diff(np.clip(ends, start, stop), prepend=start)
    flags = np.zeros(clipped.size, dtype=np.bool_)
    flags[1::2] = True
    columns = np.repeat(flags, clipped).reshape(right - left, height).T
    rows = np.flatnonzero(columns.any(axis=1))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    return np.ascontiguousarray(columns[top:bottom]), (left, top)


def _paste(crop: BoolArray, left: int, top: int, size_wh: tuple[int, int]) -> Rle:
    full = np.zeros((size_wh[0], size_wh[1]), dtype=np.uint8).T  # column-major, as the run lengths are
    full[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
    return encode_mask(full)


def _coarse(crop: BoolArray, cells: int) -> BoolArray:
    """The mask as if it came from a grid of so many cells a side."""
    height, width = crop.shape
    return crop[_middles(height, -(-height // cells))][:, _middles(width, -(-width // cells))]


def _middles(side: int, step: int) -> IntArray:
    """For every pixel of a side the middle pixel of its cell."""
    pixels = np.arange(0, side, 1, dtype=np.int64)
    return np.minimum(pixels // step * step + step // 2, side - 1)
