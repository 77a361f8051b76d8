"""One split of a COCO-style file, opened: every image a slot, its record made when asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from converters._coco_json import CategoryRow, ImageRow, RowType, Table, read_table
from converters._coco_layout import Candidate, PhotoFolder, annotation_file, coco_photo_folder, photo_folder
from converters._coco_regions import InstanceRow, check_size, regions
from converters._notes import Fault, Notes
from converters._photos import photo_size
from vtinstruct.record import Category, Drop, Origin, Photo, Record
from vtinstruct.source import Report

OFFICIAL_NAME = re.compile(r"(?:COCO_(?:train|val|test)201[45]_)?(\d{12})\.jpg")
ANNOTATION_LICENCE = "CC-BY-4.0"  # cocodataset.org, "Terms of use"; the photos have Flickr licences of their own

MakeRecord = Callable[[ImageRow, Photo, Notes], Record]


def photo_id(file_name: str) -> str:
    """The identity of a photo across sources: `coco:57870` for any official spelling of COCO photo 57870,
    `objects365:v1_00420917`, and otherwise the name in the file."""
    name = file_name.replace("\\", "/").rpartition("/")[2]
    if (match := OFFICIAL_NAME.fullmatch(name)) is not None:
        return f"coco:{int(match[1])}"
    known = re.fullmatch(r"objects365_(v\d_\d+)\.jpg", name)
    return f"objects365:{known[1]}" if known else f"coco_json:{file_name}"


def _sized(image: ImageRow, photo: Path) -> ImageRow:
    """The row, with the size of the picture file where neither side is given."""
    if image.width or image.height:
        return image
    width, height = photo_size(photo, image.file_name)
    return ImageRow(image.id, image.file_name, height, width)


@dataclass
class CocoSplit:
    """A parsed split (`vtinstruct.source.Opened`); `make` turns an image row and its checked photo into a record."""

    source: str
    split: str
    annotations: str
    files: Sequence[Path]
    vocabulary: Sequence[Category]
    images: Sequence[ImageRow]
    photos: PhotoFolder
    make: MakeRecord
    faults: Sequence[Drop] = ()

    def __len__(self) -> int:
        return len(self.images)

    def records(self, start: int, stop: int, report: Report) -> Iterator[Record]:
        """Records of slots start..stop-1; a photo that is missing or has no size is dropped with a note."""
        notes = Notes(self.source, self.split, self.annotations, report)
        for image in self.images[max(start, 0) : max(stop, 0)]:
            try:
                path = self.photos.path_of(image.file_name)
                row = _sized(image, self.photos.root / path)
                record = self.make(row, Photo(path, check_size(row), photo_id(image.file_name)), notes)
            except Fault as fault:
                notes.fault(f"image {image.id}", fault)
            else:
                yield record


def open_table(
    root: Path, split: str, source: str, kind: str, row_type: type[RowType]
) -> tuple[Table[RowType, ImageRow, CategoryRow], PhotoFolder, Path, str, list[Drop]]:
    """Parse `<kind>_<split>.json` and find its photos: (table, photos, file, file relative to the root, faults)."""
    path = annotation_file(root, kind, split)
    relative = path.relative_to(root).as_posix()
    faults: list[Drop] = []
    table = read_table(path, row_type, Notes(source, split, relative, faults.append))
    photos = coco_photo_folder(root, split, path, (image.file_name for image in table.images))
    return table, photos, path, relative, faults


def open_instances(
    root: Path,
    split: str,
    source: str,
    path: Path,
    licence: str = ANNOTATION_LICENCE,
    folders: Sequence[Candidate] = (),
) -> CocoSplit:
    """Open a file of instances: `instances_*.json`, `person_keypoints_*.json`. `folders` say where its photos are looked
    for; without, where COCO's are."""
    relative = path.relative_to(root).as_posix()
    faults: list[Drop] = []
    table = read_table(path, InstanceRow, Notes(source, split, relative, faults.append))
    names = (image.file_name for image in table.images)
    photos = (
        photo_folder(root, folders, names, f"split {split!r}")
        if folders
        else coco_photo_folder(root, split, path, names)
    )

    def make(image: ImageRow, photo: Photo, notes: Notes) -> Record:
        return Record(
            id=str(image.id),
            source=source,
            split=split,
            licence=licence,
            origin=Origin(relative, f"image {image.id}"),
            photo=photo,
            regions=regions(image, table.by_image[image.id], table.categories, notes),
            exhaustive=True,
        )

    vocabulary = tuple(row.category() for row in table.categories.values())
    return CocoSplit(source, split, relative, (path,), vocabulary, table.images, photos, make, faults)
