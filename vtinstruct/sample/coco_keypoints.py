"""Writes the sample as COCO person keypoints: `annotations/person_keypoints_{train,val}2017.json`."""

from pathlib import Path
from typing import Any

from vtinstruct.sample._coco import FOLDER, Collected, image_row, instance_row, place_photo
from vtinstruct.sample._shot import Shot
from vtinstruct.sample.drawing.person import SKELETON
from vtinstruct.units import COCO_KEYPOINTS

CATEGORY: dict[str, Any] = {
    "supercategory": "person",
    "id": 1,
    "name": "person",
    "keypoints": list(COCO_KEYPOINTS),
    "skeleton": [list(pair) for pair in SKELETON],
}


class CocoKeypoints:
    """Instance rows of the persons with their 17 joints; all photos are listed, with and without persons."""

    folder = FOLDER

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._files = Collected(self._root, "person_keypoints", "person keypoints", [CATEGORY])

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        self._files.images[shot.split].append(image_row(shot, place_photo(shot, self._root)))
        for k, thing in enumerate(shot.scene.things):
            if thing.keypoints_xyv is None:
                continue
            joints = thing.keypoints_xyv.tolist()
            row = instance_row(shot, k)
            row["num_keypoints"] = sum(1 for _, _, v in joints if v > 0)
            row["keypoints"] = [value for x, y, v in joints for value in (x, y, int(v))]
            self._files.annotations[shot.split].append(row)

    def finish(self) -> tuple[str, ...]:
        """Write the annotation files."""
        return self._files.write()


WRITER = CocoKeypoints
