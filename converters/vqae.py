"""VQA-E: VQAv2 questions with an explanation each, made from COCO captions.

Format: `VQA-E_{train,val}_set.json`, a list of rows without question ids; `explanation` is [sentence, confidence]. A
question is known by its place in the file.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from converters._notes import Fault, Notes
from converters._questions import Asked, asked_words, coco_2014, coco_2014_folders, grouped, open_file, there
from converters._rows import Slotted, list_rows
from converters._texts import one_line, plain, question, teach_first
from vtinstruct.record import Drop, Question
from vtinstruct.source import Source, SourceError

NAME = "vqae"
LICENCE = "LicenseRef-VQA-E"
SPLITS = {"train": "train2014", "val": "val2014"}
FOLDERS = ("Annotations", "annotations")
LAYOUT = """\
<root>/VQA-E_{train,val}_set.json                                        (or in Annotations/)
<root>/Images/mscoco/{train2014,val2014}/COCO_<folder>_<id>.jpg          (or <folder>/, images/<folder>/)"""


class Row(msgspec.Struct, gc=False):
    """A row of the file. Its README calls the photo's id `image_id`, the files call it `img_id`."""

    question: str
    explanation: list[str | float]
    answers: list[str]
    img_id: int = -1
    image_id: int = -1
    multiple_choice_answer: str = ""
    answer_type: str = ""


def find(root: Path) -> tuple[str, ...]:
    """The splits whose file is there."""
    return tuple(split for split in SPLITS if there(root, f"VQA-E_{split}_set.json", *FOLDERS))


def _question(numbered: tuple[int, Row], notes: Notes) -> Question:
    n, row = numbered
    answers = teach_first([answer for answer in row.answers if answer.strip()], row.multiple_choice_answer)
    if not answers:
        raise Fault("question: no answer", "neither `answers` nor `multiple_choice_answer` says anything")
    spoken = row.explanation[0] if row.explanation else ""
    if not isinstance(spoken, str) or not spoken.strip():
        raise Fault("explanation: empty", f"{row.explanation!r:.60}; [sentence, confidence] is right")
    reason = plain(one_line(spoken))
    return question(str(n), asked_words(row.question), answers, reason=reason, kind=row.answer_type)


def open_split(root: Path, split: str) -> Slotted[str]:
    """Parse one split. Raises `SourceError`."""
    if split not in SPLITS:
        raise SourceError(f"{split!r} is no split of {NAME}; known: {', '.join(SPLITS)}")
    path = open_file(root, f"VQA-E_{split}_set.json", split, *FOLDERS, known=find(root))
    faults: list[Drop] = []
    notes = Notes(NAME, split, path.relative_to(root).as_posix(), faults.append)
    rows = list_rows(path, Row, notes)
    folder = SPLITS[split]
    known: list[tuple[str, tuple[int, Row]]] = []
    for n, row in rows:
        if (image_id := max(row.img_id, row.image_id)) >= 0:
            known.append((coco_2014(folder, image_id), (n, row)))
        else:
            notes.dropped(f"row {n}", "row: no photo", "`img_id` (or `image_id`) is right")
    groups = grouped(known)
    asked = Asked(NAME, split, LICENCE, root, path, groups, _question, lambda numbered: f"row {numbered[0]}")
    return asked.opened(coco_2014_folders(folder), [path], faults)


SOURCE = Source(
    name=NAME,
    title="VQA-E",
    homepage="https://github.com/liqing-ustc/VQA-E",
    licence=LICENCE,
    offers=frozenset({"image", "questions", "reasons"}),
    splits=tuple(SPLITS),
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
