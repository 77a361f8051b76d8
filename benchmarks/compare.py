"""Two models on the same samples, paired.

Both numbers are taken on the very same resamples of photos (`intervals.Drawn`), so what makes a photo hard for both cancels. The
interval of the difference and p are `intervals.paired`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from benchmarks.answers import answers_to
from benchmarks.dataset import Dataset
from benchmarks.gallery import Trio, trio
from benchmarks.intervals import Drawn, paired
from benchmarks.page import write_page
from benchmarks.remarks import remarks
from benchmarks.results import Results, ResultsError, SuiteResult, read_results
from benchmarks.rows import rows_of, setting_of
from benchmarks.score import file_digest
from benchmarks.scorer import MISSING, Interval
from benchmarks.suites import suite_of
from vtinstruct.dialogue import Dialogue

MOVED, PICTURED = 20, 4  # samples shown of each suite, and in pictures


@dataclass(frozen=True, slots=True)
class Moved:
    """A sample and its own standing, 0..1, with the first and the second model."""

    id: str
    first: float
    second: float

    @property
    def far(self) -> float:
        """How far it moved."""
        return abs(self.second - self.first)


@dataclass(frozen=True, slots=True)
class Difference:
    """One suite, source and split: the primary numbers of both, second minus first with its 95 % interval and p (None where
    it has none), both models' missing and invalid answers, and the samples that moved most."""

    suite: str
    task: str
    source: str
    split: str
    metric: str
    percent: bool
    higher_is_better: bool
    n: int
    values: tuple[float | None, float | None]
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    missing: tuple[int, int]
    invalid: tuple[int, int]
    moved: tuple[Moved, ...]

    @property
    def verdict(self) -> str:
        """ "better" or "worse" where p is below .05 (the interval leaves 0 out), else ""."""
        if self.low is None or self.high is None or self.p is None or self.p >= 0.05 or self.low <= 0 <= self.high:
            return ""
        return "better" if (self.low > 0) == self.higher_is_better else "worse"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models, what a reader must know of the numbers of each, and how they differ."""

    models: tuple[str, str]
    remarks: tuple[list[str], list[str]]
    suites: tuple[Difference, ...]


def compare(first: Path, second: Path, resamples: int, seed: int) -> Comparison:
    """Compare two folders of `score`, by their rows. Raises `ResultsError` when they share no suite with the same samples."""
    one, other = read_results(first), read_results(second)
    if one.dataset != other.dataset:
        raise ResultsError(f"{second}: scored on another dataset than {first}; results on the same one are right")
    theirs = {suite.key: suite for suite in other.suites}
    found = [
        _difference((first, one, suite), (second, other, theirs[suite.key]), resamples, seed)
        for suite in one.suites
        if suite.key in theirs
    ]
    if not found:
        raise ResultsError(f"{second}: has no suite, source and split that {first} has; the same ones are right")
    told = ([*remarks(one), *_apart(one, other)], [*remarks(other), *_apart(other, one)])
    return Comparison((one.model, other.model), told, tuple(found))


def _apart(one: Results, other: Results) -> list[str]:
    """What of one result has no counterpart in the other, and how it was scored otherwise."""
    theirs = {suite.key for suite in other.suites}
    alone = sum(suite.key not in theirs for suite in one.suites)
    found = [f"{alone} of its {len(one.suites)} sets are not in the other result and left out."] if alone else []
    pairs = (
        ("phrases", one.options.get("phrases", "exact"), other.options.get("phrases", "exact")),
        ("engine", one.engine, other.engine),
    )
    return [
        *found,
        *(f"Scored with {name} {mine}, the other with {theirs_}." for name, mine, theirs_ in pairs if mine != theirs_),
    ]


Side = tuple[Path, Results, SuiteResult]


def _difference(first: Side, second: Side, resamples: int, seed: int) -> Difference:
    suite = suite_of(first[2].suite, first[2].task)
    scorer, metric = suite.load(), suite.metric()
    frames: list[pl.DataFrame] = []
    values: list[float | None] = []
    intervals: list[Interval | None] = []
    for folder, results, result in (first, second):
        rows, _, categories = rows_of(folder, result)
        summary = scorer.summarize(rows, setting_of(categories, results, resamples, seed))
        frames.append(rows)
        values.append(summary.numbers[suite.primary])
        intervals.append(summary.intervals.get(suite.primary))
    if sorted(frames[0]["id"].to_list()) != sorted(frames[1]["id"].to_list()):
        where = f"{first[2].suite} {first[2].source} {first[2].split}"
        raise ResultsError(f"{second[0]}: other samples of {where} than {first[0]}; the same ones are right (--limit?)")
    one, two = intervals
    got = paired(one, two) if isinstance(one, Drawn) and isinstance(two, Drawn) else None
    difference = None if None in values else (values[1] or 0.0) - (values[0] or 0.0)
    return Difference(
        suite.name, suite.task, first[2].source, first[2].split, suite.primary, metric.percent, metric.higher_is_better,
        frames[0].height, (values[0], values[1]), difference, got.low if got else None, got.high if got else None,
        got.p if got else None, (first[2].missing, second[2].missing), (first[2].invalid, second[2].invalid),
        _moved(*frames),
    )  # fmt: skip


def _moved(first: pl.DataFrame, second: pl.DataFrame) -> tuple[Moved, ...]:
    columns = ["id", "quality"]
    both = first.select(columns).join(second.select(columns), on="id", suffix="_second")
    both = both.with_columns((pl.col("quality_second") - pl.col("quality")).abs().alias("far"))
    most = both.filter(pl.col("far") > 0).sort(["far", "id"], descending=[True, False]).head(MOVED)
    return tuple(Moved(*row) for row in most.select("id", "quality", "quality_second").iter_rows())


def write_comparison(path: Path, found: Comparison, pictures: Mapping[str, Sequence[Trio]]) -> None:
    """The comparison as one self-contained page; `pictures` by suite."""
    sections: list[tuple[str, list[tuple[Difference, Moved]]]] = []
    for name in dict.fromkeys(one.suite for one in found.suites):
        several = [(one, sample) for one in found.suites if one.suite == name for sample in one.moved]
        if several:
            sections.append((name, sorted(several, key=lambda pair: (-pair[1].far, pair[1].id))[:MOVED]))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_page(path, "compare.html", found=found, sections=sections, pictures=pictures)


def moved_pictures(
    found: Comparison, folders: tuple[Path, Path], dataset: Dataset, predictions: Sequence[Path]
) -> dict[str, list[Trio]]:
    """By suite, both answers to the samples that moved most, one a photo. `predictions`: the files that the two folders were
    scored from, told by their digests. Raises `ResultsError`."""
    results = (read_results(folders[0]), read_results(folders[1]))
    if results[0].dataset != dataset.hash:
        raise ResultsError(f"{dataset.root}: not the dataset of {folders[0]}; the one that was scored is right")
    sides = _files(folders, results, predictions)
    moved = {
        name: sorted((m for one in found.suites if one.suite == name for m in one.moved), key=lambda m: (-m.far, m.id))
        for name in dict.fromkeys(one.suite for one in found.suites if one.task)
    }
    truths = _truths(found, dataset, {sample.id for several in moved.values() for sample in several})
    shown = {name: _one_a_photo(several, truths) for name, several in moved.items()}
    wanted = {sample.id: truths[sample.id] for several in shown.values() for sample in several}
    first, second = ({i: (a, f.parent) for f in files for i, a in answers_to(f, wanted).items()} for files in sides)
    pictures: dict[str, list[Trio]] = {}
    for name, several in shown.items():
        for sample in several:
            (one, here), (other, there) = (side.get(sample.id, (MISSING, dataset.root)) for side in (first, second))
            drawn_ = trio(truths[sample.id], (one, other), (here, there), (sample.first, sample.second), dataset, name)
            pictures.setdefault(name, []).append(drawn_)
    return pictures


def _files(
    folders: tuple[Path, Path], results: tuple[Results, Results], predictions: Sequence[Path]
) -> tuple[list[Path], list[Path]]:
    """The predictions files of each side: those given, and the one that `run` leaves in a folder."""
    sides: tuple[list[Path], list[Path]] = ([], [])
    beside = [folder / "predictions.jsonl" for folder in folders]
    digests = {path: file_digest(path) for path in [*predictions, *(path for path in beside if path.is_file())]}
    for path, digest in digests.items():
        for side, one in zip(sides, results, strict=True):
            if digest in (one.predictions or (one.predictions_sha256,)):
                side.append(path)
    for folder, side, one in zip(folders, sides, results, strict=True):
        if len(side) < len(one.predictions or ("",)):
            raise ResultsError(
                f"{folder}: {len(side)} of its {len(one.predictions or ('',))} predictions files given; for pictures, those that "
                "it was scored from (--predictions) are right"
            )
    return sides


def _truths(found: Comparison, dataset: Dataset, ids: set[str]) -> dict[str, Dialogue]:
    places = dict.fromkeys((one.task, one.split) for one in found.suites if one.task and one.moved)
    return {truth.id: truth for place in places for truth in dataset.dialogues(*place) if truth.id in ids}


def _one_a_photo(moved: Sequence[Moved], truths: Mapping[str, Dialogue]) -> list[Moved]:
    photos: dict[str, Moved] = {}
    for sample in moved:
        truth = truths.get(sample.id)
        if truth is not None:
            photos.setdefault(truth.photo.id if truth.photo else sample.id, sample)
    return list(photos.values())[:PICTURED]
