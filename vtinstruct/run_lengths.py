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
    not fill a photo): `px`, of each mask background first, of 4 bytes where those are enough and else of 8; `counts` (N,)
    how many a mask has, 0 where its string is none."""

    px: Px
    counts: Ints

    def filling(self, pixels: Ints) -> Bools:
        """Which masks are sound: runs >= 0 that cover exactly their photo's `pixels` (N,), of a photo that can be."""
        some = np.flatnonzero(self.counts)
        opening = (np.cumsum(self.counts) - self.counts)[some]
        found = np.zeros(len(pixels), np.bool_)
        if some.size:
            wanted, px = pixels[some], self.px
            fine = (np.minimum.reduceat(px, opening) >= 0) & (np.maximum.reduceat(px, opening) <= wanted)
            if _largest(px) * int(self.counts.max()) > _MOST_32:  # what cannot turn over is exact
                px = px.astype(np.int64, copy=False)
            found[some] = fine & (np.add.reduceat(px, opening, dtype=px.dtype) == wanted)
        return found & (pixels > 0) & (pixels <= MAX_PIXELS)

    def areas(self, pixels: Ints, sound: Bools) -> Ints:
        """The areas of the sound masks, (N,), in photos of so many pixels: half of what is left of the photo when as much as
        there is outside more than inside is taken away."""
        found = np.zeros(len(pixels), np.int64)
        if not sound.any():
            return found
        opening = np.cumsum(self.counts) - self.counts
        signed = self.px.copy()
        np.negative(signed[1::2], out=signed[1::2])
        some = np.flatnonzero(self.counts)
        more = np.zeros(len(pixels), np.int64)
        more[some] = np.add.reduceat(signed, opening[some], dtype=signed.dtype)  # exact where it is sound
        np.negative(more, out=more, where=opening % 2 == 1)
        found[sound] = (pixels[sound] - more[sound]) // 2
        return found


def _largest(values: Px) -> int:
    """The largest distance from 0."""
    return max(int(values.max()), -int(values.min())) if values.size else 0


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
    counts = np.searchsorted(stops, ends)
    counts[1:] -= counts[:-1].copy()
    return Runs(_runs(_numbers(codes, stops, sizes), counts), counts)


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
    """The signed numbers whose last characters stand at `stops`: 5 bits a character, the lowest first."""
    before = np.concatenate((np.zeros(7, np.uint8), codes))  # a word that ends at the first character begins there
    width = 4 if 4 * np.count_nonzero(sizes > 2) > stops.size else 2
    return _packed(before, stops, sizes, width)


def _packed(before: Bytes, stops: Ints, sizes: NDArray[np.int32], width: int) -> Px:
    """`_numbers` read as words of `width` characters, the longer numbers as words of twice as many."""
    unsigned, signed, steps = _WORDS[width]
    words: NDArray[Any] = np.ndarray(before.size - 7, unsigned, before, 8 - width, (1,)).take(stops)
    words = words.astype(words.dtype.newbyteorder("="), copy=False)
    for shift, low, high in steps:  # pairs of 5 bits become 10, pairs of 10 become 20, and of 20 40
        upper = words & high
        upper >>= shift
        words &= low
        words |= upper
    # what stands below the number belongs to those before it; shifted out again, the top bit being the sign
    words <<= words.dtype.type(3 * width)
    values: Px = words.view(signed).astype(np.int64 if width == 8 else np.int32, copy=False)
    left = sizes * np.int32(-5)
    left += 8 * width
    values >>= left
    if width == 8:  # the longest there are
        return values.astype(np.int32, copy=False) if int(sizes.max(initial=0)) <= _SHORT else values
    long = np.flatnonzero(sizes > width)
    if long.size:
        rest = _packed(before, stops[long], sizes[long], 2 * width)
        values = values.astype(rest.dtype, copy=False)
        values[long] = rest
    return values


def _words(width: int) -> tuple[Any, Any, list[tuple[Any, Any, Any]]]:
    """Types of words of `width` characters, and how to bring their bits together: (shift, lower parts, upper parts)."""
    unsigned, steps, bits = np.dtype(f"<u{width}"), [], 5
    for size in (2**step for step in range(1, width.bit_length())):  # characters that make one number
        low = sum((2**bits - 1) << 8 * place for place in range(0, width, size))
        numbers = 4 * size - bits, low, low << 4 * size
        steps.append(tuple(map(unsigned.newbyteorder("=").type, numbers)))
        bits *= 2
    return unsigned, np.dtype(f"i{width}"), steps


_WORDS = {width: _words(width) for width in (2, 4, 8)}


def _runs(values: Px, counts: Ints) -> Px:
    """The run lengths behind the numbers of many masks (changed in place): from a mask's second run on, each number is the
    difference to the run two before, where there is one but the very first."""
    counts = counts[counts > 0]
    through = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
    first = through[:-1]
    opening = values[first]
    values[first] = 0  # the very first run is no part of any chain
    if _largest(values) * int(counts.max(initial=0)) > _MOST_32:
        values = values.astype(np.int64, copy=False)
    # Two chains of differences run through all masks, in even and in odd places; where a mask begins, both begin anew by
    # taking back what the mask before has added to them.
    for parity in (0, 1):
        chain = values[parity::2]
        places = (through - parity + 1) // 2  # of the masks in this chain
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
        found[some] = read_runs(data[span], lengths[some]).filling(pixels[some])
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
        runs = read_runs(data[span], lengths[some])
        sound = found.sound[some] = runs.filling(pixels[some])
        found.area_px[some] = runs.areas(pixels[some], sound)
    return found


def read_boxes(counts: Any, sizes_hw: Ints) -> NDArray[np.float64]:
    """The tight boxes of masks given as for `read_masks`: (N, 4) x, y, width, height, 0 where a mask is unsound or empty."""
    data, lengths = _text_of(counts)
    boxes_xywh, sides = np.zeros((lengths.size, 4)), _sides(sizes_hw)
    for some, span in _blocks(lengths):
        runs = read_runs(data[span], lengths[some])
        those = np.flatnonzero(runs.filling(np.prod(sides[some], axis=1)) & (runs.counts > 1))
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
    opening, pairs = (np.cumsum(runs.counts) - runs.counts)[those], runs.counts[those] // 2
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
