"""POPE: is there a ... in the image? Six yes/no probes a COCO photo; the absent things are drawn at random, from the most
popular ones, or from those that usually come along (adversarial).

Format: AoiDragon/POPE, `output/coco/coco_pope_{random,popular,adversarial}.json`: JSON lines in spite of the name.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from converters._notes import Fault, Notes
from converters._questions import Asked, asked_words, coco_2014_folders, grouped, open_file, there
from converters._rows import Slotted, line_rows
from converters._texts import question
from vtinstruct.record import Drop, Question
from vtinstruct.source import Source, SourceError

NAME = "pope"
LICENCE = "MIT"
SPLITS = ("random", "popular", "adversarial")
FOLDERS = ("coco", "output/coco")
LAYOUT = """\
<root>/coco/coco_pope_{random,popular,adversarial}.json                  (or output/coco/, or below the root)
<root>/val2014/COCO_val2014_<id>.jpg                                     (or images/val2014/, Images/mscoco/val2014/)"""


class Row(msgspec.Struct, gc=False):
    """One line."""

    question_id: int
    image: str
    text: str
    label: str


def find(root: Path) -> tuple[str, ...]:
    """The splits whose file is there."""
    return tuple(split for split in SPLITS if there(root, f"coco_pope_{split}.json", *FOLDERS))


def _question(numbered: tuple[int, Row], notes: Notes) -> Question:
    row = numbered[1]
    if row.label not in ("yes", "no"):
        raise Fault("label: neither yes nor no", f"{row.label!r:.40}")
    return question(str(row.question_id), asked_words(row.text), [row.label], kind="yes/no")


def open_split(root: Path, split: str) -> Slotted[str]:
    """Parse one split. Raises `SourceError`."""
    if split not in SPLITS:
        raise SourceError(f"{split!r} is no split of {NAME}; known: {', '.join(SPLITS)}")
    path = open_file(root, f"coco_pope_{split}.json", split, *FOLDERS, known=find(root))
    faults: list[Drop] = []
    rows = line_rows(path, Row, Notes(NAME, split, path.relative_to(root).as_posix(), faults.append))
    groups = grouped((row.image, (n, row)) for n, row in rows)
    asked = Asked(NAME, split, LICENCE, root, path, groups, _question, lambda numbered: f"line {numbered[0]}")
    return asked.opened(coco_2014_folders("val2014"), [path], faults)


SOURCE = Source(
    name=NAME,
    title="POPE",
    homepage="https://github.com/AoiDragon/POPE",
    licence=LICENCE,
    offers=frozenset({"image", "questions"}),
    splits=SPLITS,
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
