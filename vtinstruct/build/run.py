"""A whole build: plan, chunks by some engine, finish. Resumable at any moment, the same bytes by any way."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from vtinstruct.build import finish
from vtinstruct.build.choose import Chosen
from vtinstruct.build.chunk import ChunkError, Job, run_chunk
from vtinstruct.build.plan import Options, Plan, make_plan
from vtinstruct.build.receipt import Receipt, first_changed, read_receipt
from vtinstruct.build.workspace import Workspace, changes, open_workspace, summary
from vtinstruct.engines import local
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

    def planned(self, plan: Plan, done: int) -> None:
        """The plan stands; `done` of its slots need not be done again."""
        ...

    def chunk(self, slots: int, receipt: Receipt) -> None:
        """A chunk is finished."""
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
) -> Built:
    """Build the dataset at `out`. Raises `SourceError`, `DatasetError` or `BuildError`, each with one line; whatever chunk
    was finished by then is kept."""
    began = time.monotonic()
    out = Path(out).expanduser().absolute()
    with open_workspace(out) as shop:
        plan = make_plan(chosen, options, watcher.say)
        known = _whole(shop, plan)
        if known is not None and (changed := shop.changed_input()) is not None:
            watcher.say(f"changed since the last build: {changed}")
            known = None
        if known is not None:
            watcher.say(f"{out} is already built from these inputs and options")
            return Built(known, plan, len(plan.chunks), time.monotonic() - began, fresh=False)
        reused = 0
        if not shop.staged(plan):
            reused = _make(plan, shop, watcher, workers, engine)
        try:
            finish.publish(out, shop.staging, options.embed)
        except OSError as error:
            raise _full(error, out) from error
        made = read_manifest(out)
        shop.clear(plan, made.content_hash)
        return Built(made, plan, reused, time.monotonic() - began)


def _whole(shop: Workspace, plan: Plan) -> Manifest | None:
    """The manifest of what stands there when it is this very plan's result and no shard is missing."""
    try:
        known = read_manifest(shop.root)
        sizes = all((shop.root / shard.path).stat().st_size == shard.bytes for shard in (*known.files, *known.images))
    except (DatasetError, OSError):
        return None
    return known if sizes and shop.is_result_of(plan, known.content_hash) else None


def _make(plan: Plan, shop: Workspace, watcher: Watcher, workers: int, engine: Engine) -> int:
    """Chunks and staging; returns how many chunks were there already."""
    last = shop.last_plan()
    if last is not None and last.get("key") != plan.key:
        for text in changes(last, summary(plan)):
            watcher.say(text)
    try:
        shop.begin(plan)
        jobs = [job for job in _jobs(plan, shop) if not _done(job, shop, watcher)]
        todo = sum(job.stop - job.start for job in jobs)
        watcher.planned(plan, plan.slots() - todo)
        _run(jobs, watcher, workers, engine)
        with shop.inputs.open("w", encoding="utf-8") as inputs:
            finish.stage(plan, shop.chunks, shop.staging, inputs, watcher.finishing)
        shop.stage_photos(plan)
        shop.mark_staged(plan)
    except OSError as error:
        raise _full(error, shop.root) from error
    return len(plan.chunks) - len(jobs)


def _jobs(plan: Plan, shop: Workspace) -> Iterator[Job]:
    excluded = str(shop.excluded(plan)) if plan.excluded.ids else ""
    for chunk in plan.chunks:
        # vocabulary and faults are the parent's business, and may be large
        split = replace(plan.splits[chunk.split], vocabulary=(), faults=())
        folders = str(shop.chunks), str(shop.photos)
        yield Job(chunk.name, chunk.key, chunk.start, chunk.stop, split, plan.options, *folders, excluded)


def _done(job: Job, shop: Workspace, watcher: Watcher) -> bool:
    """Whether a chunk of an earlier run can be kept: finished, and its photos are as they were."""
    receipt = read_receipt(shop.chunks, job.name, job.key)
    if receipt is None:
        return False
    changed = first_changed(job.split.root, receipt.inputs)
    if changed is None:
        return True
    watcher.say(f"changed since the last run: {changed}")
    (shop.chunks / f"{job.name}.json").unlink()
    return False


def _run(jobs: Sequence[Job], watcher: Watcher, workers: int, engine: Engine) -> None:
    failures: list[str] = []
    try:
        for job, result in engine(jobs, run_chunk, min(workers, len(jobs))):
            match result:
                case Receipt():
                    watcher.chunk(job.stop - job.start, result)
                case SourceError() | ChunkError():
                    failures.append(f"{job.split.source}/{job.split.split} {job.start}..{job.stop}: {result}")
                case _:
                    raise result
            if len(failures) == MAX_FAILURES:
                break
    except local.WorkerDied as error:
        raise BuildError(f"{error}; run the build again to go on from here") from error
    if failures:
        for text in failures:
            watcher.say(f"failed: {text}")
        raise BuildError(f"{len(failures)} of {len(jobs)} chunks failed, first {failures[0]}")


def _full(error: OSError, out: Path) -> BuildError:
    what = f"{error.filename}: " if error.filename else ""
    return BuildError(f"{what}{os.strerror(error.errno or 0)}; what is done in {out} is kept, run the build again")
