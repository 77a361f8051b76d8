"""The leaderboard: result files side by side, as CSV and as one self-contained page.

One CSV row a model and suite, columns in a fixed order, every row with its provenance. Only results of the same suite,
version, source and split, on the same samples (dataset, and how many with `--limit`), are ranked together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import polars as pl
from markupsafe import Markup

from benchmarks.charts import Bar, bars
from benchmarks.page import TITLES, colours, is_percent, shown, write_page
from benchmarks.results import Results, SuiteResult
from benchmarks.scorer import Interval
from benchmarks.suites import SUITES
from vtinstruct.partial import whole

COLUMNS: tuple[str, ...] = (
    "suite", "suite_version", "source", "split", "model", "metric", "value", "low", "high", "higher_is_better", "rank",
    "n", "missing", "invalid", "dataset_name", "dataset", "other_dataset", "predictions_sha256", "engine",
    "engine_version", "vtinstruct", "limit", "phrases", "dialect",
    "tie_worst", "tie_best", "resamples", "seed", "other_metric", "other_value",
)  # fmt: skip


ENDS = (0.1, 0.25, 0.5, 1.0)  # where the scale of a card may end


@dataclass(frozen=True, slots=True)
class Place:
    """One model in one ranking; `rank` 1 is best, equal values share it, an undefined value has none."""

    results: Results
    suite: SuiteResult
    rank: int | None


@dataclass(frozen=True, slots=True)
class Ranking:
    """All models on one suite, source, split and dataset, best first."""

    suite: SuiteResult
    dataset: str
    places: tuple[Place, ...]


Group = tuple[tuple[str, int, str, str], str, int]  # suite, version, source and split; dataset; number of samples


def told_apart(results: Sequence[Results]) -> list[Results]:
    """The same, once each; where several of one model stand in one ranking, their names say by which answers (the digest of
    their file) or, of one file, as the how many given they are."""
    once = [one for index, one in enumerate(results) if one not in results[:index]]
    found: list[Results] = []
    for one in once:
        others = [other for other in once if other.model == one.model and other is not one]
        if not any(_groups(one) & _groups(other) for other in others):
            found.append(one)
            continue
        same = [
            other for other in once if (other.model, other.predictions_sha256) == (one.model, one.predictions_sha256)
        ]
        number = f" #{next(i for i, other in enumerate(same, 1) if other is one)}" if len(same) > 1 else ""
        found.append(replace(one, model=f"{one.model} ({one.predictions_sha256[:8]}{number})"))
    return found


def _groups(one: Results) -> set[Group]:
    return {(suite.key, one.dataset, suite.n) for suite in one.suites}


def rankings(results: Sequence[Results]) -> list[Ranking]:
    """Group, then rank. Suites in table order, then sources and splits by name."""
    order = {suite.name: index for index, suite in enumerate(SUITES)}
    groups: dict[Group, list[tuple[Results, SuiteResult]]] = {}
    for one in results:
        for suite in one.suites:
            groups.setdefault((suite.key, one.dataset, suite.n), []).append((one, suite))
    keys = sorted(groups, key=lambda k: (order.get(k[0][0], len(order)), k))
    return [_ranked(groups[key], key[1]) for key in keys]


def _ranked(entries: list[tuple[Results, SuiteResult]], dataset: str) -> Ranking:
    def badness(entry: tuple[Results, SuiteResult]) -> float:
        value = entry[1].value
        if value is None:
            return float("inf")
        return -value if entry[1].higher_is_better else value

    entries = sorted(entries, key=lambda entry: (badness(entry), entry[0].model))
    worse = [badness(entry) for entry in entries]
    places = tuple(
        Place(results, suite, None if suite.value is None else worse.index(worse[index]) + 1)
        for index, (results, suite) in enumerate(entries)
    )
    return Ranking(entries[0][1], dataset, places)


def table(results: Sequence[Results]) -> pl.DataFrame:
    """The leaderboard as rows, in ranking order."""
    rows = [_row(place) for ranking in rankings(results) for place in ranking.places]
    schema = {name: _type(name) for name in COLUMNS}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _type(name: str) -> type[pl.DataType]:
    if name in ("value", "low", "high", "tie_worst", "tie_best", "other_value"):
        return pl.Float64
    if name in ("rank", "n", "missing", "invalid", "suite_version", "limit", "resamples", "seed"):
        return pl.Int64
    return pl.Boolean if name in ("higher_is_better", "other_dataset") else pl.String


def _row(place: Place) -> dict[str, object]:
    results, suite = place.results, place.suite
    interval = suite.intervals.get(suite.primary)
    package = "hotcoco" if results.engine == "hotcoco" else "pycocotools"
    values: tuple[object, ...] = (
        suite.suite, suite.version, suite.source, suite.split, results.model, suite.primary, suite.value,
        interval.low if interval else None, interval.high if interval else None, suite.higher_is_better, place.rank,
        suite.n, suite.missing, suite.invalid, results.dataset_name, results.dataset, results.other_dataset,
        results.predictions_sha256, results.engine, results.versions.get(package, ""),
        results.versions.get("vtinstruct", ""), results.options.get("limit"),
        results.options.get("phrases", "exact"), dialect_of(results),
        *(suite.numbers.get(name) if suite.primary == "AP" else None for name in ("AP_worst", "AP_best")),
        results.options.get("resamples"), results.options.get("seed"), *(other_of(suite) or (None, None)),
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def other_of(suite: SuiteResult) -> tuple[str, float | None] | None:
    """The primary number as the published script has it, or corrected: its name and value, where there are both."""
    plain = re.sub(r"\[(script|corrected)\]$", "", suite.primary)
    names = (name for name in (plain, f"{plain}[script]", f"{plain}[corrected]") if name != suite.primary)
    return next(((name, suite.numbers[name]) for name in names if name in suite.numbers), None)


def dialect_of(results: Results) -> str:
    """The format in which the model answered, before `refvlm-bench convert`."""
    converted = results.generation.get("converted")
    name = cast(Mapping[str, Any], converted).get("dialect") if isinstance(converted, dict) else None
    return name if isinstance(name, str) else "trp"


@dataclass(frozen=True, slots=True)
class Cell:
    """One model's number in a ranking, for the page."""

    suite: SuiteResult
    best: bool
    interval: Interval | None
    other: tuple[str, float | None] | None


@dataclass(frozen=True, slots=True)
class Line:
    """One ranking as a row of the page: a cell for every model, None where it was not scored."""

    suite: SuiteResult
    cells: tuple[Cell | None, ...]
    percent: bool


@dataclass(frozen=True, slots=True)
class Card:
    """One suite at a glance: bars of every model, over the mean of its sets."""

    title: str
    metric: str
    set: str
    sets: int
    higher: bool
    scale: str
    chart: Markup
    lost: str


def models_of(results: Sequence[Results]) -> list[str]:
    """Every model once, in the order given, baselines last."""
    return sorted(dict.fromkeys(one.model for one in results), key=lambda model: model.startswith("baseline:"))


def lines(found: Sequence[Ranking], models: Sequence[str]) -> list[Line]:
    """Rankings of `told_apart` results as rows with one column a model."""
    rows: list[Line] = []
    for ranking in found:
        shared = len(ranking.places) < 2 or ranking.places[1].rank == 1  # nobody is best alone
        cells = {
            place.results.model: Cell(
                place.suite,
                place.rank == 1 and not shared,
                place.suite.intervals.get(place.suite.primary),
                other_of(place.suite),
            )
            for place in ranking.places
        }
        percent = is_percent(ranking.suite, ranking.suite.primary)
        rows.append(Line(ranking.suite, tuple(cells.get(model) for model in models), percent))
    return rows


def cards(rows: Sequence[Line], models: Sequence[str]) -> list[Card]:
    """One card a suite. A model's bar is the plain mean over those of the suite's sets on which every model has a value."""
    grouped: dict[str, list[Line]] = {}
    for row in rows:
        grouped.setdefault(row.suite.suite, []).append(row)
    found: list[Card] = []
    inks = inks_of(models)
    for name, several in grouped.items():
        shared = [row for row in several if all(cell and cell.suite.value is not None for cell in row.cells)]
        first = (shared or several)[0]
        entries = [_bar(model, index, shared, first.percent, inks.get(model, "")) for index, model in enumerate(models)]
        title = TITLES.get(name, name)
        where = f"{first.suite.source} {first.suite.split}"
        most = max([0.0, *(v or 0.0 for bar in entries for v in (bar.value, bar.high, *bar.parts))])
        top = next((end for end in ENDS if end >= most), None) if first.percent else None
        scale = f"scale 0 to {shown(top or most, first.percent)}" if most else ""
        chart = bars(entries, 330, top)
        lost = _lost(several, models)
        found.append(
            Card(title, first.suite.primary, where, len(shared), first.suite.higher_is_better, scale, chart, lost)
        )
    return found


def _lost(rows: Sequence[Line], models: Sequence[str]) -> str:
    """Whose answers are missing or invalid, and how many over all sets."""
    told: list[str] = []
    for index, model in enumerate(models):
        suites = [cell.suite for row in rows if (cell := row.cells[index])]
        counts = {what: sum(getattr(suite, what) for suite in suites) for what in ("missing", "invalid")}
        if any(counts.values()):
            words = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
            told.append(f"{model.removeprefix('baseline:')} {words} of {sum(suite.n for suite in suites):,}")
    return "; ".join(told)


def inks_of(models: Sequence[str]) -> dict[str, str]:
    """A colour for every model, the same in all cards and headings; none for baselines."""
    return colours(model for model in models if not model.startswith("baseline:"))


def _bar(model: str, index: int, shared: Sequence[Line], percent: bool, ink: str) -> Bar:
    cells = [cell for row in shared if (cell := row.cells[index])]
    values = [cell.suite.value for cell in cells if cell.suite.value is not None]
    value = sum(values) / len(values) if values else None
    whisker = cells[0].interval if len(cells) == 1 else None
    star = "*" * any(cell.suite.missing or cell.suite.invalid for row in shared if (cell := row.cells[index]))
    return Bar(
        model.removeprefix("baseline:"), value, shown(value, percent) + star, whisker.low if whisker else None,
        whisker.high if whisker else None, not model.startswith("baseline:"), ink,
        tuple(values) if len(values) > 1 else (),
    )  # fmt: skip


def write_leaderboard(results: Sequence[Results], out: Path, folders: Sequence[Path] = ()) -> tuple[Path, Path]:
    """Write `leaderboard.html` and `leaderboard.csv` below `out`. `folders` are the results' own, for links to their pages.
    A text cell that a spreadsheet would run as a formula gets a quote in front."""
    out.mkdir(parents=True, exist_ok=True)
    page, rows = out / "leaderboard.html", out / "leaderboard.csv"
    safe = table(results).with_columns(pl.col(pl.String).str.replace(r"^([=+\-@\t\r])", "'$1"))
    with whole(rows) as temporary:
        temporary.write_text(safe.write_csv(), "utf-8", newline="\n")
    named = told_apart(results)
    models = models_of(named)
    found = lines(rankings(named), models)
    links = {one.predictions_sha256: _link(out, folder) for one, folder in zip(results, folders, strict=False)}
    datasets = list(dict.fromkeys((one.dataset_name, one.dataset) for one in results))
    write_page(
        page, "leaderboard.html", results=named, rows=found, cards=cards(found, models), models=models, links=links,
        datasets=datasets, inks=inks_of(models),
    )  # fmt: skip
    return page, rows


def _link(out: Path, folder: Path) -> str:
    report = folder / "report.html"
    if report.is_file() and report.resolve().is_relative_to(out.resolve()):
        return report.resolve().relative_to(out.resolve()).as_posix()
    return ""
