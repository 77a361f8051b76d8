"""The command `vtinstruct`. Each command imports what it needs when it runs, so that `--help` is there at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vtinstruct import outcome
from vtinstruct.manifest import LEDGER, DatasetError
from vtinstruct.plugins import UnknownPlugin
from vtinstruct.source import SourceError
from vtinstruct.version import VERSION

if TYPE_CHECKING:
    from vtinstruct.build import Built, Chosen, Options
    from vtinstruct.build.run import Engine
    from vtinstruct.streams import Format

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="VT-Instruct: build, check and look at grounded vision-language datasets.",
)

Folder = Annotated[Path, typer.Argument(help="The dataset's folder.")]


def main() -> None:
    """Run the command line. What is wrong with the input is one line on stderr and exit code 2."""
    sys.exit(outcome.run(app, "vtinstruct", (SourceError, DatasetError, UnknownPlugin)))


def _version(wanted: bool) -> None:
    if wanted:
        print(VERSION)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """VT-Instruct: build, check and look at grounded vision-language datasets."""


@app.command()
def build(
    sources: Annotated[
        list[str],
        typer.Argument(help="NAME=FOLDER, NAME:SPLIT,SPLIT=FOLDER, or a FOLDER in which sources are looked for."),
    ],
    out: Annotated[Path, typer.Option(help="Where the dataset goes: a new or empty folder, or an earlier dataset.")],
    tasks: Annotated[str, typer.Option(help="Only these tasks, by comma. All that fit, otherwise.")] = "",
    splits: Annotated[str, typer.Option(help="Only these splits, by comma.")] = "",
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
    form = _format(format)
    if (photos == "copy" or embed) and skip_photo_check:
        raise DatasetError(f"{'--embed' if embed else '--photos copy'} reads every photo; leave out --skip-photo-check")
    if photos == "copy" and embed:
        raise DatasetError("--photos copy and --embed are two ways of taking photos along; one is right")
    chosen = choose(sources, _names(splits))
    wanted = Options(
        _names(tasks),
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


@app.command()
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


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


@app.command()
def sources(
    name: Annotated[str | None, typer.Argument(help="One source: its layout.")] = None,
    root: Annotated[Path | None, typer.Option(help="With a name: what is there and what is missing.")] = None,
) -> None:
    """The sources that can be read, or one of them in full."""
    from vtinstruct import listing

    if name is None:
        if root is not None:
            raise DatasetError(
                "--root needs the name of one source, as in `vtinstruct sources coco_instances --root FOLDER`"
            )
        listing.show_sources()
    else:
        listing.show_source(name, root)


@app.command()
def tasks() -> None:
    """The tasks that can be built, what they need, and which sources feed them."""
    from vtinstruct import listing

    listing.show_tasks()


@app.command()
def prompts(
    sources: Annotated[list[str], typer.Argument(help="NAME=FOLDER, NAME:SPLIT=FOLDER, or a FOLDER, as for build.")],
    out: Annotated[Path, typer.Option(help="The page.")] = Path("prompts.html"),
    count: Annotated[int, typer.Option(min=1, help="Prompts on the page: all kinds, all sizes of regions.")] = 60,
    seed: Annotated[int, typer.Option(help="Another seed draws other regions and marks.")] = 0,
) -> None:
    """Draw points, boxes, scribbles and masks for regions of all sizes, on one self-contained page, to be judged by eye."""
    from vtinstruct.build import choose
    from vtinstruct.prompts_page import write_page

    drawn = write_page(choose(sources), out, count, seed)
    print(f"{drawn} prompts: {out}")


@app.command()
def check(
    folder: Folder,
    photos: Annotated[bool, typer.Option("--photos", help="Read every photo and depth map too.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes, at most; as many as cores, otherwise.")] = None,
) -> None:
    """Check a dataset: hashes, schema, counts, ids, every unit inside its photo. Exit code 1 when something is wrong."""
    from vtinstruct.check import check as run_check

    try:
        found = run_check(folder, photos, workers or os.cpu_count() or 1)
    except DatasetError as error:  # no manifest, or one that cannot be read: damage too
        print(f"vtinstruct: {' '.join(str(error).split())}", file=sys.stderr)
        raise typer.Exit(1) from error
    for finding in found.findings:
        print(finding)
    seen = f", {found.photos} photos and depth maps" if photos else ""
    print(
        f"{'unsound' if found.findings else 'sound'}: {found.shards} shards, {found.rows} dialogues, {found.units} units, "
        f"{found.bytes} bytes{seen}; {len(found.findings)} findings"
    )
    if found.findings:
        raise typer.Exit(1)


@app.command()
def export(
    folder: Folder,
    to: Annotated[str, typer.Option(help="llava-json, webdataset or coco-json.")],
    out: Annotated[Path, typer.Option(help="A new or empty folder.")],
    tasks: Annotated[str, typer.Option(help="Only these tasks, by comma. All that fit, otherwise.")] = "",
    splits: Annotated[str, typer.Option(help="Only these splits, by comma.")] = "",
    photos: Annotated[
        bool, typer.Option("--photos", help="Write photos beside the JSON too; tars always hold them.")
    ] = False,
    dialect: Annotated[
        str, typer.Option(help="llava-json: answers as that model writes them; `refvlm-bench dialects`.")
    ] = "",
) -> None:
    """Write a dataset in a format that other trainers read. What it cannot carry is counted and said."""
    from rich.console import Console
    from rich.progress import Progress

    from vtinstruct.export import export as run_export

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("exporting")
        done = run_export(
            folder, to, out, _names(tasks), _names(splits), photos,
            lambda done, total: bar.update(task, completed=done, total=total), dialect,
        )  # fmt: skip
    for what, counts in (("left out", done.left_out), ("noted", done.noted)):
        for reason, count in counts.items():
            print(f"{what}: {count} x {reason}")
    print(f"{done.dialogues} dialogues, {len(done.files)} files: {out}")


@app.command()
def repack(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="A new or empty folder.")],
    format: Annotated[str, typer.Option(help="arrow or parquet.")] = "parquet",
    embed: Annotated[bool, typer.Option("--embed", help="Put photos and depth maps into the dataset's files.")] = False,
) -> None:
    """Write a built dataset in another form: Parquet or Arrow, photos taken in; the bytes a build would have given."""
    from rich.console import Console
    from rich.progress import Progress

    from vtinstruct.repack import repack as run_repack

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("repacking")
        done = run_repack(
            folder, out, _format(format), embed, lambda done, total: bar.update(task, completed=done, total=total)
        )
    files = (*done.files, *done.images)
    print(f"{sum(file.rows for file in done.files)} dialogues, {sum(file.bytes for file in files)} bytes: {out}")


def _format(text: str) -> Format:
    from vtinstruct.streams import FORMATS

    for known in FORMATS:
        if text == known:
            return known
    raise DatasetError(f"--format {text}: {' or '.join(FORMATS)} is right")


@app.command()
def push(
    folder: Folder,
    repo: Annotated[str, typer.Argument(help="OWNER/NAME of a dataset repository; made when it is not there.")],
    private: Annotated[bool, typer.Option("--private", help="Make the repository private.")] = False,
    revision: Annotated[str, typer.Option(help="The branch.")] = "main",
    without_photos: Annotated[bool, typer.Option("--without-photos", help="Leave out photos that are files.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, send nothing.")] = False,
) -> None:
    """Push a dataset to the Hugging Face Hub, as one commit. What is there already is not sent again."""
    from vtinstruct.push import push as run_push

    done = run_push(folder, repo, private, revision, not without_photos, dry_run)
    for word, paths in (("send", done.sent), ("remove", done.removed)):
        for path in paths if dry_run else ():
            print(f"{word} {path}")
    print(
        f"{'to send' if dry_run else 'sent'}: {len(done.sent)} files, {done.bytes} bytes; "
        f"{'to remove' if dry_run else 'removed'}: {len(done.removed)}; unchanged: {done.unchanged}"
    )
    if done.commit:
        print(done.commit)


@app.command()
def show(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="The page.")] = Path("show.html"),
    per_task: Annotated[int, typer.Option(min=1, help="Dialogues of each task, spread over its splits.")] = 6,
    tasks: Annotated[str, typer.Option(help="Only these tasks, by comma.")] = "",
    splits: Annotated[str, typer.Option(help="Only these splits, by comma.")] = "",
) -> None:
    """Write one self-contained page of dialogues with everything drawn that they point at."""
    from vtinstruct.show import show as write_page

    shown = write_page(folder, out, per_task, _names(tasks), _names(splits))
    print(f"{shown} dialogues: {out}")


@app.command()
def stats(
    folder: Folder,
    out: Annotated[Path | None, typer.Option(help="Write a page with plots, too.")] = None,
) -> None:
    """Count a dataset: tasks, sources, phrases, units, sizes, lengths."""
    from rich.console import Console

    from vtinstruct.stats import collect
    from vtinstruct.stats_page import tables, write_page

    counts = collect(folder)
    console = Console()
    for table in tables(counts):
        console.print(table)
    print(f"{len(counts.photos)} photos")
    if out is not None:
        write_page(counts, out)
        print(out)


@app.command()
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
                _names(only) or None,
            )  # fmt: skip
        except SampleError as error:
            raise DatasetError(str(error)) from error
    for source in written.sources:
        print(f"{source.name}={out / source.folder}  {', '.join(source.splits)}")
