"""One drawn scene as every writer of the sample gets it: numbered, split, encoded once, with stable ids.

Ids follow COCO's habits (holes, no order) but lie beyond its range, so that the sample never poses as a COCO photo.
"""

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any, Literal, Protocol

import msgspec
from PIL import Image

from vtinstruct.sample._outlines import outlines
from vtinstruct.sample.drawing.thing import Thing
from vtinstruct.sample.scenes import Scene

Split = Literal["train", "val"]

FIRST_IMAGE_ID = 900_000_000  # COCO's image ids end at 581,929
EVALUATION_EVERY = 5  # every fifth scene is for evaluation

# Ids as in COCO's 2017 vocabulary where it has the name; ours sit in the holes COCO left (12, 26, 29, 30, 45, 66).
THING_IDS: dict[str, tuple[int, str]] = {
    "person": (1, "person"),
    "car": (3, "vehicle"),
    "tree": (12, "plant"),
    "box": (26, "toy"),
    "cone": (29, "toy"),
    "star": (30, "toy"),
    "ball": (37, "toy"),
    "ring": (45, "toy"),
    "cup": (47, "kitchen"),
    "lamp": (66, "furniture"),
}
STUFF_IDS: dict[str, tuple[int, str]] = {
    "sand": (154, "ground"),
    "sea": (155, "water"),
    "sky": (187, "sky"),
    "floor": (190, "floor"),
    "hill": (192, "solid"),
    "grass": (193, "plant"),
    "wall": (199, "wall"),
    "rug": (200, "textile"),
}


@dataclass(frozen=True)
class Shot:
    """A scene with its place in the collection. `split` is decided by `index` alone, so photos never cross over."""

    index: int
    seed: int
    scene: Scene

    @property
    def split(self) -> Split:
        """Whether the scene is for training or for evaluation."""
        return "val" if self.index % EVALUATION_EVERY == EVALUATION_EVERY - 1 else "train"

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height of the photo in pixels."""
        height, width = self.scene.photo.shape[:2]
        return width, height

    @property
    def image_id(self) -> int:
        """Number of the photo: unique, with holes."""
        return FIRST_IMAGE_ID + 17 * self.index + self.index * self.index % 13

    def annotation_id(self, position: int) -> int:
        """Number of the annotation of `scene.things[position]`; crowds have the long ids COCO gives them."""
        if self.scene.things[position].crowd:
            return 900_100_000_000 + 17 * self.index + self.index * self.index % 13
        return 30_000_000 + 40 * self.index + 3 * position + self.index % 3

    @cached_property
    def jpeg(self) -> bytes:
        """The photo as JPEG, quality 92 without colour subsampling."""
        buffer = io.BytesIO()
        Image.fromarray(self.scene.photo).save(buffer, "JPEG", quality=92, subsampling=0)
        return buffer.getvalue()

    @cached_property
    def polygons(self) -> tuple[list[list[float]], ...]:
        """COCO polygons of every thing, in the order of `scene.things`: exact outlines of the visible masks."""
        return tuple(outlines(thing.mask) for thing in self.scene.things)

    def place_photo(self, path: Path) -> None:
        """Write the photo at `path`, once: several formats of one folder share it."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.jpeg)

    def singles(self) -> Iterator[tuple[int, Thing]]:
        """Positions and things that are not crowds."""
        return ((k, thing) for k, thing in enumerate(self.scene.things) if not thing.crowd)


class Writer(Protocol):
    """What `WRITER` of `vtinstruct/sample/<source>.py` makes when it is called with the sample's folder.

    `folder` is the source's root below that folder: what the converter of the same name is pointed at.
    """

    folder: str

    def __init__(self, out: Path, seed: int) -> None: ...

    def add(self, shot: Shot) -> None:
        """Take one scene; scenes come in the order of their index."""
        ...

    def finish(self) -> tuple[str, ...]:
        """Write what is written once, and name the splits as the converter will."""
        ...


def write_json(path: Path, content: Any) -> None:
    """Write `content` as compact JSON under a temporary name, then rename: a killed run leaves no half file."""
    write_whole(path, msgspec.json.encode(content))


def write_whole(path: Path, content: bytes) -> None:
    """Write bytes under a temporary name, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def scattered(rows: list[Any], key: str) -> list[Any]:
    """The rows in a fixed disorder: official files are not sorted, so nobody may rely on it."""
    mixed = list(rows)
    Random(f"vt-instruct order {key}").shuffle(mixed)
    return mixed
