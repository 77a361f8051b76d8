"""`vtinstruct sources`, `tasks`, `prompts`, `check`, `show` and `stats`: what there is, and what a dataset holds."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from vtinstruct.commands.arguments import Folder, Splits, Tasks, names
from vtinstruct.manifest import DatasetError


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


def tasks() -> None:
    """The tasks that can be built, what they need, and which sources feed them."""
    from vtinstruct import listing

    listing.show_tasks()


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


def show(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="The page.")] = Path("show.html"),
    per_task: Annotated[int, typer.Option(min=1, help="Dialogues of each task, spread over its splits.")] = 6,
    tasks: Tasks = "",
    splits: Splits = "",
) -> None:
    """Write one self-contained page of dialogues with everything drawn that they point at."""
    from vtinstruct.show import show as write_page

    shown = write_page(folder, out, per_task, names(tasks), names(splits))
    print(f"{shown} dialogues: {out}")


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
