"""Many masks' run lengths at once: are they sound, how large are the masks, and where do they lie.

`geometry.rle_runs` reads one mask and says what is wrong with it; this reads a hundred thousand in a few array passes and
only says which are sound. Both agree (`tests/vtinstruct/test_run_lengths.py`). Areas and boxes are those of cocoapi
`common/maskApi.c` (`rleArea`, `rleToBbox`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtinstruct.geometry import MAX_PIXELS

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
# Characters read at once: the arrays stay in the cache, and malloc does not hand them back to the system in between.
BLOCK = 1 << 16
MAX_CHARACTERS = 7  # of one number; no run of a photo needs more


@dataclass(frozen=True, slots=True)
class Masks:
    """What many masks are: sound (N,); area_px (N,) and boxes_xywh (N, 4) in pixels of their photos, 0 where unsound or
    empty."""

    sound: Bools
    area_px: Ints
    boxes_xywh: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Runs:
    """The run lengths of many masks, one mask's behind the other's, as their strings say them (they may be negative or
    not fill a photo): `px`, of each mask background first; `counts` (N,) how many a mask has, 0 where its string is none."""

    px: Ints
    counts: Ints

    def filling(self, pixels: Ints) -> Bools:
        """Which masks are sound: runs >= 0 that cover exactly their photo's `pixels` (N,), of a photo that can be."""
        some = np.flatnonzero(self.counts)
        opening = (np.cumsum(self.counts) - self.counts)[some]
        found = np.zeros(len(pixels), np.bool_)
        if some.size:
            whole = np.add.reduceat(self.px, opening) == pixels[some]
            found[some] = whole & (np.minimum.reduceat(self.px, opening) >= 0)
        return found & (pixels > 0) & (pixels <= MAX_PIXELS)


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
    counts = np.diff(np.searchsorted(stops, ends), prepend=0)
    return Runs(_runs(_numbers(codes, stops, sizes), counts), counts)


def _cut(codes: Bytes, lengths: Ints, good: Bools) -> tuple[Bytes, Ints, Ints, NDArray[np.int32]]:
    """The characters of good masks, where each mask ends in them, where each number ends, and its characters."""
    if not good.all():
        codes, lengths = codes[np.repeat(good, lengths)], np.where(good, lengths, 0)
    stops = np.flatnonzero(codes < 32)
    sizes = stops.astype(np.int32)
    sizes[1:] -= sizes[:-1].copy()
    sizes[:1] += 1
    return codes, np.cumsum(lengths), stops, sizes


def _numbers(codes: Bytes, stops: Ints, sizes: NDArray[np.int32]) -> Ints:
    """The signed numbers whose last characters stand at `stops`: 5 bits a character, the lowest first."""
    long = np.flatnonzero(sizes > 1)
    if 2 * long.size > stops.size:
        return _long(codes, stops, sizes)
    values = ((codes.take(stops) << 3).view(np.int8) >> 3).astype(np.int64)
    if long.size:
        values[long] = _long(codes, stops[long], sizes[long])
    return values


def _long(codes: Bytes, stops: Ints, sizes: NDArray[np.int32]) -> Ints:
    # All characters of a number in one word, the last on top: so many words of 4 or 8 bytes as there are numbers, and no
    # array over the characters that is wider than they are.
    wide = int(sizes.max()) > 4
    unsigned, signed, steps = (np.uint64, np.int64, _STEPS) if wide else (np.uint32, np.int32, _STEPS[:2])
    width = np.dtype(unsigned).itemsize
    padded = np.zeros(codes.size + width - 1, np.uint8)
    np.bitwise_and(codes, 31, out=padded[width - 1 :])
    little = np.dtype(unsigned).newbyteorder("<")
    words: NDArray[Any] = np.ndarray(codes.shape, little, padded, strides=(1,)).take(stops).astype(unsigned, copy=False)
    for shift, low, high in steps:  # pairs of 5 bits become 10, pairs of 10 become 20, and of 20 40
        upper = words >> unsigned(shift)
        upper &= unsigned(high & ((1 << 8 * width) - 1))
        words &= unsigned(low & ((1 << 8 * width) - 1))
        words |= upper
    # what stands below the number belongs to those before it; shifted out again, the top bit being the sign
    words <<= unsigned(3 * width)
    left = sizes.astype(signed)
    left *= -5
    left += 8 * width
    return (words.view(signed) >> left).astype(np.int64, copy=False)


_STEPS = (
    (3, 0x001F001F001F001F, 0x03E003E003E003E0),
    (6, 0x000003FF000003FF, 0x000FFC00000FFC00),
    (12, 0x00000000000FFFFF, 0x000000FFFFF00000),
)


def _runs(values: Ints, counts: Ints) -> Ints:
    """The run lengths behind the numbers of many masks (changed in place): from a mask's second run on, each number is the
    difference to the run two before, where there is one but the very first."""
    counts = counts[counts > 0]
    ends = np.cumsum(counts)
    first = ends - counts
    opening = values[first]
    values[first] = 0  # the very first run is no part of any chain
    # Two chains of differences run through all masks, in even and in odd places; where a mask begins, both begin anew by
    # taking back what they have come to.
    for parity in (0, 1):
        chain = values[parity::2]
        if chain.size:
            np.cumsum(chain, out=chain)
            begin = (first - parity + 1) // 2  # a mask's first place in this chain
            sizes = (ends - parity + 1) // 2 - begin
            chain -= np.repeat(np.where(begin > 0, chain[np.maximum(begin, 1) - 1], 0), sizes)
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


def read_masks(counts: Sequence[bytes], sizes_hw: Ints) -> Masks:
    """Masks by their COCO strings and their photos' (height, width), (N, 2)."""
    lengths = np.fromiter(map(len, counts), np.int64, len(counts))
    pieces = [Masks(np.zeros(0, dtype=np.bool_), np.zeros(0, dtype=np.int64), np.zeros((0, 4)))]
    for some, _ in _blocks(lengths):
        data = np.frombuffer(b"".join(counts[some]), np.uint8)
        pieces.append(_read(read_runs(data, lengths[some]), sizes_hw[some]))
    return Masks(
        np.concatenate([piece.sound for piece in pieces]),
        np.concatenate([piece.area_px for piece in pieces]),
        np.concatenate([piece.boxes_xywh for piece in pieces]),
    )


def _read(runs: Runs, sizes_hw: Ints) -> Masks:
    height, width = np.where((sizes_hw >= 1) & (sizes_hw <= MAX_PIXELS), sizes_hw, 0).T
    sound = runs.filling(height * width)
    owner = np.repeat(np.arange(len(sound)), runs.counts)
    kept = sound[owner]
    px, owner = runs.px[kept], owner[kept]
    area, boxes = np.zeros(len(sound), np.int64), np.zeros((len(sound), 4))
    if not px.size:
        return Masks(sound, area, boxes)
    several = runs.counts[sound]
    opening = np.cumsum(several) - several
    odd = (np.arange(px.size) - np.repeat(opening, several)) % 2 == 1
    area[sound] = np.add.reduceat(np.where(odd, px, 0), opening)
    through = np.cumsum(px)
    through -= np.repeat(through[opening] - px[opening], several)
    return Masks(sound, area, _boxes(px, through, odd & (px > 0), owner, sizes_hw))


def _boxes(px: Ints, through: Ints, inside: Bools, owner: Ints, sizes_hw: Ints) -> NDArray[np.float64]:
    """The tight boxes of masks by their runs and where in their photo each ends. Pixels lie column by column; a run that
    reaches the next column spans the whole height."""
    mine, first, final = owner[inside], (through - px)[inside], through[inside] - 1
    height = sizes_hw[mine, 0]
    x0, x1, y0, y1 = first // height, final // height, first % height, final % height
    crosses = x0 < x1
    y0[crosses] = 0
    y1[crosses] = height[crosses] - 1
    boxes = np.zeros((len(sizes_hw), 4))
    if mine.size:
        begin = np.flatnonzero(np.concatenate(([True], mine[1:] != mine[:-1])))
        low = np.stack([np.minimum.reduceat(x0, begin), np.minimum.reduceat(y0, begin)], axis=1)
        high = np.stack([np.maximum.reduceat(x1, begin), np.maximum.reduceat(y1, begin)], axis=1)
        boxes[mine[begin]] = np.concatenate([low, high - low + 1], axis=1)
    return boxes
