"""Visual7W, pointing: "Which pillow is farther from the window?", answered by one of four boxes.

Format: yukezhu/visual7w-toolkit; `dataset_v7w_pointing.json` holds all three splits, `answer` and `multiple_choices` (three
wrong ones) are ids in `boxes`.
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
from converters._rows import Slotted, rows_below_keys
from converters._texts import one_line, plain
from converters._vg import ImageRow, known_images, vg_identity
from vtinstruct.geometry import GeometryError
from vtinstruct.record import Drop, GroundedText, Origin, Question, Record, Region, Span
from vtinstruct.source import Source, SourceError

NAME = "visual7w"
LICENCE = "LicenseRef-Visual7W"
SPLITS = ("train", "val", "test")
PLACES = (
    "dataset_v7w_pointing.json",
    "visual7w-pointing/dataset.json",
    "datasets/visual7w-pointing/dataset.json",
    "visual7w_pointing/dataset_v7w_pointing.json",
    "dataset_v7w_pointing/dataset_v7w_pointing.json",
)
PHOTO_FOLDERS = ("images", "visual7w_images/images", "visual7w_images", "")
LAYOUT = """\
<root>/dataset_v7w_pointing.json            (or visual7w-pointing/dataset.json, as the toolkit's script calls it)
<root>/images/v7w_<image_id>.jpg
<root>/image_data.json                      optional (Visual Genome's): tells which photos are COCO's"""


class QaRow(msgspec.Struct, gc=False):
    """A question; answers are box ids."""

    qa_id: int
    question: str
    answer: int
    multiple_choices: list[int]
    type: str = ""


class PhotoRow(msgspec.Struct, gc=False):
    """A photo with its questions."""

    image_id: int
    split: str
    filename: str
    qa_pairs: list[QaRow]


class BoxRow(msgspec.Struct, gc=False):
    """A box, pixels."""

    box_id: int
    image_id: int
    x: float
    y: float
    width: float
    height: float
    name: str = ""


@dataclass(frozen=True)
class _Split:
    split: str
    file: str
    photos: Photos
    boxes: dict[int, BoxRow]
    images: dict[int, ImageRow]

    def record(self, row: PhotoRow, notes: Notes) -> Record:
        photo = self.photos.photo(row.filename, vg_identity(row.image_id, self.images))
        regions: dict[int, Region] = {}
        questions: dict[int, Question] = {}
        for asked in row.qa_pairs:
            try:
                if asked.qa_id in questions:
                    raise Fault("question: id twice", "the first one is kept; unique ids are right")
                questions[asked.qa_id] = self._question(asked, row.image_id, photo.size_wh, regions, notes)
            except (Fault, GeometryError) as fault:
                notes.fault(f"question {asked.qa_id}", fault)
        return Record(
            id=str(row.image_id),
            source=NAME,
            split=self.split,
            licence=LICENCE,
            origin=Origin(self.file, f"image {row.image_id}"),
            photo=photo,
            regions=tuple(regions.values()),
            questions=tuple(questions.values()),
        )

    def _question(
        self, row: QaRow, image_id: int, size_wh: tuple[int, int], regions: dict[int, Region], notes: Notes
    ) -> Question:
        words = asked_words(row.question)
        known = {
            id_: self._region(id_, image_id, size_wh, regions, notes) for id_ in (row.answer, *row.multiple_choices)
        }
        regions.update(known)
        answer = _named(known[row.answer])
        # By id, so that the place among the choices does not tell which one is right.
        choices = tuple(_named(known[id_]) for id_ in sorted(known))
        return Question(str(row.qa_id), plain(words), (answer,), choices=choices, kind=row.type)

    def _region(
        self, id_: int, image_id: int, size_wh: tuple[int, int], regions: dict[int, Region], notes: Notes
    ) -> Region:
        if id_ in regions:
            return regions[id_]
        row = self.boxes.get(id_)
        if row is None or row.image_id != image_id:
            raise Fault("answer: unknown box", f"box {id_} is not among the boxes of image {image_id}")
        where = f"image {image_id}, box {id_}"
        box = clipped_box((row.x, row.y, row.width, row.height), None, size_wh, notes, where)
        return Region(id=str(id_), category=one_line(row.name), box_xyxy=box)


def _named(region: Region) -> GroundedText:
    """A box as an answer: its name, tied to it and to its middle."""
    x0, y0, x1, y1 = region.box_xyxy or (0.0, 0.0, 0.0, 0.0)
    words = region.category or "region"
    return GroundedText(words, (Span(0, len(words), (region.id,), (((x0 + x1) / 2, (y0 + y1) / 2),)),))


def find(root: Path) -> tuple[str, ...]:
    """All three splits where the file is there; which of them it holds only shows when it is read."""
    return SPLITS if any((root / place).is_file() for place in PLACES) else ()


def open_split(root: Path, split: str) -> Slotted[PhotoRow]:
    """Parse the file and keep the photos of one split. Raises `SourceError`."""
    if split not in SPLITS:
        raise SourceError(f"{split!r} is no split of {NAME} in {root}; known: {', '.join(SPLITS)}")
    path = find_file(root, PLACES, f"split {split!r}")
    file = path.relative_to(root).as_posix()
    faults: list[Drop] = []
    notes = Notes(NAME, split, file, faults.append)
    tables = rows_below_keys(path, {"images": PhotoRow, "boxes": BoxRow}, notes)
    rows: dict[int, PhotoRow] = {}
    for n, row in tables["images"]:
        if row.split == split and row.image_id not in rows:
            rows[row.image_id] = row
        elif row.split not in SPLITS or row.split == split:
            reason = "image: id twice" if row.split == split else "image: unknown split"
            notes.dropped(f"images {n}", reason, f"image {row.image_id}, split {row.split!r:.40}")
    boxes = {row.box_id: row for _, row in tables["boxes"]}
    images, files = known_images(root, Notes(NAME, split, "image_data.json", faults.append))
    photos = photos_in(root, PHOTO_FOLDERS, (row.filename for row in rows.values()), f"split {split!r}")
    reader = _Split(split, file, photos, boxes, images)
    slots = list(rows.values())
    return Slotted(NAME, split, file, [path, *files], slots, reader.record, lambda row: f"image {row.image_id}", faults)


SOURCE = Source(
    name=NAME,
    title="Visual7W (pointing)",
    homepage="https://ai.stanford.edu/~yukez/visual7w/",
    licence=LICENCE,
    offers=frozenset({"image", "grounded_answers", "point_answers"}),
    splits=SPLITS,
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
