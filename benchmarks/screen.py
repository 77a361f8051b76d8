"""Tables on a terminal. No number is ever cut: what does not fit beside each other goes below each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from benchmarks.compare import Comparison, Difference
from benchmarks.leaderboard import Line, lines, models_of, rankings, told_apart
from benchmarks.page import p_shown, shown
from benchmarks.remarks import remarks
from benchmarks.results import Results, SuiteResult

LETTERS = 20  # of a model's name in a heading; longer ones go on in the next line
MOVED = 3  # samples told of each suite

screen = Console()


def say(text: str, style: str = "") -> None:
    """One line of plain text, as long as it is."""
    screen.print(escape(text), style=style or None, soft_wrap=True, highlight=False)


def show(results: Sequence[Results]) -> None:
    """The primary numbers of all models side by side: one line a suite, the mean over its sets (sources and splits; the pages
    have them one by one), the best of each line in bold, a star where answers are missing or invalid. Then each model's
    remarks."""
    results = told_apart(results)
    models = models_of(results)
    rows = lines(rankings(results), models)
    _print_blocks(models, lambda chosen: _summary(rows, models, chosen))
    if len(models) > 1 and any(cell and _lost(cell.suite) for row in rows for cell in row.cells):
        say("* missing or invalid answers are in the number; the pages count them", "dim")
    for one in results:
        for line in remarks(one):
            say(f"{one.model}: {line}" if len(results) > 1 else line, "yellow")


def _summary(rows: Sequence[Line], models: Sequence[str], chosen: Sequence[str]) -> Table:
    table = _table(["suite", "number"], ["sets", "n", *(("invalid", "missing") if len(models) == 1 else ()), *chosen])
    picks = [models.index(model) for model in chosen]
    for name in dict.fromkeys(row.suite.suite for row in rows):
        several = [row for row in rows if row.suite.suite == name]
        n = sum(row.suite.n for row in several)
        counts = [len(several), n]
        if len(models) == 1:
            counts += [sum(getattr(row.suite, what) for row in several) for what in ("invalid", "missing")]
        means = _means(several, len(models))
        table.add_row(name, escape(several[0].suite.primary), *map(str, counts), *(means[index] for index in picks))
    return table


def _means(rows: list[Line], models: int) -> list[str]:
    """Each model's mean over the sets on which every model has a value."""
    shared = [row for row in rows if all(cell and cell.suite.value is not None for cell in row.cells)]
    if not shared:
        return ["–"] * models
    columns = [[row.cells[index] for row in shared] for index in range(models)]
    means = [sum(cell.suite.value or 0.0 for cell in cells if cell) / len(shared) for cells in columns]
    everywhere = [[row.cells[index] for row in rows] for index in range(models)]
    lost = [models > 1 and any(cell and _lost(cell.suite) for cell in cells) for cells in everywhere]
    top = max(means) if rows[0].suite.higher_is_better else min(means)
    alone = models > 1 and means.count(top) == 1
    texts = [
        (shown(mean, rows[0].percent) + "*" * star, alone and mean == top)
        for mean, star in zip(means, lost, strict=True)
    ]
    return [f"[bold green]{text}[/bold green]" if best else text for text, best in texts]


def _lost(suite: SuiteResult) -> int:
    return suite.missing + suite.invalid


def show_comparison(found: Comparison) -> None:
    """A line a suite, source and split; then the samples of each suite that moved most, and what a reader must know."""
    first, second = found.models
    table = _table(["suite", "source", "split", "number"], ["n", first, second, "difference", "95 %", "p"])
    for one in found.suites:
        table.add_row(*map(escape, _difference(one)))
    _print_whole(table)
    for name in dict.fromkeys(one.suite for one in found.suites):
        moved = [sample for one in found.suites if one.suite == name for sample in one.moved]
        for sample in sorted(moved, key=lambda sample: (-sample.far, sample.id))[:MOVED]:
            say(f"{name}: {sample.id} {100 * sample.first:.1f} -> {100 * sample.second:.1f}", "dim")
    for model, told in zip(found.models, found.remarks, strict=True):
        for line in told:
            say(f"{model}: {line}", "yellow")


def _difference(one: Difference) -> tuple[str, ...]:
    a, b, difference = (shown(value, one.percent) for value in (*one.values, one.difference))
    interval = f"{shown(one.low, one.percent)} to {shown(one.high, one.percent)}" if one.low is not None else "–"
    a, b = (
        text + "*" * bool(sum(lost))
        for text, lost in zip((a, b), zip(one.missing, one.invalid, strict=True), strict=True)
    )
    return (one.suite, one.source, one.split, one.metric, str(one.n), a, b, difference, interval, p_shown(one.p))


def _table(words: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, header_style="bold")
    for heading in words:
        table.add_column(heading, no_wrap=True)
    for heading in numbers:
        name = heading.removeprefix("baseline:")
        folded = "\n".join(name[start : start + LETTERS] for start in range(0, len(name), LETTERS))
        table.add_column(escape(folded), justify="right", no_wrap=True, min_width=min(5, len(name)))
    return table


def _width(table: Table) -> int:
    return Measurement.get(screen, screen.options.update(max_width=100_000), table).maximum


def _print_whole(table: Table) -> None:
    """The table as wide as it is: a terminal breaks its lines, a file has them whole."""
    Console(width=max(screen.width, _width(table))).print(table)


def _print_blocks(models: Sequence[str], table: Callable[[Sequence[str]], Table]) -> None:
    """As many models beside each other as fit, then the next ones."""
    rest = list(models)
    while rest:
        fits = next((n for n in range(len(rest), 1, -1) if _width(table(rest[:n])) <= screen.width), 1)
        _print_whole(table(rest[:fits]))
        rest = rest[fits:]
