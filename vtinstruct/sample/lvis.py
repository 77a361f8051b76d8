"""Writes the sample as LVIS v1: federated annotation of our ten classes, rare, common and frequent.

A class with a crowd in a photo is annotated there without it and listed as not exhaustive; of the classes that are not in
a photo a few are listed as negative, and the rest is not judged at all.
"""

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from vtinstruct.sample._coco import LICENCES, YEAR, box_xywh, image_row, info, photo_name, place_photo
from vtinstruct.sample._shot import THING_IDS, Shot, scattered, write_json

NAMES = {"car": "car_(automobile)", "ring": "ring", "lamp": "lamp", "star": "star_(shape)"}
IDS = {word: number for number, word in enumerate(sorted(THING_IDS), 1)}
NEGATIVES = 3
RARE, COMMON = 10, 100  # photos; lvisdataset.org


class Lvis:
    """Boxes and polygons of all things that are told apart."""

    folder = "lvis"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._images: dict[str, list[Any]] = {"train": [], "val": []}
        self._rows: dict[str, list[Any]] = {"train": [], "val": []}
        self._photos: Counter[str] = Counter()
        self._instances: Counter[str] = Counter()

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        things = shot.scene.things
        absent = sorted(set(IDS) - {thing.category for thing in things})
        chosen = Random(f"vt-instruct lvis {shot.seed} {shot.index}").sample(absent, min(NEGATIVES, len(absent)))
        image = image_row(shot, photo_name(shot))
        del image["file_name"]  # v1 has none
        place_photo(shot, self._root)
        image["coco_url"] = f"http://images.cocodataset.org/{YEAR[shot.split]}/{photo_name(shot)}"
        image["neg_category_ids"] = [IDS[word] for word in chosen]
        image["not_exhaustive_category_ids"] = sorted({IDS[thing.category] for thing in things if thing.crowd})
        self._images[shot.split].append(image)
        for position, thing in shot.singles():
            self._instances[thing.category] += shot.split == "train"
            row = {
                "id": shot.annotation_id(position),
                "image_id": shot.image_id,
                "category_id": IDS[thing.category],
                "segmentation": shot.polygons[position],
                "area": float(thing.mask.sum()),
                "bbox": box_xywh(thing),
            }
            self._rows[shot.split].append(row)
        if shot.split == "train":
            self._photos.update({thing.category for _, thing in shot.singles()})

    def finish(self) -> tuple[str, ...]:
        """Write the annotation files."""
        splits = tuple(split for split in ("train", "val") if self._images[split])
        for split in splits:
            content = {
                "info": info("LVIS"),
                "licenses": LICENCES,
                "images": scattered(self._images[split], f"images {split}"),
                "annotations": scattered(self._rows[split], f"lvis {split}"),
                "categories": [self._category(word) for word in IDS],
            }
            write_json(self._root / f"lvis_v1_{split}.json", content)
        return tuple(f"v1_{split}" for split in splits)

    def _category(self, word: str) -> dict[str, Any]:
        photos = self._photos[word]
        name = NAMES.get(word, word)
        return {
            "id": IDS[word],
            "name": name,
            "synset": f"{word}.n.01",
            "synonyms": [name, "automobile"] if word == "car" else [name],
            "def": f"a drawn {word}",
            "frequency": "r" if photos <= RARE else "c" if photos <= COMMON else "f",
            "image_count": photos,
            "instance_count": self._instances[word],
        }


WRITER = Lvis
