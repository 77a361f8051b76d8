"""A COCO-style file too large for memory: one pass notes where every row is, and rows are read when asked for.

What stays in memory is 20 bytes a row; COCO's train2017 (860,000 annotations) and LVIS v1 (1.3 million) stay below 150 MB, the
interpreter and its libraries included. Broken rows, ids used twice and unknown images are noted as by the reader that
takes the whole file (`_coco_json`), which also takes over when the file is no JSON.
"""

from __future__ import annotations

import os
import weakref
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import msgspec
import numpy as np
from numpy.typing import NDArray

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

    def __init__(self, file: _File[ImageType], offsets: Places, lengths: NDArray[np.int32]) -> None:
        self._file, self._offsets, self._lengths = file, offsets, lengths

    def __len__(self) -> int:
        return len(self._offsets)

    @overload
    def __getitem__(self, index: int) -> ImageType: ...
    @overload
    def __getitem__(self, index: slice) -> list[ImageType]: ...
    def __getitem__(self, index: int | slice) -> ImageType | list[ImageType]:
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        return self._file.row(int(self._offsets[index]), int(self._lengths[index]))


class _ByImage(Mapping[int, Sequence[RowType]]):
    """The annotations of every image, read when asked for."""

    def __init__(self, file: _File[RowType], image_ids: Places, kept: _Kept, wanted: Places) -> None:
        """`wanted` are positions of rows, in order of their image and then of the file."""
        offsets, lengths = kept.places()
        of = np.frombuffer(kept.image_ids, np.int64)[wanted]
        self._file, self._ids = file, image_ids
        self._offsets, self._lengths = offsets[wanted], lengths[wanted]
        self._sorted = np.sort(image_ids)
        self._starts = np.searchsorted(of, self._sorted, "left")
        self._stops = np.searchsorted(of, self._sorted, "right")

    def __getitem__(self, image_id: int) -> list[RowType]:
        place = int(np.searchsorted(self._sorted, image_id))
        if place == len(self._sorted) or self._sorted[place] != image_id:
            raise KeyError(image_id)
        rows = range(int(self._starts[place]), int(self._stops[place]))
        return [self._file.row(int(self._offsets[n]), int(self._lengths[n])) for n in rows]

    def __iter__(self) -> Iterator[int]:
        return (int(id_) for id_ in self._ids)

    def __len__(self) -> int:
        return len(self._ids)


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
    except (NoJson, OSError, RecursionError, UnicodeDecodeError, msgspec.DecodeError, OverflowError):
        return None  # OverflowError: an id beyond 64 bits
    if not seen.issuperset(KEYS[:2]):
        return None
    known = first_of_each_id(categories, "category", aside)
    image_file, row_file = _File(path, kinds.image), _File(path, kinds.row)
    kept = _first(np.frombuffer(images.ids, np.int64), "image", aside)
    image_ids = np.frombuffer(images.ids, np.int64)[kept]
    offsets, lengths = images.places()
    wanted = _with_image(rows, image_ids, row_file, aside)
    for drop in said:
        notes.report(drop)
    by_image = _ByImage(row_file, image_ids, rows, wanted)
    return Table(_Listed(image_file, offsets[kept], lengths[kept]), known, by_image)


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


def _with_image(rows: _Kept, image_ids: Places, file: _File[Any], notes: Notes) -> Places:
    """Positions of the annotations whose image is listed, in order of image and then of the file."""
    ids, of = np.frombuffer(rows.ids, np.int64), np.frombuffer(rows.image_ids, np.int64)
    kept = _first(ids, "annotation", notes) if ids.size else np.arange(len(of))
    listed = np.isin(of[kept], image_ids)
    offsets, lengths = rows.places()
    for place in kept[~listed]:
        say_unknown_image(file.row(int(offsets[place]), int(lengths[place])), notes)
    kept = kept[listed]
    return kept[np.argsort(of[kept], kind="stable")]
