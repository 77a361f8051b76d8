"""Writes the sample as Flickr30k Entities: `Sentences/<id>.txt`, `Annotations/<id>.xml`, split lists and photos.

Boxes are VOC's: whole pixels counted from 1, both ends inside.
"""

from __future__ import annotations

from pathlib import Path

from vtinstruct.sample._asking import named, taken
from vtinstruct.sample._shot import Shot, write_whole
from vtinstruct.sample.drawing.thing import Thing
from vtinstruct.sample.drawing.wording import with_article

ORDER = ("train", "val", "test")


class Flickr30kEntities:
    """Two sentences a scene: one names every thing from left to right, the other the nearest one."""

    folder = "flickr30k_entities"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._ids: dict[str, list[int]] = {split: [] for split in ORDER}

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        if not taken(shot):
            return
        split = "train" if shot.split == "train" else ("val", "test")[shot.index // 5 % 2]
        self._ids[split].append(shot.image_id)
        shot.place_photo(self._root / "flickr30k-images" / f"{shot.image_id}.jpg")
        singles = sorted((thing for _, thing in shot.singles()), key=lambda thing: thing.middle_x)
        sentences = "".join(f"{line}\n" for line in _sentences(shot.scene.place, singles))
        write_whole(self._root / "Sentences" / f"{shot.image_id}.txt", sentences.encode())
        write_whole(self._root / "Annotations" / f"{shot.image_id}.xml", _annotation(shot, singles).encode())

    def finish(self) -> tuple[str, ...]:
        """Write the split lists and the list of sentences that belong to another photo (none here)."""
        splits = tuple(split for split in ORDER if self._ids[split])
        for split in splits:
            write_whole(self._root / f"{split}.txt", "".join(f"{id_}\n" for id_ in self._ids[split]).encode())
        write_whole(self._root / "UNRELATED_CAPTIONS", b"# format: <imageID> <sentence number>\n")
        return splits


def _phrase(chain: int, thing: Thing) -> str:
    kind = "people" if thing.category == "person" else "other"
    return f"[/EN#{chain}/{kind} {with_article(named(thing))}]"


def _sentences(place: str, singles: list[Thing]) -> list[str]:
    scene = f"[/EN#{len(singles) + 1}/scene a {place}]"
    if not singles:
        return [f"Nobody is on {scene} .", f"[/EN#0/notvisual Nothing] happens here on {scene} ."]
    phrases = [_phrase(k + 1, thing) for k, thing in enumerate(singles)]
    nearest = min(range(len(singles)), key=lambda k: singles[k].depth_m)
    return [f"There is {' and '.join(phrases)} on {scene} .", f"{phrases[nearest]} is nearest in {scene} ."]


def _annotation(shot: Shot, singles: list[Thing]) -> str:
    width, height = shot.size_wh
    rows = [
        f"<annotation><filename>{shot.image_id}.jpg</filename>",
        f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>",
    ]
    for k, thing in enumerate(singles):
        x0, y0, x1, y1 = (round(value) for value in thing.box_xyxy)
        box = f"<xmin>{x0 + 1}</xmin><ymin>{y0 + 1}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>"
        rows.append(f"<object><name>{k + 1}</name><bndbox>{box}</bndbox></object>")
    rows.append(f"<object><name>{len(singles) + 1}</name><scene>1</scene><nobndbox>0</nobndbox></object>")
    return "\n".join([*rows, "</annotation>\n"])


WRITER = Flickr30kEntities
