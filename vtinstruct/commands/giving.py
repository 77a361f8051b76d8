"""`vtinstruct export`, `repack` and `push`: a dataset for others, in another form or another place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vtinstruct.commands.arguments import Folder, Splits, Tasks, format_named, names


def export(
    folder: Folder,
    to: Annotated[str, typer.Option(help="llava-json, webdataset or coco-json.")],
    out: Annotated[Path, typer.Option(help="A new or empty folder.")],
    tasks: Tasks = "",
    splits: Splits = "",
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
            folder, to, out, names(tasks), names(splits), photos,
            lambda done, total: bar.update(task, completed=done, total=total), dialect,
        )  # fmt: skip
    for what, counts in (("left out", done.left_out), ("noted", done.noted)):
        for reason, count in counts.items():
            print(f"{what}: {count} x {reason}")
    print(f"{done.dialogues} dialogues, {len(done.files)} files: {out}")


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
            folder, out, format_named(format), embed, lambda done, total: bar.update(task, completed=done, total=total)
        )
    files = (*done.files, *done.images)
    print(f"{sum(file.rows for file in done.files)} dialogues, {sum(file.bytes for file in files)} bytes: {out}")


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
