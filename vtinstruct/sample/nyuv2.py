"""Writes the sample as NYU Depth v2 in picture folders: `official_splits/{train,test}/<scene>/`.

Each `rgb_NNNNN.jpg` has a `sync_depth_NNNNN.png` beside it: 16-bit grey, millimetres, 0 = missing (the layout in which
the BTS and AdaBins authors publish the official 795/654 split).
"""

from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from vtinstruct.sample._shot import Shot

SPLIT = {"train": "train", "val": "test"}
SHOTS_PER_PLACE = 20  # NYU's folders are video clips of one place; ours hold this many scenes


class Nyuv2:
    """Photos and depth maps of all scenes."""

    folder = "nyuv2"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder / "official_splits"
        self._count: Counter[tuple[str, str]] = Counter()

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        split, place = SPLIT[shot.split], shot.scene.place
        number = self._count[split, place]
        self._count[split, place] += 1
        folder = self._root / split / f"{place}_{number // SHOTS_PER_PLACE + 1:04d}"
        shot.place_photo(folder / f"rgb_{shot.index:05d}.jpg")
        millimetres = np.round(shot.scene.depth_m * 1000).astype(np.uint16)
        Image.fromarray(millimetres).save(folder / f"sync_depth_{shot.index:05d}.png", "PNG")

    def finish(self) -> tuple[str, ...]:
        """Nothing is left to write; there is no list file in this layout."""
        return tuple(split for split in ("train", "test") if any(found == split for found, _ in self._count))


WRITER = Nyuv2
