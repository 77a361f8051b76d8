"""METEOR by the official program: the Java archive that the package `pycocoevalcap` carries, asked as its `meteor.py` does.

Its synonyms and paraphrases are tables of many megabytes under licences of their own, so nothing is rewritten here: the number
is the official one or there is none. Source: Denkowski and Lavie, "Meteor Universal" (WMT 2014), version 1.5, `-l en -norm`.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

Tokens = Sequence[str]
PACKAGE, ARCHIVE = "pycocoevalcap", "meteor/meteor-1.5.jar"
SEPARATOR = " ||| "


class MeteorError(Exception):
    """METEOR cannot be had here; the message says what is missing."""


def command() -> tuple[list[str], Path]:
    """The program's command line and the folder it must run in. Raises `MeteorError`."""
    java, spec = shutil.which("java"), importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MeteorError(f"METEOR needs {PACKAGE}: pip install 'vt-instruct[official]' is right")
    if java is None:
        raise MeteorError("METEOR needs Java: a `java` on the path is right")
    archive = Path(spec.submodule_search_locations[0]) / ARCHIVE
    if not archive.is_file():
        raise MeteorError(f"{archive} is not there; {PACKAGE} 1.2 has it")
    return [java, "-Xmx2G", "-jar", archive.name, "-", "-", "-stdio", "-l", "en", "-norm"], archive.parent


def meteor(captions: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> float:
    """METEOR of a whole set, 0..1: matches and chunks are summed over all captions first, as the official number is.

    Takes seconds to start (it loads its tables) and then about a thousand captions a second. Raises `MeteorError`.
    """
    words, folder = command()
    with subprocess.Popen(
        words,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    ) as program:
        try:
            counts = [_ask(program, _line(*pair)) for pair in zip(captions, references, strict=True)]
            _ask(program, SEPARATOR.join(("EVAL", *counts)))
            for _ in counts[1:]:  # one line a caption, then one for all
                _answer(program)
            return float(_answer(program))
        except (OSError, ValueError) as error:
            raise MeteorError(f"METEOR's program gave no number: {error}") from error
        finally:
            program.kill()


def _line(caption: Tokens, references: Sequence[Tokens]) -> str:
    texts = [" ".join(tokens).replace("|||", "") for tokens in (*references, caption)]
    return SEPARATOR.join(("SCORE", *texts)) + " "  # the blank keeps an empty caption from being no caption


def _ask(program: subprocess.Popen[str], line: str) -> str:
    assert program.stdin is not None
    program.stdin.write(line + "\n")
    program.stdin.flush()
    return _answer(program)


def _answer(program: subprocess.Popen[str]) -> str:
    assert program.stdout is not None
    line = program.stdout.readline().strip()
    if not line:
        raise ValueError("it ended early")
    return line
