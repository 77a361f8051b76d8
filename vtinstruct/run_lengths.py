"""Many masks' run lengths at once: are they sound, how large are the masks, and where do they lie.

`geometry.rle_runs` reads one mask and says what is wrong with it; this reads a hundred thousand in a few array passes and
only says which are sound. Both agree (`tests/vtinstruct/test_run_lengths.py`). Areas and boxes are those of cocoapi
`common/maskApi.c` (`rleArea`, `rleToBbox`).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vtinstruct.geometry import MAX_PIXELS

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
Px = NDArray[np.int32 | np.int64]
BLOCK = 1 << 16  # characters read at once, so that the arrays stay in the cache
# glibc hands free memory back to the system once it is more than twice the largest piece ever freed, and every block would
# have its arrays anew, page by page: a third of the time. One large piece, never touched and freed at once, ends that.
np.empty(1 << 24, np.uint8)
MAX_CHARACTERS = 7  # of one number; no run of a photo needs more
_SHORT = 6  # characters, 30 bits, that fit in 4 bytes
_MOST_32 = np.iinfo(np.int32).max


@dataclass(frozen=True, slots=True)
class Masks:
    """What many masks are: sound (N,), and area_px (N,), 0 where unsound."""

    sound: Bools
    area_px: Ints


@dataclass(frozen=True, slots=True)
class Runs:
    """The run lengths of many masks, one mask's behind the other's, as their strings say them (they may be negative or
    not fill a photo): `px`, of each mask background first, of 4 bytes where those are enough and else of 8; `through`
    (N + 1,) where each mask's begin, and the end of the last; a mask whose string is none has no runs."""

    px: Px
    through: Ints

    def judged(self, pixels: Ints) -> Masks:
        """Which masks are sound: runs >= 0 that cover exactly their photo's `pixels` (N,), of a photo that can be; and the
        area of what lies inside of them."""
        px, counts = self.px, np.diff(self.through)
        if _largest(px) * int(counts.max(initial=0)) > _MOST_32:  # what cannot turn over is exact
            px = px.astype(np.int64, copy=False)
        sums = np.zeros((2, counts.size), np.int64)
        for several, (chain, places) in zip(sums, _chains(px, self.through), strict=True):
            some = places[1:] > places[:-1]
            several[some] = np.add.reduceat(chain, places[:-1][some], dtype=chain.dtype)
        sound = (counts > 0) & (sums[0] + sums[1] == pixels) & (pixels > 0) & (pixels <= MAX_PIXELS)
        if px.size and int(px.min()) < 0:
            some = np.flatnonzero(counts)
            sound[some] &= np.minimum.reduceat(px, self.through[some]) >= 0
        inside = np.where(self.through[:-1] & 1, sums[0], sums[1])
        return Masks(sound, np.where(sound, inside, 0))


def _largest(values: Px) -> int:
    """The largest distance from 0."""
    return max(int(values.max()), -int(values.min())) if values.size else 0


def _chains(values: Px, through: Ints) -> Iterator[tuple[Px, Ints]]:
    """The runs in even and in odd places through all masks, and where each mask's begin among them: within a mask one chain
    is outside and the other inside of it."""
    for parity in (0, 1):
        yield values[parity::2], (through + 1 - parity) >> 1


def read_runs(data: Bytes, lengths: Ints) -> Runs:
    """Run lengths by their COCO strings: `data` are all their characters one after the other, `lengths` (N,) how many each
    has. For the format see `geometry.rle_runs`."""
    codes = data - np.uint8(48)  # below '0' wraps around to above 63
    good, ends = lengths > 0, np.cumsum(lengths)
    if codes.size and int(codes.max()) > 63:
        good[np.searchsorted(ends, np.flatnonzero(codes > 63), side="right")] = False
    good[good] = codes[ends[good] - 1] < 32  # a number that does not end would run on into the next mask
    codes, ends, stops, sizes = _cut(codes, lengths, good)
    if sizes.size and int(sizes.max()) > MAX_CHARACTERS:
        lengths = np.where(good, lengths, 0)
        good[np.searchsorted(ends, stops[sizes > MAX_CHARACTERS], side="right")] = False
        codes, ends, stops, sizes = _cut(codes, lengths, good)
    through = np.concatenate((np.zeros(1, np.int64), np.searchsorted(stops, ends)))
    return Runs(_runs(_numbers(codes, stops, sizes), through), through)


def _cut(codes: Bytes, lengths: Ints, good: Bools) -> tuple[Bytes, Ints, Ints, NDArray[np.int32]]:
    """The characters of good masks, where each mask ends in them, where each number ends, and its characters."""
    if not good.all():
        codes, lengths = codes[np.repeat(good, lengths)], np.where(good, lengths, 0)
    stops = np.flatnonzero(codes < 32)
    places = stops.astype(np.int32)
    sizes = np.empty_like(places)
    sizes[:1] = places[:1] + 1
    np.subtract(places[1:], places[:-1], out=sizes[1:])
    return codes, np.cumsum(lengths), stops, sizes


def _numbers(codes: Bytes, stops: Ints, sizes: NDArray[np.int32]) -> Px:
    """The signed numbers whose last characters stand at `stops`: 5 bits a character, the lowest first. Most are one character;
    the others take in those before it, one at a time."""
    last = codes.take(stops)
    last ^= 16  # the fifth bit is the sign
    last -= 16
    long = int(sizes.max(initial=0)) > _SHORT
    values = last.view(np.int8).astype(np.int64 if long else np.int32)
    which = np.flatnonzero(sizes > 1)
    value, at, left = values.take(which), stops.take(which), sizes.take(which)
    while which.size:
        at -= 1
        value <<= 5
        value |= (codes.take(at) & 31).astype(value.dtype)
        values[which] = value
        left -= 1
        more = np.flatnonzero(left > 1)
        which, value, at, left = (column.take(more) for column in (which, value, at, left))
    return values


def _runs(values: Px, through: Ints) -> Px:
    """The run lengths behind the numbers of many masks (changed in place): from a mask's second run on, each number is the
    difference to the run two before, where there is one but the very first."""
    counts = np.diff(through)
    first = through[:-1][counts > 0]
    opening = values.take(first)
    values[first] = 0  # the very first run is no part of any chain
    if _largest(values) * int(counts.max(initial=0)) > _MOST_32:
        values = values.astype(np.int64, copy=False)
    # Where a mask begins, a chain begins anew by taking back what the mask before has added to it.
    for chain, places in _chains(values, through):
        begin = places[:-1][places[1:] > places[:-1]]
        if begin.size:
            chain[begin[1:]] -= np.add.reduceat(chain, begin, dtype=chain.dtype)[:-1]
            np.cumsum(chain, dtype=chain.dtype, out=chain)
    values[first] = opening
    return values


def masks_fill(data: Bytes, lengths: Ints, pixels: Ints) -> Bools:
    """Which of many masks are sound: their strings as in `read_runs`, their photos' pixels (N,)."""
    found = np.zeros(len(lengths), np.bool_)
    for some, span in _blocks(lengths):
        found[some] = read_runs(data[span], lengths[some]).judged(pixels[some]).sound
    return found


def _blocks(lengths: Ints) -> Iterator[tuple[slice, slice]]:
    """The masks, and their characters, in pieces of about `BLOCK` characters."""
    ends = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=ends[1:])
    start = 0
    while start < len(lengths):
        past: Any = np.searchsorted(ends, ends[start] + BLOCK, side="right")
        stop = max(int(past) - 1, start + 1)
        yield slice(start, stop), slice(int(ends[start]), int(ends[stop]))
        start = stop


def read_masks(counts: Any, sizes_hw: Ints) -> Masks:
    """Masks by their COCO strings, a pyarrow array (N,) of large_binary without nulls, and their photos' (height, width),
    (N, 2)."""
    data, lengths = _text_of(counts)
    found = Masks(np.zeros(lengths.size, np.bool_), np.zeros(lengths.size, np.int64))
    pixels = np.prod(_sides(sizes_hw), axis=1)
    for some, span in _blocks(lengths):
        judged = read_runs(data[span], lengths[some]).judged(pixels[some])
        found.sound[some], found.area_px[some] = judged.sound, judged.area_px
    return found


def read_boxes(counts: Any, sizes_hw: Ints) -> NDArray[np.float64]:
    """The tight boxes of masks given as for `read_masks`: (N, 4) x, y, width, height, 0 where a mask is unsound or empty."""
    data, lengths = _text_of(counts)
    boxes_xywh, sides = np.zeros((lengths.size, 4)), _sides(sizes_hw)
    for some, span in _blocks(lengths):
        runs = read_runs(data[span], lengths[some])
        sound = runs.judged(np.prod(sides[some], axis=1)).sound
        those = np.flatnonzero(sound & (np.diff(runs.through) > 1))
        if those.size:
            boxes_xywh[some][those] = _boxes(runs, those, sides[some][those, 0])
    return boxes_xywh


def _sides(sizes_hw: Ints) -> Ints:
    """The sizes, 0 for those that no photo has."""
    return np.where((sizes_hw >= 1) & (sizes_hw <= MAX_PIXELS), sizes_hw, 0)


def strings(counts: list[str]) -> Any:
    """Strings of a JSON file as `read_masks` takes them."""
    text = "".join(counts)
    if not text.isascii():  # out of an RLE's range, so unsound
        return pa.array([one.encode() for one in counts], pa.large_binary())
    through = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, counts), np.int64, len(counts)), out=through[1:])
    buffers: list[Any] = [None, pa.py_buffer(through), pa.py_buffer(text.encode())]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(counts), buffers)


def _text_of(counts: Any) -> tuple[Bytes, Ints]:
    """All characters end to end, and how many each string has."""
    if not len(counts):
        return np.zeros(0, np.uint8), np.zeros(0, np.int64)
    _, offsets, data = counts.buffers()
    through = np.frombuffer(offsets, np.int64)[counts.offset : counts.offset + len(counts) + 1]
    text = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)
    return text[through[0] : through[-1]], np.diff(through)


def _columns(places: NDArray[np.int32], heights: NDArray[np.int32], counts: Ints) -> tuple[Any, NDArray[np.int32]]:
    """The photo's height at each place, or the one of all, and the column that it lies in."""
    if (heights == heights[0]).all():  # numpy divides by one number ten times faster than by many
        return heights[:1], places // heights[0]
    height = np.repeat(heights, counts)
    # by floats: a half more is never closer to a whole column than they are fine
    return height, ((places + 0.5) * np.repeat(1 / heights, counts)).astype(np.int32)


def _boxes(runs: Runs, those: Ints, heights: Ints) -> NDArray[np.float64]:
    """The tight boxes of the chosen masks, which are sound and have an inside, of photos of these heights. Pixels lie column by
    column; a run that reaches the next column spans the whole height."""
    opening, pairs = runs.through[those], np.diff(runs.through)[those] // 2
    start = np.cumsum(pairs) - pairs
    odd = 2 * np.arange(int(pairs.sum())) + np.repeat(opening + 1 - 2 * start, pairs)  # every other run is inside
    after = np.empty(
        runs.px.size, np.int32
    )  # pixels from a run on; may turn over, where differences in a sound mask cannot
    np.cumsum(runs.px[::-1], dtype=np.int32, out=after[::-1])  # backwards: numpy is five times slower forwards
    inside = runs.px.take(odd).astype(np.int32, copy=False)
    begin = np.repeat(after[opening], pairs) - after.take(odd)
    stop = begin + inside
    height, column = _columns(begin, heights.astype(np.int32), pairs)
    top = begin - column * height
    bottom = top + inside
    crosses = np.flatnonzero(bottom > height)
    top[crosses], bottom[crosses] = 0, height[crosses] if height.size > 1 else height
    none = np.flatnonzero(inside == 0)
    begin[none] = top[none] = _MOST_32
    stop[none] = bottom[none] = 0
    y0, y1 = np.minimum.reduceat(top, start), np.maximum.reduceat(bottom, start)
    x0, x1 = np.minimum.reduceat(begin, start) // heights, (np.maximum.reduceat(stop, start) - 1) // heights
    return np.where((y1 > 0)[:, None], np.stack([x0, y0, x1 + 1 - x0, y1 - y0], axis=1), 0)
