"""A model's page: every number with how many samples it stands on, curves, classes, and answers drawn over photos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from benchmarks.charts import Bar, Bin, Row, bars, curves, matrix, reliability
from benchmarks.dataset import Dataset
from benchmarks.gallery import Picture, galleries
from benchmarks.page import metrics_of, shown, write_page
from benchmarks.remarks import remarks
from benchmarks.results import Results, SuiteResult
from vtinstruct.dialogue import Dialogue

CLASSES = 12  # bars of single classes, the most telling ones
CLASS_NUMBERS = (("AP", "AP50"), ("PQ", "SQ", "RQ"), ("IoU", "Acc"))
CELLS = 6  # rows of each table of mistakes
CONFUSED = 10  # classes of a drawn confusion
MISSED, ELSE, NOTHING = "missed", "another class", "nothing there"


@dataclass(frozen=True, slots=True)
class ClassTable:
    """Every class's own numbers of one source and split: AP and AP50, or PQ, SQ and RQ, or IoU and Acc."""

    source: str
    split: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One suite on the page: its results by source and split, the `mean` over several, charts of `first` (the first with a
    value), tables of classes, and pictures."""

    name: str
    results: tuple[SuiteResult, ...]
    first: SuiteResult
    columns: tuple[str, ...]
    mean: float | None
    measure: str
    curve: Markup | None
    reliability: Markup | None
    classes: Markup | None
    tables: tuple[ClassTable, ...]
    confusion: Markup | None
    mistakes: tuple[tuple[str, list[dict[str, Any]]], ...]
    pictures: tuple[Picture, ...]


def write_report(
    path: Path, results: Results, dataset: Dataset, predictions: Sequence[Path], truths: Mapping[str, Dialogue]
) -> None:
    """Write the page. Rows are read from beside it, where `score_file` kept them."""
    pictures = galleries(results.suites, path.parent, dataset, predictions, truths)
    grouped: dict[str, list[SuiteResult]] = {}
    for suite in results.suites:
        grouped.setdefault(suite.suite, []).append(suite)
    sections = [_section(name, several, pictures.get(name, [])) for name, several in grouped.items()]
    write_page(path, "report.html", results=results, sections=sections, remarks=remarks(results))


def _section(name: str, results: list[SuiteResult], pictures: list[Picture]) -> Section:
    first = next((one for one in results if one.value is not None), results[0])
    lines: Mapping[str, list[float]] = first.details.get("curves", {})
    measure = "OKS" if first.scorer == "ap_keypoint" else "IoU"
    curve = curves({f"{measure} {key}": line for key, line in lines.items()}, "recall", "precision") if lines else None
    # a number that is undefined on every source says nothing here; the result file still names it
    columns = tuple(n for n in metrics_of(first) if any(r.numbers.get(n) is not None for r in results))
    return Section(
        name, tuple(results), first, columns, _mean(results), measure, curve, _reliability(first, measure), _classes(first),
        _tables(results), _confusion(first), _mistakes(first), tuple(pictures),
    )  # fmt: skip


def _mean(results: Sequence[SuiteResult]) -> float | None:
    """The plain mean of the primary number over several sets; None of one set, or where one has no value."""
    values = [one.value for one in results if one.value is not None]
    return sum(values) / len(values) if len(values) == len(results) > 1 else None


def _reliability(result: SuiteResult, measure: str) -> Markup | None:
    found: dict[str, Any] = result.details.get("reliability") or {}
    bins = [Bin(one["from"], one["confidence"], one["precision"], one["n"]) for one in found.get("bins", [])]
    return reliability(bins, f"precision at {measure} .5") if bins else None


def _confusion(result: SuiteResult) -> Markup | None:
    """The classes with the most wrong, annotated by answered."""
    found: dict[str, Any] = result.details.get("confusion") or {}
    classes: list[dict[str, Any]] = found.get("classes", [])[:CONFUSED]
    names = list(dict.fromkeys(one["name"] for one in classes))
    if not found.get("annotated"):
        return None
    cells = {(cell["annotated"], cell["answered"]): cell["n"] for cell in found["cells"]}
    rows: list[Row] = []
    for one in classes:
        name, of = one["name"], one["annotated"]
        values = [one["right"] if other == name else cells.get((name, other), 0) for other in names]
        if of:
            rest = max(of - one["missed"] - sum(values), 0)
            rows.append(Row(name, (*values, rest, one["missed"]), of, names.index(name)))
    invented = Counter[str]()
    for one in found["classes"]:
        invented[one["name"] if one["name"] in names else ELSE] += one["invented"]
    if invented.total():
        rows.append(Row(NOTHING, (*(invented[name] for name in (*names, ELSE)), 0), None))
    return matrix(rows, names, (ELSE, MISSED))


def _mistakes(result: SuiteResult) -> tuple[tuple[str, list[dict[str, Any]]], ...]:
    """The largest cells off a confusion's diagonal, in three tables; those without a cell are left out."""
    found: dict[str, Any] = result.details.get("confusion") or {}
    cells: list[dict[str, Any]] = found.get("cells", [])
    tables: dict[str, list[dict[str, Any]]] = {"annotated → answered": [], MISSED: [], f"answered, {NOTHING}": []}
    other, missed, invented = tables.values()
    for cell in cells:
        (invented if cell["annotated"] is None else missed if cell["answered"] is None else other).append(cell)
    return tuple((title, several[:CELLS]) for title, several in tables.items() if several)


def _tables(results: Sequence[SuiteResult]) -> tuple[ClassTable, ...]:
    """The classes of every set that has more than one."""
    found: list[ClassTable] = []
    for result in results:
        rows: list[dict[str, Any]] = result.details.get("classes") or result.details.get("by_class") or []
        if len(rows) > 1:
            order = next(names for names in CLASS_NUMBERS if names[0] in rows[0])
            found.append(ClassTable(result.source, result.split, order, tuple(rows)))
    return tuple(found)


def _classes(result: SuiteResult) -> Markup | None:
    tables = _tables([result])
    if not tables:
        return None
    number = tables[0].columns[0]
    known = [row for row in tables[0].rows if row[number] is not None]
    ordered = sorted(known, key=lambda row: (-row[number], row["class"]))
    if len(ordered) > CLASSES:  # the best and the worst
        ordered = ordered[: CLASSES // 2] + ordered[-CLASSES // 2 :]
    chart = bars([Bar(row["class"], row[number], shown(row[number])) for row in ordered], 320, 1.0)
    return Markup("<h3>{} by class</h3>{}").format(number, chart)
