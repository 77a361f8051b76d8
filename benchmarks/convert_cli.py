"""The commands `refvlm-bench convert` and `refvlm-bench dialects`: answers of models that speak another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.convert import Converted, convert
from benchmarks.dataset import open_dataset
from benchmarks.truths import read_truths
from vtinstruct.dialect import dialect_named, dialects
from vtinstruct.prediction import PredictionsError


def register(app: typer.Typer) -> None:
    """Add the commands to an application."""
    screen = Console()

    @app.command("convert")
    def convert_command(
        answers: Annotated[Path, typer.Argument(help='JSON Lines of {"id": ..., "text": ...}')],
        dialect: Annotated[str, typer.Option("--dialect", help="the format of the texts; `refvlm-bench dialects`")],
        data: Annotated[Path, typer.Option("--data", help="the dataset that `vtinstruct build --out` wrote")],
        out: Annotated[Path, typer.Option("--out", help="the predictions file to write")],
        model: Annotated[str, typer.Option("--model", help="the model's name; default: the file's")] = "",
        split: Annotated[list[str] | None, typer.Option("--split", help="as of `score`; default: all held-out")] = None,
    ) -> None:
        """Answers in another model's format to a predictions file that `score` takes."""
        chosen = dialect_named(dialect)
        dataset, splits = open_dataset(data, split or ())
        if not answers.is_file():
            what = "is a folder" if answers.is_dir() else "no such file"
            raise PredictionsError(f"{answers}: {what}; JSON Lines of answers are expected there")
        out.parent.mkdir(parents=True, exist_ok=True)
        truths = read_truths(dataset, splits, None)

        def tell(line: str) -> None:
            screen.print(f"[yellow]left out[/yellow] {escape(line)}", soft_wrap=True, highlight=False)

        _show(convert(answers, chosen, truths, dataset, out, model or answers.stem, tell), screen)
        screen.print(f"[dim]{escape(str(out))}[/dim]", soft_wrap=True, highlight=False)

    @app.command("dialects")
    def dialects_command() -> None:
        """The formats of other models that `convert` reads: what their numbers mean, and what they cannot say."""
        table = Table(title="dialects", title_justify="left")
        for heading in ("dialect", "model and form", "coordinates", "reads", "writes", "what is lost"):
            table.add_column(heading, overflow="fold", no_wrap=heading == "dialect")
        for one in dialects():
            row = (one.name, one.title, one.coordinates, " ".join(one.reads), " ".join(one.writes) or "-", one.lost)
            table.add_row(*map(escape, row))
        screen.print(table)


def _show(done: Converted, screen: Console) -> None:
    screen.print(
        f"{done.answers} answers with {done.units} units, {done.invalid} of them invalid; "
        f"{sum(done.left_out.values())} lines left out",
        soft_wrap=True, highlight=False,
    )  # fmt: skip
    for counts in (done.faults, done.left_out):
        for reason, count in counts.most_common():
            line = f"  {reason}: {count}, first in line {done.first[reason]}"
            screen.print(escape(line), soft_wrap=True, highlight=False)
