"""Writes the sample as GranD: one JSON a photo, with objects, a floating object, grounded short and dense captions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from vtinstruct.sample._asking import named, taken
from vtinstruct.sample._shot import Shot, write_json
from vtinstruct.sample._tied import tied_caption


class Grand:
    """The scenes that are for training."""

    folder = "grand"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._any = False

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        if not taken(shot) or shot.split != "train":
            return
        self._any = True
        name = f"sa_{shot.image_id}"
        shot.place_photo(self._root / "images" / f"{name}.jpg")
        objects = [_object(shot, k) for k, _ in shot.singles()]
        text, phrases = tied_caption(shot)
        short = [
            {"phrase": text[p.start : p.stop], "tokens_positive": [p.start, p.stop], "id": p.target} for p in phrases
        ]
        dense = [
            {"phrase": text[p.start : p.stop], "tokens_positive": [p.start, p.stop], "ids": [p.target]} for p in phrases
        ]
        content: dict[str, Any] = {
            "objects": objects,
            "floating_objects": [],
            "landmark": {"category": "Outdoor scene", "fine_category": shot.scene.place},
            "relationships": {"object_ids": [], "floating_object_ids": [], "grounding": []},
            "short_captions": [{"caption": text, "details": short}],
            "dense_caption": {"caption": text, "details": dense},
        }
        write_json(self._root / "annotations" / f"{name}.json", {f"{name}.jpg": content})

    def finish(self) -> tuple[str, ...]:
        """Nothing is left to write."""
        return ("train",) if self._any else ()


def _object(shot: Shot, position: int) -> dict[str, Any]:
    thing = shot.scene.things[position]
    native: Any = coco_mask.encode(np.asfortranarray(thing.mask.astype(np.uint8)))
    return {
        "id": position,
        "bbox": list(thing.box_xyxy),
        "labels": [thing.category],
        "score": 0.9,
        "attributes": [f"istant: {named(thing)}"],
        "segmentation": {"size": list(native["size"]), "counts": native["counts"].decode("ascii")},
        "depth": thing.depth_m,
    }


WRITER = Grand
