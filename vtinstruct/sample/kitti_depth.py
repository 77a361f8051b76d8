"""Writes the sample as KITTI depth: annotated maps by drive, KITTI raw photos beside them, and the cropped selection.

A map holds metres x 256 in 16 bits, 0 = missing; like a laser's, every third pixel only. Drives and frames are KITTI's in
form, not in number: no date of KITTI is used.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vtinstruct.sample._shot import Shot

DATE = "2001_01_01"


class KittiDepth:
    """Photos and sparse depth of all scenes; every scene for evaluation is in the cropped selection too."""

    folder = "kitti_depth"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._seen: Counter[str] = Counter()

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        self._seen[shot.split] += 1
        drive, number = f"{DATE}_drive_{shot.index // 50:04d}_sync", f"{5 + shot.index % 50:010d}"
        levels = np.round(np.minimum(shot.scene.depth_m, 250) * 256).astype(np.uint16)
        rows, columns = np.indices(levels.shape)
        levels[(rows + columns) % 3 != 0] = 0
        base = self._root / shot.split / drive
        _save(levels, base / "proj_depth" / "groundtruth" / "image_02" / f"{number}.png")
        _save(shot.scene.photo, self._root / DATE / drive / "image_02" / "data" / f"{number}.png")
        if shot.split == "val":
            folder = self._root / "depth_selection" / "val_selection_cropped"
            _save(shot.scene.photo[8:, 4:-4], folder / "image" / f"{drive}_image_{number}_image_02.png")
            name = f"{drive}_groundtruth_depth_{number}_image_02.png"
            _save(levels[8:, 4:-4], folder / "groundtruth_depth" / name)

    def finish(self) -> tuple[str, ...]:
        """Nothing is left to write; there are no list files."""
        splits = tuple(split for split in ("train", "val") if self._seen[split])
        return (*splits, "val_selection_cropped") if "val" in splits else splits


def _save(pixels: NDArray[Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, "PNG")


WRITER = KittiDepth
