"""How a build shows itself: a bar with rate and time left on a terminal, JSON lines elsewhere, a table at the end."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from vtinstruct.build.forecast import RUN, RUNS, Forecast, total_seconds
from vtinstruct.build.plan import Plan
from vtinstruct.build.receipt import Receipt
from vtinstruct.build.run import Built, Watcher
from vtinstruct.card import row_counts, sampled_counts
from vtinstruct.manifest import Manifest

EVERY_SECONDS = 1.0
LEAKS = 20  # rows of the table of leaks; the card has them all


class Silent:
    """Says nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    def planned(self, slots: int, done: int, chunks: int) -> None:
        """Nothing."""

    def chunk(self, slots: int, receipt: Receipt) -> None:
        """Nothing."""

    def failed(self, where: str, reason: str) -> None:
        """Nothing."""

    def finishing(self, slots: int) -> None:
        """Nothing."""


class JsonLines:
    """One JSON object a line, at most one a second while chunks come in."""

    def __init__(self, file: IO[str]) -> None:
        self._file, self._began, self._last = file, time.monotonic(), 0.0
        self._total = self._done = self._before = self._written = self._dialogues = 0

    def _line(self, event: str, **fields: Any) -> None:
        self._file.write(json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n")
        self._file.flush()

    def say(self, text: str) -> None:
        """`{"event": "note", "text": ...}`"""
        self._line("note", text=text)

    def planned(self, slots: int, done: int, chunks: int) -> None:
        """`{"event": "plan", "records": ..., "done": ..., "chunks": ...}`"""
        self._total, self._done, self._before, self._began = slots, done, done, time.monotonic()
        self._line("plan", records=slots, done=done, chunks=chunks)

    def chunk(self, slots: int, receipt: Receipt) -> None:
        """`{"event": "progress", "done", "records", "dialogues", "per_second", "seconds_left"}`"""
        self._done += slots
        self._dialogues += receipt.dialogues
        now = time.monotonic()
        if now - self._last < EVERY_SECONDS and self._done < self._total:
            return
        self._last = now
        spent = max(now - self._began, 1e-9)
        left = spent / max(self._done - self._before, 1) * (self._total - self._done)
        rate = round(self._dialogues / spent, 1)
        self._line(
            "progress", done=self._done, records=self._total, dialogues=self._dialogues, per_second=rate,
            seconds_left=round(left, 1),
        )  # fmt: skip

    def failed(self, where: str, reason: str) -> None:
        """`{"event": "failed", "chunk": "SOURCE/SPLIT START..STOP", "reason": ...}`"""
        self._line("failed", chunk=where, reason=reason)

    def finishing(self, slots: int) -> None:
        """`{"event": "finishing", "records": ...}` once, when the shards are put together."""
        if not self._written:
            self._line("finishing", records=self._total)
        self._written += slots


class Bar:
    """A bar on a terminal."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console, self._progress = console, progress
        self._building = self._writing = None
        self._dialogues = 0
        self._began = time.monotonic()
        self._total = 0

    def say(self, text: str) -> None:
        """A line above the bar."""
        self._console.print(escape(text), highlight=False)

    def planned(self, slots: int, done: int, chunks: int) -> None:
        """The bar of records appears."""
        self._total, self._began = slots, time.monotonic()
        self._building = self._progress.add_task("records", total=slots, completed=done, rate="")

    def chunk(self, slots: int, receipt: Receipt) -> None:
        """The bar moves on."""
        self._dialogues += receipt.dialogues
        rate = self._dialogues / max(time.monotonic() - self._began, 1e-9)
        if self._building is not None:
            self._progress.update(self._building, advance=slots, rate=f"{rate:,.0f} dialogues/s")

    def failed(self, where: str, reason: str) -> None:
        """A line of the list of failures."""
        self.say(f"failed: {where}: {reason}")

    def finishing(self, slots: int) -> None:
        """A second bar, while the shards are put together."""
        if self._writing is None:
            self._writing = self._progress.add_task("shards", total=self._total, rate="")
        self._progress.update(self._writing, advance=slots)


@contextmanager
def watching(console: Console) -> Generator[Watcher, None, None]:
    """The watcher that fits where `console` writes to."""
    if not console.is_terminal:
        yield JsonLines(console.file)
        return
    columns = (
        TextColumn("{task.description:8}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bar(console, progress)


def summary_table(built: Built) -> Table:
    """Task x split: dialogues, units, and what was left out or mended for which reasons."""
    table = Table(title=f"content {built.manifest.content_hash[:12]}, {built.seconds:.1f} s", title_justify="left")
    for name in ("task", "split"):
        table.add_column(name)
    mixed = "mix" in built.manifest.options
    for name in ("dialogues", "units", *(("sampled out",) if mixed else ())):
        table.add_column(name, justify="right")
    table.add_column("left out or repaired, and why", overflow="fold")
    reasons: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for drop in built.manifest.drops:
        word = f"{drop.reason} (repaired)" if drop.repaired else drop.reason
        reasons[drop.task, drop.split].append(f"{drop.count:,} {word}")
    counts, sampled = row_counts(built.manifest), sampled_counts(built.manifest)
    for key in sorted(counts.keys() | reasons.keys() | sampled.keys(), key=lambda key: (not key[0], key)):
        rows, units = counts.get(key, (0, 0))
        name = key[0] or "every task"
        numbers = [f"{rows:,}", f"{units:,}"] + ([f"{sampled.get(key, 0):,}"] if mixed else [])
        numbers = numbers if key[0] else [""] * len(numbers)
        table.add_row(escape(name), escape(key[1]), *numbers, escape("\n".join(reasons.get(key, []))))
    return table


def forecast_table(plan: Plan, found: Sequence[Forecast], workers: int) -> Table:
    """What a plan would take, split by split."""
    title = f"plan {plan.key[:12]}: {plan.slots():,} records in {len(plan.chunks):,} chunks"
    dialogues, size = sum(entry.dialogues for entry in found), sum(entry.bytes for entry in found)
    photos = sum(entry.photo_bytes for entry in found)
    more = f" and photos of {_size(photos)}" if photos else ""
    caption = (
        f"estimated from {RUNS * RUN} records a split: {dialogues:,} dialogues, shards of {_size(size)}{more}, "
        f"{_duration(total_seconds(found, workers))} with {workers} worker{'s' * (workers > 1)}"
    )
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    table.add_column("split", overflow="fold")
    table.add_column("tasks", overflow="fold")
    for name in ("records", "chunks", "dialogues", "bytes", "time"):
        table.add_column(name, justify="right")
    for entry in found:
        numbers = f"{entry.records:,}", f"{entry.chunks:,}", f"{entry.dialogues:,}", _size(entry.bytes)
        spent = _duration(entry.open_seconds + entry.seconds)
        table.add_row(escape(f"{entry.source}/{entry.split}"), ", ".join(entry.tasks), *numbers, spent)
    return table


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def leak_table(manifest: Manifest) -> Table | None:
    """The training and evaluation splits that share photos; None when none do."""
    leaks = [pair for pair in manifest.overlaps if pair.leaks]
    if not leaks:
        return None
    title = "training and evaluation share photos; --exclude-images-of keeps them out"
    more = f"{len(leaks) - LEAKS} more pairs: README.md" if len(leaks) > LEAKS else None
    table = Table(title=title, title_justify="left", caption=more, caption_justify="left")
    for name in ("split", "and"):
        table.add_column(name, overflow="fold")
    for name in ("photos", "and", "same photo", "same bytes only"):
        table.add_column(name, justify="right")
    for pair in leaks[:LEAKS]:
        numbers = pair.photos_one, pair.photos_other, pair.same_id, pair.same_bytes
        table.add_row(escape(pair.one), escape(pair.other), *(f"{number:,}" for number in numbers))
    return table
