"""`vtinstruct sample`, `build` and `finish`: from nothing, or from official files, to a dataset."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vtinstruct.commands.arguments import Folder, Splits, Tasks, format_named, names
from vtinstruct.manifest import LEDGER, DatasetError

if TYPE_CHECKING:
    from vtinstruct.build import Built, Chosen, Options
    from vtinstruct.build.run import Engine


def sample(
    out: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    scenes: Annotated[int, typer.Option(min=1, help="How many scenes to draw.")] = 500,
    seed: Annotated[int, typer.Option(help="Another seed draws other scenes.")] = 0,
    only: Annotated[str, typer.Option(help="Write these sources only, with commas; default: all.")] = "",
    workers: Annotated[int, typer.Option(min=1, help="Processes that draw; the bytes do not depend on it.")] = 1,
) -> None:
    """Draw scenes and write them in the file formats of the sources, to try everything without a download."""
    from rich.console import Console
    from rich.progress import Progress

    from vtinstruct.sample import SampleError, write_sample

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("drawing", total=scenes)
        try:
            written = write_sample(
                out, scenes, seed, lambda done, total: bar.update(task, completed=done, total=total), workers,
                names(only) or None,
            )  # fmt: skip
        except SampleError as error:
            raise DatasetError(str(error)) from error
    for source in written.sources:
        print(f"{source.name}={out / source.folder}  {', '.join(source.splits)}")


def build(
    sources: Annotated[
        list[str],
        typer.Argument(help="NAME=FOLDER, NAME:SPLIT,SPLIT=FOLDER, or a FOLDER in which sources are looked for."),
    ],
    out: Annotated[Path, typer.Option(help="Where the dataset goes: a new or empty folder, or an earlier dataset.")],
    tasks: Tasks = "",
    splits: Splits = "",
    limit: Annotated[int, typer.Option(min=0, help="At most so many records of each source and split; 0: all.")] = 0,
    seed: Annotated[
        int,
        typer.Option(
            min=-(2**63),
            max=2**63 - 1,
            help="Another seed draws other wordings, prompts and samples.",
            show_default=False,
        ),
    ] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes (local: 1, ray: all it has). Any number gives the same bytes.")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="local: processes of this machine; ray: Ray tasks. Same bytes.")
    ] = "local",
    ray_address: Annotated[
        str, typer.Option(help="A Ray cluster that sees the same folders; without one, Ray is started here.")
    ] = "",
    chunk: Annotated[
        str, typer.Option(help="i/n: make only the i-th of n parts (a job array); `vtinstruct finish` ends it.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be built, how large, how long.")] = False,
    max_drop_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Stop when a split loses more than this share of its records.")
    ] = 1.0,
    photos: Annotated[str, typer.Option(help="link: to the sources' folders; copy: into the dataset.")] = "link",
    embed: Annotated[
        bool, typer.Option("--embed", help="Put photos and depth maps into the dataset's files, each once.")
    ] = False,
    format: Annotated[
        str, typer.Option(help="arrow: mapped, for training; parquet: a third as large, for the Hub.")
    ] = "arrow",
    skip_photo_check: Annotated[bool, typer.Option(help="Do not open photos: no hashes, no size check.")] = False,
    licence: Annotated[
        list[str] | None,
        typer.Option(help="Only rows under these: SPDX ids or patterns, by comma; '!CC-*-NC-*' takes out. Repeatable."),
    ] = None,
    mix: Annotated[str, typer.Option(help="stage1, stage2, stage3, or a TOML file: what to keep of each task.")] = "",
    exclude_images_of: Annotated[
        list[str] | None,
        typer.Option(
            help="Keep these photos out of training: NAME:SPLIT,SPLIT=FOLDER, or a built dataset. Repeatable."
        ),
    ] = None,
) -> None:
    """Build a dataset from annotation files. A build that was interrupted goes on where it stopped."""
    from rich.console import Console

    from vtinstruct.build import Options, build_part, choose
    from vtinstruct.build import build as run_build
    from vtinstruct.build.licences import read_licences
    from vtinstruct.build.mix import read_mix
    from vtinstruct.build.progress import watching

    if photos not in ("link", "copy"):
        raise DatasetError(f"--photos {photos}: link or copy is right")
    form = format_named(format)
    if (photos == "copy" or embed) and skip_photo_check:
        raise DatasetError(f"{'--embed' if embed else '--photos copy'} reads every photo; leave out --skip-photo-check")
    if photos == "copy" and embed:
        raise DatasetError("--photos copy and --embed are two ways of taking photos along; one is right")
    chosen = choose(sources, names(splits))
    wanted = Options(
        names(tasks),
        limit,
        seed,
        not skip_photo_check,
        photos == "copy",
        mix=read_mix(mix) if mix else None,
        exclude_images_of=tuple(exclude_images_of or ()),
        licences=read_licences(licence or ()),
        format=form,
        embed=embed,
    )
    hands, processes = _engine(engine, ray_address, workers)
    part = _part(chunk) if chunk else None
    with watching(Console(stderr=True)) as watcher:
        for choice in chosen:
            watcher.say(f"{choice.source.name}: {', '.join(choice.splits)} from {choice.root}")
        if dry_run:
            _dry_run(chosen, wanted, watcher.say, workers or 1)
            return
        if part is not None:
            made = build_part(chosen, wanted, out, watcher, part, processes, hands, max_drop_rate)
            print(f"part {chunk}: {made} chunks; when all parts are done: vtinstruct finish {out}")
            return
        built = run_build(chosen, wanted, out, watcher, processes, hands, max_drop_rate)
    _say_built(built, out)


def _say_built(built: Built, out: Path) -> None:
    from rich.console import Console

    from vtinstruct.build.progress import leak_table, summary_table

    Console().print(summary_table(built))
    if (leaks := leak_table(built.manifest)) is not None:
        Console().print(leaks)
    print(out)
    if not built.manifest.files:
        print(f"vtinstruct: no dialogue was made; {out / LEDGER} says what was left out and why", file=sys.stderr)
        raise typer.Exit(1)


def _engine(name: str, address: str, workers: int | None) -> tuple[Engine, int]:
    """The engine of that name and its number of processes."""
    if name not in ("local", "ray"):
        raise DatasetError(f"--engine {name}: local or ray is right")
    if name == "local":
        if address:
            raise DatasetError("--ray-address belongs to --engine ray")
        from vtinstruct.engines import local

        return local.run, workers or 1
    from vtinstruct.engines import ray

    return partial(ray.run, address=address), workers or 0


def _part(text: str) -> tuple[int, int]:
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise DatasetError(f"--chunk {text}: i/n with i from 1 to n is right, 3/8 for the third of eight parts")
    return int(number), int(of)


def _dry_run(chosen: Sequence[Chosen], options: Options, say: Callable[[str], None], workers: int) -> None:
    from rich.console import Console

    from vtinstruct.build.forecast import forecast
    from vtinstruct.build.plan import make_plan
    from vtinstruct.build.progress import forecast_table

    plan = make_plan(chosen, options, say)
    Console().print(forecast_table(plan, forecast(plan), workers))


def finish(
    folder: Folder,
    max_drop_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Refuse when a split lost more than this share of its records.")
    ] = 1.0,
) -> None:
    """Put together a dataset whose parts were made by `build --chunk i/n`."""
    from rich.console import Console

    from vtinstruct.build import finish_parts
    from vtinstruct.build.progress import watching

    with watching(Console(stderr=True)) as watcher:
        built = finish_parts(folder, watcher, max_drop_rate)
    _say_built(built, folder)
