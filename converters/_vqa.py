"""The VQA format of two files, questions and annotations: VQAv2 and OK-VQA, and the questions VQA-X explains.

Format: visualqa.org/download, "Input Questions Format" and "Annotation Format".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from converters._notes import Fault, Notes
from converters._questions import Asked, asked_words, by_id, coco_2014, coco_2014_folders, grouped, open_file, there
from converters._rows import Slotted, rows_below
from converters._texts import question, teach_first
from vtinstruct.record import Drop, Question

FOLDERS_Q, FOLDERS_A = ("Questions", "annotations"), ("Annotations", "annotations")


class QuestionRow(msgspec.Struct, gc=False):
    """A row of `questions`."""

    question_id: int
    image_id: int
    question: str


class AnswerRow(msgspec.Struct, gc=False):
    """One person's answer."""

    answer: str


class AnnotationRow(msgspec.Struct, gc=False):
    """A row of `annotations`; OK-VQA has no `multiple_choice_answer`, some copies do not say the photo once more."""

    question_id: int
    answers: list[AnswerRow]
    image_id: int | None = None
    multiple_choice_answer: str = ""
    question_type: str = ""
    answer_type: str = ""


@dataclass(frozen=True)
class Files:
    """The names of one split: its two files (None: answers are held back) and COCO's folder."""

    questions: str
    annotations: str | None
    folder: str


def find_splits(root: Path, splits: Mapping[str, Files]) -> tuple[str, ...]:
    """The splits whose files are there; where answers are held back, the questions alone."""
    return tuple(
        split
        for split, files in splits.items()
        if there(root, files.questions, *FOLDERS_Q)
        and (files.annotations is None or there(root, files.annotations, *FOLDERS_A))
    )


def read_questions(path: Path, notes: Notes) -> dict[int, QuestionRow]:
    """Questions by id, in file order."""
    return by_id(rows_below(path, "questions", QuestionRow, notes), notes)


def read_annotations(path: Path, notes: Notes) -> dict[int, AnnotationRow]:
    """Annotations by question id."""
    return by_id(rows_below(path, "annotations", AnnotationRow, notes), notes)


def open_vqa(
    source: str, licence: str, root: Path, split: str, files: Files, kind: Callable[[AnnotationRow], str]
) -> Slotted[str]:
    """Open one split. `kind` picks the question type that official scores are told apart by. Raises `SourceError`."""
    faults: list[Drop] = []
    path = open_file(root, files.questions, split, *FOLDERS_Q)
    relative = path.relative_to(root).as_posix()
    read = [path]
    questions = read_questions(path, Notes(source, split, relative, faults.append))
    answers: dict[int, AnnotationRow] = {}
    if files.annotations is not None:
        answered = open_file(root, files.annotations, split, *FOLDERS_A)
        read.append(answered)
        notes = Notes(source, split, answered.relative_to(root).as_posix(), faults.append)
        answers = read_annotations(answered, notes)
        for id_ in answers.keys() - questions.keys():
            detail = f"not in {path.name}; a question of that id is right"
            notes.dropped(f"question {id_}", "annotation: unknown question", detail)

    def make(row: QuestionRow, notes: Notes) -> Question:
        words = asked_words(row.question)
        if files.annotations is None:
            return question(str(row.question_id), words, ())
        found = answers.get(row.question_id)
        if found is None:
            raise Fault("question: no annotation", f"question {row.question_id} is not in {files.annotations}")
        if found.image_id not in (None, row.image_id):
            detail = f"image {found.image_id} in {files.annotations}, {row.image_id} here; one photo is right"
            raise Fault("question: another photo", detail)
        given = [answer.answer for answer in found.answers if answer.answer.strip()]
        chosen = teach_first(given, found.multiple_choice_answer)
        if not chosen:
            raise Fault("question: no answer", f"question {row.question_id}; ten answers are right")
        return question(str(row.question_id), words, chosen, kind=kind(found))

    pairs = ((coco_2014(files.folder, row.image_id), row) for row in questions.values())
    asked = Asked(source, split, licence, root, path, grouped(pairs), make, lambda row: f"question {row.question_id}")
    return asked.opened(coco_2014_folders(files.folder), read, faults)
