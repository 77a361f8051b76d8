"""`refvlm-bench`: run a model, score a predictions file, rank results, list what is scored.

Refusals (a file or folder that cannot be used) are one line on stderr and exit code 2.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from benchmarks.compare import compare, moved_pictures, write_comparison
from benchmarks.convert_cli import register as register_convert
from benchmarks.crew import WorkerDied
from benchmarks.dataset import open_dataset
from benchmarks.engine import EngineError
from benchmarks.leaderboard import write_leaderboard
from benchmarks.listing import listing
from benchmarks.merge import merge
from benchmarks.model import ModelError
from benchmarks.official import OfficialError
from benchmarks.official.cli import Workers, register
from benchmarks.originals import OriginalMissing
from benchmarks.phrases import PhraseError
from benchmarks.results import ResultsError, read_results
from benchmarks.rows import RowsError
from benchmarks.run import baselines, run, score_and_report
from benchmarks.screen import say, screen, show, show_comparison
from benchmarks.shares import Options, read_truths
from benchmarks.suites import SuiteError
from vtinstruct import outcome
from vtinstruct.manifest import DatasetError
from vtinstruct.plugins import UnknownPlugin
from vtinstruct.prediction import PredictionsError
from vtinstruct.rows import ReadError

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)

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
    ran = run(models, dataset, options, checkpoint, out, say)
    show(ran.results)
    for line in ran.failed:
        say(f"left out: {line}", "yellow")
    for page in (*ran.reports, ran.leaderboard_csv, ran.leaderboard_html):
        say(str(page), "dim")


@app.command("score")
def score_command(
    predictions: Annotated[
        list[Path], typer.Option("--predictions", help="a predictions file (JSON Lines); repeated: parts of one run")
    ],
    data: Data, out: Out, split: Splits = None, limit: Limit = None, suite: Suites = None, engine: Engine = "hotcoco",
    resamples: Resamples = 1000, seed: Seed = 0, allow_other_dataset: OtherDataset = False, workers: Workers = 1,
    phrases: Phrases = "exact",
) -> None:  # fmt: skip
    """Numbers and a page from a predictions file; no model is needed. Such a file is JSON Lines, a header and then a line an
    answer: docs/benchmark.md has the form, `refvlm-bench convert` writes one from answers in other models' formats."""
    dataset, splits = open_dataset(data, split or ())
    options = Options(splits, limit, tuple(suite or ()), engine, resamples, seed, allow_other_dataset, phrases)
    results = score_and_report(predictions, dataset, out, options, read_truths(dataset, options), workers)
    show([results])
    for line in results.intake["lines"]:
        say(line, "yellow")
    say(str(out / "report.html"), "dim")


@app.command("leaderboard")
def leaderboard_command(
    results: Annotated[list[Path], typer.Argument(help="results.json files, or folders that hold one")], out: Out
) -> None:
    """Rank results of several models: CSV and HTML."""
    found = [read_results(path) for path in results]
    html, table = write_leaderboard(found, out, [path if path.is_dir() else path.parent for path in results])
    show(found)
    for page in (table, html):
        say(str(page), "dim")


@app.command("merge")
def merge_command(
    folders: Annotated[list[Path], typer.Argument(help="folders of `score`, each of a part of one run's answers")],
    out: Out,
) -> None:
    """One result from several, scored apart: the same bits in whatever order, and as if scored at once."""
    merged = merge(folders, out)
    show([merged])
    say(str(out / "results.json"), "dim")


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
    if out is not None:
        pictures = moved_pictures(found, (first, second), open_dataset(data)[0], predictions or ()) if data else {}
        write_comparison(out, found, pictures)
        say(str(out), "dim")


@app.command("suites")
def suites_command(
    data: Annotated[
        Path | None, typer.Option("--data", help="a dataset: which of its splits each suite scores")
    ] = None,
    split: Splits = None,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON, with what every number means")] = False,
) -> None:
    """What is scored: tasks, sources, splits, numbers, definitions, and what they may be compared with."""
    if split and not data:
        raise typer.BadParameter("--split is one of a dataset's; --data DATASET beside it is right")
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


def main() -> None:
    """Run the command line. What is wrong with the input is one line on stderr and exit code 2."""
    sys.exit(outcome.run(app, "refvlm-bench", REFUSALS))


if __name__ == "__main__":
    main()
