"""One chunk: slots of a source -> records -> dialogues -> one Arrow file and its receipt.

A pure function of the plan: randomness comes from a hash of (seed, source, record, task), so neither order nor company
nor the worker matters. Everything left out becomes a `Drop`.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (pyarrow ships no types)

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from vtinstruct.build.choose import source_named
from vtinstruct.build.exclude import Excluded, load_excluded
from vtinstruct.build.intake import Intake
from vtinstruct.build.licences import EVERY
from vtinstruct.build.mix import Sampler
from vtinstruct.build.plan import InputFile, Options, PlannedSplit, task_named
from vtinstruct.build.receipt import Group, Receipt, read_receipt, write_receipt
from vtinstruct.chance import Keyed
from vtinstruct.columns import Columns, RowError, Stamp
from vtinstruct.dialogue import Dialogue, StoredPhoto
from vtinstruct.manifest import is_training
from vtinstruct.record import Drop, Record
from vtinstruct.shards import BATCH_ROWS, ShardWriter
from vtinstruct.source import Opened, SourceError
from vtinstruct.task import Setting
from vtinstruct.templates import Wordings
from vtinstruct.values import gc_paused


@dataclass(frozen=True, slots=True)
class Job:
    """A chunk to make, with all it takes: pickled to whatever process does it."""

    name: str
    key: str
    start: int
    stop: int
    split: PlannedSplit
    options: Options
    folder: str  # of the chunks
    photos: str  # where copied photos go
    excluded: str = ""  # file of the photos to keep out of training splits, "" for none


class ChunkError(Exception):
    """A chunk that failed for a reason of ours: names the chunk, the record and the task."""


def run_chunk(job: Job) -> Receipt:
    """Make a chunk, unless it is already there. Raises `SourceError` or `ChunkError`; then no receipt is left."""
    folder = Path(job.folder)
    known = read_receipt(folder, job.name, job.key)
    if known is not None:
        return known
    began = time.perf_counter()
    opened = open_split(job.split)
    with gc_paused():
        written = _make(job, opened, folder / f"{job.name}.arrow")
    _check_unchanged(job.split.root, job.split.files)  # or else a source that goes away would be read as lost photos
    receipt = replace(written, seconds=round(time.perf_counter() - began, 3))
    write_receipt(folder / f"{job.name}.json", receipt)
    return receipt


def _make(job: Job, opened: Opened, path: Path) -> Receipt:
    # a function of its own, so that all it made is gone by the time the collector may look again
    making = Making(job, opened)
    for record in opened.records(job.start, job.stop, making.drops.append):
        making.take(record)
    making.intake.missed(path for drop in making.drops for path in drop.looked_for)
    return making.write(path)


def open_split(split: PlannedSplit) -> Opened:
    """The split, opened once in this process. Raises `SourceError` when its files are not the planned ones any more."""
    return _opened(split.source, split.root, split.split, split.files)


@lru_cache(maxsize=2)  # a worker goes through the plan in order, so it needs the last one, and the next
def _opened(source: str, root: str, split: str, files: tuple[InputFile, ...]) -> Opened:
    opened = source_named(source).open(Path(root), split)
    _check_unchanged(root, files)
    return opened


def _check_unchanged(root: str, files: tuple[InputFile, ...]) -> None:
    for file in files:
        path = Path(root) / file.path
        try:
            state = path.stat()
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror or error}; it was there when the build was planned") from error
        if (state.st_size, state.st_mtime_ns) != (file.bytes, file.changed_ns):
            raise SourceError(f"{path}: has changed since the build was planned; run the build again")


class Making:
    """A chunk on its way: its records are taken in first and then made into dialogues task by task, so that a task's code and
    words stay at hand, and one task's dialogues at a time are held. `lost` records had no photo that can be used."""

    def __init__(self, job: Job, opened: Opened) -> None:
        self.job, self.split, self.seed = job, job.split, job.options.seed
        self.drops: list[Drop] = []
        self.records = self.lost = 0
        self.vocabulary = opened.vocabulary
        self.training = is_training(job.split.split)
        mix = job.options.mix if self.training else None
        self.sampler = Sampler(mix, self.seed, job.split.source) if mix is not None else None
        self.excluded = load_excluded(job.excluded) if job.excluded and self.training else Excluded()
        self.takes_all = job.options.licences == EVERY and not self.excluded.ids
        self.taken: list[tuple[Record, StoredPhoto | None]] = []
        self.intake = Intake(job.split, job.options, Path(job.photos), self.drops.append)
        # the build alone knows the annotation files' hashes and the converter's version
        self.stamp = Stamp(self.intake.origins, job.split.version)

    def take(self, record: Record) -> None:
        """Take a record in, with its photo as stored, or report why not."""
        self.records += 1
        if self._kept_out(record):
            return
        taken = self.intake.take(record)
        if taken is None:
            self.lost += 1
        elif taken[1] is None or not self._kept_out(record, taken[1].sha256):
            self.taken.append(taken)

    def _kept_out(self, record: Record, sha256: str = "") -> bool:
        if self.takes_all:
            return False
        drop = self.job.options.licences.drop(record) or self.excluded.drop(record, sha256)
        if drop is not None:
            self.drops.append(drop)
        return drop is not None

    def batches(self, name: str) -> Iterator[Columns]:
        """All dialogues of one task, at most `BATCH_ROWS` in each and none empty."""
        columns = Columns(self.stamp)
        for dialogue, photo, record in self._dialogues(name):
            try:
                columns.add(dialogue, photo)
            except RowError as error:
                drop = Drop(
                    record.source, record.split, record.origin.file, record.origin.row, "dialogue: no TRP text",
                    f"{dialogue.id}: {error}", task=name,
                )  # fmt: skip
                self.drops.append(drop)
            if len(columns) == BATCH_ROWS:
                yield columns
                columns = Columns(self.stamp)
        if len(columns):
            yield columns

    def _dialogues(self, name: str) -> list[tuple[Dialogue, StoredPhoto | None, Record]]:
        task, rng = task_named(name), Keyed()
        setting = Setting(rng, Wordings.load(name), self.vocabulary, self.training, self.seed, self.drops.append)
        found: list[tuple[Dialogue, StoredPhoto | None, Record]] = []
        for record, photo in self.taken:
            rng.key(f"{self.seed}|{record.source}|{record.id}|{name}")
            try:
                made = task.make(record, setting)
                if self.sampler is not None:
                    made = self.sampler.choose(record.id, name, bool(task.units), made)
                found += [(dialogue, photo, record) for dialogue in made]
            except Exception as error:
                where = f"{record.source}/{record.split}/{record.id}"
                raise ChunkError(f"task {name} failed on {where}: {type(error).__name__}: {error}") from error
        return found

    def write(self, path: Path) -> Receipt:
        """Write all dialogues as one Arrow file, task after task."""
        groups: list[Group] = []
        with ShardWriter(path) as writer:
            for task in self.split.tasks:
                units: list[int] = []
                rows = size = 0
                for columns in self.batches(task):
                    batch = columns.batch()
                    writer.add_batch(batch, columns.units)
                    units.append(columns.units)
                    rows, size = rows + len(columns), size + batch.nbytes
                left_out = self.sampler.left_out.get(task, 0) if self.sampler is not None else 0
                groups.append(Group(task, len(units), rows, tuple(units), size, left_out))
        done = writer.written
        assert done is not None  # the block ended well
        depth = self.intake.depth_digest()
        return Receipt(
            self.job.key,
            done.bytes,
            done.sha256,
            self.records,
            max(self.job.stop - self.job.start - self.records, 0) + self.lost,
            0.0,
            depth,
            tuple(groups),
            tuple(self.drops),
            tuple(self.intake.inputs),
        )
