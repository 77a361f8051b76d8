"""How much of every pixel of a square a photo's mask covers, found where the mask is and nowhere else.

The numbers are those of Pillow's box filter over the whole photo (`Resample.c`, in fixed point), along rows first: Pillow 13
goes along columns first where that is less work, and is then up to one of 255 levels away (`tests/refvlm/test_share.py`).
Most masks are small and come as run lengths, which give their part of the photo without all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vtinstruct.geometry import Letterbox, rle_runs
from vtinstruct.units import Rle

Ints = NDArray[np.int32]
BITS = 22  # of Pillow's fixed point


@dataclass(frozen=True)
class Share:
    """How much a mask covers of the square's pixels from row `top` and column `left` on, (h, w) of 0..255; of all others it
    covers nothing."""

    levels: NDArray[np.uint8]
    top: int
    left: int

    def paste(self, square: NDArray[np.uint8], levels: NDArray[np.uint8]) -> None:
        """Put `levels`, of these pixels, into a square (side, side)."""
        height, width = levels.shape
        square[self.top : self.top + height, self.left : self.left + width] = levels


NOTHING = Share(np.zeros((0, 0), np.uint8), 0, 0)


def share_of_mask(mask: NDArray[np.bool_], frame: Letterbox) -> Share:
    """The share of a photo's mask (H, W)."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return NOTHING
    top, left = int(rows[0]), int(columns[0])
    return _share(mask[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1].T, left, top, frame)


def share_of_rle(rle: Rle, frame: Letterbox) -> Share:
    """The share of a mask by its run lengths. Raises `GeometryError` when they are none."""
    runs, height = rle_runs(rle), rle.size_hw[0]
    stops = np.cumsum(runs)
    inside = np.arange(1, len(runs), 2)
    inside = inside[runs[inside] > 0]
    if not inside.size:
        return NOTHING
    first, last = inside[0], inside[-1]
    left, right = int(stops[first] - runs[first]) // height, -(-int(stops[last]) // height)
    lengths = runs[first : last + 1].copy()  # the part's columns: from the first to the last that it touches
    before, behind = int(stops[first - 1]) - left * height, right * height - int(stops[last])
    bits = np.zeros(lengths.size + 2, np.bool_)
    bits[1:-1:2] = True
    part = np.repeat(bits, np.concatenate(([before], lengths, [behind]))).reshape(-1, height)  # (w, H), by columns
    rows = np.flatnonzero(part.any(0))
    return _share(part[:, rows[0] : rows[-1] + 1], left, int(rows[0]), frame)


def _share(part: NDArray[np.bool_], left: int, top: int, frame: Letterbox) -> Share:
    """The share of the mask whose part `part` (w, h), by columns, begins at column `left` and row `top` of the photo and
    touches all four sides. However much its photo shrinks, it keeps some weight."""
    levels = part.view(np.uint8) * np.int32(255)
    levels, begin_x = _averages(levels, left, frame.size_wh[0], frame.scaled_wh[0])
    turned, begin_y = _averages(levels.T, top, frame.size_wh[1], frame.scaled_wh[1])
    if turned.any():
        return Share(turned.astype(np.uint8), begin_y, begin_x)
    # smaller than 1/510 of one square pixel: keep the one it lies in
    column, row = np.argwhere(part).mean(0) + np.array([left, top])
    scale_x, scale_y = (scaled / size for scaled, size in zip(frame.scaled_wh, frame.size_wh, strict=True))
    return Share(np.ones((1, 1), np.uint8), int(row * scale_y), int(column * scale_x))


def _averages(levels: Ints, begin: int, size: int, scaled: int) -> tuple[Ints, int]:
    """Levels (n, m) of the pixels from `begin` on of an axis of `size` as averages over its `scaled` pixels: those that see
    any of them, and the first one's place."""
    if size == scaled:
        return levels, begin
    starts, stops, weights = _bins(size, scaled)
    first = int(np.searchsorted(stops, begin, side="right"))
    last = int(np.searchsorted(starts, begin + len(levels), side="left"))
    sums = np.zeros((len(levels) + 1, levels.shape[1]), np.int32)
    np.cumsum(levels, axis=0, out=sums[1:])
    low = np.clip(starts[first:last] - begin, 0, len(levels))
    high = np.clip(stops[first:last] - begin, 0, len(levels))
    found = sums[high]
    found -= sums[low]
    found *= weights[first:last, None]
    found += 1 << (BITS - 1)
    found >>= BITS
    return found, first


@lru_cache(maxsize=256)
def _bins(size: int, scaled: int) -> tuple[Ints, Ints, Ints]:
    """Of each of `scaled` pixels the first and the last but one of `size` pixels whose average it is, and their weight."""
    step = size / scaled
    wide = max(step, 1.0)
    middles = (np.arange(scaled) + 0.5) * step
    starts = np.maximum((middles - wide * 0.5 + 0.5).astype(np.int32), 0)
    stops = np.minimum((middles + wide * 0.5 + 0.5).astype(np.int32), size)
    # the filter is 1 over -0.5 < x <= 0.5
    starts += (starts - middles + 0.5) * (1.0 / wide) <= -0.5
    stops -= (stops - 1 - middles + 0.5) * (1.0 / wide) > 0.5
    weights = (0.5 + 1.0 / (stops - starts) * (1 << BITS)).astype(np.int32)
    return starts.astype(np.int32), stops.astype(np.int32), weights


def square_of(share: Share, side: int) -> NDArray[np.uint8]:
    """The whole square, (side, side) of 0..255."""
    square = np.zeros((side, side), np.uint8)
    share.paste(square, share.levels)
    return square
