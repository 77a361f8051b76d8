"""Writes the sample as Pascal VOC 2012: XML boxes of all scenes, palette pictures of every second one.

Only persons and cars are among the 20 classes; the rest of a scene is background, as everything else is in VOC. A crowd is one
"difficult" object.
"""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vtinstruct.sample._shot import Shot, write_whole
from vtinstruct.sample.drawing.thing import Thing

CLASSES = {"person": 15, "car": 7}
VOID = 255


class PascalVoc:
    """Boxes counted from 1 with both ends inside; masks with a border of void."""

    folder = "pascal_voc"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder / "VOCdevkit" / "VOC2012"
        self._names: dict[str, list[str]] = {}

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        name = f"2001_{shot.index:06d}"
        segmented = shot.index % 2 == 0
        things = [thing for thing in shot.scene.things if thing.category in CLASSES]
        shot.place_photo(self._root / "JPEGImages" / f"{name}.jpg")
        write_whole(self._root / "Annotations" / f"{name}.xml", _xml(shot, name, things, segmented).encode())
        self._names.setdefault(f"Main/{shot.split}", []).append(name)
        if segmented:
            self._names.setdefault(f"Segmentation/{shot.split}", []).append(name)
            self._segment(shot, name, things)

    def _segment(self, shot: Shot, name: str, things: list[Thing]) -> None:
        objects = np.zeros(shot.scene.stuff.shape, np.uint8)
        classes = objects.copy()
        for number, thing in enumerate(things, 1):
            objects[thing.mask], classes[thing.mask] = number, CLASSES[thing.category]
        border = _border(objects)
        for kind, indices in (("Object", objects), ("Class", classes)):
            picture = Image.fromarray(np.where(border, np.uint8(VOID), indices))
            picture.putpalette(_palette())
            path = self._root / f"Segmentation{kind}" / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path, "PNG")

    def finish(self) -> tuple[str, ...]:
        """Write the lists."""
        for place, names in self._names.items():
            write_whole(self._root / "ImageSets" / f"{place}.txt", "".join(f"{name}\n" for name in names).encode())
        order = (("", "Main/train"), ("", "Main/val"), ("seg_", "Segmentation/train"), ("seg_", "Segmentation/val"))
        return tuple(f"{kind}{place.partition('/')[2]}2012" for kind, place in order if place in self._names)


def _border(objects: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Background pixels that touch an object: VOC leaves the outline of things undecided."""
    padded = np.pad(objects > 0, 1)
    near = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    return near & (objects == 0)


def _palette() -> list[int]:
    """VOC's colours: the bits of an index dealt out in turn to red, green and blue, highest first."""
    flat: list[int] = []
    for index in range(256):
        for channel in range(3):
            flat.append(sum((index >> 3 * bit + channel & 1) << 7 - bit for bit in range(8)))
    return flat


def _xml(shot: Shot, name: str, things: list[Thing], segmented: bool) -> str:
    width, height = shot.size_wh
    rows = [
        f"<annotation><folder>VOC2012</folder><filename>{name}.jpg</filename>",
        f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>",
        f"<segmented>{int(segmented)}</segmented>",
    ]
    for thing in things:
        x0, y0, x1, y1 = (round(value) for value in thing.box_xyxy)
        box = f"<xmin>{x0 + 1}</xmin><ymin>{y0 + 1}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>"
        facts = f"<pose>Unspecified</pose><truncated>0</truncated><difficult>{int(thing.crowd)}</difficult>"
        rows.append(f"<object><name>{thing.category}</name>{facts}<bndbox>{box}</bndbox></object>")
    return "\n".join([*rows, "</annotation>\n"])


WRITER = PascalVoc
