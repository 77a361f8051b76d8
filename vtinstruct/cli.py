"""The command `vtinstruct`. Each command imports what it needs when it runs, so that `--help` is there at once."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from vtinstruct import outcome
from vtinstruct.commands.building import build, finish, sample
from vtinstruct.commands.giving import export, push, repack
from vtinstruct.commands.looking import check, prompts, show, sources, stats, tasks
from vtinstruct.manifest import DatasetError
from vtinstruct.plugins import UnknownPlugin
from vtinstruct.source import SourceError
from vtinstruct.version import VERSION

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="VT-Instruct: build, check and look at grounded vision-language datasets.",
)


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


for command in (build, finish, sources, tasks, prompts, check, export, repack, push, show, stats, sample):
    app.command()(command)
