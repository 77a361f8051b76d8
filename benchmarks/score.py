"""From a predictions file to numbers: `score_file` reads it once, makes rows, keeps them, and sums them up.

No model and no torch. Memory holds the annotated samples and the rows; answers go by one at a time.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.answers import Intake, open_predictions, read_answers
from benchmarks.dataset import Dataset
from benchmarks.engine import engine_versions
from benchmarks.results import Results, SuiteResult
from benchmarks.scorer import MISSING, Answered, Engine, Row, Setting
from benchmarks.suites import Suite, suites_for
from vtinstruct.dialogue import Dialogue
from vtinstruct.prediction import Header, PredictionsError
from vtinstruct.version import VERSION

BATCH = 2000  # rows kept as dictionaries before they become columns
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


class Rows:
    """The rows of one suite and source, folded into columns every `BATCH`."""

    def __init__(self, suite: Suite, source: str, split: str, setting: Setting) -> None:
        self.suite, self.scorer, self.source, self.split, self.setting = suite, suite.load(), source, split, setting
        self._open: list[Row] = []
        self._frames: list[pl.DataFrame] = []

    def add(self, truth: Dialogue, answer: Answered) -> None:
        """Score one sample."""
        self._open.append(self.scorer.score(truth, answer, self.setting))
        if len(self._open) >= BATCH:
            self._fold()

    def _fold(self) -> None:
        self._frames.append(self.scorer.frame(self._open))
        self._open = []

    def table(self) -> pl.DataFrame:
        """All rows, by id: whatever order the answers came in."""
        self._fold()
        return pl.concat(self._frames).sort("id")


def score_file(
    predictions: Path, dataset: Dataset, out: Path, options: Options, truths: Mapping[str, Dialogue]
) -> Results:
    """Score a predictions file against `truths` (`read_truths`) and keep the rows below `out/rows`. Raises
    `PredictionsError` or `SuiteError`, each with one line, when there is nothing that could be scored."""
    header = open_predictions(predictions, dataset.hash, options.allow_other_dataset)
    suites = suites_for(sorted({truth.task for truth in truths.values()}), options.suites)
    tables = _tables(suites, truths, dataset, predictions.parent, options)
    intake = Intake()
    unanswered = dict(truths)
    for truth, answer in read_answers(predictions, truths, intake):
        del unanswered[truth.id]
        for table in tables[truth.task, truth.source, truth.split]:
            table.add(truth, answer)
    if intake.answers and len(unanswered) == len(truths):
        raise PredictionsError(
            f"{predictions}: none of its {intake.answers} answers is for a sample of split {'/'.join(options.splits)}; "
            f"ids such as {next(iter(truths), '')!r} are right"
        )
    for truth in unanswered.values():
        for table in tables[truth.task, truth.source, truth.split]:
            table.add(truth, MISSING)
    found = {id(table): table for several in tables.values() for table in several}
    results = [_summarize(table, out) for table in found.values()]
    order = {suite.name: index for index, suite in enumerate(suites)}
    results.sort(key=lambda result: (order[result.suite], result.source, result.split))
    return _results(header, predictions, dataset, options, intake, results)


def read_truths(dataset: Dataset, options: Options) -> dict[str, Dialogue]:
    """The scored samples by id, in stored order, at most `limit` a task and split. Raises `DatasetError`, or `SuiteError`
    when a suite is named that does not exist."""
    tasks = {task for split in options.splits for task in dataset.tasks(split)}
    suites = suites_for(sorted(tasks), options.suites)
    found: dict[str, Dialogue] = {}
    for split in options.splits:
        for task in dataset.tasks(split):
            if any(suite.task in ("", task) for suite in suites):
                for dialogue in dataset.dialogues(task, split, options.limit):
                    found[dialogue.id] = dialogue
    return found


def _tables(
    suites: Sequence[Suite], truths: Mapping[str, Dialogue], dataset: Dataset, answer_root: Path, options: Options
) -> dict[tuple[str, str, str], list[Rows]]:
    """For every (task, source, split) of the samples, the row collectors that its samples go to."""
    triples = sorted({(truth.task, truth.source, truth.split) for truth in truths.values()})
    made: dict[tuple[str, str, str], Rows] = {}
    tables: dict[tuple[str, str, str], list[Rows]] = {triple: [] for triple in triples}
    for task, source, split in triples:
        for suite in (suite for suite in suites if suite.takes(task, source)):
            whose = source if suite.task else EVERYTHING
            key = (suite.name, whose, split)
            if key not in made:
                made[key] = Rows(suite, whose, split, _setting(dataset, whose, split, answer_root, options))
            tables[task, source, split].append(made[key])
    return tables


def _setting(dataset: Dataset, source: str, split: str, answer_root: Path, options: Options) -> Setting:
    return Setting(
        dataset.root, answer_root, dataset.vocabulary(source, split), dataset.by_id(source, split), options.engine,
        options.resamples, options.seed,
    )  # fmt: skip


def _summarize(table: Rows, out: Path) -> SuiteResult:
    rows, suite = table.table(), table.suite
    path = out / "rows" / f"{suite.name}.{table.source}.{table.split}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(path)
    summary = table.scorer.summarize(rows, table.setting)
    states = rows["state"].to_list()
    return SuiteResult(
        suite.name, suite.version, suite.task, suite.scorer, table.source, table.split, suite.primary,
        suite.metric().higher_is_better, rows.height, states.count("missing"), states.count("invalid"),
        summary.numbers, summary.intervals, summary.details, path.relative_to(out).as_posix(),
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
        {
            "answers": intake.answers, "unknown_ids": intake.unknown_ids, "other_turns": intake.other_turns,
            "reasons": dict(intake.reasons), "lines": intake.lines,
        },
        tuple(suites), header.dataset != dataset.hash,
    )  # fmt: skip


def rescore(results: Results, folder: Path, dataset: Dataset) -> Results:
    """New numbers from kept rows: no predictions file is read, no answer is judged again."""
    found: list[SuiteResult] = []
    engine: Engine = "official" if results.engine == "official" else "hotcoco"
    options = Options((), engine=engine, resamples=results.options["resamples"], seed=results.options["seed"])
    for result in results.suites:
        (suite,) = suites_for([result.task], [result.suite])
        setting = _setting(dataset, result.source, result.split, folder, options)
        summary = suite.load().summarize(pl.read_parquet(folder / result.rows), setting)
        found.append(replace(result, numbers=summary.numbers, intervals=summary.intervals, details=summary.details))
    return replace(results, suites=tuple(found))
