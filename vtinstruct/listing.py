"""The tables of `vtinstruct sources` and `vtinstruct tasks`."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vtinstruct import plugins
from vtinstruct.build.choose import ROOM, source_named
from vtinstruct.build.plan import task_named, tasks_for
from vtinstruct.source import Source, SourceError
from vtinstruct.task import Task
from vtinstruct.templates import Wordings

TASKS = "vtinstruct.tasks"


def show_sources() -> None:
    """Every source: licence, splits, the tasks it feeds, homepage; then the folders each expects."""
    table = _table("source", "title", "licence", "splits", "feeds", "homepage")
    for name in plugins.names(ROOM):
        source = source_named(name)
        feeds = ", ".join(tasks_for(source, ()))
        cells = (name, source.title, source.licence, ", ".join(source.splits), feeds, source.homepage)
        table.add_row(*map(escape, cells))
    console = _wide()
    console.print(table)
    for name in plugins.names(ROOM):
        console.print(
            f"\n{name} expects\n{source_named(name).layout.strip()}", markup=False, highlight=False, soft_wrap=True
        )


def _table(*names: str) -> Table:
    table = Table()
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _wide() -> Console:
    # a table cut off at 80 columns in a pipe is of no use to anybody
    console = Console()
    return console if console.is_terminal else Console(width=240)


def show_source(name: str, root: Path | None) -> None:
    """One source in full; with `root`, which splits are there, and how many records each has. Raises `SourceError`."""
    source = source_named(name)
    if root is not None and not root.expanduser().is_dir():
        raise SourceError(f"{root}: no such folder; the root of {source.title} is right")
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{source.name}: {source.title}, {source.homepage}", markup=False)
    console.print(f"licence  {source.licence}", markup=False)
    console.print(f"offers   {', '.join(sorted(source.offers))}", markup=False)
    console.print(f"feeds    {', '.join(tasks_for(source, ()))}", markup=False)
    console.print(f"\n{source.layout.strip()}\n", markup=False)
    if root is not None:
        _show_root(source, root.expanduser().resolve(), console)


def _show_root(source: Source, root: Path, console: Console) -> None:
    """One line a split, the official ones and whatever others are there: its records, or what is missing and where it was
    looked for."""
    there = source.find(root)
    for split in dict.fromkeys((*source.splits, *there)):
        try:
            opened = source.open(root, split)
            console.print(f"{split}: {len(opened)} records, {len(opened.faults)} left out on reading", markup=False)
        except SourceError as error:
            console.print(f"{split}: {'' if split in there else 'not there: '}{error}", markup=False)


def show_tasks() -> None:
    """Every task: what goes in and out, the prompts, what it needs, the sources that feed it, how many wordings."""
    table = _table("id", "task", "in", "out", "prompts", "needs", "fed by", "wordings")
    sources = [source_named(name) for name in plugins.names(ROOM)]
    for task in sorted((task_named(name) for name in plugins.names(TASKS)), key=lambda task: (task.number, task.name)):
        fed_by = ", ".join(source.name for source in sources if task.fed_by(source.offers))
        needs = " or ".join(" + ".join(sorted(facts)) for facts in (task.needs, *task.or_needs))
        cells = (
            str(task.number), task.name, task.inputs, task.outputs, ", ".join(task.prompts) or "none", needs,
            fed_by or "none", _wordings(task),
        )  # fmt: skip
        table.add_row(*map(escape, cells))
    _wide().print(table)


def _wordings(task: Task) -> str:
    slots = Wordings.load(task.name).slots
    return ", ".join(f"{len(slot.wordings)} {name}" for name, slot in sorted(slots.items()))
