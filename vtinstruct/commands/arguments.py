"""Arguments that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vtinstruct.manifest import DatasetError

if TYPE_CHECKING:
    from vtinstruct.streams import Format

Folder = Annotated[Path, typer.Argument(help="The dataset's folder.")]
Tasks = Annotated[str, typer.Option(help="Only these tasks, by comma. All that fit, otherwise.")]
Splits = Annotated[str, typer.Option(help="Only these splits, by comma.")]


def names(text: str) -> tuple[str, ...]:
    """Names with commas between."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def format_named(text: str) -> Format:
    """The shards' format of that name."""
    from vtinstruct.streams import FORMATS

    for known in FORMATS:
        if text == known:
            return known
    raise DatasetError(f"--format {text}: {' or '.join(FORMATS)} is right")
