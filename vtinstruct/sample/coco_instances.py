"""Writes the sample as COCO instances: `annotations/instances_{train,val}2017.json` beside `train2017/`, `val2017/`."""

from pathlib import Path

from vtinstruct.sample._coco import FOLDER, Collected, image_row, instance_row, place_photo, thing_categories
from vtinstruct.sample._shot import Shot


class CocoInstances:
    """Boxes and polygons of all things; crowds as uncompressed run lengths; empty scenes without a row."""

    folder = FOLDER

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._files = Collected(self._root, "instances", "instances", thing_categories())

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        self._files.images[shot.split].append(image_row(shot, place_photo(shot, self._root)))
        self._files.annotations[shot.split] += [instance_row(shot, k) for k in range(len(shot.scene.things))]

    def finish(self) -> tuple[str, ...]:
        """Write the annotation files."""
        return self._files.write()


WRITER = CocoInstances
