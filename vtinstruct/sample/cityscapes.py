"""Writes the sample as Cityscapes gtFine: `instanceIds`, `labelIds` and `polygons` beside each other, one city a place.

Names and ids are the official ones; what Cityscapes has no class for is "static" (4), "dynamic" (5) or "ground" (6). A
crowd of persons is a group: its pixels carry the label without a number.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vtinstruct.sample._shot import Shot, write_json
from vtinstruct.sample.drawing.backdrops import STUFF

# our word -> official name, id, whether things are numbered
THINGS: dict[str, tuple[str, int, bool]] = {
    "person": ("person", 24, True),
    "car": ("car", 26, True),
    "tree": ("vegetation", 21, False),
    "lamp": ("static", 4, False),
    "box": ("static", 4, False),
    "cone": ("static", 4, False),
    "cup": ("static", 4, False),
    "star": ("dynamic", 5, False),
    "ball": ("dynamic", 5, False),
    "ring": ("dynamic", 5, False),
}
GROUND: dict[str, tuple[str, int]] = {
    "sky": ("sky", 23),
    "hill": ("terrain", 22),
    "grass": ("terrain", 22),
    "sand": ("ground", 6),
    "sea": ("ground", 6),
    "wall": ("wall", 12),
    "floor": ("ground", 6),
    "rug": ("ground", 6),
}


class Cityscapes:
    """Every pixel a class, persons and cars one by one."""

    folder = "cityscapes"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._seen: Counter[str] = Counter()

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        self._seen[shot.split] += 1
        city = shot.scene.place
        stem = f"{city}_{0:06d}_{shot.index:06d}"
        folder = self._root / "gtFine" / shot.split / city
        labels, instances, objects = _labelled(shot)
        width, height = shot.size_wh
        write_json(
            folder / f"{stem}_gtFine_polygons.json", {"imgHeight": height, "imgWidth": width, "objects": objects}
        )
        Image.fromarray(labels).save(folder / f"{stem}_gtFine_labelIds.png", "PNG")
        Image.fromarray(instances).save(folder / f"{stem}_gtFine_instanceIds.png", "PNG")
        photo = self._root / "leftImg8bit" / shot.split / city / f"{stem}_leftImg8bit.png"
        photo.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(shot.scene.photo).save(photo, "PNG")

    def finish(self) -> tuple[str, ...]:
        """Nothing is left to write; there are no list files."""
        return tuple(split for split in ("train", "val") if self._seen[split])


def _labelled(shot: Shot) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], list[dict[str, Any]]]:
    """`labelIds` (H, W) uint8, `instanceIds` (H, W) uint16, and the outlines of the things."""
    labels = np.zeros(shot.scene.stuff.shape, np.uint8)
    for value, word in enumerate(STUFF, 1):
        labels[shot.scene.stuff == value] = GROUND[word][1]
    instances = labels.astype(np.uint16)
    counts: Counter[int] = Counter()
    objects: list[dict[str, Any]] = []
    for thing, outlines in zip(shot.scene.things, shot.polygons, strict=True):
        name, id_, numbered = THINGS[thing.category]
        labels[thing.mask] = instances[thing.mask] = id_
        if numbered and not thing.crowd:
            instances[thing.mask] = 1000 * id_ + counts[id_]
            counts[id_] += 1
        for outline in outlines:
            points = [[int(x), int(y)] for x, y in zip(outline[0::2], outline[1::2], strict=True)]
            objects.append({"label": f"{name}group" if thing.crowd and numbered else name, "polygon": points})
    return labels, instances, objects


WRITER = Cityscapes
