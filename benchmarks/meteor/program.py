"""METEOR by the official program: the Java archive that the package `pycocoevalcap` carries, asked as its `meteor.py` does.

For `--engine official`, and the oracle of this package's tests. Version 1.5, `-l en -norm`.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.meteor.package import ARCHIVE, MeteorError, Tokens, carried, sentence

SEPARATOR = " ||| "


def command() -> tuple[list[str], Path]:
    """The program's command line and the folder it must run in. Raises `MeteorError`."""
    archive, java = carried(ARCHIVE), shutil.which("java")
    if java is None:
        raise MeteorError("METEOR needs Java: a `java` on the path is right")
    return [java, "-Xmx2G", "-jar", archive.name, "-", "-", "-stdio", "-l", "en", "-norm"], archive.parent


def meteor(captions: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> float:
    """METEOR of a whole set, 0..1: matches and chunks are summed over all captions first. Raises `MeteorError`."""
    return answers(captions, references)[1][-1]


def answers(captions: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> tuple[list[str], list[float]]:
    """The program's line of counts of every caption; every caption's score, and the set's last. Raises `MeteorError`.

    Takes seconds to start (it loads its tables) and then about a thousand captions a second.
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
            first = _ask(program, SEPARATOR.join(("EVAL", *counts)))
            return counts, [float(first), *(float(_answer(program)) for _ in counts)]
        except (OSError, ValueError) as error:
            raise MeteorError(f"METEOR's program gave no number: {error}") from error
        finally:
            program.kill()


def _line(caption: Tokens, references: Sequence[Tokens]) -> str:
    texts = [sentence(tokens) for tokens in (*references, caption)]
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
