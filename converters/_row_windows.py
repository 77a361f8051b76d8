"""A file that is one JSON list of rows, too large to keep parsed: rows are read when their record is asked for.

Visual Genome's files have half a gigabyte each and a hundred thousand rows, one a photo. What stays in memory of a row is where
it is and its fields that are no bytes (its id). A file larger than `window_bytes()` stays on disk itself.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np

from converters._coco_json import paused_gc, read_bytes, window_bytes
from converters._json_windows import NoJson, Piece, list_pieces
from converters._notes import Notes
from converters._rows import decoded_row, list_rows
from converters._stored_rows import Stored, reader, without_bytes
from vtinstruct.record import Drop

Row = TypeVar("Row")


@dataclass(frozen=True)
class StoredList(Generic[Row]):
    """The sound rows of a list: `heads` are each one's position in the file and the row without its fields of bytes, `row(k)`
    is the k-th of them, whole."""

    heads: list[tuple[int, Any]]
    row: Callable[[int], Row]


def stored_list(path: Path, row_type: type[Row], notes: Notes) -> StoredList[Row]:
    """The rows of a file that is one JSON list. Broken rows go to `notes`; raises `SourceError` as `list_rows` does."""
    try:
        large = path.stat().st_size > window_bytes()
    except OSError:
        large = False  # `read_bytes` says what is wrong
    data = None if large else read_bytes(path)
    said: list[Drop] = []
    aside = Notes(notes.source, notes.split, notes.file, said.append)
    with paused_gc():
        try:
            found = _in_windows(path, data, row_type, aside)
        except (NoJson, OSError, RecursionError, UnicodeDecodeError, msgspec.DecodeError):
            rows = list_rows(path, row_type, notes)
            return StoredList(rows, lambda k: rows[k][1])
    for drop in said:
        notes.report(drop)
    return found


def _in_windows(path: Path, data: bytes | None, row_type: type[Row], notes: Notes) -> StoredList[Row]:
    heads: list[tuple[int, Any]] = []
    places: list[tuple[int, int]] = []
    seen = 0
    decoder: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list[without_bytes(row_type)])  # type: ignore[misc]
    with path.open("rb", buffering=0) if data is None else io.BytesIO(data) as file:
        for piece in list_pieces(file):
            rows = _sound(piece, decoder, row_type, seen, notes)
            heads += [(seen + n, row) for n, row in rows]
            sound = [n for n, _ in rows]
            places += zip(piece.offsets[sound].tolist(), piece.lengths[sound].tolist(), strict=True)
            seen += len(piece.offsets)
    offsets, lengths = np.array(places, np.int64).reshape(-1, 2).T
    stored = Stored(reader(path, data), row_type, offsets, lengths.astype(np.int32))
    return StoredList(heads, lambda k: stored.at(np.array([k]))[0])


def _sound(
    piece: Piece, decoder: msgspec.json.Decoder[list[Any]], row_type: type[Any], seen: int, notes: Notes
) -> list[tuple[int, Any]]:
    """The rows of a piece that can be read, each with its place in it."""
    try:
        return list(enumerate(piece.decoded(decoder)))
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = ((n, decoded_row(raw, row_type, f"row {seen + n}", notes)) for n, raw in enumerate(piece.rows()))
        return [(n, row) for n, row in found if row is not None]
