"""Writes the sample as HR-WSI: relative disparity in 8 bits, stretched per photo as there, and masks of where it holds."""

from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from vtinstruct.sample._shot import Shot


class Hrwsi:
    """Photos, disparities and masks of all scenes."""

    folder = "hrwsi"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._seen: Counter[str] = Counter()

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        self._seen[shot.split] += 1
        folder, name = self._root / shot.split, f"{shot.image_id}"
        valid = shot.scene.depth_m > 0
        inverse = 1 / np.where(valid, shot.scene.depth_m, np.inf)
        low, high = float(inverse[valid].min()), float(inverse[valid].max())
        levels = np.where(valid, np.round((inverse - low) / max(high - low, 1e-9) * 255), 0).astype(np.uint8)
        for kind, pixels in (("gts", levels), ("valid_masks", valid.astype(np.uint8) * 255)):
            path = folder / kind / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path, "PNG")
        shot.place_photo(folder / "imgs" / f"{name}.jpg")

    def finish(self) -> tuple[str, ...]:
        """Nothing is left to write; there are no list files."""
        return tuple(split for split in ("train", "val") if self._seen[split])


WRITER = Hrwsi
