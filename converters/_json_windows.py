"""The rows of a JSON file, read a window at a time: a file of any size in a few megabytes.

A row is an object in a list. Where rows start and end is found by their braces, a window at once: in a file that is JSON
nothing else can be meant by them. Whether it is JSON, msgspec says, which parses the rows of a window as one list. A file that is
none is `NoJson`: the reader that takes the whole file says what is wrong with it, and where.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

WINDOW = 1 << 20  # bytes: what fits into a processor's cache is read, searched and parsed there
LARGEST_ROW = 1 << 27  # bytes; a row of an official file has at most a few hundred kilobytes

_BLANK = re.compile(rb"[ \t\r\n]*")
_COMMA = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*")
_KEY = re.compile(rb'"((?:[^"\\]|\\.)*+)"[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)
_SCALAR = re.compile(rb'(?:"(?:[^"\\]|\\.)*+"|[^,\]}"\s\[{]++)(?=[ \t\r\n,}])', re.DOTALL)
_FOLLOWS = re.compile(rb'[ \t\r\n]*(?:\]|,[ \t\r\n]*\{"[A-Za-z_])')
_OBJECTS = re.compile(rb"\[[ \t\r\n]*\{")
_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])
_LETTER = np.zeros(256, bool)
_LETTER[[*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1), ord("_")]] = True
_OPENING, _CLOSING, _QUOTE = 0x7B, 0x7D, 0x22

Row = TypeVar("Row")
Places = NDArray[np.int64]


class NoJson(Exception):
    """What stands there is no JSON, not of the wanted form, or a row of it is larger than any should be."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of the list under `key`, in order: where each starts in the file, and how long it is. `text` is all of them
    as a JSON list, and good until the next piece is asked for."""

    key: str
    text: bytes | memoryview
    offsets: Places
    lengths: Places

    def rows(self) -> list[msgspec.Raw]:
        """The bytes of every row, to keep. Raises `NoJson`."""
        try:
            return self.decoded(_ROWS, keep=True)
        except (msgspec.DecodeError, RecursionError) as error:
            raise NoJson(str(error)) from error

    def decoded(self, decoder: msgspec.json.Decoder[list[Row]], keep: bool = False) -> list[Row]:
        """The rows as `decoder` reads them; `keep` those that hold on to bytes of the text. Raises its errors, and `NoJson`
        when they are not as many as the braces say."""
        rows = decoder.decode(bytes(self.text) if keep else self.text)
        if len(rows) != len(self.offsets):
            raise NoJson(f"{len(rows)} rows where braces say {len(self.offsets)}")
        return rows


class _Window:
    """A part of the file that moves forward: `data[low:high]`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.data = bytearray(2 * WINDOW + 3)  # a byte before the rows, and one after, for brackets
        self.low = self.high = 1
        self._base = -1  # of data[0] in the file

    @property
    def place(self) -> int:
        """Where the window starts in the file."""
        return self._base + self.low

    def more(self) -> bool:
        """Add the next bytes of the file; whether there were any."""
        if self.high - self.low > LARGEST_ROW:
            raise NoJson(f"a row longer than {LARGEST_ROW} bytes at byte {self.place}")
        if self.high + WINDOW >= len(self.data):
            rest = self.data[self.low : self.high]
            if len(rest) + WINDOW + 2 > len(self.data):
                self.data = bytearray(2 * len(self.data))  # a new one: rows may still be looked at in the old
            self.data[1 : 1 + len(rest)] = rest
            self._base += self.low - 1
            self.low, self.high = 1, 1 + len(rest)
        count = self._file.readinto(memoryview(self.data)[self.high : self.high + WINDOW])  # type: ignore[attr-defined]
        self.high += count
        return bool(count)

    def leave(self, count: int) -> None:
        """Move forward over `count` bytes."""
        self.low += count

    def peek(self) -> bytes:
        """The next byte that is no blank, which is not left; b"" at the end of the file."""
        while True:
            self.low = _BLANK.match(self.data, self.low, self.high).end()  # type: ignore[union-attr]
            if self.low < self.high:
                return bytes(self.data[self.low : self.low + 1])
            if not self.more():
                return b""

    def expect(self, byte: bytes) -> None:
        """Leave this byte. Raises `NoJson` when another one stands there."""
        if self.peek() != byte:
            raise NoJson(f"{self._ahead()!r} at byte {self.place}, {byte!r} is right")
        self.leave(1)

    def take(self, pattern: re.Pattern[bytes]) -> bytes:
        """Leave what matches, and give back its first group; reads on while nothing does. Raises `NoJson`."""
        while (match := pattern.match(self.data, self.low, self.high)) is None or match.end() == self.high:
            if not self.more():
                break
        if match is None:
            raise NoJson(f"{self._ahead()!r} at byte {self.place}")
        self.low = match.end()
        return bytes(match[match.re.groups])

    def sees(self, pattern: re.Pattern[bytes]) -> bool:
        """Whether this stands here, in the next few bytes."""
        while self.high - self.low < 100 and self.more():
            pass
        return pattern.match(self.data, self.low, self.high) is not None

    def skip(self) -> None:
        """Leave a value: a text, a number, or a list or an object that is small. Raises `NoJson`."""
        closing = {b"{": b"}", b"[": b"]"}.get(self.peek())
        if closing is None:
            self.take(_SCALAR)
            return
        while (end := _end(bytes(self.data[self.low : self.high]), closing)) is None:
            if not self.more():
                raise NoJson(f"a value at byte {self.place} has no end")
        self.leave(end)

    def _ahead(self) -> bytes:
        return bytes(self.data[self.low : min(self.low + 20, self.high)])


def _end(data: bytes, closing: bytes) -> int | None:
    """Where the value ends that `data` starts with; None when it goes on beyond them. Raises `NoJson`."""
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        said = str(error)
        place = re.search(r"\(byte (\d+)\)", said)
        if place is not None and "trailing characters" in said:
            return data.rindex(closing, 0, int(place[1])) + 1
        if "truncated" in said or (place is not None and int(place[1]) >= len(data) - 1):
            return None  # the second: a number is cut, and "1." is none
        raise NoJson(said) from error
    return len(data)


def pieces(file: BinaryIO, wanted: Collection[str]) -> Iterator[Piece]:
    """The lists of objects under the `wanted` keys of a file that is a JSON object, piece by piece in file order. A list that
    is empty gives one empty piece. Raises `NoJson`, or `OSError`."""
    window = _Window(file)
    window.expect(b"{")
    while window.peek() != b"}":
        key = msgspec.json.decode(b'"' + window.take(_KEY) + b'"', type=str)
        if key in wanted:
            yield from _list(window, key)
        elif window.sees(_OBJECTS):
            for piece in _list(window, key):
                piece.rows()  # which says whether it is JSON
        else:
            window.skip()
        if window.peek() == b",":
            window.leave(1)
    window.leave(1)
    _expect_end(window)


def list_pieces(file: BinaryIO) -> Iterator[Piece]:
    """The rows of a file that is one JSON list of objects, piece by piece. Raises `NoJson`, or `OSError`."""
    window = _Window(file)
    yield from _list(window, "")
    _expect_end(window)


def _expect_end(window: _Window) -> None:
    if window.peek():
        raise NoJson(f"trailing bytes at {window.place}")


def _list(window: _Window, key: str) -> Iterator[Piece]:
    window.expect(b"[")
    nowhere = np.empty(0, np.int64)
    if window.peek() == b"]":
        window.leave(1)
        yield Piece(key, b"[]", nowhere, nowhere)
        return
    while True:
        if window.peek() != b"{":
            raise NoJson(f"no object at byte {window.place} in the list `{key}`")
        if window.high - window.low < WINDOW:
            window.more()
        while not len((found := _whole_rows(window.data, window.low, window.high))[0]):
            if not window.more():
                raise NoJson(f"the list `{key}` has no end")
        yield from _between_brackets(window, key, *found)
        if window.peek() == b"]":
            window.leave(1)
            return
        window.expect(b",")


def _between_brackets(window: _Window, key: str, starts: Places, stops: Places) -> Iterator[Piece]:
    """The piece of these rows, with brackets set around it in the window itself: a copy would cost as much as the search."""
    data, low, stop = window.data, window.low, int(stops[-1])
    following = data[stop]
    data[low - 1], data[stop] = b"[]"
    yield Piece(key, memoryview(data)[low - 1 : stop + 1], starts - low + window.place, stops - starts)
    data[stop] = following
    window.leave(stop - low)


def _whole_rows(data: bytearray, low: int, high: int) -> tuple[Places, Places]:
    """Where the rows start and end (the byte behind the brace) that are whole in `data[low:high]`, which starts with one;
    up to the end of their list. None where none is whole."""
    window = np.frombuffer(data, np.uint8, high - low, low)
    braces = np.flatnonzero(window >= _OPENING)  # few other bytes are as high
    kinds = window[braces]
    braces = braces[(kinds == _OPENING) | (kinds == _CLOSING)]
    starts, stops = _rows_of(window, braces) if _outside_any_text(window, braces) else (braces[:0], braces[:0])
    if len(stops) and not _FOLLOWS.match(data, low + int(stops[-1]), high):
        starts, stops = starts[:-1], stops[:-1]  # its brace may stand in a text, the others are followed by a row
    if not len(stops):
        starts, stops = _rows_of(window, braces[_outside_texts(data[low:high], braces)])
    return starts + low, stops + low


def _rows_of(window: NDArray[np.uint8], braces: Places) -> tuple[Places, Places]:
    """Starts and ends of the rows with these braces, as long as only a comma is between them."""
    opening = window[braces] == _OPENING
    depth = np.cumsum(np.where(opening, 1, -1))
    beyond = np.flatnonzero(depth < 0)
    count = int(beyond[0]) if len(beyond) else len(braces)  # what follows closes what the list stands in
    stops = braces[:count][depth[:count] == 0] + 1
    starts = braces[:count][(depth[:count] == 1) & opening[:count]][: len(stops)]
    count = _in_a_row(window, starts, stops)
    return starts[:count], stops[:count]


def _in_a_row(window: NDArray[np.uint8], starts: Places, stops: Places) -> int:
    """How many of the first rows have only a comma between them: behind others the list ends."""
    if len(stops) < 2:
        return len(stops)
    gaps = starts[1:] - stops[:-1]
    width = int(gaps[0])
    usual = bytes(window[stops[0] : starts[1]])
    if _COMMA.fullmatch(usual) is None:
        return 1
    same = gaps == width
    between = window[stops[:-1][same][:, None] + np.arange(width)]
    same[same] = (between == np.frombuffer(usual, np.uint8)).all(1)
    for n in np.flatnonzero(~same).tolist():
        if _COMMA.fullmatch(bytes(window[stops[n] : starts[n + 1]])) is None:
            return n + 1
    return len(stops)


def _outside_any_text(window: NDArray[np.uint8], braces: Places) -> bool:
    """Whether all that open stand in no text, told quickly. One that is followed by a quote and a letter does not: that
    quote would end the text, and no letter follows a text. Then of rows that hold as many that close, those are outside too."""
    opening = braces[window[braces] == _OPENING]
    opening = opening[: np.searchsorted(opening, len(window) - 2)]
    return bool((window[opening + 1] == _QUOTE).all() and _LETTER[window[opening + 2]].all())


def _outside_texts(data: bytearray, places: Places) -> NDArray[np.bool_]:
    """Which places stand in no text: an even number of quotes is before them, those after a backslash not counted."""
    plain = _ESCAPED.sub(b"  ", data) if b"\\" in data else data
    quotes = np.flatnonzero(np.frombuffer(plain, np.uint8) == _QUOTE)
    return np.searchsorted(quotes, places) % 2 == 0
