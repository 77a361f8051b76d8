"""Writes the sample as Visual Genome: photos' list, region descriptions, objects, attributes, questions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vtinstruct.sample._asking import ask, taken
from vtinstruct.sample._shot import Shot, scattered, write_json
from vtinstruct.sample._vg import FOLDER, image_row, object_rows, place_photo


class VisualGenome:
    """Every expression that means one thing, as a description of its region."""

    folder = FOLDER

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._files: dict[str, list[Any]] = {
            name: [] for name in ("image_data", "region_descriptions", "objects", "attributes", "question_answers")
        }

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        if not taken(shot):
            return
        id_, objects = shot.image_id, object_rows(shot)
        bare = [{key: value for key, value in row.items() if key != "attributes"} for row in objects]
        self._files["image_data"].append(image_row(shot, place_photo(shot, self._root)))
        self._files["region_descriptions"].append({"regions": _regions(shot), "id": id_})
        self._files["objects"].append({"image_id": id_, "objects": bare, "image_url": ""})
        self._files["attributes"].append({"image_id": id_, "attributes": objects})
        questions: list[dict[str, Any]] = [
            {
                "a_objects": [],
                "question": asked.question,
                "image_id": id_,
                "qa_id": id_ * 100 + n,
                "answer": f"{asked.answer[0].upper()}{asked.answer[1:]}.",
                "q_objects": [],
            }
            for n, asked in enumerate(ask(shot))
        ]
        self._files["question_answers"].append({"id": id_, "qas": questions})

    def finish(self) -> tuple[str, ...]:
        """Write the files; there is no official split."""
        for name, rows in self._files.items():
            write_json(self._root / f"{name}.json", scattered(rows, name))
        return ("train",) if self._files["image_data"] else ()


def _regions(shot: Shot) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for expression in shot.scene.expressions:
        if len(expression.targets) != 1:
            continue
        x0, y0, x1, y1 = (round(value) for value in shot.scene.things[expression.targets[0]].box_xyxy)
        rows.append(
            {
                "region_id": shot.image_id * 50 + len(rows),
                "width": x1 - x0,
                "height": y1 - y0,
                "image_id": shot.image_id,
                "phrase": expression.text,
                "y": y0,
                "x": x0,
            }
        )
    return rows


WRITER = VisualGenome
