"""The official archive as oracle: what METEOR's own program, stemmer and tokeniser answer to many texts at once."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.meteor import Counts, Tokens, program
from benchmarks.meteor.package import ARCHIVE, carried


def need_data() -> Path:
    """The archive's path; skips where it is not installed."""
    pytest.importorskip("pycocoevalcap", reason="METEOR's language data (pycocoevalcap) is not installed")
    return carried(ARCHIVE)


def need_java() -> Path:
    """The archive's path; skips where there is no Java to run it."""
    archive = need_data()
    if shutil.which("java") is None:
        pytest.skip("METEOR's own program needs Java")
    return archive


def answers(words: Sequence[str], folder: Path, lines: Sequence[str]) -> list[str]:
    """What a program says to lines; no line may hold a line break. The answers end as the program's do: with a line feed."""
    done = subprocess.run(
        words, cwd=folder, input="".join(f"{line}\n" for line in lines).encode(), stdout=subprocess.PIPE, check=True
    )
    return done.stdout.decode().split("\n")[:-1]


def tool(name: str, *settings: str) -> tuple[list[str], Path]:
    """The command line of one of the archive's classes that read lines, and its folder."""
    archive = need_java()
    java = ["java", "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-cp", archive.name]
    return [*java, name, *settings], archive.parent


def official(captions: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> tuple[list[list[int]], list[float]]:
    """Of every caption the 23 counts that the program prints; then every caption's score, and the set's last."""
    need_java()
    counts, scores = program.answers(captions, references)
    return [[int(float(number)) for number in line.split()] for line in counts], scores


def printed(counts: Counts) -> list[int]:
    """Our counts in the order in which the program prints them."""
    said, true = counts.said, counts.reference
    stages = zip(said.content, true.content, said.function, true.function, strict=True)
    return [
        said.words, true.words, said.function_words, true.function_words,
        *(number for stage in stages for number in stage), counts.chunks, said.matched(), true.matched(),
    ]  # fmt: skip
