"""Writes the sample as Osprey-724K beside COCO's train2017 photos: conversations, descriptions and short questions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vtinstruct.sample._asking import named, taken
from vtinstruct.sample._coco import FOLDER, box_xywh, place_photo
from vtinstruct.sample._shot import Shot, scattered, write_json
from vtinstruct.sample.drawing.wording import with_article

NAMES = {"conversation": "conversation", "detail": "detail_description", "short_form": "short_form"}


class Osprey:
    """The single things of the scenes that are for training, as numbered regions."""

    folder = FOLDER

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._rows: dict[str, list[Any]] = {name: [] for name in NAMES}

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        singles = [k for k, _ in shot.singles()]
        if not taken(shot) or shot.split != "train" or not singles:
            return
        width, height = shot.size_wh
        things = [shot.scene.things[k] for k in singles]
        head = {
            "id": shot.index,
            "file_name": place_photo(shot, self._root),
            "height": height,
            "width": width,
            "annotation": [
                {"bbox": box_xywh(thing), "segmentation": shot.polygons[k]}
                for k, thing in zip(singles, things, strict=True)
            ],
        }
        talk: list[str] = []
        short: list[str] = []
        for n, thing in enumerate(things, 1):
            talk += [f"What color is <region{n}>?", f"<region{n}> is {thing.colour}."]
            short += [f"What is <region{n}>?", thing.category]
        about = [
            f"<region{n}>: {with_article(named(thing))} in a {shot.scene.place}." for n, thing in enumerate(things, 1)
        ]
        self._rows["conversation"].append({**head, "conversations": _turns(talk)})
        self._rows["short_form"].append({**head, "conversations": _turns(short)})
        self._rows["detail"].append({**head, "description": about})

    def finish(self) -> tuple[str, ...]:
        """Write the three files."""
        kinds = tuple(kind for kind, rows in self._rows.items() if rows)
        for kind in kinds:
            path = self._root / "Osprey-724K" / f"osprey_{NAMES[kind]}.json"
            write_json(path, scattered(self._rows[kind], f"osprey {kind}"))
        return tuple(f"train_{kind}" for kind in kinds)


def _turns(values: list[str]) -> list[dict[str, str]]:
    return [{"from": ("human", "gpt")[n % 2], "value": value} for n, value in enumerate(values)]


WRITER = Osprey
