"""What a planned build will take: rows, bytes and seconds of every split, from a few of its records made for real.

Nothing is written. The records are spread over the split, so that a file sorted by size or by source does not mislead.
"""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# (pyarrow ships no types)

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from vtinstruct.build.chunk import Job, Making, open_split
from vtinstruct.build.exclude import write_excluded
from vtinstruct.build.plan import Plan, PlannedSplit
from vtinstruct.record import Drop
from vtinstruct.values import gc_paused

RUNS, RUN = 16, 8  # so many stretches of so many records
COPY_BYTES_PER_SECOND = 300e6  # of chunks into shards: two hashes, a read and a write


@dataclass(frozen=True, slots=True)
class Forecast:
    """One split: what the plan says (`records`, `chunks`, `tasks`), and estimates: dialogues, bytes of the shards, of copied
    photos, processor seconds of one worker to make it all, seconds to open it once in each worker."""

    source: str
    split: str
    records: int
    chunks: int
    tasks: tuple[str, ...]
    dialogues: int
    bytes: int
    photo_bytes: int
    seconds: float
    open_seconds: float


def forecast(plan: Plan) -> tuple[Forecast, ...]:
    """Estimates for every split of the plan. Raises `SourceError` or `ChunkError` as the build itself would."""
    with TemporaryDirectory() as folder:
        excluded = ""
        if plan.excluded.ids:
            excluded = str(Path(folder, f"{plan.excluded.digest()[:16]}.json"))
            write_excluded(plan.excluded, Path(excluded))
        return tuple(_split(plan, number, split, folder, excluded) for number, split in enumerate(plan.splits))


def _split(plan: Plan, number: int, split: PlannedSplit, folder: str, excluded: str) -> Forecast:
    options = replace(plan.options, copy_photos=False)
    began = time.perf_counter()
    opened = open_split(split)
    open_seconds = time.perf_counter() - began
    job = Job("", "", 0, split.built, split, options, folder, folder, excluded)
    stretches = _stretches(split.built)
    if stretches:  # once untimed: the first record pays for imports
        warming = Making(job, opened)
        for record in opened.records(*stretches[0], warming.drops.append):
            warming.take(record)
        _made(warming)
    with gc_paused():
        making, drops = Making(job, opened), list[Drop]()
        began = time.process_time()
        for start, stop in stretches:
            for record in opened.records(start, stop, drops.append):
                making.take(record)
        rows, size = _made(making)
        spent = time.process_time() - began
    scale = split.built / max(sum(stop - start for start, stop in stretches), 1)
    seen = {path: size for path, size, _ in making.intake.inputs if size > 0}
    photos = sum(seen.values()) if plan.options.copy_photos or plan.options.embed else 0
    chunks = sum(chunk.split == number for chunk in plan.chunks)
    return Forecast(
        split.source,
        split.split,
        split.built,
        chunks,
        split.tasks,
        round(rows * scale),
        round(size * scale),
        round(photos * scale),
        spent * scale,
        open_seconds,
    )


def _made(making: Making) -> tuple[int, int]:
    """Rows and bytes of all dialogues of the records taken in."""
    made = [columns for task in making.split.tasks for columns in making.batches(task)]
    return sum(map(len, made)), sum(columns.batch().nbytes for columns in made)


def _stretches(slots: int) -> list[tuple[int, int]]:
    if slots <= RUNS * RUN:
        return [(0, slots)] if slots else []
    return [(start, start + RUN) for start in (number * (slots - RUN) // (RUNS - 1) for number in range(RUNS))]


def total_seconds(found: Sequence[Forecast], workers: int) -> float:
    """The whole build's seconds with so many workers on as many free cores: every worker opens every split."""
    making = sum(entry.open_seconds + entry.seconds / workers for entry in found)
    return making + sum(entry.bytes for entry in found) / COPY_BYTES_PER_SECOND
