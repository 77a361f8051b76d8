"""From a predictions file to numbers: `score_file` reads it once, makes rows, keeps them, and sums them up.

No model and no torch. Memory holds the annotated samples and the rows; answers go by one at a time.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.answers import Intake, open_predictions
from benchmarks.dataset import Dataset
from benchmarks.engine import engine_versions
from benchmarks.intervals import plain_intervals
from benchmarks.results import Results, SuiteResult
from benchmarks.rows import Whose, in_photo_order, read_rows, setting_of, write_rows
from benchmarks.scorer import Engine, Setting
from benchmarks.suites import Suite, suites_for
from benchmarks.sweep import Key, Stretch, Sweep, Swept, Table
from benchmarks.truths import Truths, Which
from benchmarks.truths import read_truths as truths_of
from vtinstruct.prediction import Header, PredictionsError
from vtinstruct.version import VERSION

EVERYTHING = "all"  # the source of a suite over every task


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


def score_file(predictions: Path, dataset: Dataset, out: Path, options: Options, truths: Truths) -> Results:
    """Score a predictions file against `truths` (`read_truths`) and keep the rows below `out/rows`. Raises
    `PredictionsError` or `SuiteError`, each with one line, when there is nothing that could be scored."""
    header = open_predictions(predictions, dataset.hash, options.allow_other_dataset)
    suites = suites_for(sorted({task for task, _, _ in truths.whichs()}), options.suites)
    tables = tables_of(suites, truths.whichs(), dataset, predictions.parent, options)
    swept = Swept()
    sweep = Sweep(truths, tables, swept)
    sweep.stretch(Stretch(predictions))
    if swept.intake.answers and not swept.answered:
        raise PredictionsError(
            f"{predictions}: none of its {swept.intake.answers} answers is for a sample of split "
            f"{'/'.join(options.splits)}; ids such as {next(iter(truths), '')!r} are right"
        )
    sweep.missing([id_ for id_ in truths if id_ not in swept.answered])
    by_name = {suite.name: suite for suite in suites}
    found = {table.key: table for several in tables.values() for table in several}
    results = [_summarize(by_name[key[0]], table, swept.drafts.pop(key), out) for key, table in found.items()]
    order = {suite.name: index for index, suite in enumerate(suites)}
    results.sort(key=lambda result: (order[result.suite], result.source, result.split))
    return _results(header, predictions, dataset, options, swept.intake, results)


def read_truths(dataset: Dataset, options: Options) -> Truths:
    """The scored samples, at most `limit` a task and split. Raises `DatasetError`, or `SuiteError` when a suite is named that
    does not exist."""
    return truths_of(dataset, options.splits, options.limit, options.suites)


def tables_of(
    suites: Sequence[Suite], whichs: Sequence[Which], dataset: Dataset, answer_root: Path, options: Options
) -> dict[Which, list[Table]]:
    """For every task, source and split of the samples, the tables that its samples go to."""
    made: dict[Key, Table] = {}
    tables: dict[Which, list[Table]] = {which: [] for which in whichs}
    for task, source, split in whichs:
        for suite in (suite for suite in suites if suite.takes(task, source)):
            key = (suite.name, source if suite.task else EVERYTHING, split)
            if key not in made:
                made[key] = Table(key, suite.load(), _setting(dataset, key[1], split, answer_root, options))
            tables[task, source, split].append(made[key])
    return tables


def _setting(dataset: Dataset, source: str, split: str, answer_root: Path, options: Options) -> Setting:
    return Setting(
        dataset.root, answer_root, dataset.vocabulary(source, split), dataset.by_id(source, split), options.engine,
        options.resamples, options.seed,
    )  # fmt: skip


def _summarize(suite: Suite, table: Table, drafts: list[pl.DataFrame], out: Path) -> SuiteResult:
    _, source, split = table.key
    rows = in_photo_order(pl.concat(drafts))  # whatever order the answers came in
    drafts.clear()  # the second copy of everything
    rows = table.scorer.finished(rows)
    path = out / "rows" / f"{suite.name}.{source}.{split}.parquet"
    write_rows(path, rows, Whose(suite.name, suite.version, source, split), table.setting.categories)
    summary = table.scorer.summarize(rows, table.setting)
    states = rows["state"].value_counts()
    counts = dict(zip(states["state"].to_list(), states["count"].to_list(), strict=True))
    return SuiteResult(
        suite.name, suite.version, suite.task, suite.scorer, source, split, suite.primary,
        suite.metric().higher_is_better, rows.height, counts.get("missing", 0), counts.get("invalid", 0),
        summary.numbers, plain_intervals(summary.intervals), summary.details, path.relative_to(out).as_posix(),
    )  # fmt: skip


def _results(
    header: Header, predictions: Path, dataset: Dataset, options: Options, intake: Intake, suites: list[SuiteResult]
) -> Results:
    with predictions.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    versions = {
        "vtinstruct": VERSION, "python": platform.python_version(), "polars": importlib.metadata.version("polars"),
        "numpy": importlib.metadata.version("numpy"), **engine_versions(options.engine),
        **{f"model:{name}": str(version) for name, version in header.versions.items()},
    }  # fmt: skip
    said: dict[str, Any] = asdict(options)
    return Results(
        header.model, dataset.hash, dataset.root.resolve().name, digest, options.engine, versions,
        {**said, "splits": list(options.splits), "suites": list(options.suites)}, dict(header.generation),
        intake.to_json(),
        tuple(suites), header.dataset != dataset.hash,
    )  # fmt: skip


def rescore(results: Results, folder: Path) -> Results:
    """New numbers from kept rows alone: no predictions file is read, no answer is judged again, no dataset is needed. Raises
    `RowsError`."""
    found: list[SuiteResult] = []
    engine: Engine = "official" if results.engine == "official" else "hotcoco"
    for result in results.suites:
        (suite,) = suites_for([result.task], [result.suite])
        rows, _, categories = read_rows(folder / result.rows)
        setting = setting_of(categories, engine, results.options["resamples"], results.options["seed"])
        summary = suite.load().summarize(rows, setting)
        got = plain_intervals(summary.intervals)
        found.append(replace(result, numbers=summary.numbers, intervals=got, details=summary.details))
    return replace(results, suites=tuple(found))
