"""GQA: questions made from scene graphs, their words tied to objects, with a short and a full answer.

Format: cs.stanford.edu/people/dorarad/gqa/download.html. `annotations` tie words (counted between blanks from 0, a range
"4:6" ends before word 6) of question, answer and full answer to objects of the scene graph.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from converters._coco_layout import find_file
from converters._coco_regions import clipped_box
from converters._notes import Fault, Notes
from converters._photos import Photos, photos_in
from converters._questions import asked_words, grouped
from converters._rows import Slotted, rows_by_key
from converters._texts import one_line, without_overlaps, word_bounds
from converters._vg import ImageRow, known_images, vg_identity
from vtinstruct.geometry import GeometryError
from vtinstruct.record import Drop, GroundedText, Origin, Question, Record, Region, Span
from vtinstruct.source import Source, SourceError

NAME = "gqa"
LICENCE = "CC-BY-4.0"
PARTS = ("train", "val", "testdev", "test", "challenge")
SPLITS = (*(f"{part}_{kind}" for part in PARTS for kind in ("balanced", "all")), "submission_all")
QUESTION_FOLDERS = ("questions1.2/", "questions/", "")
LAYOUT = """\
<root>/questions1.2/{train,val,testdev,test,challenge}_{balanced,all}_questions.json   (or questions/, or below the root)
<root>/questions1.2/train_all_questions/train_all_questions_<n>.json
<root>/sceneGraphs/{train,val}_sceneGraphs.json       optional: without them nothing is tied to objects
<root>/image_data.json                                optional (Visual Genome's): tells which photos are COCO's
<root>/images/<imageId>.jpg"""


class Ties(msgspec.Struct, gc=False):
    """Words -> object ids."""

    question: dict[str, str] = {}
    answer: dict[str, str] = {}
    fullAnswer: dict[str, str] = {}


class QuestionRow(msgspec.Struct, gc=False):
    """A question; the hidden answers of test splits are missing fields."""

    imageId: str
    question: str
    answer: str = ""
    fullAnswer: str = ""
    types: dict[str, str | None] = {}
    annotations: Ties | None = None


class ObjectRow(msgspec.Struct, gc=False):
    """An object of a scene graph, pixels."""

    name: str
    x: float
    y: float
    w: float
    h: float
    attributes: list[str] = []


class GraphRow(msgspec.Struct, gc=False):
    """The scene graph of a photo."""

    width: int
    height: int
    objects: dict[str, ObjectRow] = {}


Asked = tuple[str, QuestionRow]


@dataclass(frozen=True)
class _Split:
    split: str
    file: str
    graphs_file: str
    photos: Photos
    groups: Mapping[str, list[Asked]]
    graphs: Mapping[str, GraphRow]
    images: dict[int, ImageRow]

    def record(self, image_id: str, notes: Notes) -> Record:
        graph = self.graphs.get(image_id)
        known = image_id.isascii() and image_id.isdigit() and len(image_id) < 19
        identity = vg_identity(int(image_id), self.images) if known else f"gqa:{image_id}"
        size_wh = (graph.width, graph.height) if graph is not None else None
        photo = self.photos.photo(f"{image_id}.jpg", identity, size_wh)
        regions: dict[str, Region] = {}
        if graph is not None:
            elsewhere = Notes(NAME, self.split, self.graphs_file, notes.report)
            regions = _objects(image_id, graph, photo.size_wh, elsewhere)
        questions: list[Question] = []
        for id_, row in self.groups[image_id]:
            try:
                questions.append(_question(id_, row, regions, notes))
            except Fault as fault:
                notes.fault(f"question {id_}", fault)
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


def _objects(image_id: str, graph: GraphRow, size_wh: tuple[int, int], notes: Notes) -> dict[str, Region]:
    found: dict[str, Region] = {}
    for id_, row in graph.objects.items():
        where = f"image {image_id}, object {id_}"
        try:
            box = clipped_box((row.x, row.y, row.w, row.h), None, size_wh, notes, where)
        except (Fault, GeometryError) as fault:
            notes.fault(where, fault)
            continue
        attributes = tuple(dict.fromkeys(one_line(word) for word in row.attributes if word.strip()))
        found[id_] = Region(id=id_, category=one_line(row.name), box_xyxy=box, attributes=attributes)
    return found


def _question(id_: str, row: QuestionRow, regions: Mapping[str, Region], notes: Notes) -> Question:
    ties = row.annotations or Ties()

    def tied(text: str, words: dict[str, str], what: str) -> GroundedText:
        return _tied(text, words, regions, f"question {id_}, {what}", notes)

    words = tied(asked_words(row.question), ties.question, "question")
    answer = one_line(row.answer)
    answers = (tied(answer, ties.answer, "answer"),) if answer else ()
    full = tied(one_line(row.fullAnswer), ties.fullAnswer, "fullAnswer") if answer and row.fullAnswer.strip() else None
    spans = [span for text in (words, *answers, full) if text is not None for span in text.spans]
    evidence = dict.fromkeys(region for span in spans for region in span.region_ids)
    kind = row.types.get("structural") or ""
    return Question(id_, words, answers, reason=full, kind=kind, evidence_ids=tuple(evidence))


def _tied(text: str, words: dict[str, str], regions: Mapping[str, Region], where: str, notes: Notes) -> GroundedText:
    """The text with its words tied to regions; a tie to an object that is not there is none."""
    if not words or not regions:
        return GroundedText(text)
    bounds = word_bounds(text)
    spans: list[Span] = []
    for place, object_id in words.items():
        match = re.fullmatch(r"(\d{1,4})(?::(\d{1,4}))?", place)
        first = int(match[1]) if match else len(bounds)
        stop = int(match[2]) if match and match[2] else first + 1
        if not first < stop <= len(bounds):
            detail = f"words {place!r} of {len(bounds)}: {text[:60]!r}; a word or first:stop is right"
            notes.mended(where, "tie: no such words", detail)
        elif object_id in regions:
            spans.append(Span(bounds[first][0], bounds[stop - 1][1], (object_id,)))
    grounded, left_out = without_overlaps(text, spans)
    if left_out:
        detail = f"{len(left_out)} of {len(spans)} ties of {text[:60]!r} overlap longer ones and are left out"
        notes.mended(where, "tie: overlapping words", detail)
    return grounded


def _files(root: Path, split: str) -> list[Path]:
    """The question files of a split: one, or the pieces that `train_all` comes in."""
    for folder in QUESTION_FOLDERS:
        if (root / f"{folder}{split}_questions.json").is_file():
            return [find_file(root, [f"{folder}{split}_questions.json"], split)]
        pieces = sorted((root / f"{folder}{split}_questions").glob(f"{split}_questions_*.json"))
        if pieces:
            return [find_file(root, [piece.relative_to(root).as_posix()], split) for piece in pieces]
    return []


def find(root: Path) -> tuple[str, ...]:
    """The splits whose questions are there."""
    return tuple(split for split in SPLITS if _files(root, split))


def open_split(root: Path, split: str) -> Slotted[str]:
    """Parse the questions of one split and the scene graphs of its photos. Raises `SourceError`."""
    if split not in SPLITS:
        raise SourceError(f"{split!r} is no split of {NAME} in {root}; known: {', '.join(SPLITS)}")
    files = _files(root, split)
    if not files:
        places = [f"{folder}{split}_questions.json" for folder in QUESTION_FOLDERS]
        find_file(root, places, f"split {split!r}", find(root))
    faults: list[Drop] = []
    asked: list[Asked] = []
    for path in files:
        asked += rows_by_key(path, QuestionRow, _notes(root, path, split, faults)).items()
    groups = grouped((row.imageId, (id_, row)) for id_, row in asked)
    graphs, graph_files = _graphs(root, split, groups, faults)
    images, image_files = known_images(root, Notes(NAME, split, "image_data.json", faults.append))
    photos = photos_in(
        root,
        ("images", "allImages/images", "", "gqa/images", "images/images"),
        (f"{id_}.jpg" for id_ in groups),
        f"split {split!r}",
    )
    file = files[0].relative_to(root).as_posix()
    graphs_file = graph_files[0].relative_to(root).as_posix() if graph_files else ""
    reader = _Split(split, file, graphs_file, photos, groups, graphs, images)
    read = [*files, *graph_files, *image_files]
    return Slotted(NAME, split, file, read, list(groups), reader.record, lambda id_: f"image {id_}", faults)


def _notes(root: Path, path: Path, split: str, faults: list[Drop]) -> Notes:
    return Notes(NAME, split, path.relative_to(root).as_posix(), faults.append)


def _graphs(
    root: Path, split: str, groups: Mapping[str, list[Asked]], faults: list[Drop]
) -> tuple[dict[str, GraphRow], list[Path]]:
    """The scene graphs of the photos that are asked about, where their file is there."""
    name = f"{split.split('_')[0]}_sceneGraphs.json"
    places = [place for place in (f"sceneGraphs/{name}", name) if (root / place).is_file()]
    if not places:
        return {}, []
    path = find_file(root, places, f"split {split!r}")
    graphs = rows_by_key(path, GraphRow, _notes(root, path, split, faults))
    return {id_: graph for id_, graph in graphs.items() if id_ in groups}, [path]


SOURCE = Source(
    name=NAME,
    title="GQA",
    homepage="https://cs.stanford.edu/people/dorarad/gqa/",
    licence=LICENCE,
    offers=frozenset({"image", "questions", "reasons", "grounded_answers"}),
    splits=SPLITS,
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
