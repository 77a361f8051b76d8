"""What the sample's COCO-style files share: the head of the JSON, the image rows and the instance rows.

Format: the official one of cocodataset.org, "Data format"; key names and nesting as in `instances_train2017.json`.
"""

from pathlib import Path
from typing import Any

import numpy as np

from vtinstruct.sample._shot import STUFF_IDS, THING_IDS, Shot, scattered, write_json
from vtinstruct.sample.drawing.thing import Thing

FOLDER = "coco"
YEAR = {"train": "train2017", "val": "val2017"}


def info(title: str) -> dict[str, Any]:
    """The `info` object."""
    return {
        "description": f"VT-Instruct embedded sample: {title}",
        "url": "",
        "version": "1.0",
        "year": 2017,
        "contributor": "drawn by a program",
        "date_created": "2017/09/01",
    }


LICENCES = [{"url": "https://creativecommons.org/publicdomain/zero/1.0/", "id": 1, "name": "CC0 1.0"}]


def thing_categories() -> list[dict[str, Any]]:
    """The categories of things, by id."""
    return [{"supercategory": group, "id": number, "name": name} for name, (number, group) in THING_IDS.items()]


def panoptic_categories() -> list[dict[str, Any]]:
    """The categories of things and stuff, with COCO's `isthing`."""
    rows = [
        {"supercategory": group, "isthing": isthing, "id": number, "name": name}
        for isthing, table in ((1, THING_IDS), (0, STUFF_IDS))
        for name, (number, group) in table.items()
    ]
    return sorted(rows, key=lambda row: row["id"])


def image_row(shot: Shot, file_name: str) -> dict[str, Any]:
    """A row of `images`."""
    width, height = shot.size_wh
    return {
        "license": 1,
        "file_name": file_name,
        "coco_url": "",
        "height": height,
        "width": width,
        "date_captured": "2017-09-01 00:00:00",
        "flickr_url": "",
        "id": shot.image_id,
    }


def photo_name(shot: Shot) -> str:
    """The file name of COCO 2017."""
    return f"{shot.image_id:012d}.jpg"


def place_photo(shot: Shot, root: Path) -> str:
    """Put the photo where COCO 2017 has it, and return its file name."""
    name = photo_name(shot)
    shot.place_photo(root / YEAR[shot.split] / name)
    return name


def box_xywh(thing: Thing) -> list[float]:
    """COCO's `[x, y, width, height]`."""
    x0, y0, x1, y1 = thing.box_xyxy
    return [x0, y0, x1 - x0, y1 - y0]


def instance_row(shot: Shot, position: int) -> dict[str, Any]:
    """A row of `annotations`: polygons for one thing, uncompressed run lengths for a crowd."""
    thing = shot.scene.things[position]
    segmentation: Any
    if thing.crowd:
        width, height = shot.size_wh
        column_major = thing.mask.T.reshape(-1)
        edges = np.flatnonzero(column_major[1:] != column_major[:-1]) + 1
        runs = np.diff(np.concatenate(([0], edges, [column_major.size]))).tolist()
        segmentation = {"counts": [0, *runs] if bool(column_major[0]) else runs, "size": [height, width]}
    else:
        segmentation = shot.polygons[position]
    return {
        "segmentation": segmentation,
        "area": float(thing.mask.sum()),
        "iscrowd": int(thing.crowd),
        "image_id": shot.image_id,
        "bbox": box_xywh(thing),
        "category_id": THING_IDS[thing.category][0],
        "id": shot.annotation_id(position),
    }


class Collected:
    """Images and annotations of one kind of file, gathered per split and written as `<kind>_<split>2017.json`."""

    def __init__(self, root: Path, kind: str, title: str, categories: list[dict[str, Any]] | None) -> None:
        self.root, self.kind, self.title, self.categories = root, kind, title, categories
        self.images: dict[str, list[Any]] = {"train": [], "val": []}
        self.annotations: dict[str, list[Any]] = {"train": [], "val": []}

    def write(self) -> tuple[str, ...]:
        """Write the files of the splits that have photos, and name these splits."""
        splits = tuple(split for split in self.images if self.images[split])
        for split in splits:
            content: dict[str, Any] = {
                "info": info(f"{self.title} {YEAR[split]}"),
                "licenses": LICENCES,
                "images": scattered(self.images[split], f"images {split}"),
                "annotations": scattered(self.annotations[split], f"{self.kind} {split}"),
            }
            if self.categories is not None:
                content["categories"] = self.categories
            write_json(self.root / "annotations" / f"{self.kind}_{YEAR[split]}.json", content)
        return tuple(YEAR[split] for split in splits)
