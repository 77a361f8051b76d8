"""Writes the sample as ADE20K scene parsing: grey label pictures, 0 = other, and the rows of `objectInfo150.txt`.

Names and indices are the official ones; what the 150 classes do not have (cone, star, ring, cup) is "other", as there.
"""

from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from vtinstruct.sample._shot import Shot, write_whole
from vtinstruct.sample.drawing.backdrops import STUFF

# our word -> index, official name
CLASSES: dict[str, tuple[int, str]] = {
    "wall": (1, "wall"),
    "sky": (3, "sky"),
    "floor": (4, "floor, flooring"),
    "tree": (5, "tree"),
    "grass": (10, "grass"),
    "person": (13, "person, individual, someone, somebody, mortal, soul"),
    "car": (21, "car, auto, automobile, machine, motorcar"),
    "sea": (27, "sea"),
    "rug": (29, "rug, carpet, carpeting"),
    "lamp": (37, "lamp"),
    "box": (42, "box"),
    "sand": (47, "sand"),
    "hill": (69, "hill"),
    "ball": (120, "ball"),
}
SPLIT = {"train": "training", "val": "validation"}


class Ade20k:
    """Every pixel a class, things of a class in one."""

    folder = "ade20k"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._seen: Counter[str] = Counter()
        self._uses: Counter[tuple[int, str]] = Counter()

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        split = SPLIT[shot.split]
        self._seen[split] += 1
        name = f"ADE_{shot.split}_{shot.index + 1:08d}"
        labels = np.zeros(shot.scene.stuff.shape, np.uint8)
        for value, word in enumerate(STUFF, 1):
            labels[shot.scene.stuff == value] = CLASSES[word][0]
        for thing in shot.scene.things:
            labels[thing.mask] = CLASSES.get(thing.category, (0, ""))[0]
        for index in np.unique(labels).tolist():
            self._uses[index, split] += 1
        path = self._root / "annotations" / split / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(labels).save(path, "PNG")
        shot.place_photo(self._root / "images" / split / f"{name}.jpg")

    def finish(self) -> tuple[str, ...]:
        """Write the classes with the number of photos that show them."""
        rows = ["Idx\tRatio\tTrain\tVal\tName"]
        for index, name in sorted(CLASSES.values()):
            rows.append(f"{index}\t0\t{self._uses[index, 'training']}\t{self._uses[index, 'validation']}\t{name}")
        write_whole(self._root / "objectInfo150.txt", "\n".join([*rows, ""]).encode())
        return tuple(split for split in SPLIT.values() if self._seen[split])


WRITER = Ade20k
