"""Writes the sample as GRIT, as img2dataset stores it in files: a photo and its JSON side by side."""

from __future__ import annotations

from pathlib import Path

from vtinstruct.sample._asking import taken
from vtinstruct.sample._shot import Shot, write_json
from vtinstruct.sample._tied import tied_caption

PER_SHARD = 100


class Grit:
    """The scenes that are for training and have something to name."""

    folder = "grit"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._count = 0

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        text, phrases = tied_caption(shot)
        if not taken(shot) or shot.split != "train" or not phrases:
            return
        shard, width_height = self._count // PER_SHARD, shot.size_wh
        stem = self._root / f"{shard:05d}" / f"{shard:05d}{self._count % PER_SHARD:04d}"
        self._count += 1
        shot.place_photo(stem.with_suffix(".jpg"))
        width, height = width_height
        rows: list[list[float]] = []
        for phrase in phrases:
            x0, y0, x1, y1 = shot.scene.things[phrase.target].box_xyxy
            rows.append([phrase.start, phrase.stop, x0 / width, y0 / height, x1 / width, y1 / height, 0.9])
        content = {
            "clip_similarity_vitb32": 0.3,
            "clip_similarity_vitl14": 0.2,
            "id": shot.image_id,
            "url": f"https://example.org/{shot.image_id}.jpg",
            "caption": text,
            "key": stem.name,
            "status": "success",
            "error_message": None,
            "width": width,
            "height": height,
            "noun_chunks": rows,
            "ref_exps": rows[:1],
        }
        write_json(stem.with_suffix(".json"), content)

    def finish(self) -> tuple[str, ...]:
        """Nothing is left to write."""
        return ("train",) if self._count else ()


WRITER = Grit
