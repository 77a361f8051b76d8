"""Writes the sample as PointQA on Visual Genome's photos: LocalQA asks for colours, LookTwiceQA for numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vtinstruct.sample._asking import positions_by_category, taken
from vtinstruct.sample._shot import THING_IDS, Shot, write_json
from vtinstruct.sample._vg import FOLDER, object_rows, place_photo
from vtinstruct.sample.drawing.wording import plural

LOCAL, TWICE = ("train", "val", "testdev", "testfinal"), ("train", "val", "test")


class Pointqa:
    """All things of one kind in a scene share their question."""

    folder = FOLDER

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._local: dict[str, list[Any]] = {}
        self._twice: dict[str, list[Any]] = {}
        self._lists: dict[str, list[str]] = {}

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        if not taken(shot) or not positions_by_category(shot):
            return
        place_photo(shot, self._root)
        id_ = str(shot.image_id)
        objects = {k: row for (k, _), row in zip(shot.singles(), object_rows(shot), strict=True)}
        local: list[Any] = []
        twice: list[Any] = []
        for category, positions in positions_by_category(shot).items():
            colours = [shot.scene.things[k].colour for k in positions]
            points = [{**_middle(objects[k]), "ans": colour} for k, colour in zip(positions, colours, strict=True)]
            local.append(
                {
                    "question": f"What color is this {category}?",
                    "all_ans": sorted(set(colours)),
                    "all_objs": [objects[k] for k in positions],
                    "points": points,
                    "id": shot.image_id,
                }
            )
            twice.append(
                {
                    "obj_question": f"How many of these {plural(category)} are there?",
                    "super_question": f"How many of these {THING_IDS[category][1]} things are there?",
                    "general_question": "How many of these are there?",
                    "ans": str(len(positions)),
                    "bbox": objects[positions[0]],
                    "point": _middle(objects[positions[0]]),
                    "obj_type": category,
                    "supercategory": THING_IDS[category][1],
                    "id": shot.image_id,
                }
            )
        self._local[id_], self._twice[id_] = local, twice
        turn = shot.index // 15
        for parts, kind in ((LOCAL, "LocalQA/localqa"), (TWICE, "LookTwiceQA/looktwiceqa")):
            part = "train" if shot.split == "train" else parts[1 + turn % (len(parts) - 1)]
            self._lists.setdefault(f"{kind}_{part}", []).append(id_)

    def finish(self) -> tuple[str, ...]:
        """Write both data sets and their lists."""
        write_json(self._root / "LocalQA/localqa_dataset.json", self._local)
        write_json(self._root / "LookTwiceQA/looktwiceqa_dataset.json", self._twice)
        for name, ids in self._lists.items():
            write_json(self._root / f"{name}_imgs.json", ids)
        local = [f"{part}_local" for part in LOCAL if f"LocalQA/localqa_{part}" in self._lists]
        twice = [f"{part}_twice" for part in TWICE if f"LookTwiceQA/looktwiceqa_{part}" in self._lists]
        return (*local, *twice)


def _middle(row: dict[str, Any]) -> dict[str, int]:
    return {"x": row["x"] + row["w"] // 2, "y": row["y"] + row["h"] // 2}


WRITER = Pointqa
