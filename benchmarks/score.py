"""From a predictions file to numbers: `score_file` reads it once, makes rows, keeps them, and sums them up.

No model and no torch. Memory holds the annotated samples and the rows; answers go by one at a time.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.answers import Intake, open_predictions
from benchmarks.crew import Crew
from benchmarks.dataset import Dataset
from benchmarks.engine import engine_versions
from benchmarks.folder import begin
from benchmarks.intervals import plain_intervals
from benchmarks.kept import Kept, made_with, read_kept, write_kept
from benchmarks.meteor import PACKAGE, data_version
from benchmarks.phrases import rule_of
from benchmarks.results import Results, SuiteResult
from benchmarks.rows import rows_of, setting_of
from benchmarks.shares import Common, Options, key_of, stretches, summarizer, summarizer_alone, sweeper, sweeper_alone
from benchmarks.suites import Suite, suite_of, suites_for
from benchmarks.sweep import Sweep, Swept, twice
from benchmarks.truths import Truths
from vtinstruct.prediction import Header, PredictionsError
from vtinstruct.values import gc_paused
from vtinstruct.version import VERSION


def score_file(
    predictions: Path | Sequence[Path], dataset: Dataset, out: Path, options: Options, truths: Truths, workers: int = 1
) -> Results:
    """Score a predictions file, or the parts of one, against `truths` (`read_truths`) and keep the rows below `out/rows`; rows
    kept there of answers that did not change are taken over. The numbers do not depend on how many `workers` share the work,
    nor on the order of parts. Raises `PredictionsError` or `SuiteError`, each with one line, when there is nothing that
    could be scored."""
    paths = [predictions] if isinstance(predictions, Path) else sorted(predictions)
    if not paths:
        raise PredictionsError("no predictions file is named; one, or the parts of one, are right")
    with gc_paused(), Crew(workers) as crew:
        return _scored(paths, dataset, out, options, truths, crew, workers)


def _scored(
    paths: Sequence[Path], dataset: Dataset, out: Path, options: Options, truths: Truths, crew: Crew, workers: int
) -> Results:
    header = open_parts(paths, dataset.hash, options.allow_other_dataset)
    whichs = tuple(truths.whichs())
    suites = suites_for(sorted({task for task, _, _ in whichs}), options.suites)
    made = made_with(dataset.hash, suites, rule_of(options.phrases).name)
    common = Common(dataset.root, options, whichs, out)
    kept = read_kept(out / "rows", made)
    ids = _reusable(kept, suites, truths)
    swept = Swept()
    pieces = stretches(paths, workers)
    for part in crew.share(sweeper_alone, (common, ids), pieces, len(pieces), sweeper(common, dataset, truths, ids)):
        absorb(swept, part, paths[0])
    if not swept.answered:
        raise PredictionsError(
            f"{paths[0]}: none of its {swept.intake.answers} answers is for a sample of split "
            f"{'/'.join(options.splits)}; ids such as {next(iter(truths), '')!r} are right"
        )
    tables = common.tables(dataset, paths[0].parent)
    silent = [id_ for id_ in truths if id_ not in swept.answered]
    absorb(swept, Sweep(truths, tables, {}).missing(silent), paths[0])
    found = {table.key: table for several in tables.values() for table in several}
    for key, rows in kept.tables.items():
        if swept.reused and key in found:
            taken = rows.filter(pl.col("id").is_in(list(swept.reused)))
            swept.drafts.setdefault(key, []).append(taken.select(list(found[key].scorer.schema)))
    begin(out)
    works = ((key, swept.drafts.pop(key)) for key in found)  # held by whoever sums them up
    results = crew.share(summarizer_alone, common, works, len(found), summarizer(common, dataset, crew))
    write_kept(out / "rows", made, swept.digests, {Path(one.rows).name: one.rows_sha256 for one in results})
    order = {suite.name: index for index, suite in enumerate(suites)}
    results.sort(key=lambda result: (order[result.suite], result.source, result.split))
    return _results(header, paths, dataset, options, swept.intake, results)


def open_parts(paths: Sequence[Path], dataset: str, allow_other_dataset: bool) -> Header:
    """The header of all parts. Raises `PredictionsError` where they are of several runs."""
    header = open_predictions(paths[0], dataset, allow_other_dataset)
    for path in paths[1:]:
        if open_predictions(path, dataset, allow_other_dataset) != header:
            raise PredictionsError(f"{path}: its header differs from that of {paths[0]}; parts of one run are right")
    return header


def _reusable(kept: Kept, suites: Sequence[Suite], truths: Truths) -> dict[bytes, str]:
    """The answers whose rows are kept in every table that they go to."""
    rows = {key: set(table["id"].to_list()) for key, table in kept.tables.items()}
    found: dict[bytes, str] = {}
    for digest, id_ in kept.ids.items():
        if id_ in truths.place:
            keys = [key_of(suite, truths.which(id_)) for suite in suites]
            if all(id_ in rows.get(key, ()) for key in keys if key):
                found[digest] = id_
    return found


def absorb(whole: Swept, part: Swept, path: Path) -> None:
    """Put a stretch's findings beside the others'. Raises `PredictionsError` when both answer a sample."""
    both = whole.answered.keys() & part.answered.keys()
    if both:
        raise PredictionsError(twice(path, min(both)))
    whole.answered |= part.answered
    whole.digests |= part.digests
    whole.reused |= part.reused
    whole.intake.add(part.intake)
    for key, drafts in part.drafts.items():
        whole.drafts.setdefault(key, []).extend(drafts)


def _results(
    header: Header, paths: Sequence[Path], dataset: Dataset, options: Options, intake: Intake, suites: list[SuiteResult]
) -> Results:
    digests = sorted(file_digest(path) for path in paths)
    versions = {
        "vtinstruct": VERSION, "python": platform.python_version(), "polars": importlib.metadata.version("polars"),
        "numpy": importlib.metadata.version("numpy"), "pyarrow": importlib.metadata.version("pyarrow"),
        **engine_versions(options.engine),
        **{f"model:{name}": str(version) for name, version in header.versions.items()},
    }  # fmt: skip
    said: dict[str, Any] = asdict(options) | {"phrases": rule_of(options.phrases).name}
    said |= {"splits": list(options.splits), "suites": list(options.suites)}
    return Results(
        header.model, dataset.hash, dataset.root.resolve().name, joint_digest(digests), options.engine,
        with_word_lists(versions, suites),
        said, dict(header.generation),
        intake.to_json(),
        tuple(suites), header.dataset != dataset.hash, tuple(digests),
    )  # fmt: skip


def with_word_lists(versions: Mapping[str, str], suites: Sequence[SuiteResult]) -> dict[str, str]:
    """Versions, and that of the package whose word lists METEOR reads where there is a METEOR."""
    others = {name: version for name, version in versions.items() if name != PACKAGE}
    return others | (data_version() if any(suite.numbers.get("METEOR") is not None for suite in suites) else {})


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def joint_digest(digests: Sequence[str]) -> str:
    """One digest of all parts of a predictions file, whatever their order; of a single file its own."""
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()


def rescore(results: Results, folder: Path) -> Results:
    """New numbers from kept rows alone: no predictions file is read, no answer is judged again, no dataset is needed. Raises
    `RowsError`."""
    found: list[SuiteResult] = []
    for result in results.suites:
        suite = suite_of(result.suite, result.task)
        rows, _, categories = rows_of(folder, result)
        setting = setting_of(categories, results, results.options["resamples"], results.options["seed"])
        summary = suite.load().summarize(rows, setting)
        got = plain_intervals(summary.intervals)
        found.append(replace(result, numbers=summary.numbers, intervals=got, details=summary.details))
    return replace(results, suites=tuple(found), versions=with_word_lists(results.versions, found))
