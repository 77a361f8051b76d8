"""How much of every pixel of a square a photo's mask covers, found where the mask is and nowhere else.

The numbers are those of a box filter over the whole photo, rounded once. Pillow's (`Resample.c`) rounds after each axis, in
fixed point, and is up to one of 255 levels away (`tests/refvlm/test_share.py`). Most masks are small and come as run
lengths, which give their part of the photo without all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtinstruct.geometry import Letterbox, rle_runs
from vtinstruct.units import Rle

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Share:
    """How much a mask covers of the square's pixels from row `top` and column `left` on, (h, w) of 0..255; of all others it
    covers nothing."""

    levels: Bytes
    top: int
    left: int

    def paste(self, square: Bytes) -> None:
        """Put the levels into a square (side, side)."""
        height, width = self.levels.shape
        square[self.top : self.top + height, self.left : self.left + width] = self.levels


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
    across, down = (_Bins.of(size, scaled) for size, scaled in zip(frame.size_wh, frame.scaled_wh, strict=True))
    # Counts of photo pixels; mostly they fit into bytes, and bytes are added many at a time.
    counts = part.view(np.uint8) if across.most * down.most < 256 else part.astype(np.int64)
    counts, column, wide = across.summed(counts, left)
    counts, row, high = down.summed(np.ascontiguousarray(counts.T), top)
    if across.most == down.most == 1:
        return Share(counts * np.uint8(255), row, column)
    levels = counts * (np.float32(255) / np.outer(high, wide).astype(np.float32))
    levels += np.float32(0.5)
    if levels.max() >= 1:
        return Share(levels.astype(np.uint8), row, column)
    # smaller than 1/510 of one square pixel: keep the one it lies in
    x, y = np.argwhere(part).mean(0) + np.array([left, top])
    scale_x, scale_y = (scaled / size for scaled, size in zip(frame.scaled_wh, frame.size_wh, strict=True))
    return Share(np.ones((1, 1), np.uint8), int(y * scale_y), int(x * scale_x))


@dataclass(frozen=True, slots=True)
class _Bins:
    """Of each of the scaled pixels of an axis the first and the last but one of the photo's pixels whose average it is,
    `starts` and `stops`, and how many the widest sees, `most`."""

    starts: Ints
    stops: Ints
    most: int

    @staticmethod
    @lru_cache(maxsize=256)
    def of(size: int, scaled: int) -> _Bins:
        """As Pillow's box filter cuts an axis of `size` pixels into `scaled`."""
        step = size / scaled
        wide = max(step, 1.0)
        middles = (np.arange(scaled) + 0.5) * step
        starts = np.maximum((middles - wide * 0.5 + 0.5).astype(np.int64), 0)
        stops = np.minimum((middles + wide * 0.5 + 0.5).astype(np.int64), size)
        # the filter is 1 over -0.5 < x <= 0.5
        starts += (starts - middles + 0.5) * (1.0 / wide) <= -0.5
        stops -= (stops - 1 - middles + 0.5) * (1.0 / wide) > 0.5
        return _Bins(starts, stops, int((stops - starts).max()))

    def summed(self, counts: NDArray[Any], begin: int) -> tuple[NDArray[Any], int, Ints]:
        """Counts (n, m) of the photo's pixels from `begin` on, added up over the scaled pixels that see any of them: the
        sums, the first one's place, and how many pixels of the photo each sees, inside of `counts` or not."""
        first = int(np.searchsorted(self.stops, begin, side="right"))
        last = int(np.searchsorted(self.starts, begin + len(counts), side="left"))
        low = np.maximum(self.starts[first:last] - begin, 0)
        seen = np.minimum(self.stops[first:last] - begin, len(counts)) - low
        sums = counts.take(low, 0)
        for step in range(1, int(seen.max())):
            more = np.flatnonzero(seen > step)
            sums[more] += counts.take(low[more] + step, 0)
        return sums, first, self.stops[first:last] - self.starts[first:last]


def squares_of(shares: Sequence[Share], side: int) -> Bytes:
    """The whole squares, (N, side, side) of 0..255."""
    squares = np.zeros((len(shares), side, side), np.uint8)
    for square, share in zip(squares, shares, strict=True):
        share.paste(square)
    return squares
