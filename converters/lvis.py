"""LVIS (v0.5 and v1): COCO's photos with masks of 1,200 classes, annotated class by class where it was asked for.

Format: lvis-dataset/lvis-api, `lvis/lvis.py`. Annotation is federated: a class is judged in a photo only if it is annotated
there, or listed in `neg_category_ids` (not there) or `not_exhaustive_category_ids` (more may be there).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from converters._coco_json import CategoryRow, ImageRow, Kinds, Table, first_of_each_id, read_kinds
from converters._coco_layout import SPLIT, find_file, looks_like_coco, names_in
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
FOLDERS = (
    "", "annotations/", "lvis/", "lvis_v1/", "lvis_v0.5/", "lvis_v1/annotations/", "lvis_v0.5/annotations/", "data/",
)  # fmt: skip
PHOTO_FOLDERS = ("", "images", "coco", "coco/images")
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
        found = regions(row, self.by_image[image.id], self.rows, notes)
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


def _files(root: Path) -> dict[str, str]:
    """Splits -> file relative to the root, the official ones first. Any other `lvis_<split>.json` is a split too."""
    official = {name: split for split, name in FILES.items()}
    found: dict[str, str] = {}
    for folder in FOLDERS:
        for name in names_in(root / folder):
            other = re.fullmatch(rf"lvis_{SPLIT}\.json", name)
            if (split := official.get(name)) is None and other and looks_like_coco(root / folder / name):
                split = other[1]
            if split and (root / folder / name).is_file():
                found.setdefault(split, f"{folder}{name}")
    return {split: found[split] for split in (*SPLITS, *sorted(found)) if split in found}


def find(root: Path) -> tuple[str, ...]:
    """The splits whose file is there."""
    return tuple(_files(root))


def open_split(root: Path, split: str) -> Slotted[LvisImage]:
    """Parse one split. Raises `SourceError`."""
    files = _files(root)
    name = FILES.get(split, f"lvis_{split}.json" if re.fullmatch(SPLIT, split) else "")
    if not name:
        raise SourceError(f"{split!r} is no split of {NAME} in {root}; {', '.join(SPLITS)} are right")
    places = [files[split]] if split in files else [f"{folder}{name}" for folder in FOLDERS]
    path = find_file(root, places, f"split {split!r}", tuple(files))
    relative = path.relative_to(root).as_posix()
    faults: list[Drop] = []
    table = _table(path, "image_info" not in name, Notes(NAME, split, relative, faults.append))
    categories = {id_: row.category() for id_, row in table.categories.items()}
    rows = {id_: CategoryRow(id_, category.name) for id_, category in categories.items()}
    photos = photos_in(root, PHOTO_FOLDERS, (image.name() for image in table.images), f"split {split!r}")
    reader = _Split(split, relative, photos, categories, rows, table.by_image)
    vocabulary = tuple(categories.values())
    return Slotted(
        NAME, split, relative, (path,), table.images, reader.record, lambda image: f"image {image.id}", faults,
        vocabulary,
    )  # fmt: skip


def _table(path: Path, annotated: bool, notes: Notes) -> Table[InstanceRow, LvisImage, LvisCategory]:
    if annotated:
        return read_kinds(path, Kinds(InstanceRow, LvisImage, LvisCategory), notes)
    wanted = {"images": LvisImage, "categories": LvisCategory}
    tables = {key: [row for _, row in rows] for key, rows in rows_below_keys(path, wanted, notes).items()}
    images = first_of_each_id(tables["images"], "image", notes)
    categories = first_of_each_id(tables["categories"], "category", notes)
    return Table(list(images.values()), categories, dict.fromkeys(images, ()))


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
