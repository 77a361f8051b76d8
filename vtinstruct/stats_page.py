"""The tables and plots of `vtinstruct stats`: on a terminal, and as one self-contained page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.markup import escape
from rich.table import Table

from vtinstruct.stats import COUNT_EDGES, SIZE_EDGES, WORD_EDGES, Stats, bin_names

COLUMNS = ("sources", "dialogues", "questions", "prompts", "units", "answer_words")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label, its count, and its length as a share of the longest."""

    label: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot of bars with a title, and one sentence on what is counted."""

    title: str
    what: str
    bars: tuple[Bar, ...]


def tables(stats: Stats) -> list[Table]:
    """The tables for a terminal: by task, and the commonest phrases."""
    by_task = Table(title="tasks", title_justify="left")
    by_task.add_column("task", overflow="fold")
    for name in COLUMNS:
        by_task.add_column(name.replace("_", " "), justify="right")
    for row in stats.tasks().iter_rows(named=True):
        by_task.add_row(escape(row["task"]), *(f"{row[name]:,}" for name in COLUMNS))
    totals = (f"{stats.total(name):,}" for name in COLUMNS[1:])
    by_task.add_row("all", f"{stats.groups['source'].n_unique()}", *totals, style="bold")
    phrases = Table(title="commonest phrases", title_justify="left")
    phrases.add_column("phrase", overflow="fold")
    phrases.add_column("units", justify="right")
    for phrase, count in common(stats.phrases, 15):
        phrases.add_row(escape(phrase), f"{count:,}")
    return [by_task, phrases]


def common(counter: Counter[str], most: int) -> list[tuple[str, int]]:
    """The commonest entries, the same order on every run."""
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:most]


def plots(stats: Stats) -> list[Plot]:
    """Every plot of the page."""
    by_source: Counter[str] = Counter()
    for row in stats.groups.iter_rows(named=True):
        by_source[row["source"]] += row["dialogues"]
    tasks = {row["task"]: row["dialogues"] for row in stats.tasks().iter_rows(named=True)}
    counted = [
        ("Tasks", "dialogues of each task", tasks.items()),
        ("Sources", "dialogues from each source", common(by_source, 60)),
        ("Kinds of units", "references that answers point with", common(stats.kinds, 9)),
        ("Kinds of prompts", "marks in questions", common(stats.prompts, 9)),
        ("Units in a dialogue", "dialogues by the units in their answers", _bins(COUNT_EDGES, stats.units_in_answer)),
        ("Size of units", "units by side: square root of their share of the photo",
         _bins(SIZE_EDGES, stats.sides, percent=True)),
        ("Words of a question", "questions by words, marks not counted", _bins(WORD_EDGES, stats.question_words)),
        ("Words of an answer", "answers by words, marks not counted", _bins(WORD_EDGES, stats.answer_words)),
        ("Commonest phrases", "units called so", common(stats.phrases, 40)),
    ]  # fmt: skip
    return [_plot(title, what, list(items)) for title, what, items in counted]


def _bins(edges: Sequence[float], counts: Sequence[int] | np.ndarray, percent: bool = False) -> list[tuple[str, int]]:
    return [(name, int(count)) for name, count in zip(bin_names(edges, percent), counts, strict=True)]


def _plot(title: str, what: str, items: Sequence[tuple[str, int]]) -> Plot:
    longest = max((count for _, count in items), default=0) or 1
    return Plot(title, what, tuple(Bar(label, count, count / longest) for label, count in items))


def write_page(stats: Stats, out: Path) -> None:
    """Write the page to `out`."""
    environment = Environment(
        loader=PackageLoader("vtinstruct", "pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    most = max(int(stats.places.max()), 1)
    text = environment.get_template("stats.html").render(
        manifest=stats.manifest, groups=stats.groups.rows(named=True), plots=plots(stats), stats=stats,
        totals={name: stats.total(name) for name in COLUMNS[1:]}, photos=len(stats.photos),
        places=[[int(count) / most for count in row] for row in stats.places],
    )  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
