"""Writes the sample as Visual7W's pointing part: "Which ...?" with four boxes of one photo to choose from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vtinstruct.sample._asking import keyed
from vtinstruct.sample._shot import Shot, write_json

CHOICES = 4


class Visual7w:
    """The expressions that mean one thing, as questions, in scenes with four single things or more."""

    folder = "visual7w"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._images: list[Any] = []
        self._boxes: list[Any] = []

    def add(self, shot: Shot) -> None:
        """Take one scene, if there is enough to choose from."""
        singles = [k for k, _ in shot.singles()]
        if len(singles) < CHOICES:
            return
        rng = keyed(shot, "visual7w")
        split = "train" if shot.split == "train" else ("val", "test")[shot.index // 5 % 2]
        meant = {
            expression.targets[0]: expression.text
            for expression in shot.scene.expressions
            if len(expression.targets) == 1
        }
        pairs: list[dict[str, Any]] = []
        for k, words in meant.items():
            wrong = rng.sample([other for other in singles if other != k], CHOICES - 1)
            pairs.append(
                {
                    "qa_id": shot.image_id * 10 + len(pairs),
                    "image_id": shot.image_id,
                    "question": f"Which thing is {words}?",
                    "answer": shot.annotation_id(k),
                    "multiple_choices": [shot.annotation_id(other) for other in wrong],
                    "type": "which",
                }
            )
        if not pairs:
            return
        name = f"v7w_{shot.image_id}.jpg"
        shot.place_photo(self._root / "images" / name)
        self._images.append({"image_id": shot.image_id, "split": split, "filename": name, "qa_pairs": pairs})
        for k in singles:
            thing = shot.scene.things[k]
            x0, y0, x1, y1 = (round(value) for value in thing.box_xyxy)
            box = {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0}
            self._boxes.append(
                {"box_id": shot.annotation_id(k), "image_id": shot.image_id, "name": thing.category, **box}
            )

    def finish(self) -> tuple[str, ...]:
        """Write the one file."""
        content = {"dataset": "visual7w-pointing", "boxes": self._boxes, "images": self._images}
        write_json(self._root / "dataset_v7w_pointing.json", content)
        there = {image["split"] for image in self._images}
        return tuple(split for split in ("train", "val", "test") if split in there)


WRITER = Visual7w
