"""Writes the sample as the full ADE20K: training photos as the 2017 release has them, validation photos as that of 2021.

Every thing is an object, every stuff one too; a person's head (the pixels near its head joints) is a part. Class numbers are
ours: the official index is no part of the sample.
"""

import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vtinstruct.sample._shot import Shot, write_json, write_whole
from vtinstruct.sample.ade20k import CLASSES
from vtinstruct.sample.drawing.backdrops import STUFF
from vtinstruct.sample.drawing.thing import Thing

NUMBERS = {word: number for number, word in enumerate((*STUFF, *sorted(set(CLASSES) - set(STUFF))), 301)}
OTHERS = {"cup": 391, "cone": 392, "star": 393, "ring": 394, "head": 395}
HEAD_JOINTS = 5  # nose, eyes and ears are COCO's first five


@dataclass(frozen=True)
class _Object:
    word: str
    mask: NDArray[np.bool_]
    attributes: tuple[str, ...]
    whole: int = -1  # position of the whole in the list of objects, for parts

    @property
    def names(self) -> str:
        return CLASSES[self.word][1] if self.word in CLASSES else self.word

    @property
    def number(self) -> int:
        return {**NUMBERS, **OTHERS}[self.word]


class Ade20kFull:
    """Objects and parts of all scenes."""

    folder = "ade20k_full"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._seen: Counter[str] = Counter()

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        self._seen[shot.split] += 1
        name = f"ADE_{shot.split}_{shot.index + 1:08d}"
        if shot.split == "train":
            folder = self._root / "images" / "training" / shot.scene.place[0] / shot.scene.place
        else:
            folder = self._root / "images" / "validation" / shot.scene.place
        shot.place_photo(folder / f"{name}.jpg")
        (_write_2017 if shot.split == "train" else _write_2021)(folder, name, _objects(shot), _parts(shot))

    def finish(self) -> tuple[str, ...]:
        """Nothing is left to write; the index files are no part of the sample."""
        named = {"train": "training", "val": "validation"}
        return tuple(named[split] for split in named if self._seen[split])


def _objects(shot: Shot) -> list[_Object]:
    scene = shot.scene
    found = [
        _Object(word, scene.stuff == value, ()) for value, word in enumerate(STUFF, 1) if (scene.stuff == value).any()
    ]
    return found + [_Object(thing.category, thing.mask, (thing.colour,)) for thing in scene.things]


def _parts(shot: Shot) -> list[_Object]:
    stuff = len(_objects(shot)) - len(shot.scene.things)
    heads = ((stuff + k, _head(thing)) for k, thing in enumerate(shot.scene.things))
    return [_Object("head", mask, (), whole) for whole, mask in heads if mask.any()]


def _head(thing: Thing) -> NDArray[np.bool_]:
    """The pixels of a person near its head joints, (H, W)."""
    rows, columns = np.indices(thing.mask.shape)
    near = np.zeros(thing.mask.shape, np.bool_)
    joints = thing.keypoints_xyv[:HEAD_JOINTS] if thing.keypoints_xyv is not None else np.zeros((0, 3))
    for x, y, v in joints.tolist():
        if v > 0:
            near |= np.hypot(columns + 0.5 - x, rows + 0.5 - y) <= 0.07 * thing.height_px
    return near & thing.mask


def _coded(objects: list[_Object], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Class in red and green, the k-th of n instances as 255 k / n in blue."""
    picture = np.zeros((*shape, 3), np.uint8)
    for k, each in enumerate(objects, 1):
        picture[each.mask] = (each.number // 256 * 10, each.number % 256, round(255 * k / len(objects)))
    return picture


def _write_2017(folder: Path, name: str, objects: list[_Object], parts: list[_Object]) -> None:
    rows: list[str] = []
    for level, (kind, group) in enumerate((("seg", objects), ("parts_1", parts))):
        if group or level == 0:
            _save(_coded(group, objects[0].mask.shape), folder / f"{name}_{kind}.png")
        for number, each in enumerate(group, 1):
            rows.append(f'{number:03d} # {level} # 0 # {each.names} # {each.word} # "{", ".join(each.attributes)}"\n')
    write_whole(folder / f"{name}_atr.txt", "".join(rows).encode())


def _write_2021(folder: Path, name: str, objects: list[_Object], parts: list[_Object]) -> None:
    height, width = objects[0].mask.shape
    rows: list[dict[str, Any]] = []
    for id_, each in enumerate((*objects, *parts)):
        relative = f"{name}/instance_{id_:03d}_{name}.png"
        _save(each.mask.astype(np.uint8) * 255, folder / relative)
        belongs: dict[str, Any] = {"hasparts": [], "ispartof": [], "part_level": 0}
        if each.whole >= 0:
            belongs = {"hasparts": [], "ispartof": each.whole, "part_level": 1}
        attributes: Any = each.attributes[0] if len(each.attributes) == 1 else []  # a list of one is a bare value there
        rows.append(
            {"id": id_, "name": each.names, "name_ndx": each.number, "hypernym": [each.names], "raw_name": each.word,
             "attributes": attributes, "depth_ordering_rank": [], "occluded": "no", "crop": 0, "parts": belongs,
             "instance_mask": relative, "polygon": {"x": [], "y": []}, "saved_date": ""}
        )  # fmt: skip
    _save(_coded(objects, (height, width)), folder / f"{name}_seg.png")
    head = {"filename": f"{name}.jpg", "folder": folder.name, "imsize": [height, width, 3], "scene": [folder.name]}
    write_json(folder / f"{name}.json", {"annotation": {**head, "object": rows}})


def _save(pixels: NDArray[np.uint8], path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    write_whole(path, buffer.getvalue())


WRITER = Ade20kFull
