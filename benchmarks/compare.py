"""Two models on the same samples, paired.

Both numbers are taken on the very same resamples of photos (`intervals.Drawn`), so what makes a photo hard for both cancels.
The interval of the difference is "basic" (`intervals.py`); p is the smallest level at which its complement leaves 0 out,
two-sided: twice the share of resampled differences beyond twice the observed one, the other side's included when smaller.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.intervals import Drawn, drawn
from benchmarks.page import render_page
from benchmarks.results import Results, ResultsError, SuiteResult, read_results
from benchmarks.rows import read_rows, setting_of
from benchmarks.scorer import Interval
from benchmarks.suites import suites_for

MOVED = 20  # samples shown of each suite


@dataclass(frozen=True, slots=True)
class Moved:
    """A sample and its own standing, 0..1, with the first and the second model."""

    id: str
    first: float
    second: float


@dataclass(frozen=True, slots=True)
class Difference:
    """One suite, source and split: the primary numbers of both, second minus first with its 95 % interval and p (None where
    it has none), and the samples that moved most."""

    suite: str
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
    moved: tuple[Moved, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models, and how they differ."""

    models: tuple[str, str]
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
    return Comparison((one.model, other.model), tuple(found))


Side = tuple[Path, Results, SuiteResult]


def _difference(first: Side, second: Side, resamples: int, seed: int) -> Difference:
    (suite,) = suites_for([first[2].task], [first[2].suite])
    scorer, metric = suite.load(), suite.metric()
    frames: list[pl.DataFrame] = []
    values: list[float | None] = []
    intervals: list[Interval | None] = []
    for folder, results, result in (first, second):
        rows, _, categories = read_rows(folder / result.rows)
        engine = "official" if results.engine == "official" else "hotcoco"
        summary = scorer.summarize(rows, setting_of(categories, engine, resamples, seed))
        frames.append(rows)
        values.append(summary.numbers[suite.primary])
        intervals.append(summary.intervals.get(suite.primary))
    if sorted(frames[0]["id"].to_list()) != sorted(frames[1]["id"].to_list()):
        where = f"{first[2].suite} {first[2].source} {first[2].split}"
        raise ResultsError(f"{second[0]}: other samples of {where} than {first[0]}; the same ones are right (--limit?)")
    got, p = _paired(*intervals)
    difference = None if None in values else (values[1] or 0.0) - (values[0] or 0.0)
    return Difference(
        suite.name, first[2].source, first[2].split, suite.primary, metric.percent, metric.higher_is_better,
        frames[0].height, (values[0], values[1]), difference, got.low if got else None, got.high if got else None, p,
        _moved(*frames),
    )  # fmt: skip


def _paired(first: Interval | None, second: Interval | None) -> tuple[Interval | None, float | None]:
    """The interval of the difference and p; none where either side has no resamples."""
    if not isinstance(first, Drawn) or not isinstance(second, Drawn) or first.values.shape != second.values.shape:
        return None, None
    estimate = second.estimate - first.estimate
    differences = second.values - first.values
    got = drawn(estimate, differences, None, first.photos, None)
    return got, None if got is None else two_sided(estimate, differences[np.isfinite(differences)])


def two_sided(estimate: float, resampled: NDArray[np.float64]) -> float:
    """p of "no difference": 0 lies outside the basic interval exactly where fewer than so many resampled differences lie
    beyond twice the estimate. Never 0: the sample itself counts as a resample."""
    beyond = min(np.count_nonzero(resampled >= 2 * estimate), np.count_nonzero(resampled <= 2 * estimate))
    return float(min(1.0, 2 * (beyond + 1) / (resampled.size + 1)))


def _moved(first: pl.DataFrame, second: pl.DataFrame) -> tuple[Moved, ...]:
    columns = ["id", "quality"]
    both = first.select(columns).join(second.select(columns), on="id", suffix="_second")
    both = both.with_columns((pl.col("quality_second") - pl.col("quality")).abs().alias("far"))
    most = both.filter(pl.col("far") > 0).sort(["far", "id"], descending=[True, False]).head(MOVED)
    return tuple(Moved(*row) for row in most.select("id", "quality", "quality_second").iter_rows())


def write_comparison(path: Path, found: Comparison) -> None:
    """The comparison as one self-contained page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page("compare.html", found=found), "utf-8")
