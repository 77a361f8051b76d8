"""Small COCO-style folders for tests, good by default and broken where a test says so."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from PIL import Image

from vtinstruct import plugins
from vtinstruct.record import Drop, Record

SIZE_WH = (20, 10)
CATEGORIES = [
    {"id": 1, "name": "person", "supercategory": "person", "keypoints": ["head", "foot"], "skeleton": [[1, 2]]},
    {"id": 18, "name": "dog", "supercategory": "animal"},
]
SQUARE = [[2.0, 2.0, 8.0, 2.0, 8.0, 8.0, 2.0, 8.0]]


def image(number: int, **changes: Any) -> dict[str, Any]:
    """A row of `images`."""
    row = {"id": number, "file_name": f"{number:012d}.jpg", "width": SIZE_WH[0], "height": SIZE_WH[1], "license": 1}
    return row | changes


def annotation(number: int, image_id: int = 7, **changes: Any) -> dict[str, Any]:
    """A row of `annotations`: a dog of 6 x 6 pixels. A change to `...` takes the key away."""
    row: dict[str, Any] = {
        "id": number,
        "image_id": image_id,
        "category_id": 18,
        "bbox": [2.0, 2.0, 6.0, 6.0],
        "area": 35.25,
        "iscrowd": 0,
        "segmentation": SQUARE,
    }
    return {key: value for key, value in (row | changes).items() if value is not ...}


def content(annotations: list[Any], images: list[Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A whole file of two photos, 7 and 9."""
    rows = [image(7), image(9)] if images is None else images
    return {"images": rows, "annotations": annotations, "categories": CATEGORIES} | changes


def write(root: Path, kind: str, what: dict[str, Any] | str | bytes, split: str = "val2017") -> Path:
    """Write the file as `annotations/<kind>_<split>.json` (Python's json: NaN stays NaN) and photos 7 and 9."""
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    data = what if isinstance(what, (str, bytes)) else json.dumps(what)
    path = root / "annotations" / f"{kind}_{split}.json"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    (root / split).mkdir(exist_ok=True)
    for number in (7, 9):
        Image.new("RGB", SIZE_WH).save(root / split / f"{number:012d}.jpg")
    return path


def read(name: str, root: Path, split: str = "val2017") -> tuple[list[Record], list[Drop]]:
    """All records and drops of a split."""
    opened = plugins.load("converters", name).open(root, split)
    drops = list(opened.faults)
    return list(opened.records(0, len(opened), drops.append)), drops


def reasons(drops: list[Drop]) -> Counter[str]:
    """How often each reason was given."""
    return Counter(drop.reason for drop in drops)
