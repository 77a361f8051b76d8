"""A model's page: every number with how many samples it stands on, curves, classes, and answers drawn over photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from benchmarks.charts import Bar, Bin, bars, curves, reliability
from benchmarks.dataset import Dataset
from benchmarks.gallery import Picture, galleries
from benchmarks.page import metrics_of, render_page, shown
from benchmarks.results import Results, SuiteResult
from vtinstruct.dialogue import Dialogue

CLASSES = 12  # bars of single classes, the most telling ones
CELLS = 8  # rows of each table of mistakes


@dataclass(frozen=True, slots=True)
class Section:
    """One suite on the page: its results by source and split, charts of the first, and pictures."""

    name: str
    results: tuple[SuiteResult, ...]
    columns: tuple[str, ...]
    measure: str
    curve: Markup | None
    reliability: Markup | None
    classes: Markup | None
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
    path.write_text(render_page("report.html", results=results, sections=sections), "utf-8")


def _section(name: str, results: list[SuiteResult], pictures: list[Picture]) -> Section:
    first = results[0]
    lines: Mapping[str, list[float]] = first.details.get("curves", {})
    measure = "OKS" if first.scorer == "ap_keypoint" else "IoU"
    curve = curves({f"{measure} {key}": line for key, line in lines.items()}, "recall", "precision") if lines else None
    # a number that is undefined on every source says nothing here; the result file still names it
    columns = tuple(n for n in metrics_of(first) if any(r.numbers.get(n) is not None for r in results))
    return Section(
        name, tuple(results), columns, measure, curve, _reliability(first, measure), _classes(first), _mistakes(first),
        tuple(pictures),
    )  # fmt: skip


def _reliability(result: SuiteResult, measure: str) -> Markup | None:
    found: dict[str, Any] = result.details.get("reliability") or {}
    bins = [Bin(one["from"], one["confidence"], one["precision"], one["n"]) for one in found.get("bins", [])]
    return reliability(bins, f"precision at {measure} .5") if bins else None


def _mistakes(result: SuiteResult) -> tuple[tuple[str, list[dict[str, Any]]], ...]:
    """The largest cells off a confusion's diagonal, in three tables; those without a cell are left out."""
    cells: list[dict[str, Any]] = result.details.get("confusion", {}).get("cells", [])
    tables: dict[str, list[dict[str, Any]]] = {"annotated → answered": [], "missed": [], "answered, nothing there": []}
    other, missed, invented = tables.values()
    for cell in cells:
        (invented if cell["annotated"] is None else missed if cell["answered"] is None else other).append(cell)
    return tuple((title, several[:CELLS]) for title, several in tables.items() if several)


def _classes(result: SuiteResult) -> Markup | None:
    entries: list[dict[str, Any]] = result.details.get("classes", [])
    if len(entries) < 2:
        return None
    ordered = sorted(entries, key=lambda e: (-e["AP"], e["class"]))
    if len(ordered) > CLASSES:  # the best and the worst
        ordered = ordered[: CLASSES // 2] + ordered[-CLASSES // 2 :]
    return bars([Bar(e["class"], e["AP"], shown(e["AP"])) for e in ordered], 320, 1.0)
