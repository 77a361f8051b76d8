"""From a predictions file to numbers: `score_file` reads it once, makes rows, keeps them, and sums them up.

No model and no torch. Memory holds the annotated samples and the rows; answers go by one at a time.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import multiprocessing
import platform
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.answers import Intake, open_predictions
from benchmarks.dataset import Dataset, open_dataset
from benchmarks.engine import engine_versions
from benchmarks.intervals import plain_intervals
from benchmarks.kept import Kept, made_with, read_kept, write_kept
from benchmarks.phrases import rule_of
from benchmarks.results import Results, SuiteResult
from benchmarks.rows import Whose, in_photo_order, read_rows, setting_of, write_rows
from benchmarks.scorer import Engine, Setting
from benchmarks.suites import Suite, suites_for
from benchmarks.sweep import Key, Stretch, Sweep, Swept, Table, twice
from benchmarks.truths import Truths, Which
from benchmarks.truths import read_truths as truths_of
from vtinstruct.prediction import Header, PredictionsError
from vtinstruct.values import gc_paused
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
    phrases: str = "exact"


def score_file(
    predictions: Path | Sequence[Path], dataset: Dataset, out: Path, options: Options, truths: Truths, workers: int = 1
) -> Results:
    """Score a predictions file, or the parts of one, against `truths` (`read_truths`) and keep the rows below `out/rows`; rows
    kept there of answers that did not change are taken over. The numbers do not depend on how many `workers` share the work,
    nor on the order of parts. Raises `PredictionsError` or `SuiteError`, each with one line, when there is nothing that
    could be scored."""
    paths = [predictions] if isinstance(predictions, Path) else sorted(predictions)
    with gc_paused():
        return _scored(paths, dataset, out, options, truths, workers)


def _scored(
    paths: Sequence[Path], dataset: Dataset, out: Path, options: Options, truths: Truths, workers: int
) -> Results:
    header = open_parts(paths, dataset.hash, options.allow_other_dataset)
    suites = suites_for(sorted({task for task, _, _ in truths.whichs()}), options.suites)
    made = made_with(dataset.hash, suites, rule_of(options.phrases).name)
    kept = read_kept(out / "rows", made)
    ids = _reusable(kept, suites, truths)
    swept = Swept()
    for part in sweep_all(stretches(paths, workers), dataset, options, truths, ids, workers):
        absorb(swept, part, paths[0])
    if swept.intake.answers and not swept.answered:
        raise PredictionsError(
            f"{paths[0]}: none of its {swept.intake.answers} answers is for a sample of split "
            f"{'/'.join(options.splits)}; ids such as {next(iter(truths), '')!r} are right"
        )
    tables = tables_of(suites, truths.whichs(), dataset, paths[0].parent, options)
    Sweep(truths, tables, swept).missing([id_ for id_ in truths if id_ not in swept.answered])
    found = {table.key: table for several in tables.values() for table in several}
    for key, rows in kept.tables.items():
        if swept.reused and key in found:
            taken = rows.filter(pl.col("id").is_in(list(swept.reused)))
            swept.drafts.setdefault(key, []).append(taken.select(list(found[key].scorer.schema)))
    by_name = {suite.name: suite for suite in suites}
    results = [_summarize(by_name[key[0]], table, swept.drafts.pop(key), out, made) for key, table in found.items()]
    write_kept(out / "rows", made, swept.digests)
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
            task, source, split = truths.which(id_)
            keys = [(s.name, source if s.task else EVERYTHING, split) for s in suites if s.takes(task, source)]
            if all(id_ in rows.get(key, ()) for key in keys):
                found[digest] = id_
    return found


def stretches(paths: Sequence[Path], workers: int) -> list[Stretch]:
    """The files in about `workers` pieces of whole lines."""
    if workers < 2:
        return [Stretch(path) for path in paths]
    size = max(1, sum(path.stat().st_size for path in paths) // workers)
    found: list[Stretch] = []
    for path in paths:
        start, first = 0, 1
        with path.open("rb") as file:
            while piece := file.read(size):
                piece += file.readline()
                found.append(Stretch(path, start, start + len(piece), first))
                start, first = start + len(piece), first + piece.count(b"\n")
    return found


def sweep_all(
    pieces: Sequence[Stretch],
    dataset: Dataset,
    options: Options,
    truths: Truths,
    kept: Mapping[bytes, str],
    workers: int,
) -> Iterator[Swept]:
    """Sweep every stretch, in as many processes as there are workers; results in the order of stretches."""
    if workers < 2 or len(pieces) < 2:
        yield from (_sweep(piece, dataset, options, truths, kept) for piece in pieces)
        return
    spawn = multiprocessing.get_context("spawn")  # the engines' threads do not survive a fork
    with ProcessPoolExecutor(min(workers, len(pieces)), spawn) as pool:
        yield from pool.map(_sweep_alone, [(piece, dataset.root, options, dict(kept)) for piece in pieces])


def _sweep_alone(work: tuple[Stretch, Path, Options, Mapping[bytes, str]]) -> Swept:
    piece, root, options, kept = work
    dataset = open_dataset(root, options.splits)[0]
    with gc_paused():
        return _sweep(piece, dataset, options, read_truths(dataset, options), kept)


def _sweep(
    piece: Stretch, dataset: Dataset, options: Options, truths: Truths, kept: Mapping[bytes, str]
) -> Swept:  # fmt: skip
    suites = suites_for(sorted({task for task, _, _ in truths.whichs()}), options.suites)
    swept = Swept()
    tables = tables_of(suites, truths.whichs(), dataset, piece.path.parent, options)
    Sweep(truths, tables, swept, kept).stretch(piece)
    return swept


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
        options.resamples, options.seed, rule_of(options.phrases),
    )  # fmt: skip


def _summarize(suite: Suite, table: Table, drafts: list[pl.DataFrame], out: Path, made: str) -> SuiteResult:
    _, source, split = table.key
    rows = in_photo_order(pl.concat(drafts))  # whatever order the answers came in
    drafts.clear()  # the second copy of everything
    rows = table.scorer.finished(rows)
    path = out / "rows" / f"{suite.name}.{source}.{split}.parquet"
    write_rows(path, rows, Whose(suite.name, suite.version, source, split, made), table.setting.categories)
    summary = table.scorer.summarize(rows, table.setting)
    states = rows["state"].value_counts()
    counts = dict(zip(states["state"].to_list(), states["count"].to_list(), strict=True))
    return SuiteResult(
        suite.name, suite.version, suite.task, suite.scorer, source, split, suite.primary,
        suite.metric().higher_is_better, rows.height, counts.get("missing", 0), counts.get("invalid", 0),
        summary.numbers, plain_intervals(summary.intervals), summary.details, path.relative_to(out).as_posix(),
    )  # fmt: skip


def _results(
    header: Header, paths: Sequence[Path], dataset: Dataset, options: Options, intake: Intake, suites: list[SuiteResult]
) -> Results:
    digests = sorted(file_digest(path) for path in paths)
    versions = {
        "vtinstruct": VERSION, "python": platform.python_version(), "polars": importlib.metadata.version("polars"),
        "numpy": importlib.metadata.version("numpy"), **engine_versions(options.engine),
        **{f"model:{name}": str(version) for name, version in header.versions.items()},
    }  # fmt: skip
    said: dict[str, Any] = asdict(options) | {"phrases": rule_of(options.phrases).name}
    said |= {"splits": list(options.splits), "suites": list(options.suites)}
    return Results(
        header.model, dataset.hash, dataset.root.resolve().name, joint_digest(digests), options.engine, versions,
        said, dict(header.generation),
        intake.to_json(),
        tuple(suites), header.dataset != dataset.hash, tuple(digests),
    )  # fmt: skip


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
    engine: Engine = "official" if results.engine == "official" else "hotcoco"
    for result in results.suites:
        (suite,) = suites_for([result.task], [result.suite])
        rows, _, categories = read_rows(folder / result.rows)
        setting = setting_of(
            categories,
            engine,
            results.options["resamples"],
            results.options["seed"],
            results.options.get("phrases", "exact"),
        )
        summary = suite.load().summarize(rows, setting)
        got = plain_intervals(summary.intervals)
        found.append(replace(result, numbers=summary.numbers, intervals=got, details=summary.details))
    return replace(results, suites=tuple(found))
