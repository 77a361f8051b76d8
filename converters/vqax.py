"""VQA-X: people's explanations of VQAv2 answers.

Two forms are read. The official one (`{train,val,test}_exp_anno.json`: question id -> explanations) needs VQAv2's own
files beside it; the merged one of the NLX-GPT authors (`vqaX_{train,val,test}.json`) has questions and answers in its
rows. Where a question has several explanations, the first is taught.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from converters._notes import Fault, Notes
from converters._questions import Asked, asked_words, coco_2014, coco_2014_folders, grouped, open_file, there
from converters._rows import Slotted, rows_by_key
from converters._texts import one_line, plain, question, teach_first
from converters._vqa import FOLDERS_A, FOLDERS_Q, AnswerRow, read_annotations, read_questions
from converters.vqav2 import FILES
from vtinstruct.record import Drop, Question
from vtinstruct.source import Source, SourceError

NAME = "vqax"
LICENCE = "LicenseRef-VQA-X"
SPLITS = {"train": "train", "val": "val", "test": "val"}  # -> VQAv2's split with the questions
FOLDERS = ("textual", "Annotations", "annotations", "VQA-X/textual", "VQA-X/Annotations", "VQA-X", "nle_data/VQA-X")
LAYOUT = """\
<root>/textual/{train,val,test}_exp_anno.json                            (or in Annotations/, or below the root)
<root>/Questions/v2_OpenEnded_mscoco_{train2014,val2014}_questions.json  (VQA v2.0; test explains val2014 questions)
<root>/Annotations/v2_mscoco_{train2014,val2014}_annotations.json
or, instead of all these: <root>/vqaX_{train,val,test}.json              (or in nle_data/VQA-X/)
<root>/Images/mscoco/{train2014,val2014}/COCO_<folder>_<id>.jpg          (or <folder>/, images/<folder>/)"""


class Row(msgspec.Struct, gc=False):
    """A question with all that is said of it; the form of `vqaX_*.json`."""

    question: str
    image_name: str
    explanation: list[str]
    answers: list[AnswerRow]
    chosen: str = ""
    kind: str = ""


def find(root: Path) -> tuple[str, ...]:
    """The splits whose file is there, in either form."""
    return tuple(
        split
        for split in SPLITS
        if there(root, f"vqaX_{split}.json", *FOLDERS) or there(root, f"{split}_exp_anno.json", *FOLDERS)
    )


def _official(root: Path, split: str, explained: dict[str, list[str]], notes: Notes) -> Iterator[tuple[str, Row]]:
    files = FILES[SPLITS[split]]
    questions = read_questions(open_file(root, files.questions, split, *FOLDERS_Q), notes)
    annotations = read_annotations(open_file(root, files.annotations or "", split, *FOLDERS_A), notes)
    for id_, explanation in explained.items():
        number = int(id_) if id_.isascii() and id_.isdigit() and len(id_) < 19 else -1
        row, answer = questions.get(number), annotations.get(number)
        if row is None or answer is None:
            missing = files.questions if row is None else files.annotations
            notes.dropped(f"question {id_}", "explanation: unknown question", f"no such id in {missing}")
            continue
        name = coco_2014(files.folder, row.image_id)
        yield (
            id_,
            Row(row.question, name, explanation, answer.answers, answer.multiple_choice_answer, answer.answer_type),
        )


def _question(numbered: tuple[str, Row], notes: Notes) -> Question:
    id_, row = numbered
    answers = teach_first([answer.answer for answer in row.answers if answer.answer.strip()], row.chosen)
    if not answers:
        raise Fault("question: no answer", f"question {id_}; ten answers are right")
    spoken = next((sentence for sentence in row.explanation if sentence.strip()), "")
    if not spoken:
        raise Fault("explanation: empty", f"{row.explanation!r:.60}; one or more sentences are right")
    return question(id_, asked_words(row.question), answers, reason=plain(one_line(spoken)), kind=row.kind)


def open_split(root: Path, split: str) -> Slotted[str]:
    """Parse one split. Raises `SourceError`."""
    if split not in SPLITS:
        raise SourceError(f"{split!r} is no split of {NAME}; known: {', '.join(SPLITS)}")
    faults: list[Drop] = []
    read: list[Path] = []
    if there(root, f"vqaX_{split}.json", *FOLDERS):
        path = open_file(root, f"vqaX_{split}.json", split, *FOLDERS)
        notes = Notes(NAME, split, path.relative_to(root).as_posix(), faults.append)
        rows = list(rows_by_key(path, Row, notes).items())
    else:
        path = open_file(root, f"{split}_exp_anno.json", split, *FOLDERS, known=find(root))
        notes = Notes(NAME, split, path.relative_to(root).as_posix(), faults.append)
        rows = list(_official(root, split, rows_by_key(path, list[str], notes), notes))
        files = FILES[SPLITS[split]]
        read = [open_file(root, files.questions, split, *FOLDERS_Q)]
        read.append(open_file(root, files.annotations or "", split, *FOLDERS_A))
    groups = grouped((row.image_name, (id_, row)) for id_, row in rows)
    asked = Asked(NAME, split, LICENCE, root, path, groups, _question, lambda numbered: f"question {numbered[0]}")
    return asked.opened(coco_2014_folders("train2014", "val2014"), [path, *read], faults)


SOURCE = Source(
    name=NAME,
    title="VQA-X",
    homepage="https://github.com/Seth-Park/MultimodalExplanations",
    licence=LICENCE,
    offers=frozenset({"image", "questions", "reasons"}),
    splits=tuple(SPLITS),
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
