"""A whole benchmark: answers, scores, pages, leaderboard, for one model and the trivial baselines beside it.

OUT/models/<name>/predictions.jsonl   the answers; begun files are continued
OUT/models/<name>/results.json        the numbers; rows/*.parquet what they were summed from
OUT/models/<name>/report.html         the model's page
OUT/leaderboard.{csv,html}            all of them, ranked
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.dataset import Dataset
from benchmarks.folder import REPORT, RESULTS, claimed
from benchmarks.leaderboard import write_leaderboard
from benchmarks.model import Model, ModelError, Request
from benchmarks.report import write_report
from benchmarks.results import Results, write_results
from benchmarks.score import score_file
from benchmarks.shares import Options, read_truths
from benchmarks.suites import suites_for
from benchmarks.truths import Truths
from vtinstruct import plugins

ROOM = "benchmarks.models"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run left behind: results in the order asked for, the leaderboard's pages, and who could not answer."""

    results: tuple[Results, ...]
    leaderboard_html: Path
    leaderboard_csv: Path
    reports: tuple[Path, ...]
    failed: tuple[str, ...]


def baselines() -> tuple[str, ...]:
    """The names of the models that need no checkpoint."""
    return tuple(name for name in plugins.names(ROOM) if plugins.load(ROOM, name).baseline)


def score_and_report(
    predictions: Sequence[Path], dataset: Dataset, out: Path, options: Options, truths: Truths, workers: int = 1
) -> Results:
    """Score a predictions file, or its parts, into a folder: rows, `results.json`, `report.html`."""
    with claimed(out):
        results = score_file(predictions, dataset, out, options, truths, workers)
        write_results(out / RESULTS, results)
        write_report(out / REPORT, results, dataset, predictions, truths)
    return results


def asked(dataset: Dataset, options: Options) -> tuple[str, ...]:
    """The tasks that a model has to answer: those of the suites, or all where a suite is over every task. Raises `SuiteError`."""
    every = sorted({task for split in options.splits for task in dataset.tasks(split)})
    suites = suites_for(every, options.suites)
    return tuple(task for task in every if any(suite.task in ("", task) for suite in suites))


def run(
    models: Sequence[str], dataset: Dataset, options: Options, checkpoint: Path | None, out: Path,
    report: Callable[[str], None],
) -> Ran:  # fmt: skip
    """Answer, score and rank. The first model must answer (`ModelError` otherwise); a baseline that cannot is reported and
    left out."""
    tasks = asked(dataset, options)
    truths = read_truths(dataset, options)
    results: list[Results] = []
    folders: list[Path] = []
    failed: list[str] = []
    with claimed(out):
        for name in models:
            model: Model = plugins.load(ROOM, name)
            folder = out / "models" / name
            request = Request(
                dataset, options.splits, folder / "predictions.jsonl", tasks, options.limit, checkpoint, report
            )
            report(f"{model.title}: answering")
            try:
                folder.mkdir(parents=True, exist_ok=True)
                model.answer(request)
            except ModelError as error:
                if not model.baseline:
                    raise
                failed.append(f"{name}: {error}")
                report(f"{name} is left out: {error}")
                continue
            report(f"{model.title}: scoring")
            results.append(score_and_report([request.out], dataset, folder, options, truths))
            folders.append(folder)
        html, table = write_leaderboard(results, out, folders)
    return Ran(tuple(results), html, table, tuple(folder / REPORT for folder in folders), tuple(failed))
