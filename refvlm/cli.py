"""The command `refvlm`. Torch and the model are imported when a command runs, so that `--help` is there at once."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from refvlm.checkpoints import CheckpointError
from vtinstruct import outcome
from vtinstruct.manifest import DatasetError
from vtinstruct.photos import PhotoError
from vtinstruct.prediction import PredictionsError

if TYPE_CHECKING:
    from refvlm.training.logbook import Progress

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
    help="REF-VLM: train the reference model, and let it answer.",
)  # fmt: skip

Data = Annotated[Path, typer.Option(help="A dataset that `vtinstruct build` wrote.")]


class InputError(Exception):
    """An option that cannot be used; one line."""


REFUSALS = (DatasetError, PredictionsError, PhotoError, CheckpointError, InputError)
EXTRAS: dict[str, str] = dict.fromkeys(("torch", "transformers", "safetensors", "tokenizers"), "model")


def main() -> None:
    """Run the command line. What is wrong with the input is one line on stderr and exit code 2."""
    sys.exit(outcome.run(app, "refvlm", REFUSALS, EXTRAS))


@app.command()
def train(
    recipe: Annotated[str, typer.Option(help="tiny_cpu, or another name of refvlm/recipes.py.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="Where the checkpoint and losses.jsonl go: a new or empty folder.")],
    settings: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE in place of the recipe's own.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Stop after so many steps.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Stop after so many minutes.")] = None,
    split: Annotated[
        str, typer.Option(help="Splits to learn from, by comma. All that begin with train, otherwise.")
    ] = "",
    start: Annotated[Path | None, typer.Option("--from", help="A checkpoint to begin from: an earlier stage.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a run in --out was stopped; begin if there is none.")
    ] = False,
    held_out: Annotated[
        str,
        typer.Option(
            help="Score answers to these splits, by comma, at the end and every `evaluate` steps of the recipe."
        ),
    ] = "",
    held_out_limit: Annotated[int, typer.Option(min=1, help="Dialogues of each task to score on the way.")] = 50,
) -> None:
    """Train a model by a recipe."""
    from refvlm.checkpoints import CheckpointError
    from refvlm.data import DatasetStore
    from refvlm.recipes import RecipeError
    from refvlm.recipes import recipe as named
    from refvlm.train import train as run
    from refvlm.training.checkpoint import LossError, ResumeError
    from refvlm.training.evaluation import Held, Judge
    from refvlm.training.feed import NothingToLearn

    pairs = dict(_pair(text) for text in settings or [])
    if steps is not None:
        pairs["steps"] = str(steps)
    if minutes is not None:
        pairs["minutes"] = str(minutes)
    first = (
        os.environ.get("RANK", "0") == "0"
    )  # of the processes of torchrun or deepspeed, the one that speaks and writes
    if first and not resume and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is not empty; a new folder for the checkpoint, or --resume, is right")
    if start is not None:
        _is_checkpoint(start)
    screen = _Screen(silent=not first)
    try:
        chosen = named(recipe, pairs)
        store = DatasetStore(data, _names(split), _names(chosen.without), screen.say)
        screen.say(
            f"{len(store)} photos to learn from; {chosen.name}, at most {chosen.minutes:g} min, {chosen.steps} steps"
        )
        with screen:
            judge = Judge(Held(data, _names(held_out), held_out_limit), out, screen.say) if held_out else None
            run(chosen, store, out, screen.show, start=start, resume=resume, judge=judge, say=screen.say)
    except (RecipeError, ResumeError, LossError, CheckpointError) as error:
        raise InputError(str(error)) from error
    except NothingToLearn as error:
        raise InputError(f"{data}: {error}") from error
    screen.say(f"{out}: trained" + (f"; {store.lost} times a photo or depth map was left out" if store.lost else ""))


@app.command()
def predict(
    checkpoint: Annotated[Path, typer.Option(help="A folder that `refvlm train` wrote.")],
    data: Data,
    split: Annotated[str, typer.Option(help="The split to answer.")],
    out: Annotated[Path, typer.Option(help="The predictions file; one that was begun is continued.")],
    tasks: Annotated[str, typer.Option(help="Only these tasks, by comma.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many dialogues of each task.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Questions answered at once.")] = 64,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 256,
) -> None:
    """Answer the questions of a split and write a predictions file."""
    _is_checkpoint(checkpoint)  # before torch: a wrong folder is said at once
    from refvlm.predict import Wanted
    from refvlm.predict import predict as run

    screen = _Screen()
    wanted = Wanted(split, _names(tasks), limit, batch, max_new_tokens)
    with screen:
        counts = run(checkpoint, data, wanted, out, screen.count, screen.say)
    screen.say(f"{out}: {counts.answered} answered, {counts.before} were there, {counts.lost} left out")


@app.command()
def curves(
    run: Annotated[Path, typer.Argument(help="A folder that `refvlm train` wrote.")],
    out: Annotated[Path, typer.Option(help="The page; a name that ends in .svg is the picture alone.")],
    level: Annotated[
        list[str] | None,
        typer.Option(help="NAME=RESULTS.JSON of a trivial baseline, drawn as a dashed line; may be repeated."),
    ] = None,
) -> None:
    """Draw a run's losses and held-out scores against the dialogues seen."""
    from refvlm.chart import figure
    from refvlm.curves import RunError, page, panels, read_numbers, read_run

    try:
        found = read_run(run)
        levels = {name: read_numbers(Path(path)) for name, path in map(_pair, level or [])}
    except RunError as error:
        raise InputError(str(error)) from error
    picture = out.suffix == ".svg"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(
        figure(panels(found, levels), "dialogues seen") if picture else page(found, run.name, levels), encoding="utf-8"
    )
    _Screen().say(f"{out}: {found.steps} steps, {found.seen} dialogues")


def _is_checkpoint(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder}: no config.json there; a checkpoint that `refvlm train` wrote is right")


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"{text!r} has no '='; KEY=VALUE is right")
    return key, value


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


class _Screen:
    """A live bar on a terminal, a line now and then elsewhere; nothing when `silent`."""

    def __init__(self, silent: bool = False) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._console = Console(quiet=silent)
        self._bar = Progress(
            BarColumn(24), TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.description}"),
            console=self._console, disable=not self._console.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task("", total=1.0)
        self._last = 0.0
        self._mean: dict[str, float] = {}

    def __enter__(self) -> _Screen:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def say(self, line: str) -> None:
        """A line that stays."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def show(self, progress: Progress) -> None:
        """A training step: running means of the losses, summed by unit."""
        sums: dict[str, float] = {}
        for name, value in progress.losses.items():
            sums[name.split(".")[0]] = sums.get(name.split(".")[0], 0.0) + value
        for name, value in sums.items():
            self._mean[name] = 0.95 * self._mean.get(name, value) + 0.05 * value
        losses = " ".join(f"{name} {value:.3f}" for name, value in self._mean.items())
        skipped = f" skipped {progress.skipped}" if progress.skipped else ""
        self._tell(progress.share, f"step {progress.step} dialogues {progress.dialogues}{skipped} | {losses}")

    def count(self, done: int, total: int) -> None:
        """Questions answered."""
        self._tell(done / max(total, 1), f"{done} of {total} answered", done == total)

    def _tell(self, share: float, line: str, final: bool = False) -> None:
        self._bar.update(self._task, completed=min(share, 1.0), description=line)
        if not self._console.is_terminal and (final or time.monotonic() - self._last > 15):
            self._last = time.monotonic()
            self.say(f"{100 * share:3.0f} %  {line}")


if __name__ == "__main__":
    main()
