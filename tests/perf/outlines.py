"""Outlines as people draw them around things, and folders of photos with them in COCO's own form."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from PIL import Image

SIZE_WH = (640, 480)


def outline(rng: np.random.Generator) -> list[float]:
    """A polygon of 40 corners around a point, flat: its mask has run lengths about as long as COCO's."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, 40))
    radius = rng.uniform(0.6, 1.0, 40) * rng.uniform(30, 160)
    x, y = rng.uniform(100, 540), rng.uniform(80, 400)
    corners = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], 1)
    return np.clip(corners, 0, SIZE_WH).round(2).ravel().tolist()


def coco_folder(root: Path, photos: int, things: int = 5) -> None:
    """`instances_train2017.json` with so many photos of so many things each, and the photos: one file under many names."""
    rng = np.random.default_rng(0)
    outlines = [outline(rng) for _ in range(500)]
    width, height = SIZE_WH
    images = [{"id": n, "file_name": f"{n:012d}.jpg", "width": width, "height": height} for n in range(photos)]
    annotations = []
    for n in range(photos * things):
        flat = outlines[n % 500]
        (x0, y0), (x1, y1) = (min(flat[::2]), min(flat[1::2])), (max(flat[::2]), max(flat[1::2]))
        annotations.append(
            {
                "id": n + 1, "image_id": n // things, "category_id": 1 + n % 80, "segmentation": [flat],
                "bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0) / 2, "iscrowd": 0,
            }
        )  # fmt: skip
    categories = [{"id": n, "name": f"thing {n}", "supercategory": "things"} for n in range(1, 81)]
    wire = {"images": images, "annotations": annotations, "categories": categories}
    folder = root / "train2017"
    folder.mkdir(parents=True)
    (root / "instances_train2017.json").write_text(json.dumps(wire))
    Image.new("RGB", SIZE_WH).save(folder / images[0]["file_name"])
    for image in images[1:]:
        os.link(folder / images[0]["file_name"], folder / image["file_name"])
