"""Writes the sample as nocaps: captions of the evaluation scenes, photos named as Open Images names them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from vtinstruct.sample._asking import taken
from vtinstruct.sample._shot import Shot, scattered, write_json

DOMAINS = ("in-domain", "near-domain", "out-domain")


class Nocaps:
    """Photos with all their captions."""

    folder = "nocaps"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._images: list[Any] = []
        self._annotations: list[Any] = []

    def add(self, shot: Shot) -> None:
        """Take one scene, if it is for evaluation."""
        if not taken(shot) or shot.split != "val":
            return
        open_id = hashlib.sha256(f"{shot.seed} {shot.index}".encode()).hexdigest()[:16]
        shot.place_photo(self._root / "val" / f"{open_id}.jpg")
        width, height = shot.size_wh
        self._images.append(
            {
                "id": len(self._images),
                "open_images_id": open_id,
                "width": width,
                "height": height,
                "file_name": f"{open_id}.jpg",
                "coco_url": "",
                "domain": DOMAINS[len(self._images) % 3],
            }
        )
        for caption in shot.scene.captions:
            row = {"image_id": self._images[-1]["id"], "id": len(self._annotations), "caption": caption}
            self._annotations.append(row)

    def finish(self) -> tuple[str, ...]:
        """Write the file."""
        if not self._images:
            return ()
        content = {
            "info": {"description": "VT-Instruct embedded sample", "year": 2018},
            "licenses": [],
            "images": self._images,
            "annotations": scattered(self._annotations, "nocaps"),
        }
        write_json(self._root / "nocaps_val_4500_captions.json", content)
        return ("val",)


WRITER = Nocaps
