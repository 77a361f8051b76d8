"""What a model is to the benchmark: the contract every `benchmarks/models/<name>.py` meets with its public name `MODEL`.

A model answers by writing a predictions file; nothing else of it is seen. Heavy imports belong inside its functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.dataset import Dataset


class ModelError(Exception):
    """A model that cannot answer; one line that says what is missing and what would be right."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a model: the samples of `splits` (at most `limit` a task and split), answered into the file `out`.

    An `out` that was begun by the same model for the same request is continued. `checkpoint` is a folder of weights for
    models that have one; `tasks` are the tasks to answer; `report` takes progress, one line each.
    """

    dataset: Dataset
    splits: tuple[str, ...]
    out: Path
    tasks: tuple[str, ...]
    limit: int | None = None
    checkpoint: Path | None = None
    report: Callable[[str], None] = print


@dataclass(frozen=True, slots=True)
class Model:
    """A way to get answers. `baseline` ones need no checkpoint and learn nothing but averages; `answer` writes the file and
    raises `ModelError` with one line when it cannot."""

    name: str
    title: str
    baseline: bool
    answer: Callable[[Request], None]
