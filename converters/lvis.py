"""LVIS (v0.5 and v1): COCO's photos with masks of 1,200 classes, annotated class by class where it was asked for.

Format: lvis-dataset/lvis-api, `lvis/lvis.py`. Annotation is federated: a class is judged in a photo only if it is annotated
there, or listed in `neg_category_ids` (not there) or `not_exhaustive_category_ids` (more may be there).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from converters._coco_json import CategoryRow, ImageRow, paused_gc, read_bytes
from converters._coco_layout import find_file
from converters._coco_regions import InstanceRow, regions
from converters._notes import Notes
from converters._photos import Photos, coco_identity, photos_in
from converters._rows import Slotted, rows_below_keys
from vtinstruct.record import Category, Drop, Origin, Record
from vtinstruct.source import Source, SourceError

NAME = "lvis"
FILES = {
    "v1_train": "lvis_v1_train.json",
    "v1_val": "lvis_v1_val.json",
    "v1_test_dev": "lvis_v1_image_info_test_dev.json",
    "v1_test_challenge": "lvis_v1_image_info_test_challenge.json",
    "v0.5_train": "lvis_v0.5_train.json",
    "v0.5_val": "lvis_v0.5_val.json",
    "v0.5_test": "lvis_v0.5_image_info_test.json",
}
SPLITS = tuple(FILES)
FOLDERS = ("", "annotations/", "lvis/", "lvis_v1/", "lvis_v0.5/", "lvis_v1/annotations/", "lvis_v0.5/annotations/")
LICENCE = "CC-BY-4.0"  # of the annotations (lvisdataset.org); the photos have Flickr licences of their own
LAYOUT = """\
<root>/lvis_v1_{train,val}.json, lvis_v1_image_info_test_{dev,challenge}.json     (or in annotations/, lvis/, lvis_v1/)
<root>/lvis_v0.5_{train,val}.json, lvis_v0.5_image_info_test.json
<root>/{train2017,val2017,test2017}/<id>.jpg                                      (or below images/, coco/)"""


class LvisImage(msgspec.Struct, gc=False):
    """A row of `images`. v1 has no `file_name`; `coco_url` ends in folder and name of COCO 2017."""

    id: int
    height: int
    width: int
    coco_url: str = ""
    file_name: str = ""
    neg_category_ids: list[int] = []
    not_exhaustive_category_ids: list[int] = []

    def name(self) -> str:
        """`train2017/000000391895.jpg`."""
        parts = self.coco_url.split("/")
        return "/".join(parts[-2:]) if len(parts) > 2 else self.file_name


class LvisCategory(msgspec.Struct, gc=False):
    """A row of `categories`; `frequency` is r(are), c(ommon) or f(requent)."""

    id: int
    name: str
    synonyms: list[str] = []
    frequency: str = ""

    def category(self) -> Category:
        """The row in the house's form: names in words, "car_(automobile)" as "car (automobile)"."""
        words = dict.fromkeys(word.replace("_", " ") for word in self.synonyms)
        words.pop(self.name.replace("_", " "), None)
        return Category(self.id, self.name.replace("_", " "), synonyms=tuple(words), frequency=self.frequency)


class _Whole(msgspec.Struct):
    images: list[LvisImage]
    categories: list[LvisCategory]
    annotations: list[InstanceRow]


@dataclass(frozen=True)
class _Split:
    split: str
    relative: str
    photos: Photos
    categories: Mapping[int, Category]
    rows: Mapping[int, CategoryRow]
    by_image: Mapping[int, Sequence[InstanceRow]]

    def record(self, image: LvisImage, notes: Notes) -> Record:
        where = f"image {image.id}"
        size_wh = (image.width, image.height)
        photo = self.photos.photo(image.name(), coco_identity(image.name()), size_wh)
        row = ImageRow(image.id, image.name(), image.height, image.width)
        found = regions(row, self.by_image.get(image.id, ()), self.rows, notes)
        return Record(
            id=str(image.id),
            source=NAME,
            split=self.split,
            licence=LICENCE,
            origin=Origin(self.relative, where),
            photo=photo,
            regions=found,
            negatives=self._named(image.neg_category_ids, "neg_category_ids", where, notes),
            not_exhaustive=self._named(image.not_exhaustive_category_ids, "not_exhaustive_category_ids", where, notes),
        )

    def _named(self, ids: Sequence[int], field: str, where: str, notes: Notes) -> tuple[str, ...]:
        for id_ in ids:
            if id_ not in self.categories:
                notes.dropped(where, f"{field}: unknown category", f"{id_}; an id of `categories` is right")
        return tuple(self.categories[id_].name for id_ in dict.fromkeys(ids) if id_ in self.categories)


def _places(split: str) -> list[str]:
    return [f"{folder}{FILES[split]}" for folder in FOLDERS]


def find(root: Path) -> tuple[str, ...]:
    """The splits whose file is there."""
    return tuple(split for split in SPLITS if any((root / place).is_file() for place in _places(split)))


def open_split(root: Path, split: str) -> Slotted[LvisImage]:
    """Parse one split. Raises `SourceError`."""
    if split not in SPLITS:
        raise SourceError(f"{split!r} is no split of {NAME}; {', '.join(SPLITS)} are right")
    path = find_file(root, _places(split), f"split {split!r}", find(root))
    relative = path.relative_to(root).as_posix()
    faults: list[Drop] = []
    notes = Notes(NAME, split, relative, faults.append)
    with paused_gc():
        tables = _tables(path, "_test" not in split, notes)
        images = _once(tables["images"], "image", notes)
        found = _once(tables["categories"], "category", notes)
        by_image = _grouped(tables.get("annotations", []), images, notes)
    categories = {id_: row.category() for id_, row in found.items()}
    rows = {id_: CategoryRow(id_, category.name) for id_, category in categories.items()}
    folders = ("", "images", "coco", "coco/images")
    photos = photos_in(root, folders, (image.name() for image in images.values()), f"split {split!r}")
    reader = _Split(split, relative, photos, categories, rows, by_image)
    vocabulary = tuple(categories.values())
    slots = list(images.values())
    return Slotted(
        NAME, split, relative, (path,), slots, reader.record, lambda image: f"image {image.id}", faults, vocabulary
    )


def _whole(path: Path) -> _Whole | None:
    """A good file in one typed pass, which a gigabyte deserves; None when it has to be looked at row by row."""
    try:
        return msgspec.json.decode(read_bytes(path), type=_Whole)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _tables(path: Path, annotated: bool, notes: Notes) -> dict[str, list[Any]]:
    """The lists of a file; what is wrong with single rows goes to `notes`."""
    whole = _whole(path) if annotated else None
    if whole is not None:
        return {"images": whole.images, "categories": whole.categories, "annotations": whole.annotations}
    wanted = {"images": LvisImage, "categories": LvisCategory, **({"annotations": InstanceRow} if annotated else {})}
    return {key: [row for _, row in rows] for key, rows in rows_below_keys(path, wanted, notes).items()}


def _once(rows: list[Any], what: str, notes: Notes) -> dict[int, Any]:
    """Rows by id in file order, the first of each id."""
    found: dict[int, Any] = {}
    for row in rows:
        if row.id in found:
            notes.dropped(f"{what} {row.id}", f"{what}: id twice", "the first one is kept; unique ids are right")
        else:
            found[row.id] = row
    return found


def _grouped(rows: list[InstanceRow], images: Mapping[int, object], notes: Notes) -> dict[int, list[InstanceRow]]:
    if len({row.id for row in rows}) < len(rows):
        rows = list(_once(rows, "annotation", notes).values())
    found: dict[int, list[InstanceRow]] = {id_: [] for id_ in images}
    for row in rows:
        of_image = found.get(row.image_id)
        if of_image is None:
            detail = f"image {row.image_id} is not in `images`; a listed id is right"
            notes.dropped(f"annotation {row.id}", "annotation: unknown image", detail)
        else:
            of_image.append(row)
    return found


SOURCE = Source(
    name=NAME,
    title="LVIS",
    homepage="https://www.lvisdataset.org",
    licence=LICENCE,
    offers=frozenset({"image", "boxes", "masks"}),
    splits=SPLITS,
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
