"""What a finished chunk says of itself: a small JSON file beside its Arrow file, written after it. A chunk is finished
when its receipt is there and names the planned key; everything else is done again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vtinstruct.partial import partial
from vtinstruct.record import Drop

MISSING = (-1, -1)


@dataclass(frozen=True, slots=True)
class Group:
    """The batches of one task in a chunk's file, and how many dialogues a mix left out: groups follow each other in task
    order."""

    task: str
    batches: int
    rows: int
    units: tuple[int, ...]  # in each batch
    bytes: int
    sampled_out: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """`key` of the plan, size and hash of the Arrow file, its groups, what was dropped, one hash over the depth maps read
    ("" without any), and the state of every photo and depth file looked at: (path below the source's root, bytes, time
    of change in ns). `records` were read, `lost` slots gave none that can be used, `seconds` were spent."""

    key: str
    bytes: int
    sha256: str
    records: int
    lost: int
    seconds: float
    depth_sha256: str
    groups: tuple[Group, ...]
    drops: tuple[Drop, ...]
    inputs: tuple[tuple[str, int, int], ...] = ()

    @property
    def dialogues(self) -> int:
        """Rows of all groups."""
        return sum(group.rows for group in self.groups)


def write_atomically(path: Path, text: str) -> None:
    """Write a text file under its name at once, or not at all, and survive a power cut."""
    temporary = partial(path)
    with temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def write_receipt(path: Path, receipt: Receipt) -> None:
    """Write a receipt; with it the chunk counts as finished."""
    write_atomically(path, json.dumps(asdict(receipt), ensure_ascii=False) + "\n")


def read_receipt(folder: Path, name: str, key: str) -> Receipt | None:
    """The receipt of chunk `name`, or None when the chunk is not finished: no receipt, another key, or an Arrow file that
    is not there in full."""
    try:
        wire: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        there = (folder / f"{name}.arrow").stat().st_size
    except (OSError, ValueError):
        return None
    if wire.get("key") != key or wire.get("bytes") != there:
        return None
    groups = tuple(
        Group(
            group["task"], group["batches"], group["rows"], tuple(group["units"]), group["bytes"], group["sampled_out"]
        )
        for group in wire.pop("groups")
    )
    drops = tuple(Drop(**drop) for drop in wire.pop("drops"))
    inputs = tuple((path, size, changed) for path, size, changed in wire.pop("inputs"))
    return Receipt(groups=groups, drops=drops, inputs=inputs, **wire)


def first_changed(root: str, inputs: Iterable[tuple[str, int, int]]) -> str | None:
    """The first file below `root` that is not in the state in which a chunk saw it; None when all are."""
    for path, size, changed in inputs:
        try:
            state = os.stat(os.path.join(root, path))
            now = (state.st_size, state.st_mtime_ns)
        except OSError:
            now = MISSING
        if now != (size, changed):
            return path
    return None
