"""Writes the sample as VQA-X: `textual/{train,val,test}_exp_anno.json` beside the VQA v2.0 files it explains."""

from __future__ import annotations

from pathlib import Path

from vtinstruct.sample._asking import ask, taken
from vtinstruct.sample._shot import Shot, write_json
from vtinstruct.sample._vqa import FOLDER, question_id
from vtinstruct.sample.vqav2 import Vqav2

ORDER = ("train", "val", "test")


class Vqax:
    """One explanation for every other question; photos and questions are VQA v2.0's."""

    folder = FOLDER

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._questions = Vqav2(out, seed)
        self._explained: dict[str, dict[str, list[str]]] = {split: {} for split in ORDER}

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        self._questions.add(shot)
        if not taken(shot):
            return
        split = "train" if shot.split == "train" else ("val", "test")[shot.index // 5 % 2]
        for n, asked in enumerate(ask(shot)):
            if n % 2:
                self._explained[split][str(question_id(shot, n))] = [asked.reason, f"because {asked.reason}"]

    def finish(self) -> tuple[str, ...]:
        """Write the explanations, and the questions where nobody has."""
        self._questions.finish()
        splits = tuple(split for split in ORDER if self._explained[split])
        for split in splits:
            write_json(self._root / "textual" / f"{split}_exp_anno.json", self._explained[split])
        return splits


WRITER = Vqax
