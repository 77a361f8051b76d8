"""COCO-style JSON, read fast and row by row forgiving: images, categories, and annotations grouped by image.

Good files take one typed pass of msgspec with segmentations left as bytes; a file with a broken row, NaN or the like
is read again row by row, so that one bad row costs one row. Format: cocodataset.org, "Data format".
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from converters._notes import Notes
from vtinstruct.record import Category
from vtinstruct.source import SourceError


class ImageRow(msgspec.Struct, gc=False):
    """A row of `images`; sizes in pixels."""

    id: int
    file_name: str
    height: int
    width: int


class CategoryRow(msgspec.Struct, gc=False):
    """A row of `categories`; `isthing` is panoptic's, `keypoints` and `skeleton` the person file's."""

    id: int
    name: str
    supercategory: str | None = None
    isthing: int | bool = 1
    keypoints: list[str] = []

    def category(self) -> Category:
        """The row in the house's form."""
        return Category(
            self.id, self.name, bool(self.isthing), self.supercategory or "", keypoints=tuple(self.keypoints)
        )


class OfImage(Protocol):
    """What every kind of annotation row has."""

    @property
    def image_id(self) -> int: ...


RowType = TypeVar("RowType", bound=OfImage)
AnyRow = TypeVar("AnyRow")


class _Strict(msgspec.Struct, Generic[RowType]):
    images: list[ImageRow]
    annotations: list[RowType]
    categories: list[CategoryRow] = []


class _Loose(msgspec.Struct):
    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: list[msgspec.Raw] = []


@dataclass(frozen=True)
class Table(Generic[RowType]):
    """A parsed file: images in file order, categories by id in file order, annotations by image id in file order."""

    images: Sequence[ImageRow]
    categories: Mapping[int, CategoryRow]
    by_image: Mapping[int, Sequence[RowType]]


@contextmanager
def paused_gc() -> Iterator[None]:
    """No garbage collection inside: it would walk millions of rows that are all alive, again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def read_bytes(path: Path) -> bytes:
    """The bytes of an annotation file. Raises `SourceError` when it cannot be read or is empty."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror or error}); a readable file is right") from error
    if not data:
        raise SourceError(f"{path}: empty file, cut at byte 0; download it again")
    return data


def read_table(path: Path, row_type: type[RowType], notes: Notes) -> Table[RowType]:
    """Parse a COCO-style file whose annotations are rows of `row_type`. What belongs to no image goes to `notes`.

    Raises `SourceError` with the byte offset when the file is no JSON, or no object with `images` and `annotations`.
    """
    with paused_gc():
        images, annotations, categories = _rows(path, row_type, notes)
        known: dict[int, CategoryRow] = {}
        for category in categories:
            if category.id in known:
                detail = (
                    f"{category.name!r} after {known[category.id].name!r}; the first one is kept, unique ids are right"
                )
                notes.dropped(f"category {category.id}", "category: id twice", detail)
            else:
                known[category.id] = category
        by_image: dict[int, list[RowType]] = {}
        kept: list[ImageRow] = []
        for image in images:
            if image.id in by_image:
                notes.dropped(f"image {image.id}", "image: id twice", "the first one is kept; unique ids are right")
            else:
                by_image[image.id] = []
                kept.append(image)
        for row in _first_of_each_id(annotations, notes):
            try:
                by_image[row.image_id].append(row)
            except KeyError:
                detail = f"image {row.image_id} is not in `images`; a listed id is right"
                notes.dropped(f"annotation {getattr(row, 'id', '')}", "annotation: unknown image", detail)
        return Table(kept, known, by_image)


def _first_of_each_id(rows: list[RowType], notes: Notes) -> Sequence[RowType]:
    """The rows without those whose id came before; rows of a kind without ids (panoptic's) are all kept."""
    ids = [getattr(row, "id", None) for row in rows]
    if len(set(ids)) == len(ids) or None in ids:
        return rows
    first: dict[int | None, RowType] = {}
    for row, number in zip(rows, ids, strict=True):
        if number in first:
            detail = f"of image {row.image_id}; the first one is kept, unique ids are right"
            notes.dropped(f"annotation {number}", "annotation: id twice", detail)
        else:
            first[number] = row
    return tuple(first.values())


def _rows(path: Path, row_type: type[RowType], notes: Notes) -> tuple[list[ImageRow], list[RowType], list[CategoryRow]]:
    data = read_bytes(path)
    try:
        try:
            strict: _Strict[Any] = msgspec.json.decode(data, type=_Strict[row_type])
        except (msgspec.DecodeError, UnicodeDecodeError):  # a row of another type, NaN, or no JSON at all: look closer
            return _rows_one_by_one(path, data, row_type, notes)
    except RecursionError as error:
        raise SourceError(f"{path}: nested too deeply; a COCO annotation file is right") from error
    return strict.images, strict.annotations, strict.categories


def _rows_one_by_one(
    path: Path, data: bytes, row_type: type[RowType], notes: Notes
) -> tuple[list[ImageRow], list[RowType], list[CategoryRow]]:
    loose = _loose(path, data)
    images = list(_decoded(loose.images, ImageRow, "images", notes))
    annotations = list(_decoded(loose.annotations, row_type, "annotations", notes))
    return images, annotations, list(_decoded(loose.categories, CategoryRow, "categories", notes))


def _loose(path: Path, data: bytes) -> _Loose:
    """The three lists with rows as bytes; NaN and infinity, which JSON does not have, become null."""
    try:
        return msgspec.json.decode(data, type=_Loose)
    except msgspec.ValidationError as error:
        raise _no_coco_file(path, error) from error
    except msgspec.DecodeError as error:
        first = error
    try:
        content = json.loads(data)
    except ValueError as error:
        where = f"cut at byte {len(data)}" if "truncated" in str(first) else str(first)
        raise SourceError(f"{path}: no JSON ({where}); download the file again") from error
    try:
        return msgspec.json.decode(msgspec.json.encode(content), type=_Loose)
    except UnicodeEncodeError as error:
        raise SourceError(f"{path}: holds half a character ({error}); UTF-8 text is right") from error
    except (msgspec.ValidationError, TypeError, OverflowError) as error:
        raise _no_coco_file(path, error) from error


def _no_coco_file(path: Path, error: Exception) -> SourceError:
    return SourceError(f"{path}: {error}; an object with the lists `images` and `annotations` is right")


def _decoded(rows: Sequence[msgspec.Raw], row_type: type[AnyRow], name: str, notes: Notes) -> Iterator[AnyRow]:
    decoder = msgspec.json.Decoder(row_type, strict=False)
    for position, row in enumerate(rows):
        try:
            yield decoder.decode(row)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            detail = f"{error}, found {bytes(row)[:80]!r} (null may stand for NaN)"
            notes.dropped(f"{name}[{position}]", f"{name}: unreadable row", detail)
