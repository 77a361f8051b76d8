"""A COCO-style file too large for memory: one pass notes where every row is, and rows are read when asked for.

What stays in memory is 20 bytes a row; COCO's train2017 (860,000 annotations) and LVIS v1 (1.3 million) stay below 150 MB, the
interpreter and its libraries included. Broken rows, ids used twice and unknown images are noted as by the reader that
takes the whole file (`_coco_json`), which also takes over when the file is no JSON.
"""

from __future__ import annotations

import os
import weakref
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

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

Row = TypeVar("Row")
Places = NDArray[np.int64]
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
        self._decoder = msgspec.json.Decoder(list[row_type])

    def add(self, piece: Piece) -> None:
        """Note the rows of a piece that can be read."""
        places = zip(piece.offsets, (memoryview(row).nbytes for row in piece.rows), strict=True)
        for (offset, length), row in zip(places, self._rows(piece), strict=True):
            if row is None:
                continue
            self.offsets.append(offset)
            self.lengths.append(length)
            if self._has_id:
                self.ids.append(row.id)
            if self._of_image:
                self.image_ids.append(row.image_id)
        self.seen += len(piece.rows)

    def _rows(self, piece: Piece) -> Iterable[Any]:
        try:
            return self._decoder.decode(piece.text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return self._one_by_one(piece)

    def _one_by_one(self, piece: Piece) -> Iterator[Any]:
        for n, raw in enumerate(piece.rows, self.seen):
            yield next(decoded([raw], self._type, self._name, self._notes, n), None)

    def places(self) -> tuple[Places, NDArray[np.int32]]:
        return np.frombuffer(self.offsets, np.int64), np.frombuffer(self.lengths, np.int32)


class _File(Generic[Row]):
    """Rows of one type of a file, by where they are."""

    def __init__(self, path: Path, row_type: type[Row]) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)
        self._decoder = msgspec.json.Decoder(row_type, strict=False)

    def row(self, offset: int, length: int) -> Row:
        return self._decoder.decode(os.pread(self._descriptor, length, offset))


class _Listed(Sequence[ImageType]):
    """The images, read when asked for."""

    def __init__(self, read: Callable[[int], ImageType], count: int) -> None:
        self._read, self._count = read, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> ImageType: ...
    @overload
    def __getitem__(self, index: slice) -> list[ImageType]: ...
    def __getitem__(self, index: int | slice) -> ImageType | list[ImageType]:
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(index)
        return self._read(index % self._count)


def read_table(
    path: Path, kinds: Kinds[RowType, ImageType, CategoryType], notes: Notes
) -> Table[RowType, ImageType, CategoryType] | None:
    """The table of a file without taking it into memory; None when it is no whole JSON object with the lists of a COCO
    file. Notes of a file that gives None are not kept."""
    said: list[Any] = []
    aside = Notes(notes.source, notes.split, notes.file, said.append)
    images = _Kept("images", kinds.image, aside)
    rows = _Kept("annotations", kinds.row, aside)
    categories: list[CategoryType] = []
    seen: set[str] = set()
    try:
        for piece in pieces(path, KEYS):
            seen.add(piece.key)
            if piece.key == "categories":
                categories += decoded(piece.rows, kinds.category, "categories", aside, len(categories))
            else:
                (images if piece.key == "images" else rows).add(piece)
    except (NoJson, OSError, RecursionError, UnicodeDecodeError, msgspec.DecodeError, OverflowError, TypeError):
        return None  # OverflowError: an id beyond 64 bits; TypeError: one that is text
    if not seen.issuperset(KEYS[:2]):
        return None
    known = first_of_each_id(categories, "category", aside)
    image_file, row_file = _File(path, kinds.image), _File(path, kinds.row)
    kept = _first(np.frombuffer(images.ids, np.int64), "image", aside)
    image_ids = np.frombuffer(images.ids, np.int64)[kept]
    of = _images_of(rows, image_ids, row_file, aside)
    for drop in said:
        notes.report(drop)
    order = np.argsort(image_ids)

    def place(image_id: int) -> int:
        n = int(np.searchsorted(image_ids, image_id, sorter=order))
        return int(order[n]) if n < len(order) and image_ids[order[n]] == image_id else -1

    offsets, lengths = images.places()
    by_image = ByImage(image_ids, place, of, _reader(row_file, *rows.places()))
    return Table(_Listed(_reader(image_file, offsets[kept], lengths[kept]), len(kept)), known, by_image)


def _reader(file: _File[Row], offsets: Places, lengths: NDArray[np.int32]) -> Callable[[int], Row]:
    """The n-th of some rows of a file."""
    return lambda n: file.row(int(offsets[n]), int(lengths[n]))


def _first(ids: Places, what: str, notes: Notes) -> Places:
    """Positions of the first row of every id, in file order; the others go to `notes`."""
    order = np.argsort(ids, kind="stable")
    again = np.flatnonzero(ids[order][1:] == ids[order][:-1]) + 1
    if not again.size:
        return np.arange(len(ids))
    twice = np.sort(order[again])
    for place in twice:
        notes.dropped(f"{what} {ids[place]}", f"{what}: id twice", "the first one is kept; unique ids are right")
    return np.setdiff1d(np.arange(len(ids)), twice)


def _images_of(rows: _Kept, image_ids: Places, file: _File[Any], notes: Notes) -> Places:
    """For every annotation the position of its image, -1 for one without (which goes to `notes`) and one whose id came
    before (which does too)."""
    ids, of = np.frombuffer(rows.ids, np.int64), np.frombuffer(rows.image_ids, np.int64)
    order = np.argsort(image_ids, kind="stable")
    near = np.minimum(np.searchsorted(image_ids, of, sorter=order), max(len(order) - 1, 0))
    found = np.full(len(of), -1, np.int64)
    if len(order):
        there = image_ids[order[near]] == of
        found[there] = order[near[there]]
    first = np.zeros(len(of), bool)
    first[_first(ids, "annotation", notes) if ids.size else slice(None)] = True
    read = _reader(file, *rows.places())
    for place in np.flatnonzero(first & (found < 0)):
        say_unknown_image(read(int(place)), notes)
    found[~first] = -1
    return found
