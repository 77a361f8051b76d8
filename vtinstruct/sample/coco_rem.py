"""Writes the sample as COCO-ReM: `instances_{trainrem,valrem}.json` with masks as compressed run lengths, no crowds."""

from pathlib import Path
from typing import Any

from vtinstruct.geometry import encode_mask
from vtinstruct.sample._coco import (
    LICENCES,
    box_xywh,
    image_row,
    info,
    place_photo,
    thing_categories,
)
from vtinstruct.sample._shot import THING_IDS, Shot, scattered, write_json

SPLIT = {"train": "trainrem", "val": "valrem"}


class CocoRem:
    """Boxes and exact masks of all things that are told apart."""

    folder = "coco_rem"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._images: dict[str, list[Any]] = {"train": [], "val": []}
        self._rows: dict[str, list[Any]] = {"train": [], "val": []}

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        self._images[shot.split].append(image_row(shot, place_photo(shot, self._root)))
        for position, thing in shot.singles():
            rle = encode_mask(thing.mask)
            row = {
                "id": shot.annotation_id(position),
                "image_id": shot.image_id,
                "category_id": THING_IDS[thing.category][0],
                "segmentation": {"size": list(rle.size_hw), "counts": rle.counts.decode("ascii")},
                "area": float(thing.mask.sum()),
                "bbox": box_xywh(thing),
                "iscrowd": 0,
            }
            self._rows[shot.split].append(row)

    def finish(self) -> tuple[str, ...]:
        """Write the annotation files."""
        splits = tuple(split for split in SPLIT if self._images[split])
        for split in splits:
            content = {
                "info": info("COCO-ReM"),
                "licenses": LICENCES,
                "images": scattered(self._images[split], f"images {split}"),
                "annotations": scattered(self._rows[split], f"rem {split}"),
                "categories": thing_categories(),
            }
            write_json(self._root / f"instances_{SPLIT[split]}.json", content)
        return tuple(SPLIT[split] for split in splits)


WRITER = CocoRem
