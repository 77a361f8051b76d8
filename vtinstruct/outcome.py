"""The rim of a command line: whatever goes wrong is one line on stderr and an exit code, never a traceback."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import cast

import typer

WRONG, FAULT, STOPPED = 2, 3, 130  # what was given; the program itself; by Ctrl-C
TRACEBACK = "VTINSTRUCT_TRACEBACK"  # set, a fault is shown in full
# typer brings click inside it or beside it, depending on its version
_Usage = cast(type[Exception], next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"))


def run(
    app: typer.Typer, name: str, known: tuple[type[Exception], ...], extras: Mapping[str, str] = MappingProxyType({})
) -> int:
    """Run the command line of this process; its exit code. `known` errors are about what was given and say so in a line.
    `extras` are modules that need not be installed, with the extra of ours that brings them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a path of any bytes can be said on a terminal of any encoding
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(standalone_mode=False) or 0
        if sys.stdout is not None:
            sys.stdout.flush()  # a full disk is found here and not when nobody can say it any more
    except known as error:
        return _say(name, str(error), WRONG)
    except _Usage as error:
        return _usage(name, error)
    except OSError as error:
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, (str, bytes)) else ""
        return _say(name, f"{where}{error.strerror or error}", WRONG)
    except (KeyboardInterrupt, typer.Abort):
        code = STOPPED
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and (extra := extras.get(error.name or "")) is not None:
            return _say(name, f"{error.name} is not installed; pip install 'vt-instruct[{extra}]' is right", WRONG)
        if os.environ.get(TRACEBACK):
            raise
        return _say(name, _fault(error), FAULT)
    return _say(name, "stopped; what is done is kept", STOPPED) if code == STOPPED else code


def _say(name: str, text: str, code: int) -> int:
    print(f"{name}: {' '.join(text.split())}", file=sys.stderr)
    return code


def _usage(name: str, error: Exception) -> int:
    """A line of what was typed wrongly; without any word, the help."""
    if not sys.argv[1:]:
        error.show()  # type: ignore[attr-defined]
        return WRONG
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else name
    return _say(name, f"{error.format_message()} ({command} --help says what is right)", WRONG)  # type: ignore[attr-defined]


def _fault(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}:{last.lineno}"
    return f"a fault of the program: {type(error).__name__}: {error} ({where}); {TRACEBACK}=1 shows all of it"
