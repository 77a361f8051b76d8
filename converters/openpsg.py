"""OpenPSG, panoptic scene graphs: who does what to whom in COCO photos, every party a panoptic segment.

Format: Jingkang50/OpenPSG, `openpsg/datasets/psg.py`: `psg.json`, relations as (subject, object, predicate) positions. A photo's
relations are read as one grounded caption, a sentence each ("person holding umbrella."). As there, photos without relations are
in no split. The files of the challenge (`psg_train_val.json`, `psg_val_test.json`) tell train from val in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from converters._coco_layout import find_file
from converters._coco_split import photo_id
from converters._notes import Fault, Notes
from converters._photos import Photos, photos_in
from converters._rows import Slotted, rows_below_keys
from converters._segments import picture_folder, segment_regions
from converters._texts import TextBuilder
from converters.coco_panoptic import SegmentRow
from vtinstruct.record import Category, Drop, GroundedText, Origin, Record, Region
from vtinstruct.source import Source, SourceError

NAME = "openpsg"
SPLITS = ("train", "test", "val")
LICENCE = "CC-BY-4.0"  # COCO's, for the segments; the relations come with the MIT licence of the code
FOLDERS = ("", "psg/", "data/psg/", "annotations/")
FILES = {
    "train": ("psg.json", "psg_train_val.json"),
    "test": ("psg.json",),
    "val": ("psg_train_val.json", "psg_val_test.json"),
}
BASES = ("coco", "data/coco", "annotations", "coco/annotations", "")
LAYOUT = """\
<root>/psg/psg.json                                       (or without psg/, or in annotations/, data/psg/)
<root>/psg/psg_{train_val,val_test}.json                  of the challenge: train and val (the test part has no relations)
<root>/coco/panoptic_{train2017,val2017}/<id>.png         (or without coco/, or in annotations/)
<root>/coco/{train2017,val2017}/<id>.jpg                  (or without coco/, or in images/)"""


class PsgRow(msgspec.Struct, gc=False):
    """A row of `data`. `relations` are [subject, object, predicate]: positions in `segments_info` and in the predicates."""

    image_id: int | str
    file_name: str
    pan_seg_file_name: str
    height: int
    width: int
    segments_info: list[SegmentRow]
    relations: list[tuple[int, int, int]] = []


@dataclass(frozen=True)
class _Split:
    root: Path
    split: str
    relative: str
    photos: Photos
    pictures: str
    categories: Mapping[int, Category]
    predicates: list[str]

    def record(self, row: PsgRow, notes: Notes) -> Record:
        where = f"image {row.image_id}"
        photo = self.photos.photo(row.file_name, photo_id(row.file_name), (row.width, row.height))
        picture = f"{self.pictures}{row.pan_seg_file_name}"
        regions = segment_regions(self.root, picture, photo.size_wh, row.segments_info, self.categories, notes, where)
        caption = self._caption(row, regions, where, notes)
        return Record(
            id=str(row.image_id),
            source=NAME,
            split=self.split,
            licence=LICENCE,
            origin=Origin(self.relative, where),
            photo=photo,
            regions=tuple(regions.values()),
            grounded_captions=(caption,) if caption.spans else (),
        )

    def _caption(self, row: PsgRow, regions: Mapping[int, Region], where: str, notes: Notes) -> GroundedText:
        builder = TextBuilder()
        for triple in dict.fromkeys(row.relations):  # a few are there twice
            subject, object_, predicate = triple
            try:
                parties = [self._party(position, row, regions) for position in (subject, object_)]
                if not 0 <= predicate < len(self.predicates):
                    raise Fault("relation: unknown predicate", f"{predicate}; 0 to {len(self.predicates) - 1} is right")
            except Fault as fault:
                notes.fault(f"{where}, relation {list(triple)}", fault)
                continue
            builder.space()
            builder.tied(_spoken(parties[0].category), [parties[0].id])
            builder.add(f" {self.predicates[predicate]} ")
            builder.tied(_spoken(parties[1].category), [parties[1].id])
            builder.add(".")
        return builder.done()

    def _party(self, position: int, row: PsgRow, regions: Mapping[int, Region]) -> Region:
        if not 0 <= position < len(row.segments_info):
            detail = f"{position}; 0 to {len(row.segments_info) - 1} is right"
            raise Fault("relation: unknown segment", detail)
        region = regions.get(row.segments_info[position].id)
        if region is None:
            raise Fault("relation: unknown segment", f"segment {row.segments_info[position].id} could not be read")
        return region


def _spoken(name: str) -> str:
    """COCO's stuff names as words: "wall-other-merged" is a wall."""
    for ending in ("-merged", "-other", "-stuff"):
        name = name.removesuffix(ending)
    return name


def find(root: Path) -> tuple[str, ...]:
    """The splits whose file is there; a file holds two."""
    return tuple(split for split in SPLITS if any((root / place).is_file() for place in _places(split)))


def _places(split: str) -> list[str]:
    return [f"{folder}{name}" for name in FILES[split] for folder in FOLDERS]


def open_split(root: Path, split: str) -> Slotted[PsgRow]:
    """Parse the file and keep the rows of one split. Raises `SourceError`."""
    if split not in SPLITS:
        raise SourceError(f"{split!r} is no split of {NAME}; {', '.join(SPLITS)} are right")
    path = find_file(root, _places(split), "the scene graphs")
    relative = path.relative_to(root).as_posix()
    faults: list[Drop] = []
    notes = Notes(NAME, split, relative, faults.append)
    wanted = {
        "thing_classes": str,
        "stuff_classes": str,
        "predicate_classes": str,
        "test_image_ids": int | str,
        "data": PsgRow,
    }
    tables = {key: [row for _, row in rows] for key, rows in rows_below_keys(path, wanted, notes).items()}
    things = len(tables["thing_classes"])
    names = enumerate((*tables["thing_classes"], *tables["stuff_classes"]))
    categories = {id_: Category(id_, name, thing=id_ < things) for id_, name in names}
    tested = {str(id_) for id_ in tables["test_image_ids"]}
    slots: dict[str, PsgRow] = {}
    for row in tables["data"]:
        id_ = str(row.image_id)
        if not row.relations or (id_ in tested) != (split != "train"):
            continue
        if id_ in slots:
            notes.dropped(f"image {id_}", "image: id twice", "the first one is kept; unique ids are right")
        else:
            slots[id_] = row
    photos = photos_in(
        root, ("coco", "data/coco", "", "images"), (row.file_name for row in slots.values()), f"split {split!r}"
    )
    folder = next((row.pan_seg_file_name.rpartition("/")[0] for row in slots.values()), "")
    places = [f"{base}/{folder}".strip("/") for base in BASES]
    found = picture_folder(root, places, f"split {split!r}") if folder else ""
    reader = _Split(
        root, split, relative, photos, found.removesuffix(f"{folder}/"), categories, tables["predicate_classes"]
    )
    vocabulary = tuple(categories.values())
    ordered = list(slots.values())
    return Slotted(
        NAME, split, relative, (path,), ordered, reader.record, lambda row: f"image {row.image_id}", faults, vocabulary
    )


SOURCE = Source(
    name=NAME,
    title="OpenPSG",
    homepage="https://psgdataset.org",
    licence=LICENCE,
    offers=frozenset({"image", "grounded_captions", "grounded_caption_masks"}),
    splits=SPLITS,
    layout=LAYOUT,
    version="2",
    find=find,
    open=open_split,
)
