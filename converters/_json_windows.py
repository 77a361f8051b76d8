"""The lists of a JSON object, read a window at a time: a file of any size in a few megabytes.

Only what stands between the rows is looked at here; the rows themselves are cut out by msgspec, so a brace inside a text is no
brace. A file that is no JSON is `NoJson`: the reader that takes the whole file says what is wrong with it, and where.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

WINDOW = 4 << 20
LARGEST_ROW = 1 << 27  # bytes; a row of an official file has at most a few hundred kilobytes
TRIES = 200  # ends of rows tried in one window: a row may hold rows (panoptic's segments)

_BLANK = re.compile(rb"[ \t\r\n]*")
_BETWEEN = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*(?=\{)")
_COMMA = re.compile(rb"[ \t\r\n]*,?[ \t\r\n]*")
_KEY = re.compile(rb'"((?:[^"\\]|\\.)*+)"[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)
_SCALAR = re.compile(rb'(?:"(?:[^"\\]|\\.)*+"|[^,\]}"\s\[{]++)(?=[ \t\r\n,}])', re.DOTALL)
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])


class NoJson(Exception):
    """What stands there is no JSON object, or a row of it is larger than any should be."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of the list under `key`, in order: where each starts in the file, and its bytes; `text` is all of them as a
    JSON list."""

    key: str
    text: bytes
    offsets: list[int]
    rows: list[msgspec.Raw]


class _Window:
    """A part of the file that moves forward."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.start = 0  # of `data` in the file
        self.data = b""

    def more(self) -> bool:
        """Add the next bytes of the file; whether there were any."""
        if len(self.data) > LARGEST_ROW:
            raise NoJson(f"a row longer than {LARGEST_ROW} bytes at byte {self.start}")
        chunk = self._file.read(WINDOW)
        self.data += chunk
        return bool(chunk)

    def leave(self, count: int) -> None:
        """Move forward over `count` bytes."""
        self.data = self.data[count:]
        self.start += count

    def peek(self) -> bytes:
        """The next byte that is no blank, which is not left; b"" at the end of the file."""
        while True:
            self.leave(_BLANK.match(self.data).end())  # type: ignore[union-attr]
            if self.data or not self.more():
                return self.data[:1]

    def expect(self, byte: bytes) -> None:
        """Leave this byte. Raises `NoJson` when another one stands there."""
        if self.peek() != byte:
            raise NoJson(f"{self.data[:20]!r} at byte {self.start}, {byte!r} is right")
        self.leave(1)

    def take(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        """Leave what matches; reads on while nothing does. Raises `NoJson`."""
        while (match := pattern.match(self.data)) is None or match.end() == len(self.data):
            if not self.more():
                break
        if match is None:
            raise NoJson(f"{self.data[:20]!r} at byte {self.start}")
        self.leave(match.end())
        return match


def pieces(path: Path, wanted: Collection[str]) -> Iterator[Piece]:
    """The lists under the `wanted` keys of the JSON object in `path`, piece by piece in file order. A list that is empty
    gives one empty piece. Raises `NoJson`, or `OSError`."""
    with path.open("rb", buffering=0) as file:
        window = _Window(file)
        window.expect(b"{")
        while window.peek() != b"}":
            key = msgspec.json.decode(b'"' + window.take(_KEY)[1] + b'"', type=str)
            if window.peek() == b"[":
                for piece in _list(window, key):
                    if key in wanted:
                        yield piece
            elif key in wanted:
                raise NoJson(f"`{key}` at byte {window.start} is no list")
            else:
                _skip(window)
            if window.peek() == b",":
                window.leave(1)
        window.leave(1)
        if window.peek():
            raise NoJson(f"trailing bytes at {window.start}")


def _skip(window: _Window) -> None:
    """Leave a value that is no list: a text, a number, or a (small) object."""
    if window.peek() != b"{":
        window.take(_SCALAR)
        return
    while (end := _end(window.data, b"}")) is None:
        if not window.more():
            raise NoJson(f"an object at byte {window.start} has no end")
    window.leave(end)


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


def _list(window: _Window, key: str) -> Iterator[Piece]:
    window.expect(b"[")
    if window.peek() == b"]":
        window.leave(1)
        yield Piece(key, b"[]", [], [])
        return
    while True:
        window.peek()
        if len(window.data) < WINDOW:
            window.more()
        found = _whole_rows(window.data)
        if found is None:
            end = _end(b"[" + window.data, b"]")
            if end is None:
                if not window.more():
                    raise NoJson(f"the list `{key}` has no end")
                continue
            yield _piece(window, key, b"[" + window.data[: end - 1])
            window.leave(end - 1)
            return
        text, rows, following = found
        yield _piece(window, key, text, rows)
        window.leave(following)


def _whole_rows(data: bytes) -> tuple[bytes, list[msgspec.Raw], int] | None:
    """The rows of a list that are whole in `data` (as a list, and each), and where the next one starts. None when that
    cannot be told: no row may end here, or the list does."""
    high = len(data)
    for _ in range(TRIES):
        place = data.rfind(b"}", 0, high)
        if place < 0:
            return None
        between = _BETWEEN.match(data, place)
        if between is not None:
            text = b"[" + data[: place + 1] + b"]"
            try:
                return text, _ROWS.decode(text), between.end()
            except msgspec.DecodeError as error:
                if "trailing" in str(error):
                    return None  # the list ended before
        high = place
    return None


def _piece(window: _Window, key: str, text: bytes, rows: list[msgspec.Raw] | None = None) -> Piece:
    """`text` is a whole list whose first row starts where the window does."""
    try:
        found = _ROWS.decode(text) if rows is None else rows
    except msgspec.DecodeError as error:
        raise NoJson(str(error)) from error
    offsets: list[int] = []
    position = 1
    for row in found:
        position = _COMMA.match(text, position).end()  # type: ignore[union-attr]
        offsets.append(window.start + position - 1)
        position += memoryview(row).nbytes
    return Piece(key, text, offsets, found)
