"""Many masks' run lengths at once: are they sound, and how large are the masks.

`geometry.rle_runs` reads one mask and says what is wrong with it; this reads a hundred thousand in a few array passes and
only says which are sound. Both agree (`tests/vtinstruct/test_run_lengths.py`). Areas are those of cocoapi
`common/maskApi.c` (`rleArea`).
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
# A character is 48 and 6 bits: 5 of a number, the lowest first, and above them whether more of it follow.
_FIRST, _MORE, _LAST = 48, 80, 111
_TAIL = bytes((((c - _FIRST) & 31) ^ 16) - 16 & 255 for c in range(256))  # the top 5 bits of a number, with their sign
_NOT_TAIL = bytes(c for c in range(256) if not _FIRST <= c < _MORE)
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
    good, ends = lengths > 0, np.cumsum(lengths)
    if data.size and not _FIRST <= int(data.min()) <= int(data.max()) <= _LAST:
        good[np.searchsorted(ends, np.flatnonzero((data < _FIRST) | (data > _LAST)), side="right")] = False
    good[good] = data[ends[good] - 1] < _MORE  # a number that does not end would run on into the next mask
    data, lengths = _only(good, data, lengths)
    long = _Long.of(data)
    if long.following.size and int(long.following.max()) >= MAX_CHARACTERS:
        at = long.more[long.first[long.following >= MAX_CHARACTERS]]
        good[np.searchsorted(np.cumsum(lengths), at, side="right")] = False
        data, lengths = _only(good, data, lengths)
        long = _Long.of(data)
    ends = np.cumsum(lengths)
    through = np.concatenate((np.zeros(1, np.int64), ends - np.searchsorted(long.more, ends)))
    return Runs(_runs(_numbers(data, long), through), through)


def _only(good: Bools, data: Bytes, lengths: Ints) -> tuple[Bytes, Ints]:
    """The characters of good masks, and how many each has."""
    if good.all():
        return data, lengths
    return data[np.repeat(good, lengths)], np.where(good, lengths, 0)


@dataclass(frozen=True, slots=True)
class _Long:
    """The numbers of several characters: `more` (M,) where characters stand that are not a number's last, `first` which of
    them begin a number, and how many there are in it (`following`)."""

    more: Ints
    first: Ints
    following: Ints

    @classmethod
    def of(cls, data: Bytes) -> _Long:
        more = np.flatnonzero(data >= _MORE)
        begins = np.ones(more.size + 1, np.bool_)
        np.greater(more[1:] - more[:-1], 1, out=begins[1:-1])
        first = np.flatnonzero(begins)
        return cls(more, first[:-1], first[1:] - first[:-1])


def _numbers(data: Bytes, long: _Long) -> Px:
    """The signed numbers that the characters say."""
    tails = np.frombuffer(data.tobytes().translate(_TAIL, _NOT_TAIL), np.int8)
    most = int(long.following.max(initial=0))
    values = tails.astype(np.int32 if most < _SHORT else np.int64)
    which = long.more.take(long.first) - long.first  # what stands before a number, less what is no number's last
    at = long.more.take(long.first + (long.following - 1))
    value, following = values.take(which), long.following
    for done in range(1, most + 1):
        value <<= 5
        value |= (data.take(at) - np.uint8(_MORE)).astype(value.dtype)
        values[which] = value
        left = np.flatnonzero(following > done)
        which, value, at, following = which.take(left), value.take(left), at.take(left) - 1, following.take(left)
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
