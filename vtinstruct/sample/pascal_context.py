"""Writes the sample as Pascal Context: the 459-name release (`LabelMap` in MATLAB files) and the 59-name one (PNG).

Names are the official ones; labels are numbered as our lists say. What a release has no name for is "unknown" or 0.
"""

import importlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vtinstruct.sample._shot import Shot, write_whole
from vtinstruct.sample.drawing.backdrops import STUFF

# our word -> official name; labels are positions from 1
NAMES_59 = {"person": "person", "car": "car", "cup": "cup", "tree": "tree", "sky": "sky", "hill": "mountain",
            "grass": "grass", "sea": "water", "wall": "wall", "floor": "floor", "sand": "ground"}  # fmt: skip
NAMES_459 = {**NAMES_59, "ball": "ball", "box": "box", "lamp": "light", "cone": "cone", "rug": "carpet", "sand": "sand"}
UNKNOWN = len(NAMES_459) + 1


class PascalContext:
    """Every pixel a class, things of a class in one, in both releases."""

    folder = "pascal_context"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._names: dict[str, list[str]] = {"train": [], "val": []}

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        savemat: Any = importlib.import_module("scipy.io").savemat  # has no types
        name = f"2001_{shot.index:06d}"
        self._names[shot.split].append(name)
        shot.place_photo(self._root / "VOCdevkit" / "VOC2010" / "JPEGImages" / f"{name}.jpg")
        picture = self._root / "59_context_labels" / f"{name}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(_labels(shot, NAMES_59, 0).astype(np.uint8)).save(picture, "PNG")
        matlab = io.BytesIO()
        savemat(matlab, {"LabelMap": _labels(shot, NAMES_459, UNKNOWN)}, do_compression=True)
        # The head of a MATLAB file is free text that holds the time of writing; a sample has none.
        head = b"MATLAB 5.0 MAT-file, VT-Instruct embedded sample".ljust(116)
        write_whole(self._root / "trainval" / f"{name}.mat", head + matlab.getvalue()[116:])

    def finish(self) -> tuple[str, ...]:
        """Write the lists of names."""
        for split, names in self._names.items():
            if names:
                listed = self._root / "VOCdevkit" / "VOC2010" / "ImageSets" / "Main" / f"{split}.txt"
                write_whole(listed, "".join(f"{name}\n" for name in names).encode())
        write_whole(self._root / "59_labels.txt", _lines(["empty", *NAMES_59.values()], 0))
        write_whole(self._root / "labels.txt", _lines([*NAMES_459.values(), "unknown"], 1))
        return tuple(f"{kind}_{split}" for kind in ("59", "459") for split, names in self._names.items() if names)


def _lines(names: list[str], first: int) -> bytes:
    return "".join(f"{number}: {name}\n" for number, name in enumerate(names, first)).encode()


def _labels(shot: Shot, names: Mapping[str, str], other: int) -> NDArray[Any]:
    numbers = {word: number for number, word in enumerate(names, 1)}
    labels = np.full(shot.scene.stuff.shape, other, np.uint16)
    for value, word in enumerate(STUFF, 1):
        labels[shot.scene.stuff == value] = numbers.get(word, other)
    for thing in shot.scene.things:
        labels[thing.mask] = numbers.get(thing.category, other)
    return labels


WRITER = PascalContext
