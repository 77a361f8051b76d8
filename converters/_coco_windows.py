"""A COCO-style file without its rows in memory as objects: one pass notes where every row is, and rows are read when asked for.

What stays in memory is 20 bytes a row (28 while the file is read). The file itself stays there too as bytes, or on disk where
it is large: then COCO's train2017 (860,000 annotations) and LVIS v1 (1.3 million) stay below 150 MB, the interpreter and its
libraries included. Broken rows, ids used twice and unknown images are noted as by the reader that takes the rows one by one
(`_coco_json`), which takes over when the file is no JSON, or has names for ids.
"""

from __future__ import annotations

import io
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import msgspec
import numpy as np
from numpy.typing import NDArray

from converters._by_image import ByImage
from converters._coco_json import (
    CategoryType,
    ImageType,
    Kinds,
    RowType,
    Table,
    decoded,
    first_of_each_id,
    say_unknown_image,
)
from converters._json_windows import NoJson, Piece, pieces
from converters._notes import Notes
from converters._stored_rows import Stored, reader, without_bytes

Places = NDArray[np.int64]
DENSE = 32  # how many times as wide as many ids may lie apart for a table of all between them
KEYS = ("images", "annotations", "categories")


class _Kept:
    """Where the sound rows of a list are: offset, length, and their id (and image)."""

    def __init__(self, name: str, row_type: type[Any], notes: Notes) -> None:
        self.offsets, self.lengths = array("q"), array("i")
        self.ids, self.image_ids = array("q"), array("q")
        self.seen = 0
        self._name, self._type, self._notes = name, row_type, notes
        self._has_id = "id" in row_type.__struct_fields__
        self._of_image = "image_id" in row_type.__struct_fields__
        self._decoder = msgspec.json.Decoder(list[without_bytes(row_type)])  # type: ignore[misc]

    def add(self, piece: Piece) -> None:
        """Note the rows of a piece that can be read."""
        offsets, lengths = piece.offsets, piece.lengths.astype(np.int32)
        try:
            rows = piece.decoded(self._decoder)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found = self._one_by_one(piece.rows())
            rows = [row for _, row in found]
            sound = [n for n, _ in found]
            offsets, lengths = offsets[sound], lengths[sound]
        self.offsets.frombytes(offsets.tobytes())
        self.lengths.frombytes(lengths.tobytes())
        if self._has_id:
            self.ids.extend([row.id for row in rows])
        if self._of_image:
            self.image_ids.extend([row.image_id for row in rows])
        self.seen += len(piece.offsets)

    def _one_by_one(self, raws: list[msgspec.Raw]) -> list[tuple[int, Any]]:
        """The rows that can be read, each with its place in the piece."""
        read = ((n, decoded([raw], self._type, self._name, self._notes, self.seen + n)) for n, raw in enumerate(raws))
        return [(n, row) for n, rows in read for row in rows]

    def places(self) -> tuple[Places, NDArray[np.int32]]:
        return np.frombuffer(self.offsets, np.int64), np.frombuffer(self.lengths, np.int32)


class _Listed(Sequence[ImageType]):
    """The images, read when asked for."""

    def __init__(self, stored: Stored[ImageType]) -> None:
        self._stored = stored

    def __len__(self) -> int:
        return len(self._stored)

    @overload
    def __getitem__(self, index: int) -> ImageType: ...
    @overload
    def __getitem__(self, index: slice) -> list[ImageType]: ...
    def __getitem__(self, index: int | slice) -> ImageType | list[ImageType]:
        if isinstance(index, slice):
            return self._stored.at(np.arange(*index.indices(len(self))))
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._stored.at(np.array([index % len(self)]))[0]

    def __iter__(self) -> Iterator[ImageType]:
        for start in range(0, len(self), 1000):
            yield from self[start : start + 1000]


def read_table(
    path: Path, data: bytes | None, kinds: Kinds[RowType, ImageType, CategoryType], notes: Notes
) -> Table[RowType, ImageType, CategoryType] | None:
    """The table of a file whose bytes are `data`, or that is not taken into memory (None). None when it is no whole JSON object
    with the lists of a COCO file: notes of a file that gives None are not kept."""
    said: list[Any] = []
    aside = Notes(notes.source, notes.split, notes.file, said.append)
    images = _Kept("images", kinds.image, aside)
    rows = _Kept("annotations", kinds.row, aside)
    categories: list[CategoryType] = []
    seen: set[str] = set()
    try:
        with path.open("rb", buffering=0) if data is None else io.BytesIO(data) as file:
            for piece in pieces(file, KEYS):
                seen.add(piece.key)
                if piece.key == "categories":
                    categories += decoded(piece.rows(), kinds.category, "categories", aside, len(categories))
                else:
                    (images if piece.key == "images" else rows).add(piece)
        read = reader(path, data)
    except (NoJson, OSError, RecursionError, UnicodeDecodeError, msgspec.DecodeError, OverflowError, TypeError):
        return None  # OverflowError: an id beyond 64 bits; TypeError: one that is text
    if not seen.issuperset(KEYS[:2]):
        return None
    known = first_of_each_id(categories, "category", aside)
    first = _first(np.frombuffer(images.ids, np.int64), "image", aside)
    offsets, lengths = images.places()
    listed = _Listed(Stored(read, kinds.image, offsets[first], lengths[first]))
    stored = Stored(read, kinds.row, *rows.places())
    image_ids = np.frombuffer(images.ids, np.int64)[first]
    places = _Places(image_ids)
    by_image = ByImage(image_ids, places.one, _images_of(rows, places, stored, aside), stored.at)
    for drop in said:
        notes.report(drop)
    return Table(listed, known, by_image)


def _first(ids: Places, what: str, notes: Notes) -> NDArray[np.bool_]:
    """Which rows are the first with their id, in file order; the others go to `notes`."""
    first = np.ones(len(ids), bool)
    in_order = np.sort(ids)
    if not (in_order[1:] == in_order[:-1]).any():
        return first
    order = np.argsort(ids, kind="stable")
    first[order[1:][ids[order][1:] == ids[order][:-1]]] = False
    for place in np.flatnonzero(~first):
        notes.dropped(f"{what} {ids[place]}", f"{what}: id twice", "the first one is kept; unique ids are right")
    return first


class _Places:
    """Where ids stand among `ids`, which are unique."""

    def __init__(self, ids: Places) -> None:
        self._ids, self._order = ids, np.argsort(ids)
        self._low = int(ids.min()) if len(ids) else 0
        span = int(ids.max()) - self._low + 1 if len(ids) else 0
        # Ids of a small range, as COCO's, have a place of their own in a table: ten times as fast as a search.
        self._table = np.full(span if span <= DENSE * len(ids) else 0, -1, np.int32)
        if len(self._table):
            self._table[ids - self._low] = np.arange(len(ids), dtype=np.int32)

    def many(self, ids: Places) -> NDArray[np.int32]:
        """The place of each, -1 where it is none of them."""
        found = np.full(len(ids), -1, np.int32)
        if len(self._table):
            there = np.flatnonzero((ids >= self._low) & (ids < self._low + len(self._table)))
            found[there] = self._table[ids[there] - self._low]
        elif len(self._ids):
            near = self._order[np.minimum(np.searchsorted(self._ids, ids, sorter=self._order), len(self._order) - 1)]
            found = np.where(self._ids[near] == ids, near, -1).astype(np.int32)
        return found

    def one(self, id_: int) -> int:
        """The place of one id, -1 when it is none of them."""
        n = int(np.searchsorted(self._ids, id_, sorter=self._order))
        return int(self._order[n]) if n < len(self._order) and self._ids[self._order[n]] == id_ else -1


def _images_of(rows: _Kept, places: _Places, stored: Stored[RowType], notes: Notes) -> NDArray[np.int32]:
    """For every annotation the position of its image, -1 for one without (which goes to `notes`) and one whose id came
    before (which does too)."""
    ids = np.frombuffer(rows.ids, np.int64)
    found = places.many(np.frombuffer(rows.image_ids, np.int64))
    first = _first(ids, "annotation", notes) if ids.size else np.ones(len(found), bool)
    for place in np.flatnonzero(first & (found < 0)).tolist():
        say_unknown_image(stored.at(np.array([place]))[0], notes)
    found[~first] = -1
    return found
