"""Writes the sample as OK-VQA: questions that ask for more than what is seen, answered by knowledge of things."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vtinstruct.sample._asking import Asked, positions_by_category, taken
from vtinstruct.sample._shot import Shot, scattered, write_json
from vtinstruct.sample._vqa import (
    FOLDER,
    YEAR,
    annotation_file,
    answer_rows,
    place_photo,
    question_file,
    question_id,
    question_row,
)

# What one knows of a thing, not what one sees of it.
KNOWN = {
    "car": ("What can the thing with wheels be filled with?", "gas"),
    "cup": ("What can be drunk from this vessel?", "tea"),
    "lamp": ("What does this furniture give?", "light"),
    "tree": ("What does the tall plant turn into oxygen?", "carbon dioxide"),
    "ball": ("Which sport is the round thing used for?", "soccer"),
    "cone": ("What is the pointed thing put on at work sites?", "road"),
}
PLACE = {
    "beach": ("What can one do in the water here?", "swim"),
    "meadow": ("Which animal eats what grows here?", "cow"),
}


class Okvqa:
    """The scenes with something to know about."""

    folder = FOLDER

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._questions: dict[str, list[Any]] = {"train": [], "val": []}
        self._annotations: dict[str, list[Any]] = {"train": [], "val": []}

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        if not taken(shot):
            return
        facts = [KNOWN[category] for category in positions_by_category(shot) if category in KNOWN]
        facts += [PLACE[shot.scene.place]] if shot.scene.place in PLACE else []
        for n, (words, answer) in enumerate(facts):
            asked = Asked(words, answer, "other", "other", "")
            place_photo(shot, self._root)
            self._questions[shot.split].append(question_row(shot, n, asked))
            self._annotations[shot.split].append(
                {
                    "image_id": shot.image_id,
                    "answer_type": "other",
                    "question_type": "other",
                    "question_id": question_id(shot, n),
                    "answers": [{**row, "raw_answer": row["answer"]} for row in answer_rows(shot, n, asked)],
                    "confidence": 3,
                }
            )

    def finish(self) -> tuple[str, ...]:
        """Write both files of both splits."""
        splits = tuple(split for split, rows in self._questions.items() if rows)
        for split in splits:
            year = YEAR[split]
            rows = scattered(self._questions[split], f"okvqa questions {split}")
            write_json(self._root / f"OpenEnded_mscoco_{year}_questions.json", question_file(year, rows))
            content = annotation_file(year, scattered(self._annotations[split], f"okvqa annotations {split}"))
            write_json(self._root / f"mscoco_{year}_annotations.json", content)
        return splits


WRITER = Okvqa
