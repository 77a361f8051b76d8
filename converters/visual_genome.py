"""Visual Genome: phrases about regions, objects with attributes, questions.

Format: visualgenome.org/api, "Data readme" (files of version 1.2 and later; the readme's `image_id` is `id` in some). There
is no official split: all photos are `train`. The lists of a photo stay bytes until its record is asked for.
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
from converters._rows import Slotted, list_rows, rows_inside
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
LAYOUT = """\
<root>/image_data.json
<root>/region_descriptions.json
<root>/objects.json                         optional; attributes.json, which has the same objects, goes before it
<root>/attributes.json                      optional
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


class RegionRow(msgspec.Struct, gc=False):
    """A described region, pixels."""

    region_id: int
    x: float
    y: float
    width: float
    height: float
    phrase: str


class ObjectRow(msgspec.Struct, gc=False):
    """An object, pixels; `attributes` only in `attributes.json`."""

    object_id: int
    x: float
    y: float
    w: float
    h: float
    names: list[str]
    attributes: list[str] | None = None


class QaRow(msgspec.Struct, gc=False):
    """A question with its one answer."""

    qa_id: int
    question: str
    answer: str


@dataclass(frozen=True)
class _Photo:
    image: ImageRow
    regions: msgspec.Raw
    objects: msgspec.Raw
    qas: msgspec.Raw


@dataclass(frozen=True)
class _Split:
    photos: Photos
    images: dict[int, ImageRow]
    objects_file: str

    def record(self, slot: _Photo, notes: Notes) -> Record:
        image = slot.image
        size_wh = (image.width, image.height)
        photo = self.photos.photo(f"{image.image_id}.jpg", vg_identity(image.image_id, self.images), size_wh)
        of = f"image {image.image_id}"
        described = _described(slot.regions, size_wh, of, notes)
        elsewhere = Notes(NAME, "train", self.objects_file, notes.report)
        asked = Notes(NAME, "train", QUESTIONS, notes.report)
        return Record(
            id=str(image.image_id),
            source=NAME,
            split="train",
            licence=LICENCE,
            origin=Origin(REGIONS, of),
            photo=photo,
            regions=(*described, *_objects(slot.objects, size_wh, of, elsewhere)),
            expressions=tuple(Expression(region.id, region.captions[0], (region.id,)) for region in described),
            questions=_questions(slot.qas, of, asked),
        )


def _empty(raw: msgspec.Raw) -> bool:
    return memoryview(raw).nbytes == 0


def _described(raw: msgspec.Raw, size_wh: tuple[int, int], of: str, notes: Notes) -> list[Region]:
    found: dict[str, Region] = {}
    for _, row in [] if _empty(raw) else rows_inside(raw, RegionRow, f"{of}, region", notes):
        where, id_ = f"{of}, region {row.region_id}", f"r{row.region_id}"
        try:
            phrase = one_line(row.phrase)
            if not phrase or id_ in found:
                reason = "phrase: empty" if not phrase else "region: id twice"
                raise Fault(reason, f"{row.phrase[:60]!r}; words about one region, once, are right")
            box = clipped_box((row.x, row.y, row.width, row.height), None, size_wh, notes, where)
        except (Fault, GeometryError) as fault:
            notes.dropped(where, fault.reason, fault.detail)
            continue
        found[id_] = Region(id=id_, box_xyxy=box, captions=(phrase,))
    return list(found.values())


def _objects(raw: msgspec.Raw, size_wh: tuple[int, int], of: str, notes: Notes) -> list[Region]:
    found: dict[str, Region] = {}
    for _, row in [] if _empty(raw) else rows_inside(raw, ObjectRow, f"{of}, object", notes):
        where, id_ = f"{of}, object {row.object_id}", f"o{row.object_id}"
        try:
            name = next((one_line(name) for name in row.names if name.strip()), "")
            if not name or id_ in found:
                reason = "object: no name" if not name else "object: id twice"
                raise Fault(reason, f"names {row.names!r:.60}; one name or more, and one id each, are right")
            box = clipped_box((row.x, row.y, row.w, row.h), None, size_wh, notes, where)
        except (Fault, GeometryError) as fault:
            notes.dropped(where, fault.reason, fault.detail)
            continue
        attributes = dict.fromkeys(one_line(word) for word in row.attributes or () if word.strip())
        found[id_] = Region(id=id_, category=name, box_xyxy=box, attributes=tuple(attributes))
    return list(found.values())


def _questions(raw: msgspec.Raw, of: str, notes: Notes) -> tuple[Question, ...]:
    found: dict[int, Question] = {}
    for _, row in [] if _empty(raw) else rows_inside(raw, QaRow, f"{of}, question", notes):
        where = f"{of}, question {row.qa_id}"
        try:
            if not row.answer.strip() or row.qa_id in found:
                reason = "question: id twice" if row.qa_id in found else "question: no answer"
                raise Fault(reason, f"{row.question[:60]!r}; one answer, and one id each, are right")
            found[row.qa_id] = question(str(row.qa_id), asked_words(row.question), [row.answer])
        except Fault as fault:
            notes.dropped(where, fault.reason, fault.detail)
    return tuple(found.values())


def find(root: Path) -> tuple[str, ...]:
    """`train`, where the photos' list and the descriptions are there."""
    return ("train",) if (root / IMAGE_DATA).is_file() and (root / REGIONS).is_file() else ()


def _by_photo(path: Path, images: dict[int, ImageRow], faults: list[Drop]) -> dict[int, PhotoRow]:
    notes = Notes(NAME, "train", path.name, faults.append)
    found: dict[int, PhotoRow] = {}
    for n, row in list_rows(path, PhotoRow, notes):
        id_ = row.image_id if row.image_id >= 0 else row.id
        if id_ not in images or id_ in found:
            reason = "image: unknown" if id_ not in images else "image: id twice"
            notes.dropped(f"row {n}", reason, f"image {id_}; one that {IMAGE_DATA} lists, once, is right")
        else:
            found[id_] = row
    return found


def open_split(root: Path, split: str) -> Slotted[_Photo]:
    """Parse the files that are there, photo by photo. Raises `SourceError`."""
    if split != "train":
        raise SourceError(f"{split!r} is no split of {NAME} in {root}; it has no official ones, all of it is train")
    files = [find_file(root, [name], "split 'train'") for name in (IMAGE_DATA, REGIONS)]
    faults: list[Drop] = []
    images = read_images(files[0], Notes(NAME, split, IMAGE_DATA, faults.append))
    regions = _by_photo(files[1], images, faults)
    objects_file = ATTRIBUTES if (root / ATTRIBUTES).is_file() else OBJECTS
    optional = [find_file(root, [name], "train") for name in (objects_file, QUESTIONS) if (root / name).is_file()]
    tables = {path.name: _by_photo(path, images, faults) for path in optional}
    objects, asked = tables.get(objects_file, {}), tables.get(QUESTIONS, {})
    nothing = PhotoRow()
    slots: list[_Photo] = []
    for id_, image in images.items():
        of = objects.get(id_, nothing)
        things = of.objects if _empty(of.attributes) else of.attributes
        slots.append(_Photo(image, regions.get(id_, nothing).regions, things, asked.get(id_, nothing).qas))
    photos = photos_in(root, PHOTO_FOLDERS, (f"{id_}.jpg" for id_ in images), "split 'train'")
    reader = _Split(photos, images, objects_file)
    return Slotted(
        NAME, split, REGIONS, [*files, *optional], slots, reader.record, lambda s: f"image {s.image.image_id}", faults
    )


SOURCE = Source(
    name=NAME,
    title="Visual Genome",
    homepage="https://homes.cs.washington.edu/~ranjay/visualgenome/",
    licence=LICENCE,
    offers=frozenset({"image", "region_captions", "expressions", "questions"}),
    splits=("train",),
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
