"""What the sample's files on Visual Genome's photos share: the folder of photos, the list of them, objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vtinstruct.sample._shot import Shot

FOLDER = "visual_genome"


def place_photo(shot: Shot, root: Path) -> str:
    """Put the photo into the older or the newer half of the photos, and return the half."""
    half = ("VG_100K", "VG_100K_2")[shot.index % 2]
    shot.place_photo(root / half / f"{shot.image_id}.jpg")
    return half


def image_row(shot: Shot, half: str) -> dict[str, Any]:
    """A row of `image_data.json`; every other photo is COCO's."""
    width, height = shot.size_wh
    return {
        "width": width,
        "url": f"https://cs.stanford.edu/people/rak248/{half}/{shot.image_id}.jpg",
        "height": height,
        "image_id": shot.image_id,
        "coco_id": shot.image_id if shot.index % 2 else None,
        "flickr_id": None,
    }


def object_rows(shot: Shot) -> list[dict[str, Any]]:
    """The single things as objects with attributes, in whole pixels."""
    rows: list[dict[str, Any]] = []
    for k, thing in shot.singles():
        x0, y0, x1, y1 = (round(value) for value in thing.box_xyxy)
        words = [thing.colour, thing.size, thing.pose, thing.texture if thing.texture != "plain" else ""]
        rows.append(
            {
                "object_id": shot.annotation_id(k),
                "x": x0,
                "y": y0,
                "w": x1 - x0,
                "h": y1 - y0,
                "names": [thing.category],
                "synsets": [],
                "attributes": [word for word in words if word],
            }
        )
    return rows
