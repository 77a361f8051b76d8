"""Writes the sample as OpenPSG: `psg.json` with segments and relations, id pictures and photos in COCO's folders.

Relations are read off the drawing: what stands on which ground, what stands left of, in front of and behind what.
"""

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vtinstruct.sample._coco import YEAR, photo_name
from vtinstruct.sample._shot import STUFF_IDS, THING_IDS, Shot, write_json
from vtinstruct.sample.drawing.backdrops import STUFF

PREDICATES = ("in front of", "beside", "on")
GROUNDS = ("grass", "sand", "floor", "rug")
CLASSES = (*THING_IDS, *STUFF_IDS)


class OpenPsg:
    """Scene graphs of all scenes; those for evaluation are the test photos."""

    folder = "openpsg"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._rows: list[dict[str, Any]] = []
        self._test: list[str] = []

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        width, height = shot.size_wh
        segments, picture = _segments(shot)
        name = photo_name(shot).replace(".jpg", ".png")
        path = self._root / "coco" / f"panoptic_{YEAR[shot.split]}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path, "PNG")
        shot.place_photo(self._root / "coco" / YEAR[shot.split] / photo_name(shot))
        row = {
            "file_name": f"{YEAR[shot.split]}/{photo_name(shot)}",
            "height": height,
            "width": width,
            "image_id": str(shot.image_id),
            "pan_seg_file_name": f"panoptic_{YEAR[shot.split]}/{name}",
            "segments_info": segments,
            "annotations": [
                {"bbox": row.pop("bbox"), "bbox_mode": 0, "category_id": row["category_id"]} for row in segments
            ],
            "relations": _relations(shot, [CLASSES[row["category_id"]] for row in segments]),
        }
        self._rows.append(row)
        if shot.split == "val":
            self._test.append(str(shot.image_id))

    def finish(self) -> tuple[str, ...]:
        """Write the one file."""
        content = {
            "data": self._rows,
            "test_image_ids": self._test,
            "thing_classes": list(THING_IDS),
            "stuff_classes": list(STUFF_IDS),
            "predicate_classes": list(PREDICATES),
        }
        write_json(self._root / "psg" / "psg.json", content)
        tested = [row["image_id"] in self._test for row in self._rows if row["relations"]]
        return tuple(split for split, there in (("train", False), ("test", True)) if there in tested)


def _segments(shot: Shot) -> tuple[list[dict[str, Any]], NDArray[np.uint8]]:
    scene = shot.scene
    parts = [(thing.category, thing.mask, thing.crowd) for thing in scene.things]
    parts += [
        (word, scene.stuff == value, False) for value, word in enumerate(STUFF, 1) if (scene.stuff == value).any()
    ]
    numbers = Random(f"vt-instruct psg {shot.seed} {shot.index}").sample(range(1, 1 << 24), len(parts))
    picture = np.zeros((*scene.stuff.shape, 3), np.uint8)
    rows: list[dict[str, Any]] = []
    for number, (word, mask, crowd) in zip(numbers, parts, strict=True):
        picture[mask] = (number & 255, number >> 8 & 255, number >> 16)
        y, x = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        rows.append(
            {"id": number, "category_id": CLASSES.index(word), "iscrowd": int(crowd), "isthing": int(word in THING_IDS),
             "area": int(mask.sum()), "bbox": [int(x[0]), int(y[0]), int(x[-1]) + 1, int(y[-1]) + 1]}
        )  # fmt: skip
    return rows, picture


def _relations(shot: Shot, words: list[str]) -> list[list[int]]:
    """[subject, object, predicate] as positions: things in order of distance, far to near, and what they stand on."""
    things = shot.scene.things
    ground = next((words.index(word) for word in GROUNDS if word in words[len(things) :]), -1)
    found = [[k, ground, PREDICATES.index("on")] for k in range(len(things)) if ground >= 0]
    for k in range(len(things) - 1):
        apart = things[k].depth_m - things[k + 1].depth_m
        found.append([k + 1, k, PREDICATES.index("in front of" if apart > 0.3 else "beside")])
    return found


WRITER = OpenPsg
