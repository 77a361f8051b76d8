"""PointQA: questions about a point. LocalQA asks about the thing at it, LookTwiceQA how many there are of its kind.

Format: princetonvisualai/pointingqa, `Datasets/{LocalQA,LookTwiceQA}/README.pdf`. A LocalQA row holds one question for
several points and is asked once for each, as its README says; a LookTwiceQA row has three wordings, from
"these sheep" over "these animals" to "these", and each is a question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from converters._coco_layout import find_file
from converters._coco_regions import clipped_box
from converters._notes import Fault, Notes
from converters._photos import Photos, photos_in
from converters._questions import asked_words
from converters._rows import Slotted, list_rows, rows_by_key, rows_inside
from converters._texts import one_line, plain
from converters._vg import PHOTO_FOLDERS, ImageRow, known_images, vg_identity
from vtinstruct.geometry import GeometryError
from vtinstruct.record import Drop, GroundedText, Origin, Question, Record, Region, Span
from vtinstruct.source import Source, SourceError

NAME = "pointqa"
LICENCE = "LicenseRef-PointQA"
SPLITS = {
    **{f"{part}_local": ("LocalQA/localqa", part) for part in ("train", "val", "testdev", "testfinal")},
    **{f"{part}_twice": ("LookTwiceQA/looktwiceqa", part) for part in ("train", "val", "test")},
}
LAYOUT = """\
<root>/LocalQA/localqa_dataset.json, localqa_{train,val,testdev,testfinal}_imgs.json      (or in Datasets/)
<root>/LookTwiceQA/looktwiceqa_dataset.json, looktwiceqa_{train,val,test}_imgs.json
<root>/VG_100K/<id>.jpg, <root>/VG_100K_2/<id>.jpg    Visual Genome's photos (or below images/ and images2/)
<root>/image_data.json                                optional (Visual Genome's): tells which photos are COCO's"""

LISTED: Any = str | int  # photo ids are text in the official lists

_POINTING = re.compile(r"\b(?:this|these|that|those)\b(?:\s+(?!in\b|on\b|at\b|are\b|is\b|there\b|of\b)\w+)?", re.I)


class Point(msgspec.Struct, gc=False):
    """A position, pixels, and in LocalQA the answer there."""

    x: float
    y: float
    ans: str | int | None = None


class Box(msgspec.Struct, gc=False):
    """An object of Visual Genome, pixels."""

    x: float
    y: float
    w: float
    h: float
    names: list[str] = []


class LocalRow(msgspec.Struct, gc=False):
    """One question, and for each of several points its object. `all_ans` is the set of answers, not one a point."""

    question: str
    all_objs: list[Box]
    points: list[Point]
    all_ans: list[str | int] = []


class TwiceRow(msgspec.Struct, gc=False):
    """A point, its object, and one question in three wordings."""

    obj_question: str
    super_question: str
    general_question: str
    ans: str | int
    bbox: Box
    point: Point


@dataclass(frozen=True)
class _Asked:
    id: str
    words: str
    answer: str
    kind: str
    box: Box
    point: Point


def _asked(n: int, row: Any) -> Iterator[_Asked]:
    """The questions of a row. Raises `Fault` when its lists are not of one length."""
    if isinstance(row, TwiceRow):
        wordings = (
            ("object", row.obj_question),
            ("supercategory", row.super_question),
            ("general", row.general_question),
        )
        for kind, words in wordings:
            yield _Asked(f"{n}_{kind}", words, str(row.ans), kind, row.bbox, row.point)
        return
    if len(row.all_objs) != len(row.points):
        detail = f"{len(row.all_objs)} objects, {len(row.points)} points; one each is right"
        raise Fault("question: lists of different length", detail)
    for k, (box, point) in enumerate(zip(row.all_objs, row.points, strict=True)):
        yield _Asked(f"{n}_{k}", row.question, _answer(row, k), "local", box, point)


def _answer(row: LocalRow, k: int) -> str:
    """What is answered at point `k`: its own answer, or where no point has one, that of its place in `all_ans`."""
    if any(point.ans is not None for point in row.points):
        own = row.points[k].ans
        return "" if own is None else str(own)
    if len(row.all_ans) != len(row.points):
        detail = f"{len(row.all_ans)} answers, {len(row.points)} points; an answer in each point is right"
        raise Fault("question: lists of different length", detail)
    return str(row.all_ans[k])


@dataclass(frozen=True)
class _Split:
    split: str
    file: str
    row_type: Any
    photos: Photos
    rows: dict[str, msgspec.Raw]
    images: dict[int, ImageRow]

    def record(self, image_id: str, notes: Notes) -> Record:
        known = image_id.isascii() and image_id.isdigit() and len(image_id) < 19
        identity = vg_identity(int(image_id), self.images) if known else f"pointqa:{image_id}"
        photo = self.photos.photo(f"{image_id}.jpg", identity)
        regions: dict[str, Region] = {}
        questions: list[Question] = []
        for n, row in rows_inside(self.rows[image_id], self.row_type, f"image {image_id}, row", notes):
            where = f"image {image_id}, row {n}"
            try:
                questions += [_question(asked, photo.size_wh, regions, notes, where) for asked in _asked(n, row)]
            except (Fault, GeometryError) as fault:
                notes.fault(where, fault)
        return Record(
            id=image_id,
            source=NAME,
            split=self.split,
            licence=LICENCE,
            origin=Origin(self.file, f"image {image_id}"),
            photo=photo,
            regions=tuple(regions.values()),
            questions=tuple(questions),
        )


def _question(
    asked: _Asked, size_wh: tuple[int, int], regions: dict[str, Region], notes: Notes, where: str
) -> Question:
    words, answer = asked_words(asked.words), one_line(asked.answer)
    if not answer:
        raise Fault("question: no answer", f"{asked.words[:60]!r}; words are right")
    x, y = float(asked.point.x), float(asked.point.y)
    if not (0 <= x <= size_wh[0] and 0 <= y <= size_wh[1]):
        raise Fault("point: outside the photo", f"({x}, {y}) in {size_wh[0]} x {size_wh[1]}")
    id_ = asked.id if asked.kind == "local" else asked.id.partition("_")[0]
    if id_ not in regions:
        box = clipped_box((asked.box.x, asked.box.y, asked.box.w, asked.box.h), None, size_wh, notes, where)
        name = next((one_line(name) for name in asked.box.names if name.strip()), "")
        regions[id_] = Region(id=id_, category=name, box_xyxy=box)
    match = _POINTING.search(words)
    start, stop = match.span() if match else (0, len(words))
    pointed = GroundedText(words, (Span(start, stop, (id_,), ((x, y),)),))
    return Question(asked.id, pointed, (plain(answer),), kind=asked.kind)


def _place(root: Path, relative: str) -> list[str]:
    return [place for place in (relative, f"Datasets/{relative}") if (root / place).is_file()]


def find(root: Path) -> tuple[str, ...]:
    """The splits whose list and data set are there."""
    return tuple(
        split
        for split, (stem, part) in SPLITS.items()
        if _place(root, f"{stem}_dataset.json") and _place(root, f"{stem}_{part}_imgs.json")
    )


def _file(root: Path, relative: str, split: str) -> Path:
    return find_file(root, _place(root, relative) or [relative, f"Datasets/{relative}"], f"split {split!r}", find(root))


def open_split(root: Path, split: str) -> Slotted[str]:
    """Parse one data set, photo by photo, and keep the photos of one split. Raises `SourceError`."""
    if split not in SPLITS:
        raise SourceError(f"{split!r} is no split of {NAME} in {root}; known: {', '.join(SPLITS)}")
    stem, part = SPLITS[split]
    path, listed = _file(root, f"{stem}_dataset.json", split), _file(root, f"{stem}_{part}_imgs.json", split)
    file = path.relative_to(root).as_posix()
    faults: list[Drop] = []
    rows = rows_by_key(path, msgspec.Raw, Notes(NAME, split, file, faults.append))
    notes = Notes(NAME, split, listed.relative_to(root).as_posix(), faults.append)
    ids: dict[str, None] = {}
    for n, id_ in list_rows(listed, LISTED, notes):
        if str(id_) in rows and str(id_) not in ids:
            ids[str(id_)] = None
        else:
            reason = "list: id twice" if str(id_) in ids else "list: no questions"
            notes.dropped(f"row {n}", reason, f"photo {id_}; one of {path.name}, once, is right")
    images, files = known_images(root, Notes(NAME, split, "image_data.json", faults.append))
    photos = photos_in(root, PHOTO_FOLDERS, (f"{id_}.jpg" for id_ in ids), f"split {split!r}")
    row_type = LocalRow if split.endswith("_local") else TwiceRow
    reader = _Split(split, file, row_type, photos, {id_: rows[id_] for id_ in ids}, images)
    read = [path, listed, *files]
    return Slotted(NAME, split, file, read, list(ids), reader.record, lambda id_: f"image {id_}", faults)


SOURCE = Source(
    name=NAME,
    title="PointQA (LocalQA, LookTwiceQA)",
    homepage="https://github.com/princetonvisualai/pointingqa",
    licence=LICENCE,
    offers=frozenset({"image", "region_questions"}),
    splits=tuple(SPLITS),
    layout=LAYOUT,
    version="2",
    find=find,
    open=open_split,
)
