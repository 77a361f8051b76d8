"""`refvlm-bench`: run a model, score a predictions file, rank results, list what is scored.

Refusals (a file or folder that cannot be used) are one line on stderr and exit code 2.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.compare import Comparison, compare, moved_pictures, write_comparison
from benchmarks.convert_cli import register as register_convert
from benchmarks.crew import WorkerDied
from benchmarks.dataset import open_dataset
from benchmarks.engine import EngineError
from benchmarks.leaderboard import Line, lines, models_of, rankings, write_leaderboard
from benchmarks.listing import listing
from benchmarks.merge import merge
from benchmarks.model import ModelError
from benchmarks.official import OfficialError
from benchmarks.official.cli import register
from benchmarks.originals import OriginalMissing
from benchmarks.page import shown
from benchmarks.phrases import PhraseError
from benchmarks.remarks import remarks
from benchmarks.results import Results, ResultsError, read_results
from benchmarks.rows import RowsError
from benchmarks.run import baselines, run, score_and_report
from benchmarks.shares import Options, read_truths
from benchmarks.suites import SuiteError
from vtinstruct import outcome
from vtinstruct.manifest import DatasetError
from vtinstruct.plugins import UnknownPlugin
from vtinstruct.prediction import PredictionsError
from vtinstruct.rows import ReadError

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
screen = Console()

REFUSALS = (
    DatasetError, ReadError, RowsError, PredictionsError, ResultsError, SuiteError, ModelError, EngineError, UnknownPlugin,
    OfficialError, OriginalMissing, PhraseError, WorkerDied,
)  # fmt: skip

Data = Annotated[Path, typer.Option("--data", help="the dataset that `vtinstruct build --out` wrote")]
Out = Annotated[Path, typer.Option("--out", help="where results and pages go")]
Splits = Annotated[
    list[str] | None, typer.Option("--split", help="a split to score; may be repeated; default: all held-out")
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="at most so many samples a task and split")]
Suites = Annotated[
    list[str] | None, typer.Option("--suite", help="only this suite of `refvlm-bench suites`; may be repeated")
]
Engine = Annotated[Literal["hotcoco", "official"], typer.Option("--engine", help="official: the original tools, slow")]
Resamples = Annotated[int, typer.Option("--resamples", min=0, help="of the bootstrap behind the intervals; 0: none")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="of the bootstrap")]
Workers = Annotated[
    int,
    typer.Option(
        "--workers",
        min=1,
        help="processes that share the work; the numbers are the same; of small sets one does all",
    ),
]
Phrases = Annotated[
    str, typer.Option("--phrases", help="what answered words mean: exact, synonyms:FILE or vectors:FILE")
]
OtherDataset = Annotated[bool, typer.Option("--allow-other-dataset", help="score answers made for another dataset")]


@app.command("run")
def run_command(
    data: Data, out: Out,
    checkpoint: Annotated[Path | None, typer.Option("--checkpoint", help="a folder of `refvlm train`")] = None,
    model: Annotated[str, typer.Option("--model", help="which model of benchmarks/models answers")] = "refvlm",
    split: Splits = None, limit: Limit = None,
    with_baselines: Annotated[bool, typer.Option("--baselines", help="the trivial baselines beside the model")] = False,
    suite: Suites = None, engine: Engine = "hotcoco", resamples: Resamples = 1000, seed: Seed = 0,
) -> None:  # fmt: skip
    """Answers, scores, pages and a leaderboard for one model; begun answers are continued."""
    dataset, splits = open_dataset(data, split or ())
    options = Options(splits, limit, tuple(suite or ()), engine, resamples, seed)
    models = list(dict.fromkeys([model, *(baselines() if with_baselines else ())]))
    ran = run(models, dataset, options, checkpoint, out, _say(screen))
    show(ran.results)
    for line in ran.failed:
        screen.print(f"[yellow]left out[/yellow] {escape(line)}", soft_wrap=True)
    for page in (*ran.reports, ran.leaderboard_csv, ran.leaderboard_html):
        screen.print(f"[dim]{escape(str(page))}[/dim]", soft_wrap=True, highlight=False)


@app.command("score")
def score_command(
    predictions: Annotated[
        list[Path], typer.Option("--predictions", help="a predictions file (JSON Lines); repeated: parts of one run")
    ],
    data: Data, out: Out, split: Splits = None, limit: Limit = None, suite: Suites = None, engine: Engine = "hotcoco",
    resamples: Resamples = 1000, seed: Seed = 0, allow_other_dataset: OtherDataset = False, workers: Workers = 1,
    phrases: Phrases = "exact",
) -> None:  # fmt: skip
    """Numbers and a page from a predictions file; no model is needed."""
    dataset, splits = open_dataset(data, split or ())
    options = Options(splits, limit, tuple(suite or ()), engine, resamples, seed, allow_other_dataset, phrases)
    results = score_and_report(predictions, dataset, out, options, read_truths(dataset, options), workers)
    show([results])
    for line in results.intake["lines"]:
        screen.print(f"[yellow]{escape(line)}[/yellow]", soft_wrap=True, highlight=False)
    screen.print(f"[dim]{escape(str(out / 'report.html'))}[/dim]", soft_wrap=True, highlight=False)


@app.command("leaderboard")
def leaderboard_command(
    results: Annotated[list[Path], typer.Argument(help="results.json files, or folders that hold one")], out: Out
) -> None:
    """Rank results of several models: CSV and HTML."""
    found = [read_results(path) for path in results]
    html, table = write_leaderboard(found, out, [path if path.is_dir() else path.parent for path in results])
    show(found)
    for page in (table, html):
        screen.print(f"[dim]{escape(str(page))}[/dim]", soft_wrap=True, highlight=False)


@app.command("merge")
def merge_command(
    folders: Annotated[list[Path], typer.Argument(help="folders of `score`, each of a part of one run's answers")],
    out: Out,
) -> None:
    """One result from several, scored apart: the same bits in whatever order, and as if scored at once."""
    merged = merge(folders, out)
    show([merged])
    screen.print(f"[dim]{escape(str(out / 'results.json'))}[/dim]", soft_wrap=True, highlight=False)


@app.command("compare")
def compare_command(
    first: Annotated[Path, typer.Argument(help="a folder of `score`")],
    second: Annotated[Path, typer.Argument(help="another, on the same samples")],
    out: Annotated[Path | None, typer.Option("--out", help="a page to write, compare.html")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="the dataset, for pictures of what moved most")] = None,
    predictions: Annotated[
        list[Path] | None, typer.Option("--predictions", help="both models' files, for pictures; after `run` they are found")
    ] = None,
    resamples: Resamples = 1000, seed: Seed = 0,
) -> None:  # fmt: skip
    """Two models on the same samples, paired: the difference of every primary number with its interval and p-value, and the
    samples that moved most."""
    found = compare(first, second, resamples, seed)
    show_comparison(found)
    for model, lines_ in zip(found.models, found.remarks, strict=True):
        for line in lines_:
            screen.print(f"[yellow]{escape(f'{model}: {line}')}[/yellow]", soft_wrap=True, highlight=False)
    if out is not None:
        pictures = moved_pictures(found, (first, second), open_dataset(data)[0], predictions or ()) if data else {}
        write_comparison(out, found, pictures)
        screen.print(f"[dim]{escape(str(out))}[/dim]", soft_wrap=True, highlight=False)


def show_comparison(found: Comparison) -> None:
    """A line a suite, source and split; then the samples that moved most."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, header_style="bold")
    for heading in ("suite", "source split", "number"):
        table.add_column(heading)
    for heading in ("n", found.models[0], found.models[1], "difference", "95 %", "p"):
        table.add_column(escape(heading), justify="right")
    for one in found.suites:
        a, b, difference = (shown(value, one.percent) for value in (*one.values, one.difference))
        interval = f"{shown(one.low, one.percent)} to {shown(one.high, one.percent)}" if one.low is not None else "–"
        p = "–" if one.p is None else f"{one.p:.3f}"
        where = f"{one.source} {one.split}"
        table.add_row(*map(escape, (one.suite, where, one.metric, str(one.n), a, b, difference, interval, p)))
    screen.print(table)
    for one in found.suites:
        for sample in one.moved[:3]:
            line = f"{one.suite}: {sample.id} {100 * sample.first:.1f} -> {100 * sample.second:.1f}"
            screen.print(f"[dim]{escape(line)}[/dim]", soft_wrap=True, highlight=False)


@app.command("suites")
def suites_command(
    data: Annotated[
        Path | None, typer.Option("--data", help="a dataset: which of its splits each suite scores")
    ] = None,
    split: Splits = None,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON, with what every number means")] = False,
) -> None:
    """What is scored: tasks, sources, splits, numbers, definitions, and what they may be compared with."""
    dataset, splits = open_dataset(data, split or ()) if data else (None, ())
    found = listing(dataset, splits)
    if as_json:
        print(json.dumps([one.to_json() for one in found], indent=1, ensure_ascii=False))
        return
    for one in found:
        screen.print(f"[bold]{escape(one.suite.name)}[/bold]  {escape(one.suite.title)}", highlight=False)
        table = Table(box=None, show_header=False, padding=(0, 0, 0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, text in one.lines():
            table.add_row(name, escape(text))
        screen.print(table)


register(app)
register_convert(app)


def _say(console: Console) -> Callable[[str], None]:
    return lambda text: console.print(escape(text), soft_wrap=True, highlight=False)


def show(results: tuple[Results, ...] | list[Results]) -> None:
    """The primary numbers of all models side by side: one line a suite, the mean over its sets (sources and splits; the pages
    have them one by one), the best of each line in bold. Invalid and missing answers are the first model's, the one that was
    asked for, and so are the remarks below."""
    models = models_of(results)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, header_style="bold")
    for heading in ("suite", "number"):
        table.add_column(heading, no_wrap=True)
    for heading in ("sets", "n", "invalid", "missing", *(model.removeprefix("baseline:") for model in models)):
        table.add_column(heading, justify="right", min_width=max(5, min(len(heading), 8)))
    rows = lines(rankings(results), models)
    for name in dict.fromkeys(row.suite.suite for row in rows):
        several = [row for row in rows if row.suite.suite == name]
        firsts = [row.cells[0].suite for row in several if row.cells[0]]
        counts = (len(several), *(sum(getattr(s, what) for s in firsts) for what in ("n", "invalid", "missing")))
        table.add_row(name, escape(several[0].suite.primary), *map(str, counts), *_means(several, len(models)))
    screen.print(table)
    for line in remarks(results[0]):
        screen.print(f"[yellow]{escape(line)}[/yellow]", soft_wrap=True, highlight=False)


def _means(rows: list[Line], models: int) -> list[str]:
    """Each model's mean over the sets on which every model has a value."""
    whole = [[c.suite.value for c in row.cells if c and c.suite.value is not None] for row in rows]
    shared = [values for values in whole if len(values) == models]
    if not shared:
        return ["–"] * models
    means = [sum(column) / len(shared) for column in zip(*shared, strict=True)]
    top = max(means) if rows[0].suite.higher_is_better else min(means)
    alone = models > 1 and means.count(top) == 1
    texts = [(shown(mean, rows[0].percent), alone and mean == top) for mean in means]
    return [f"[bold green]{text}[/bold green]" if best else text for text, best in texts]


def main() -> None:
    """Run the command line. What is wrong with the input is one line on stderr and exit code 2."""
    sys.exit(outcome.run(app, "refvlm-bench", REFUSALS))


if __name__ == "__main__":
    main()
