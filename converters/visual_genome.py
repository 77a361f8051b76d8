"""Visual Genome: phrases about regions, objects with attributes, questions.

Format: visualgenome.org/api, "Data readme", versions 1.0 (ids are called `id`, names `object_names` in attributes), 1.2
(the readme's `image_id` is `id` in some files) and 1.4 (fewer, merged objects under the ids of 1.2). There is no official
split: all photos are `train`. The lists of a photo stay bytes until its record is asked for, and where a file
is large they stay on disk (`_row_windows`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from converters._coco_layout import find_file
from converters._coco_regions import clipped_box
from converters._notes import Fault, Notes
from converters._photos import Photos, photos_in
from converters._questions import asked_words
from converters._row_windows import StoredList, stored_list
from converters._rows import Slotted, rows_inside
from converters._texts import one_line, question
from converters._vg import IMAGE_DATA, PHOTO_FOLDERS, ImageRow, read_images, vg_identity
from vtinstruct.geometry import GeometryError
from vtinstruct.record import Drop, Expression, Origin, Question, Record, Region
from vtinstruct.source import Source, SourceError

NAME = "visual_genome"
LICENCE = "CC-BY-4.0"
REGIONS, OBJECTS, ATTRIBUTES, QUESTIONS = (
    "region_descriptions.json",
    "objects.json",
    "attributes.json",
    "question_answers.json",
)
OPTIONAL = (OBJECTS, ATTRIBUTES, QUESTIONS)
LAYOUT = """\
<root>/image_data.json
<root>/region_descriptions.json
<root>/objects.json                         optional
<root>/attributes.json                      optional; says of the same objects what they are like, and is enough alone
<root>/question_answers.json                optional
<root>/VG_100K/<id>.jpg, <root>/VG_100K_2/<id>.jpg        (or below images/ and images2/)"""


class PhotoRow(msgspec.Struct, gc=False):
    """What every file has for a photo: its id under either name, and a list of rows, still bytes."""

    image_id: int = -1
    id: int = -1
    regions: msgspec.Raw = msgspec.Raw()
    objects: msgspec.Raw = msgspec.Raw()
    attributes: msgspec.Raw = msgspec.Raw()
    qas: msgspec.Raw = msgspec.Raw()


NOTHING = PhotoRow()


class RegionRow(msgspec.Struct, gc=False):
    """A described region, pixels."""

    x: float
    y: float
    width: float
    height: float
    phrase: str
    region_id: int = -1
    id: int = -1

    def number(self) -> int:
        """Its id. Raises `Fault` when it has none."""
        return _number(self.region_id, self.id, "region")


class ObjectRow(msgspec.Struct, gc=False):
    """An object, pixels; `attributes` only in `attributes.json`, `merged_object_ids` only in version 1.4."""

    x: float
    y: float
    w: float
    h: float
    object_id: int = -1
    id: int = -1
    names: list[str] = []
    object_names: list[str] = []
    attributes: list[str] | None = None
    merged_object_ids: list[int] = []

    def number(self) -> int:
        """Its id. Raises `Fault` when it has none."""
        return _number(self.object_id, self.id, "object")

    def name(self) -> str:
        """The first of its names that says something."""
        return next((one_line(name) for name in (*self.names, *self.object_names) if name.strip()), "")

    def ties(self) -> list[tuple[object, ...]]:
        """What ties attributes to it: its own id and those merged into it; in version 1.0, whose attributes are numbered
        on their own, its box and name."""
        if self.object_id < 0:
            return [(self.x, self.y, self.w, self.h, self.name())]
        return [(number,) for number in (self.object_id, *self.merged_object_ids)]


class QaRow(msgspec.Struct, gc=False):
    """A question with its one answer."""

    question: str
    answer: str
    qa_id: int = -1
    id: int = -1

    def number(self) -> int:
        """Its id. Raises `Fault` when it has none."""
        return _number(self.qa_id, self.id, "question")


def _number(id_: int, older: int, what: str) -> int:
    if max(id_, older) < 0:
        raise Fault(f"{what}: no id", f"`{'qa' if what == 'question' else what}_id` (or `id`, in version 1.0) is right")
    return id_ if id_ >= 0 else older


@dataclass(frozen=True)
class _Photo:
    image: ImageRow
    regions: msgspec.Raw
    objects: msgspec.Raw
    attributes: msgspec.Raw
    qas: msgspec.Raw


@dataclass(frozen=True)
class _Table:
    """A file's rows, which stay bytes, and which of them is each photo's."""

    rows: StoredList[PhotoRow]
    places: dict[int, int]

    def row(self, image_id: int) -> PhotoRow:
        place = self.places.get(image_id)
        return NOTHING if place is None else self.rows.row(place)


@dataclass(frozen=True)
class _Split:
    photos: Photos
    images: dict[int, ImageRow]
    tables: dict[str, _Table]

    def _slot(self, image: ImageRow) -> _Photo:
        regions, objects, attributes, asked = (
            self.tables[name].row(image.image_id) if name in self.tables else NOTHING for name in (REGIONS, *OPTIONAL)
        )
        return _Photo(image, regions.regions, objects.objects, _list_of(attributes), asked.qas)

    def record(self, image: ImageRow, notes: Notes) -> Record:
        slot = self._slot(image)
        size_wh = (image.width, image.height)
        photo = self.photos.photo(f"{image.image_id}.jpg", vg_identity(image.image_id, self.images), size_wh)
        of = f"image {image.image_id}"
        described = _described(slot.regions, size_wh, of, notes)
        asked = Notes(NAME, "train", QUESTIONS, notes.report)
        return Record(
            id=str(image.image_id),
            source=NAME,
            split="train",
            licence=LICENCE,
            origin=Origin(REGIONS, of),
            photo=photo,
            regions=(*described, *_objects(slot, size_wh, of, notes)),
            expressions=tuple(Expression(region.id, region.captions[0], (region.id,)) for region in described),
            questions=_questions(slot.qas, of, asked),
        )


def _empty(raw: msgspec.Raw) -> bool:
    return memoryview(raw).nbytes == 0


def _described(raw: msgspec.Raw, size_wh: tuple[int, int], of: str, notes: Notes) -> list[Region]:
    found: dict[str, Region] = {}
    for n, row in [] if _empty(raw) else rows_inside(raw, RegionRow, f"{of}, region", notes):
        where = f"{of}, region {n}"
        try:
            id_, where = f"r{row.number()}", f"{of}, region {row.number()}"
            phrase = one_line(row.phrase)
            if not phrase or id_ in found:
                reason = "phrase: empty" if not phrase else "region: id twice"
                raise Fault(reason, f"{row.phrase[:60]!r}; words about one region, once, are right")
            box = clipped_box((row.x, row.y, row.width, row.height), None, size_wh, notes, where)
        except (Fault, GeometryError) as fault:
            notes.fault(where, fault)
            continue
        found[id_] = Region(id=id_, box_xyxy=box, captions=(phrase,))
    return list(found.values())


def _objects(slot: _Photo, size_wh: tuple[int, int], of: str, notes: Notes) -> list[Region]:
    """The objects of `objects.json` (or, without, of `attributes.json`), with what `attributes.json` says of them."""
    listed = Notes(NAME, "train", ATTRIBUTES if _empty(slot.objects) else OBJECTS, notes.report)
    said: dict[tuple[object, ...], dict[str, None]] = {}
    described: list[tuple[int, ObjectRow]] = []
    if not _empty(slot.attributes):
        described = rows_inside(
            slot.attributes, ObjectRow, f"{of}, object", Notes(NAME, "train", ATTRIBUTES, notes.report)
        )
    for _, row in described:
        words = (one_line(word) for word in row.attributes or () if word.strip())
        said.setdefault(row.ties()[0], {}).update(dict.fromkeys(words))
    rows = described if _empty(slot.objects) else rows_inside(slot.objects, ObjectRow, f"{of}, object", listed)
    found: dict[str, Region] = {}
    for n, row in rows:
        where = f"{of}, object {n}"
        try:
            id_, where, name = f"o{row.number()}", f"{of}, object {row.number()}", row.name()
            if not name or id_ in found:
                reason = "object: no name" if not name else "object: id twice"
                raise Fault(reason, f"names {row.names!r:.60}; one name or more, and one id each, are right")
            box = clipped_box((row.x, row.y, row.w, row.h), None, size_wh, listed, where)
        except (Fault, GeometryError) as fault:
            listed.fault(where, fault)
            continue
        attributes = dict.fromkeys(word for key in row.ties() for word in said.get(key, ()))
        found[id_] = Region(id=id_, category=name, box_xyxy=box, attributes=tuple(attributes))
    return list(found.values())


def _questions(raw: msgspec.Raw, of: str, notes: Notes) -> tuple[Question, ...]:
    found: dict[int, Question] = {}
    for n, row in [] if _empty(raw) else rows_inside(raw, QaRow, f"{of}, question", notes):
        where = f"{of}, question {n}"
        try:
            number = row.number()
            where = f"{of}, question {number}"
            if not row.answer.strip() or number in found:
                reason = "question: id twice" if number in found else "question: no answer"
                raise Fault(reason, f"{row.question[:60]!r}; one answer, and one id each, are right")
            found[number] = question(str(number), asked_words(row.question), [row.answer])
        except Fault as fault:
            notes.fault(where, fault)
    return tuple(found.values())


def find(root: Path) -> tuple[str, ...]:
    """`train`, where the photos' list and the descriptions are there."""
    return ("train",) if (root / IMAGE_DATA).is_file() and (root / REGIONS).is_file() else ()


def _by_photo(path: Path, images: dict[int, ImageRow], faults: list[Drop]) -> _Table:
    notes = Notes(NAME, "train", path.name, faults.append)
    rows = stored_list(path, PhotoRow, notes)
    found: dict[int, int] = {}
    for place, (n, row) in enumerate(rows.heads):
        id_ = row.image_id if row.image_id >= 0 else row.id
        if id_ not in images or id_ in found:
            reason = "image: unknown" if id_ not in images else "image: id twice"
            notes.dropped(f"row {n}", reason, f"image {id_}; one that {IMAGE_DATA} lists, once, is right")
        else:
            found[id_] = place
    return _Table(StoredList([], rows.row), found)  # the heads have said what they know


def open_split(root: Path, split: str) -> Slotted[ImageRow]:
    """Parse the files that are there, photo by photo. Raises `SourceError`."""
    if split != "train":
        raise SourceError(f"{split!r} is no split of {NAME} in {root}; it has no official ones, all of it is train")
    files = [find_file(root, [name], "split 'train'") for name in (IMAGE_DATA, REGIONS)]
    faults: list[Drop] = []
    images = read_images(files[0], Notes(NAME, split, IMAGE_DATA, faults.append))
    files += [find_file(root, [name], "train") for name in OPTIONAL if (root / name).is_file()]
    tables = {path.name: _by_photo(path, images, faults) for path in files[1:]}
    photos = photos_in(root, PHOTO_FOLDERS, (f"{id_}.jpg" for id_ in images), "split 'train'")
    reader = _Split(photos, images, tables)
    return Slotted(
        NAME,
        split,
        REGIONS,
        files,
        list(images.values()),
        reader.record,
        lambda image: f"image {image.image_id}",
        faults,
    )


def _list_of(row: PhotoRow) -> msgspec.Raw:
    """The list of a photo in `attributes.json`, which some versions call `objects`."""
    return row.objects if _empty(row.attributes) else row.attributes


SOURCE = Source(
    name=NAME,
    title="Visual Genome",
    homepage="https://homes.cs.washington.edu/~ranjay/visualgenome/",
    licence=LICENCE,
    offers=frozenset({"image", "region_captions", "expressions", "questions"}),
    splits=("train",),
    layout=LAYOUT,
    version="2",
    find=find,
    open=open_split,
)
