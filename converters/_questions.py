"""Questions about photos, gathered by photo: what VQAv2, OK-VQA, VQA-E, VQA-X and POPE have in common.

Their photos are COCO's of 2014, found in the folders that users keep them in; sizes come from the pictures' headers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from converters._coco_layout import Candidate, find_file, newer_name
from converters._notes import Fault, Notes
from converters._photos import coco_identity, photos_in
from converters._rows import Slotted
from vtinstruct.record import Drop, Origin, Question, Record

_NUMBERED = re.compile(r"(?:COCO_\w+20\d\d_)?0*(\d{1,18})\.\w+")  # COCO's names of any year, Visual Genome's
Key = TypeVar("Key")
Value = TypeVar("Value")


def coco_2014(folder: str, image_id: int) -> str:
    """The official file name of a COCO photo of 2014 or 2015."""
    return f"COCO_{folder}_{image_id:012d}.jpg"


def coco_2014_folders(*folders: str) -> list[Candidate]:
    """Where photos of `train2014` and the like are: the VQA tools' folder, below the root, or below `images/`; or the same
    photos in COCO 2017's folders, under their newer names."""
    parents = ("Images/mscoco/", "", "images/", "Images/", "coco/", "coco/images/")
    newer = ("train2017", "val2017", "test2017")
    return [
        *(f"{parent}{folder}" for parent in (*parents, "images/mscoco/images/") for folder in folders),
        *(f"{folder}/{folder}" for folder in folders),  # an archive unpacked into a folder of its name
        *((f"{parent}{folder}", newer_name) for parent in parents for folder in newer),
    ]


def places(name: str, *folders: str) -> list[str]:
    """A file in any of these folders, or straight below the root."""
    return [*(f"{folder}/{name}" for folder in folders), name]


def there(root: Path, name: str, *folders: str) -> bool:
    """Whether a file is in any of its places."""
    return any((root / place).is_file() for place in places(name, *folders))


def grouped(pairs: Iterable[tuple[Key, Value]]) -> dict[Key, list[Value]]:
    """Values by key, keys in the order they first come."""
    found: dict[Key, list[Value]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


@dataclass(frozen=True)
class Asked(Generic[Value]):
    """A split of questions by photo. `groups` has the rows of every photo's file name; `question` turns a row into a
    question (it may raise `Fault`), `row_name` names a row in the file, `identity` is a photo's across sources."""

    source: str
    split: str
    licence: str
    root: Path
    file: Path
    groups: Mapping[str, list[Value]]
    question: Callable[[Value, Notes], Question]
    row_name: Callable[[Value], str]
    identity: Callable[[str], str] = coco_identity

    def opened(self, folders: list[Candidate], files: Iterable[Path], faults: list[Drop]) -> Slotted[str]:
        """Find the photos and make every photo a slot. Raises `SourceError`."""
        photos = photos_in(self.root, folders, self.groups, f"split {self.split!r}")
        relative = self.file.relative_to(self.root).as_posix()

        def make(name: str, notes: Notes) -> Record:
            photo = photos.photo(name, self.identity(name))
            questions: dict[str, Question] = {}
            for row in self.groups[name]:
                try:
                    found = self.question(row, notes)
                except Fault as fault:
                    notes.fault(self.row_name(row), fault)
                    continue
                if found.id in questions:
                    detail = "the first one is kept; unique ids are right"
                    notes.dropped(self.row_name(row), "question: id twice", detail)
                else:
                    questions[found.id] = found
            return Record(
                id=str(int(number[1])) if (number := _NUMBERED.fullmatch(name)) is not None else photo.id,
                source=self.source,
                split=self.split,
                licence=self.licence,
                origin=Origin(relative, name),
                photo=photo,
                questions=tuple(questions.values()),
            )

        return Slotted(self.source, self.split, relative, tuple(files), list(self.groups), make, str, faults)


def asked_words(text: str) -> str:
    """A question's words on one line. Raises `Fault` when there are none."""
    words = " ".join(text.split())
    if not words:
        raise Fault("question: empty", f"{text!r}; words are right")
    return words


def open_file(root: Path, name: str, split: str, *folders: str, known: tuple[str, ...] = ()) -> Path:
    """An annotation file in any of its places. Raises `SourceError` naming them."""
    return find_file(root, places(name, *folders), f"split {split!r}", known)


def by_id(rows: Iterable[tuple[int, Any]], notes: Notes) -> dict[int, Any]:
    """Rows by their `question_id`; of two with one id the first is kept."""
    found: dict[int, Any] = {}
    for n, row in rows:
        if row.question_id in found:
            detail = f"question {row.question_id}; the first one is kept, unique ids are right"
            notes.dropped(f"row {n}", "question: id twice", detail)
        else:
            found[row.question_id] = row
    return found
