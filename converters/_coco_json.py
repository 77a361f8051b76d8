"""COCO-style JSON, read fast and row by row forgiving: images, categories, and annotations grouped by image.

Good files take one pass that notes where rows are (`_coco_windows`); the bytes stay in memory, or on disk when the file is larger
than `window_bytes()`. A file with NaN or the like, which is no JSON, is read whole and row by row, to the same table, so that
one bad row costs one row. Format: cocodataset.org, "Data format".
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Generic, Protocol, TypeVar

import msgspec
import numpy as np

from converters._by_image import ByImage
from converters._notes import Notes
from vtinstruct.record import Category
from vtinstruct.source import SourceError


class ImageRow(msgspec.Struct, gc=False):
    """A row of `images`; sizes in pixels, 0 where the file leaves them out."""

    id: int
    file_name: str
    height: int = 0
    width: int = 0


class CategoryRow(msgspec.Struct, gc=False):
    """A row of `categories`; `isthing` is panoptic's, `keypoints` and `skeleton` the person file's."""

    id: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]  # what a column of numbers holds
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


class WithId(Protocol):
    """What every kind of image and category row has."""

    @property
    def id(self) -> int: ...


RowType = TypeVar("RowType", bound=OfImage)
ImageType = TypeVar("ImageType", bound=WithId)
CategoryType = TypeVar("CategoryType", bound=WithId)
AnyRow = TypeVar("AnyRow")
AnyWithId = TypeVar("AnyWithId", bound=WithId)


class _Loose(msgspec.Struct):
    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: list[msgspec.Raw] = []


@dataclass(frozen=True)
class Table(Generic[RowType, ImageType, CategoryType]):
    """A parsed file: images in file order, categories by id in file order, annotations by image id in file order (every
    listed image has an entry)."""

    images: Sequence[ImageType]
    categories: Mapping[int, CategoryType]
    by_image: Mapping[int, Sequence[RowType]]


@dataclass(frozen=True)
class Kinds(Generic[RowType, ImageType, CategoryType]):
    """The row types of a file."""

    row: type[RowType]
    image: type[ImageType]
    category: type[CategoryType]


WINDOW_VARIABLE = "VTINSTRUCT_WINDOW_MB"
WINDOW_MB = 256.0  # opening takes as long either way; in memory a row is read 5 microseconds sooner


def window_bytes() -> float:
    """The size above which a file's bytes stay on disk. `VTINSTRUCT_WINDOW_MB` sets it in megabytes (0: always). Raises
    `SourceError` when that is no number."""
    said = os.environ.get(WINDOW_VARIABLE, "")
    try:
        return (float(said) if said else WINDOW_MB) * 1e6
    except ValueError:
        raise SourceError(f"{WINDOW_VARIABLE}={said}: no number of megabytes; 500 is one") from None


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


def read_table(path: Path, row_type: type[RowType], notes: Notes) -> Table[RowType, ImageRow, CategoryRow]:
    """Parse a COCO-style file whose annotations are rows of `row_type`. What belongs to no image goes to `notes`.

    Raises `SourceError` with the byte offset when the file is no JSON, or no object with `images` and `annotations`.
    """
    return read_kinds(path, Kinds(row_type, ImageRow, CategoryRow), notes)


def read_kinds(
    path: Path, kinds: Kinds[RowType, ImageType, CategoryType], notes: Notes
) -> Table[RowType, ImageType, CategoryType]:
    """`read_table` for files whose images and categories say more than COCO's."""
    from converters import _coco_windows  # which needs the types above

    try:
        large = path.stat().st_size > window_bytes()
    except OSError:
        large = False  # `read_bytes` says what is wrong
    data = None if large else read_bytes(path)
    with paused_gc():
        table = _coco_windows.read_table(path, data, kinds, notes)
        return table or _forgiving(path, read_bytes(path) if data is None else data, kinds, notes)


def _forgiving(
    path: Path, data: bytes, kinds: Kinds[RowType, ImageType, CategoryType], notes: Notes
) -> Table[RowType, ImageType, CategoryType]:
    """The table of a file that is not quite JSON, or not quite COCO's, row by row."""
    try:
        loose = _loose(path, data)
        images = list(decoded(loose.images, kinds.image, "images", notes))
        annotations = list(decoded(loose.annotations, kinds.row, "annotations", notes))
        categories = list(decoded(loose.categories, kinds.category, "categories", notes))
    except RecursionError as error:
        raise SourceError(f"{path}: nested too deeply; a COCO annotation file is right") from error
    known = first_of_each_id(categories, "category", notes)
    kept = first_of_each_id(images, "image", notes)
    rows = _first_annotations(annotations, notes)
    places = {id_: n for n, id_ in enumerate(kept)}
    of = np.fromiter((places.get(row.image_id, -1) for row in rows), np.int32, len(rows))
    for n in np.flatnonzero(of < 0).tolist():
        say_unknown_image(rows[n], notes)
    by_image = ByImage(list(kept), lambda id_: places.get(id_, -1), of, lambda some: [rows[n] for n in some.tolist()])
    return Table(list(kept.values()), known, by_image)


def first_of_each_id(rows: Sequence[AnyWithId], what: str, notes: Notes) -> dict[int, AnyWithId]:
    """Rows by id in file order, the first of each id; the others go to `notes`."""
    found = {row.id: row for row in rows}
    if len(found) == len(rows):
        return found
    found = {}
    for row in rows:
        if row.id in found:
            notes.dropped(f"{what} {row.id}", f"{what}: id twice", "the first one is kept; unique ids are right")
        else:
            found[row.id] = row
    return found


def _first_annotations(rows: list[RowType], notes: Notes) -> Sequence[RowType]:
    """The rows without those whose id came before; rows of a kind without ids (panoptic's) are all kept."""
    if not rows or not hasattr(rows[0], "id") or len({row.id for row in rows}) == len(rows):  # type: ignore[attr-defined]
        return rows
    return list(first_of_each_id(rows, "annotation", notes).values())  # type: ignore[type-var]


def say_unknown_image(row: OfImage, notes: Notes) -> None:
    """An annotation whose image the file does not list."""
    detail = f"image {row.image_id} is not in `images`; a listed id is right"
    notes.dropped(f"annotation {getattr(row, 'id', '')}", "annotation: unknown image", detail)


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


@cache
def _with_text_ids(row_type: type[Any]) -> type[Any]:
    """The row type for files whose images and annotations have names for ids (Cityscapes' and ADE20K's panoptic files)."""
    ids: Any = [(name, int | str) for name in ("id", "image_id") if name in row_type.__struct_fields__]
    return msgspec.defstruct(row_type.__name__, ids, bases=(row_type,), kw_only=True, gc=False)


def decoded(
    rows: Sequence[msgspec.Raw], row_type: type[AnyRow], name: str, notes: Notes, first: int = 0
) -> Iterator[AnyRow]:
    """The rows that can be read; the others go to `notes`. `first` is the position of the first in its list."""
    decoder = msgspec.json.Decoder(row_type, strict=False)
    second: msgspec.json.Decoder[AnyRow] = (
        decoder if name == "categories" else msgspec.json.Decoder(_with_text_ids(row_type), strict=False)
    )
    for position, row in enumerate(rows, first):
        try:
            try:
                found = decoder.decode(row)
            except msgspec.ValidationError:
                found = second.decode(row)
                if not any(isinstance(getattr(found, key, None), str) for key in ("id", "image_id")):
                    raise  # a key twice, the first one with text: `decoder` will never read it
            yield found
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            detail = f"{error}, found {bytes(row)[:80]!r} (null may stand for NaN)"
            notes.dropped(f"{name}[{position}]", f"{name}: unreadable row", detail)
