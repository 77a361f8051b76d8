"""Writes the sample as VQA v2.0: questions and annotations of train2014 and val2014."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vtinstruct.sample._asking import ask, taken
from vtinstruct.sample._shot import Shot, scattered, write_json
from vtinstruct.sample._vqa import (
    FOLDER,
    YEAR,
    annotation_file,
    annotation_row,
    place_photo,
    question_file,
    question_row,
)


class Vqav2:
    """All questions of the scenes with ten answers each."""

    folder = FOLDER

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._questions: dict[str, list[Any]] = {"train": [], "val": []}
        self._annotations: dict[str, list[Any]] = {"train": [], "val": []}

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        if not taken(shot):
            return
        place_photo(shot, self._root)
        for n, asked in enumerate(ask(shot)):
            self._questions[shot.split].append(question_row(shot, n, asked))
            self._annotations[shot.split].append(annotation_row(shot, n, asked))

    def finish(self) -> tuple[str, ...]:
        """Write both files of both splits."""
        splits = tuple(split for split, rows in self._questions.items() if rows)
        for split in splits:
            year = YEAR[split]
            rows = scattered(self._questions[split], f"vqav2 questions {split}")
            write_json(self._root / f"Questions/v2_OpenEnded_mscoco_{year}_questions.json", question_file(year, rows))
            rows = scattered(self._annotations[split], f"vqav2 annotations {split}")
            write_json(self._root / f"Annotations/v2_mscoco_{year}_annotations.json", annotation_file(year, rows))
        return splits


WRITER = Vqav2
