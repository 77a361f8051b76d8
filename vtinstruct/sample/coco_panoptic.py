"""Writes the sample as COCO panoptic: `annotations/panoptic_{train,val}2017.json` and a folder of id pictures each.

A segment's id is coded in its pixels as R + 256 G + 65536 B; 0 is void (panopticapi, "COCO panoptic format").
"""

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from vtinstruct.sample._coco import FOLDER, YEAR, Collected, image_row, panoptic_categories, place_photo
from vtinstruct.sample._shot import STUFF_IDS, THING_IDS, Shot
from vtinstruct.sample.drawing.backdrops import STUFF


class CocoPanoptic:
    """Every pixel of every photo: things, crowds and stuff."""

    folder = FOLDER

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._files = Collected(self._root, "panoptic", "panoptic", panoptic_categories())

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        name = place_photo(shot, self._root)
        segments = [(thing.mask, THING_IDS[thing.category][0], int(thing.crowd)) for thing in shot.scene.things]
        segments += [
            (shot.scene.stuff == value, STUFF_IDS[STUFF[value - 1]][0], 0)
            for value in np.unique(shot.scene.stuff).tolist()
            if value > 0
        ]
        numbers = Random(f"vt-instruct segments {shot.seed} {shot.index}").sample(range(1, 1 << 24), len(segments))
        picture = np.zeros((*shot.scene.stuff.shape, 3), np.uint8)
        rows: list[dict[str, Any]] = []
        for number, (mask, category_id, crowd) in zip(numbers, segments, strict=True):
            picture[mask] = (number & 255, number >> 8 & 255, number >> 16)
            rows.append(_segment(number, mask, category_id, crowd))
        file_name = name.replace(".jpg", ".png")
        path = self._root / "annotations" / f"panoptic_{YEAR[shot.split]}" / file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path, "PNG")
        self._files.images[shot.split].append(image_row(shot, name))
        self._files.annotations[shot.split].append(
            {"segments_info": rows, "file_name": file_name, "image_id": shot.image_id}
        )

    def finish(self) -> tuple[str, ...]:
        """Write the annotation files."""
        return self._files.write()


def _segment(number: int, mask: np.ndarray[Any, np.dtype[np.bool_]], category_id: int, crowd: int) -> dict[str, Any]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x, y = int(columns[0]), int(rows[0])
    return {
        "id": number,
        "category_id": category_id,
        "iscrowd": crowd,
        "bbox": [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y],
        "area": int(mask.sum()),
    }


WRITER = CocoPanoptic
