"""The two works of scoring that processes share (`crew.py`): sweeping stretches of predictions files into drafts of rows, and
summing tables of rows up. What is the same for all works of a scoring (`Common`) is sent once to every process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from benchmarks.crew import ALONE, Crew
from benchmarks.dataset import Dataset, open_dataset
from benchmarks.intervals import plain_intervals
from benchmarks.phrases import rule_of
from benchmarks.results import SuiteResult
from benchmarks.rows import Whose, in_photo_order, write_rows
from benchmarks.scorer import Engine, Setting
from benchmarks.suites import Suite, suites_for
from benchmarks.sweep import Key, Stretch, Sweep, Swept, Table
from benchmarks.truths import Truths, Which
from benchmarks.truths import read_truths as truths_of
from vtinstruct.values import gc_paused

EVERYTHING = "all"  # the source of a suite over every task
PIECES = 8  # stretches a worker: whoever comes late, or is slow, does fewer
LEAST, MOST = 1 << 15, 1 << 22  # bytes of a stretch


@dataclass(frozen=True, slots=True)
class Options:
    """What is scored and how; all of it is recorded in the result."""

    splits: tuple[str, ...]
    limit: int | None = None
    suites: tuple[str, ...] = ()
    engine: Engine = "hotcoco"
    resamples: int = 1000
    seed: int = 0
    allow_other_dataset: bool = False
    phrases: str = "exact"


@dataclass(frozen=True, slots=True)
class Common:
    """What every work of one scoring needs to know."""

    root: Path
    options: Options
    whichs: tuple[Which, ...]
    out: Path

    def suites(self) -> tuple[Suite, ...]:
        """The scored suites, in table order."""
        return suites_for(sorted({task for task, _, _ in self.whichs}), self.options.suites)

    def tables(self, dataset: Dataset, answer_root: Path) -> dict[Which, list[Table]]:
        """For every task, source and split of the samples, the tables that its samples go to."""
        made: dict[Key, Table] = {}
        tables: dict[Which, list[Table]] = {which: [] for which in self.whichs}
        for suite in self.suites():
            for which in self.whichs:
                key = key_of(suite, which)
                if key is not None:
                    if key not in made:
                        made[key] = Table(key, suite.load(), self.setting(dataset, key, answer_root))
                    tables[which].append(made[key])
        return tables

    def setting(self, dataset: Dataset, key: Key, answer_root: Path) -> Setting:
        """What the scorer of a table may use."""
        options, (_, source, split) = self.options, key
        return Setting(
            dataset.root, answer_root, dataset.vocabulary(source, split), dataset.by_id(source, split), options.engine,
            options.resamples, options.seed, rule_of(options.phrases),
        )  # fmt: skip


def key_of(suite: Suite, which: Which) -> Key | None:
    """The table of a suite that samples of a task, source and split go to."""
    task, source, split = which
    return (suite.name, source if suite.task else EVERYTHING, split) if suite.takes(task, source) else None


def read_truths(dataset: Dataset, options: Options) -> Truths:
    """The scored samples, at most `limit` a task and split. Raises `DatasetError`, or `SuiteError` when a suite is named that
    does not exist."""
    return truths_of(dataset, options.splits, options.limit, options.suites)


# --- sweeping --------------------------------------------------------------------------------------------------------


def stretches(paths: Sequence[Path], workers: int) -> list[Stretch]:
    """The files in pieces of whole lines, `PIECES` for each of several workers."""
    if workers < 2:
        return [Stretch(path) for path in paths]
    size = min(max(sum(path.stat().st_size for path in paths) // (PIECES * workers), LEAST), MOST)
    found: list[Stretch] = []
    for path in paths:
        start, first = 0, 1
        with path.open("rb") as file:
            while piece := file.read(size):
                piece += file.readline()
                found.append(Stretch(path, start, start + len(piece), first))
                start, first = start + len(piece), first + piece.count(b"\n")
    return found


def sweeper(
    common: Common, dataset: Dataset, truths: Truths, kept: Mapping[bytes, str]
) -> Callable[[Stretch], Swept]:  # fmt: skip
    """Sweeps stretches; parts of one run may lie in several folders."""
    sweeps: dict[Path, Sweep] = {}

    def sweep(stretch: Stretch) -> Swept:
        folder = stretch.path.parent
        if folder not in sweeps:
            sweeps[folder] = Sweep(truths, common.tables(dataset, folder), kept)
        with gc_paused():
            return sweeps[folder].stretch(stretch)

    return sweep


def sweeper_alone(given: tuple[Common, Mapping[bytes, str]]) -> Callable[[Stretch], Swept]:
    """The same for a process that has not read the samples yet. What takes time is done here, before a stretch is taken."""
    common, kept = given
    dataset = open_dataset(common.root, common.options.splits)[0]
    for suite in common.suites():
        suite.load()
    return sweeper(common, dataset, read_truths(dataset, common.options), kept)


# --- summing up ------------------------------------------------------------------------------------------------------


def summarizer(
    common: Common, dataset: Dataset, crew: Crew
) -> Callable[[tuple[Key, list[pl.DataFrame]]], SuiteResult]:  # fmt: skip
    """Makes a table's drafts whole, keeps them as rows and sums them up; a `crew` may help with a single table too."""
    by_name = {suite.name: suite for suite in common.suites()}

    def summarize(work: tuple[Key, list[pl.DataFrame]]) -> SuiteResult:
        key, drafts = work
        with gc_paused():
            setting = replace(common.setting(dataset, key, dataset.root), crew=crew)
            return _summarize(common, by_name[key[0]], key, drafts, setting)

    return summarize


def summarizer_alone(common: Common) -> Callable[[tuple[Key, list[pl.DataFrame]]], SuiteResult]:
    """The same for a process that has opened nothing yet."""
    return summarizer(common, open_dataset(common.root, common.options.splits)[0], ALONE)


def _summarize(common: Common, suite: Suite, key: Key, drafts: list[pl.DataFrame], setting: Setting) -> SuiteResult:
    scorer, (_, source, split) = suite.load(), key
    rows = in_photo_order(pl.concat(drafts))  # whatever order the answers came in
    drafts.clear()  # the second copy of everything
    rows = scorer.finished(rows)
    path = common.out / "rows" / f"{suite.name}.{source}.{split}.parquet"
    seal = write_rows(path, rows, Whose(suite.name, suite.version, source, split), setting.categories)
    summary = scorer.summarize(rows, setting)
    states = rows["state"].value_counts()
    counts = dict(zip(states["state"].to_list(), states["count"].to_list(), strict=True))
    return SuiteResult(
        suite.name, suite.version, suite.task, suite.scorer, source, split, suite.primary,
        suite.metric().higher_is_better, rows.height, counts.get("missing", 0), counts.get("invalid", 0),
        summary.numbers, plain_intervals(summary.intervals), summary.details, path.relative_to(common.out).as_posix(),
        seal,
    )  # fmt: skip
