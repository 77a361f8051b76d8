"""Builds any number of dialogues of five masks, and says what it took: the numbers of `docs/scale.md`.

    python -m tests.perf.million 1000000 OUT > million.json

The records are made in memory as they are asked for (photos are not opened: their cost is the disk's), everything
behind them is the build as it is: one process, tasks, columns, chunks, shards, card, manifest. The JSON line holds rates by
the clock and by processor time, the peak memory, and every chunk's seconds, from which `tests.perf.cluster` simulates a
cluster.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from vtinstruct.build import Options, build
from vtinstruct.build.choose import Chosen
from vtinstruct.build.progress import Silent
from vtinstruct.build.receipt import Receipt
from vtinstruct.geometry import rle_from_runs
from vtinstruct.record import Category, Origin, Photo, Record, Region
from vtinstruct.source import Source
from vtinstruct.units import Rle

MASKS = 5


def some_masks(count: int) -> list[Rle]:
    """Masks of 480 x 640 with about 60 runs each, as long as COCO's usual ones."""
    found = []
    for seed in range(count):
        random = Random(seed)
        cuts = sorted(random.sample(range(1, 480 * 640), 60))
        runs = [b - a for a, b in zip([0, *cuts], [*cuts, 480 * 640], strict=True)]
        found.append(rle_from_runs(runs, (480, 640)))
    return found


class Regions:
    """An opened source of photos with five masks each, made in memory when asked for."""

    def __init__(self, rows: int, masks: list[Rle], root: Path) -> None:
        self.rows, self.masks, self.files, self.faults = rows, masks, [root / "ann.json"], ()
        self.vocabulary = (Category(18, "dog"),)

    def __len__(self) -> int:
        return self.rows

    def records(self, start: int, stop: int, report: Any) -> Iterator[Record]:
        for number in range(start, stop):
            regions = tuple(
                Region(
                    f"{number}-{i}", "dog", 18, (10.0 * i, 5.0, 10.0 * i + 50, 90.0),
                    self.masks[(number * MASKS + i) % len(self.masks)], area=100.5 + i,
                )
                for i in range(MASKS)
            )  # fmt: skip
            photo = Photo(f"{number:012d}.jpg", (640, 480), f"coco:{number}")
            yield Record(str(number), "made", "train", "CC0-1.0", Origin("ann.json", str(number)), photo, regions)


def made_source(opened: Any) -> Source:
    """A source that opens as `opened`."""
    return Source(
        "made", "Made", "https://example.org", "CC0-1.0", frozenset({"image", "masks", "boxes"}), ("train",), "", "1",
        lambda root: ("train",), lambda root, split: opened,
    )  # fmt: skip


def memory_mb(name: str) -> float:
    """A line of this process's status in MB: `VmHWM` the most that was ever resident, `RssAnon` what is its own now (not
    mapped from files). `ru_maxrss` would be the parent's where that was larger before it became this program."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise KeyError(name)


class Timing(Silent):
    """Keeps every chunk's seconds, when the shards began to be put together, and the most memory of its own."""

    def __init__(self) -> None:
        self.chunks: list[float] = []
        self.finishing_since = self.own_mb = 0.0

    def look(self) -> None:
        """Note the memory of this moment."""
        self.own_mb = max(self.own_mb, memory_mb("RssAnon"))

    def chunk(self, slots: int, receipt: Receipt) -> None:
        self.chunks.append(receipt.seconds)
        self.look()

    def finishing(self, slots: int) -> None:
        self.finishing_since = self.finishing_since or time.process_time()
        self.look()


def measure(rows: int, out: Path) -> dict[str, Any]:
    """Build once and remove it again; what it took."""
    root = out / "source"
    root.mkdir(parents=True)
    (root / "ann.json").write_text("{}")
    source, watcher = made_source(Regions(rows, some_masks(500), root)), Timing()
    clock, processor = time.monotonic(), time.process_time()
    with patch("vtinstruct.build.chunk.source_named", lambda name: source):
        built = build([Chosen(source, root, ("train",))], Options(("seg",), photo_check=False), out / "set", watcher)
    spent, used = time.monotonic() - clock, time.process_time() - processor
    watcher.look()
    shards = built.manifest.files
    assert sum(shard.rows for shard in shards) == rows
    found = {
        "rows": rows,
        "bytes": sum(shard.bytes for shard in shards),
        "shards": len(shards),
        "content": built.manifest.content_hash,
        "seconds": round(spent, 1),
        "processor_seconds": round(used, 1),
        "finishing_processor_seconds": round(time.process_time() - watcher.finishing_since, 1),
        "rows_per_processor_second": round(rows / used),
        "peak_mb": round(memory_mb("VmHWM")),
        "peak_own_mb": round(watcher.own_mb),
        "load": os.getloadavg()[0],
        "chunk_seconds": watcher.chunks,
    }
    shutil.rmtree(out)
    return found


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), Path(sys.argv[2]))))
