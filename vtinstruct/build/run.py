"""A whole build: plan, chunks by some engine, finish. Resumable at any moment, the same bytes by any way.

`build` does it all. `build_part` makes one of n parts of the chunks, for a Slurm array or any other crowd of processes
that share a disk, and `finish_parts` puts them together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from vtinstruct.build import finish
from vtinstruct.build.choose import Chosen
from vtinstruct.build.chunk import ChunkError, Job, run_chunk
from vtinstruct.build.losses import Losses
from vtinstruct.build.order import read_order, write_order
from vtinstruct.build.plan import Chunk, Options, Plan, make_plan
from vtinstruct.build.receipt import Receipt, first_changed, read_receipt
from vtinstruct.build.workspace import Workspace, absolute, changes, open_workspace, summary
from vtinstruct.engines import EngineError, WorkerDied, local
from vtinstruct.manifest import DatasetError, Manifest, read_manifest
from vtinstruct.source import SourceError

MAX_FAILURES = 20  # so many failed chunks are no accident: stop

Engine = Callable[[Iterable[Job], Callable[[Job], Receipt], int], Iterator[tuple[Job, Receipt | Exception]]]


class BuildError(DatasetError):
    """A build that cannot be finished now; what is done is kept, and running it again goes on from there."""


class Watcher(Protocol):
    """Who wants to know how a build goes on."""

    def say(self, text: str) -> None:
        """One line for a person."""
        ...

    def planned(self, slots: int, done: int, chunks: int) -> None:
        """So many slots in so many chunks are to be made; `done` of the slots need not be done again."""
        ...

    def chunk(self, slots: int, receipt: Receipt) -> None:
        """A chunk is finished."""
        ...

    def failed(self, where: str, reason: str) -> None:
        """A chunk that could not be made, told when all others are done."""
        ...

    def finishing(self, slots: int) -> None:
        """Slots whose rows have been put into the shards."""
        ...


@dataclass(frozen=True, slots=True)
class Built:
    """A finished build. `reused` chunks were there already; `fresh` False means the whole dataset was."""

    manifest: Manifest
    plan: Plan
    reused: int
    seconds: float
    fresh: bool = True


def build(
    chosen: Sequence[Chosen],
    options: Options,
    out: Path,
    watcher: Watcher,
    workers: int = 1,
    engine: Engine = local.run,
    max_drop_rate: float = 1.0,
) -> Built:
    """Build the dataset at `out`. Raises `SourceError`, `DatasetError` or `BuildError`, each with one line; whatever chunk
    was finished by then is kept. `max_drop_rate` is the share of a split's records that may be lost (`build.losses`)."""
    began = time.monotonic()
    out = absolute(out)
    with open_workspace(out) as shop:
        plan = make_plan(chosen, options, watcher.say)
        if (known := _known(shop, plan, watcher)) is not None:
            return Built(known, plan, len(plan.chunks), time.monotonic() - began, fresh=False)
        reused = 0
        if not shop.staged(plan):
            _say_changes(shop, plan, watcher)
            with _disk(out):
                shop.begin(plan)
                reused = _make(plan, plan.chunks, shop, watcher, workers, engine, Losses(plan, max_drop_rate))
        return Built(_put_together(plan, shop, watcher), plan, reused, time.monotonic() - began)


def build_part(
    chosen: Sequence[Chosen],
    options: Options,
    out: Path,
    watcher: Watcher,
    part: tuple[int, int],
    workers: int = 1,
    engine: Engine = local.run,
    max_drop_rate: float = 1.0,
) -> int:
    """Make the chunks of one part, `(number, of)` with numbers from 1, while others make theirs in the same folder; returns
    how many chunks it has. Raises as `build` does, and when others are at work there on another plan."""
    number, of = part
    out = absolute(out)
    with open_workspace(out, shared=True) as shop:
        plan = make_plan(chosen, options, watcher.say)
        if _known(shop, plan, watcher) is not None or shop.staged(plan):
            return 0
        mine = plan.chunks[(number - 1) * len(plan.chunks) // of : number * len(plan.chunks) // of]
        with _disk(out):
            with shop.joined(plan) as first:
                if first:
                    _say_changes(shop, plan, watcher)
                    shop.begin(plan)
                write_order(shop.order, chosen, options, of)
            _make(plan, mine, shop, watcher, workers, engine, Losses(plan, max_drop_rate))
        return len(mine)


def finish_parts(out: Path, watcher: Watcher, max_drop_rate: float = 1.0) -> Built:
    """Put together what all parts made at `out`. Raises `BuildError` when a chunk is missing, or when sources, options or
    the program are not those of the parts any more, and `SourceError` and `DatasetError` as `build` does."""
    began = time.monotonic()
    out = absolute(out)
    chosen, options, of = read_order(Workspace(out).order)
    with open_workspace(out) as shop:
        plan = make_plan(chosen, options, watcher.say)
        if (known := _known(shop, plan, watcher)) is not None:
            return Built(known, plan, len(plan.chunks), time.monotonic() - began, fresh=False)
        if not shop.staged(plan):
            if _say_changes(shop, plan, watcher):
                raise BuildError(f"{out}: what its chunks were made from has changed; run all {of} parts again")
            losses = Losses(plan, max_drop_rate)
            missing = [
                n for n, job in enumerate(_jobs(plan, plan.chunks, shop)) if not _done(job, shop, watcher, losses)
            ]
            if missing:
                parts = sorted({(n * of + of - 1) // len(plan.chunks) + 1 for n in missing})
                again = ", ".join(f"--chunk {number}/{of}" for number in parts[:8])
                raise BuildError(f"{out}: {len(missing)} of {len(plan.chunks)} chunks are not there; run {again} again")
        return Built(_put_together(plan, shop, watcher), plan, len(plan.chunks), time.monotonic() - began)


def _known(shop: Workspace, plan: Plan, watcher: Watcher) -> Manifest | None:
    """The manifest of the dataset that stands there when it is this very plan's, whole, and its photos are as they were."""
    known = _whole(shop, plan)
    if known is not None and (changed := shop.changed_input()) is not None:
        watcher.say(f"changed since the last build: {changed}")
        known = None
    if known is not None:
        watcher.say(f"{shop.root} is already built from these inputs and options")
    return known


def _say_changes(shop: Workspace, plan: Plan, watcher: Watcher) -> bool:
    """Say what differs from the plan that was worked on last; whether anything does."""
    last = shop.last_plan()
    if last is None or last.get("key") == plan.key:
        return False
    for text in changes(last, summary(plan)):
        watcher.say(text)
    return True


def _whole(shop: Workspace, plan: Plan) -> Manifest | None:
    """The manifest of what stands there when it is this very plan's result and no shard is missing."""
    try:
        known = read_manifest(shop.root)
        sizes = all((shop.root / shard.path).stat().st_size == shard.bytes for shard in (*known.files, *known.images))
    except (DatasetError, OSError):
        return None
    return known if sizes and shop.is_result_of(plan, known.content_hash) else None


def _make(
    plan: Plan,
    chunks: Sequence[Chunk],
    shop: Workspace,
    watcher: Watcher,
    workers: int,
    engine: Engine,
    losses: Losses,
) -> int:
    """Make those of the chunks that are not there; returns how many were."""
    jobs = [job for job in _jobs(plan, chunks, shop) if not _done(job, shop, watcher, losses)]
    slots, todo = (sum(entry.stop - entry.start for entry in entries) for entries in (chunks, jobs))
    watcher.planned(slots, slots - todo, len(chunks))
    if jobs:
        _run(jobs, watcher, workers, engine, losses)
    return len(chunks) - len(jobs)


def _put_together(plan: Plan, shop: Workspace, watcher: Watcher) -> Manifest:
    """From the finished chunks to the published dataset."""
    with _disk(shop.root):
        if not shop.staged(plan):
            with shop.inputs.open("w", encoding="utf-8") as inputs:
                finish.stage(plan, shop.chunks, shop.staging, inputs, watcher.finishing)
            shop.stage_photos(plan)
            shop.mark_staged(plan)
        finish.publish(shop.root, shop.staging, plan.options.embed)
        made = read_manifest(shop.root)
        shop.clear(plan, made.content_hash)
    return made


def _jobs(plan: Plan, chunks: Sequence[Chunk], shop: Workspace) -> Iterator[Job]:
    excluded = str(shop.excluded(plan)) if plan.excluded.ids else ""
    for chunk in chunks:
        # vocabulary and faults are the parent's business, and may be large
        split = replace(plan.splits[chunk.split], vocabulary=(), faults=())
        folders = str(shop.chunks), str(shop.photos)
        yield Job(chunk.name, chunk.key, chunk.start, chunk.stop, split, plan.options, *folders, excluded)


def _done(job: Job, shop: Workspace, watcher: Watcher, losses: Losses) -> bool:
    """Whether a chunk of an earlier run can be kept: finished, and its photos are as they were."""
    receipt = read_receipt(shop.chunks, job.name, job.key)
    if receipt is None:
        return False
    changed = first_changed(job.split.root, receipt.inputs)
    if changed is None:
        losses.add((job.split.source, job.split.split), receipt)
        return True
    watcher.say(f"changed since the last run: {changed}")
    (shop.chunks / f"{job.name}.json").unlink()
    return False


def _run(jobs: Sequence[Job], watcher: Watcher, workers: int, engine: Engine, losses: Losses) -> None:
    failures: list[tuple[str, str]] = []
    try:
        for job, result in engine(jobs, run_chunk, min(workers, len(jobs))):
            match result:
                case Receipt():
                    watcher.chunk(job.stop - job.start, result)
                    losses.add((job.split.source, job.split.split), result)
                case SourceError() | ChunkError():
                    failures.append((f"{job.split.source}/{job.split.split} {job.start}..{job.stop}", str(result)))
                case _:
                    raise result
            if len(failures) == MAX_FAILURES:
                break
    except WorkerDied as error:
        raise BuildError(f"{error}; run the build again to go on from here") from error
    except EngineError as error:
        raise BuildError(str(error)) from error
    finally:  # whatever else ends the build
        for where, reason in failures:
            watcher.failed(where, reason)
    if failures:
        raise BuildError(f"{len(failures)} of {len(jobs)} chunks failed, first {': '.join(failures[0])}")


@contextmanager
def _disk(out: Path) -> Generator[None, None, None]:
    """Turns a disk that is full, or gone, into one line."""
    try:
        yield
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        raise BuildError(
            f"{what}{error.strerror or error}; what is done in {out} is kept, run the build again"
        ) from error
