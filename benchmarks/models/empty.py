"""The floor: says nothing to anything."""

from __future__ import annotations

from benchmarks.model import Model, Request
from benchmarks.models._trivial import write_answers


def answer(request: Request) -> None:
    """An empty answer for every sample."""
    write_answers(request, "empty", lambda truth: ())


MODEL = Model("empty", "says nothing", True, answer)
