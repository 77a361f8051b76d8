"""Writes the sample as POPE: six yes/no probes a photo in three files of JSON lines that are called .json."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec

from vtinstruct.sample._asking import keyed, taken
from vtinstruct.sample._shot import THING_IDS, Shot, write_whole
from vtinstruct.sample._vqa import FOLDER, photo_name, place_photo
from vtinstruct.sample.drawing.wording import with_article

SETTINGS = ("random", "popular", "adversarial")
PROBES = 3  # of each label


class Pope:
    """The evaluation scenes: things that are there, and as many that are not."""

    folder = FOLDER

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._shots: list[Shot] = []
        self._often: Counter[str] = Counter()
        self._along: Counter[tuple[str, str]] = Counter()

    def add(self, shot: Shot) -> None:
        """Take one scene, and count what comes often, and what comes along."""
        kinds = sorted({thing.category for thing in shot.scene.things})
        self._often.update(kinds)
        self._along.update((first, second) for first in kinds for second in kinds if first != second)
        if taken(shot) and shot.split == "val" and kinds:
            self._shots.append(shot)

    def _absent(self, setting: str, shot: Shot, present: list[str]) -> list[str]:
        others = [name for name in THING_IDS if name not in present]
        if setting == "random":
            return keyed(shot, "pope").sample(others, PROBES)
        if setting == "popular":
            return sorted(others, key=lambda name: (-self._often[name], name))[:PROBES]
        return sorted(others, key=lambda name: (-sum(self._along[seen, name] for seen in present), name))[:PROBES]

    def finish(self) -> tuple[str, ...]:
        """Write the three files."""
        if not self._shots:
            return ()
        for setting in SETTINGS:
            rows: list[bytes] = []
            for shot in self._shots:
                place_photo(shot, self._root)
                present = sorted({thing.category for thing in shot.scene.things})
                for yes, no in zip(present[:PROBES], self._absent(setting, shot, present), strict=False):
                    for name, label in ((yes, "yes"), (no, "no")):
                        text = f"Is there {with_article(name)} in the image?"
                        row = {"question_id": len(rows) + 1, "image": photo_name(shot), "text": text, "label": label}
                        rows.append(msgspec.json.encode(row))
            write_whole(self._root / "coco" / f"coco_pope_{setting}.json", b"\n".join(rows) + b"\n")
        return SETTINGS


WRITER = Pope
