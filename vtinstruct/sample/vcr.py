"""Writes the sample as VCR: lines of questions about numbered things, and the metadata of every still beside it."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import msgspec

from vtinstruct.sample._asking import keyed, taken
from vtinstruct.sample._shot import Shot, write_json, write_whole
from vtinstruct.sample.drawing.layout import COLOURS

CHOICES = 4


class Vcr:
    """Who stands nearer, and what colour somebody or something has."""

    folder = "vcr"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._lines: dict[str, list[bytes]] = {"train": [], "val": []}

    def add(self, shot: Shot) -> None:
        """Take one scene that has two things or more."""
        singles = [k for k, _ in shot.singles()]
        if not taken(shot) or len(singles) < 2:
            return
        stem = f"lsmdc_SAMPLE/SAMPLE_{shot.index:05d}@0"
        shot.place_photo(self._root / "vcr1images" / f"{stem}.jpg")
        width, height = shot.size_wh
        metadata = {
            "boxes": [[*shot.scene.things[k].box_xyxy, 0.99] for k in singles],
            "segms": [[list(zip(part[::2], part[1::2], strict=True)) for part in shot.polygons[k]] for k in singles],
            "names": [shot.scene.things[k].category for k in singles],
            "width": width,
            "height": height,
        }
        write_json(self._root / "vcr1images" / f"{stem}.json", metadata)
        rng = keyed(shot, "vcr")
        asked = [_nearer(shot, singles, rng), _colour(shot, singles, rng)]
        for n, (question, answers, reasons) in enumerate(asked):
            order, other = rng.sample(range(CHOICES), CHOICES), rng.sample(range(CHOICES), CHOICES)
            row = {
                "movie": "SAMPLE",
                "objects": metadata["names"],
                "img_fn": f"{stem}.jpg",
                "metadata_fn": f"{stem}.json",
                "question": question,
                "question_number": n,
                "answer_choices": [answers[k] for k in order],
                "answer_label": order.index(0),
                "rationale_choices": [reasons[k] for k in other],
                "rationale_label": other.index(0),
                "img_id": f"{shot.split}-{shot.index}",
                "annot_id": f"{shot.split}-{shot.index}-{n}",
            }
            self._lines[shot.split].append(msgspec.json.encode(row))

    def finish(self) -> tuple[str, ...]:
        """Write the lines."""
        splits = tuple(split for split, lines in self._lines.items() if lines)
        for split in splits:
            write_whole(self._root / f"{split}.jsonl", b"\n".join(self._lines[split]) + b"\n")
        return splits


Asked = tuple[list[Any], list[list[Any]], list[list[Any]]]  # question; choices, the right one first; reasons, likewise


def _nearer(shot: Shot, singles: list[int], rng: Random) -> Asked:
    first, second = rng.sample(range(len(singles)), 2)
    depths = [shot.scene.things[singles[k]].depth_m for k in (first, second)]
    near, far = (first, second) if depths[0] <= depths[1] else (second, first)
    answers: list[list[Any]] = [
        [[near], "is", "nearer", "than", [far], "."],
        [[far], "is", "nearer", "than", [near], "."],
        ["Neither", "can", "be", "seen", "."],
        ["They", "are", "the", "same", "thing", "."],
    ]
    reasons: list[list[Any]] = [
        [[near], "stands", "lower", "in", "the", "picture", ",", "closer", "to", "us", "."],
        [[far], "hides", "everything", "else", "."],
        ["It", "is", "night", "."],
        ["The", "picture", "is", "empty", "."],
    ]
    return ["Which", "is", "nearer", ",", [first], "or", [second], "?"], answers, reasons


def _colour(shot: Shot, singles: list[int], rng: Random) -> Asked:
    k = rng.randrange(len(singles))
    colour = shot.scene.things[singles[k]].colour
    wrong = rng.sample([name for name in COLOURS if name != colour], CHOICES - 1)
    answers: list[list[Any]] = [[[k], "is", name, "."] for name in (colour, *wrong)]
    reasons: list[list[Any]] = [["Most", "of", [k], "is", name, "."] for name in (colour, *wrong)]
    return ["What", "color", "does", [k], "have", "?"], answers, reasons


WRITER = Vcr
