"""Writes the sample as LLaVA-Instruct: `llava_instruct_150k.json` beside COCO's train2017 photos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vtinstruct.sample._asking import Asked, ask, keyed, taken
from vtinstruct.sample._coco import FOLDER, place_photo
from vtinstruct.sample._shot import Shot, scattered, write_json


class LlavaInstruct:
    """A conversation of some turns and a description for every scene that is for training."""

    folder = FOLDER

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._rows: list[Any] = []

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        if not taken(shot) or shot.split != "train":
            return
        image, rng = place_photo(shot, self._root), keyed(shot, "conversation")
        asked = list(ask(shot))
        rng.shuffle(asked)
        talk = [part for one in asked[:4] for part in (one.question, _sentence(one))]
        describe = ["What do you see in this picture?", " ".join(rng.sample(shot.scene.captions, 2))]
        for parts, last in ((talk, False), (describe, True)):
            marked = f"{parts[0]}\n<image>" if last else f"<image>\n{parts[0]}"
            values = [marked, *parts[1:]]
            said = [{"from": ("human", "gpt")[n % 2], "value": value} for n, value in enumerate(values)]
            self._rows.append({"id": image.removesuffix(".jpg"), "image": image, "conversations": said})

    def finish(self) -> tuple[str, ...]:
        """Write the file."""
        if not self._rows:
            return ()
        write_json(self._root / "llava_instruct_150k.json", scattered(self._rows, "llava"))
        return ("train",)


def _sentence(asked: Asked) -> str:
    return f"{asked.answer[0].upper()}{asked.answer[1:]}: {asked.reason}."


WRITER = LlavaInstruct
