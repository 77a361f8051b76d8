"""CLEVR 1.0 and CLEVR-CoGenT: questions about rendered shapes. The program of a question, run on its scene, tells which
objects the answer rests on (points), and why (the steps in words); where it gives another answer than the file, neither
is kept.

Format: cs.stanford.edu/people/jcjohns/clevr, README of CLEVR_v1.0.zip. The test splits have questions only. CoGenT's condition A
and B differ in the colours that cubes and cylinders may have.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from converters._clevr_program import ATTRIBUTES, Step, World, run
from converters._coco_layout import find_file
from converters._notes import Fault, Notes
from converters._photos import Photos, photos_in
from converters._questions import asked_words, grouped
from converters._rows import Slotted, rows_below
from converters._texts import one_line, plain
from vtinstruct.record import Drop, GroundedText, Origin, Question, Record, Region, Span
from vtinstruct.source import Source, SourceError

NAME = "clevr"
LICENCE = "CC-BY-4.0"
SPLITS = ("train", "val", "test", "trainA", "valA", "testA", "valB", "testB")
BASES = ("", "CLEVR_v1.0/", "CLEVR_CoGenT_v1.0/")
LAYOUT = """\
<root>/questions/CLEVR_<split>_questions.json       (<root> is CLEVR_v1.0, CLEVR_CoGenT_v1.0, or what holds them)
<root>/scenes/CLEVR_<split>_scenes.json             optional: without them no points and no reasons
<root>/images/<split>/CLEVR_<split>_<number>.png"""


class StepRow(msgspec.Struct, gc=False):
    """A step of a program; CLEVR 1.0 calls the function `function`, its generator `type`."""

    inputs: list[int]
    function: str = ""
    type: str = ""
    value_inputs: list[str] = []


class QuestionRow(msgspec.Struct, gc=False):
    """A question; answer and program are held back for the test split."""

    image_filename: str
    question: str
    question_index: int
    answer: str | int | bool | None = None
    program: list[StepRow] = []


class ObjectRow(msgspec.Struct, gc=False):
    """An object; `pixel_coords` are x, y in pixels and a depth."""

    size: str
    color: str
    material: str
    shape: str
    pixel_coords: list[float]


class SceneRow(msgspec.Struct, gc=False):
    """A scene."""

    image_filename: str
    objects: list[ObjectRow]
    relationships: dict[str, list[list[int]]]


@dataclass(frozen=True)
class _Split:
    split: str
    file: str
    photos: Photos
    groups: dict[str, list[QuestionRow]]
    scenes: dict[str, SceneRow]

    def record(self, name: str, notes: Notes) -> Record:
        photo = self.photos.photo(name, f"clevr:{name.rpartition('.')[0]}")
        scene = self.scenes.get(name)
        questions: dict[int, Question] = {}
        for row in self.groups[name]:
            where = f"question {row.question_index}"
            try:
                if row.question_index in questions:
                    raise Fault("question: id twice", "the first one is kept; unique ids are right")
                questions[row.question_index] = _question(row, scene, photo.size_wh, where, notes)
            except Fault as fault:
                notes.fault(where, fault)
        return Record(
            id=name.rpartition(".")[0],
            source=NAME,
            split=self.split,
            licence=LICENCE,
            origin=Origin(self.file, f"image {name}"),
            photo=photo,
            regions=_regions(scene) if scene is not None else (),
            questions=tuple(questions.values()),
        )


def _regions(scene: SceneRow) -> tuple[Region, ...]:
    """The objects by kind and look; CLEVR has no boxes."""
    return tuple(
        Region(id=str(n), category=row.shape, attributes=(row.size, row.color, row.material))
        for n, row in enumerate(scene.objects)
    )


def _question(row: QuestionRow, scene: SceneRow | None, size_wh: tuple[int, int], where: str, notes: Notes) -> Question:
    id_, words = str(row.question_index), asked_words(row.question)
    if row.answer is None:
        return Question(id_, plain(words), ())
    answer = ("yes" if row.answer else "no") if isinstance(row.answer, bool) else one_line(str(row.answer))
    if not answer:
        raise Fault("question: no answer", f"{row.answer!r}; a word is right")
    if scene is None or not row.program:
        return Question(id_, plain(words), (plain(answer),))
    kind = row.program[-1].function or row.program[-1].type
    try:
        points, reason = _grounds(row, scene, answer, size_wh)
    except Fault as fault:
        notes.mended(where, fault.reason, f"{fault.detail}; kept without points and reason")
        return Question(id_, plain(words), (plain(answer),), kind=kind)
    spans = (Span(0, len(answer), (), points),) if points else ()
    return Question(id_, plain(words), (GroundedText(answer, spans),), reason=plain(reason), kind=kind)


def _grounds(
    row: QuestionRow, scene: SceneRow, answer: str, size_wh: tuple[int, int]
) -> tuple[tuple[tuple[float, float], ...], str]:
    """The positions of the objects an answer rests on, and the steps to it in words. Raises `Fault`."""
    steps = [
        Step(one.function or one.type, one.inputs, one.value_inputs[0] if one.value_inputs else "")
        for one in row.program
    ]
    looks = [{name: getattr(thing, name) for name in ATTRIBUTES} for thing in scene.objects]
    outcome = run(steps, World(looks, dict(scene.relationships)))
    if outcome.answer != answer:
        raise Fault("program: another answer", f"it gives {outcome.answer!r}, the file says {answer!r}")
    points: list[tuple[float, float]] = []
    for k in outcome.evidence:
        x, y = scene.objects[k].pixel_coords[:2] if len(scene.objects[k].pixel_coords) >= 2 else (-1.0, -1.0)
        if not (0 <= x <= size_wh[0] and 0 <= y <= size_wh[1]):
            raise Fault("point: outside the photo", f"object {k} at ({x}, {y}) in {size_wh[0]} x {size_wh[1]}")
        points.append((float(x), float(y)))
    return tuple(points), outcome.reason


def _questions_places(split: str) -> list[str]:
    return [f"{base}questions/CLEVR_{split}_questions.json" for base in BASES]


def find(root: Path) -> tuple[str, ...]:
    """The splits whose questions are there."""
    return tuple(split for split in SPLITS if any((root / place).is_file() for place in _questions_places(split)))


def open_split(root: Path, split: str) -> Slotted[str]:
    """Parse questions and scenes of one split; a picture is a slot. Raises `SourceError`."""
    if split not in SPLITS:
        raise SourceError(f"{split!r} is no split of {NAME} in {root}; known: {', '.join(SPLITS)}")
    path = find_file(root, _questions_places(split), f"split {split!r}", find(root))
    file = path.relative_to(root).as_posix()
    base = file.removesuffix(f"questions/CLEVR_{split}_questions.json")
    faults: list[Drop] = []
    rows = rows_below(path, "questions", QuestionRow, Notes(NAME, split, file, faults.append))
    groups = grouped((row.image_filename, row) for _, row in rows)
    files, scenes, place = [path], {}, f"{base}scenes/CLEVR_{split}_scenes.json"
    if (root / place).is_file():
        files.append(find_file(root, [place], split))
        listed = rows_below(files[1], "scenes", SceneRow, Notes(NAME, split, place, faults.append))
        scenes = {row.image_filename: row for _, row in listed}
    photos = photos_in(root, (f"{base}images/{split}", f"{base}images", base.rstrip("/")), groups, f"split {split!r}")
    reader = _Split(split, file, photos, groups, scenes)
    return Slotted(NAME, split, file, files, list(groups), reader.record, lambda name: f"image {name}", faults)


SOURCE = Source(
    name=NAME,
    title="CLEVR",
    homepage="https://cs.stanford.edu/people/jcjohns/clevr/",
    licence=LICENCE,
    offers=frozenset({"image", "questions", "reasons", "point_answers"}),
    splits=SPLITS,
    layout=LAYOUT,
    version="2",
    find=find,
    open=open_split,
)
