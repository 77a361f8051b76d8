"""Writes the sample as VQA-E: `VQA-E_{train,val}_set.json`, every answer with a sentence that supports it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vtinstruct.sample._asking import ask, keyed, taken, voters
from vtinstruct.sample._shot import Shot, scattered, write_json
from vtinstruct.sample._vqa import FOLDER, place_photo


class Vqae:
    """All questions of the scenes with their reasons."""

    folder = FOLDER

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._rows: dict[str, list[Any]] = {"train": [], "val": []}

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        if not taken(shot):
            return
        place_photo(shot, self._root)
        self._rows[shot.split] += [
            {
                "img_id": shot.image_id,
                "question": asked.question,
                "multiple_choice_answer": asked.answer,
                "explanation": [f"{asked.reason[0].upper()}{asked.reason[1:]}.", 0.75],
                "answers": voters(asked, keyed(shot, f"voters {n}")),
                "answer_type": asked.kind,
                "question_type": asked.opening,
            }
            for n, asked in enumerate(ask(shot))
        ]

    def finish(self) -> tuple[str, ...]:
        """Write the file of both splits."""
        splits = tuple(split for split, rows in self._rows.items() if rows)
        for split in splits:
            write_json(self._root / f"VQA-E_{split}_set.json", scattered(self._rows[split], f"vqae {split}"))
        return splits


WRITER = Vqae
