"""A confusion: annotated class by answered class. One form for instances, segments and pixels, part of `results.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

MOST = 50  # classes, and cells of each kind of mistake: the largest ones

Unit = Literal["instances", "segments", "pixels"]


@dataclass(frozen=True, slots=True)
class ConfusedClass:
    """One class: how much of it is `annotated`, how much of that is answered with it (`right`) and with nothing (`missed`; the
    rest is answered with other classes), and how much is answered with it where nothing is annotated (`invented`)."""

    name: str
    annotated: int
    right: int
    missed: int
    invented: int


@dataclass(frozen=True, slots=True)
class ConfusionCell:
    """One cell off the diagonal: `n` of the `of` that are annotated with a class. Without `answered` they are missed; without
    `annotated` (and `of`) they are answered where nothing is."""

    annotated: str | None
    answered: str | None
    n: int
    of: int | None


@dataclass(frozen=True, slots=True)
class Confusion:
    """Annotated class by answered class, counted in `unit`: how much is `annotated`, how much of it has its own class (`right`),
    the classes with the most wrong, and the largest cells of each kind of mistake; `more_cells` are left out."""

    unit: Unit
    annotated: int
    right: int
    classes: tuple[ConfusedClass, ...]
    cells: tuple[ConfusionCell, ...]
    more_cells: int

    def to_json(self) -> dict[str, Any]:
        """As `details.confusion` of a result."""
        wire = asdict(self)
        return wire | {"classes": list(wire["classes"]), "cells": list(wire["cells"])}


def confusion_of(
    counts: Mapping[tuple[int | None, int | None], int], name: Callable[[int], str], unit: Unit
) -> Confusion:  # fmt: skip
    """A confusion from counts by (annotated, answered) class; None for nothing annotated, nothing answered."""
    annotated, right, missed, invented = (Counter[int]() for _ in range(4))
    for (a, b), n in counts.items():
        if a is not None:
            annotated[a] += n
            right[a] += n * (a == b)
            missed[a] += n * (b is None)
        elif b is not None:
            invented[b] += n
    classes = [
        ConfusedClass(name(c), annotated[c], right[c], missed[c], invented[c]) for c in {**annotated, **invented}
    ]
    classes.sort(key=lambda one: (one.right - one.annotated, -one.invented, -one.annotated, one.name))
    wrong = [
        ConfusionCell(None if a is None else name(a), None if b is None else name(b), n, None if a is None else annotated[a])
        for (a, b), n in counts.items()
        if a != b and n
    ]  # fmt: skip
    wrong.sort(key=lambda c: (-c.n, c.annotated is None, c.annotated or "", c.answered is None, c.answered or ""))
    seen = Counter[tuple[bool, bool]]()
    cells: list[ConfusionCell] = []
    for cell in wrong:
        kind = (cell.annotated is None, cell.answered is None)
        seen[kind] += 1
        if seen[kind] <= MOST:
            cells.append(cell)
    return Confusion(
        unit, annotated.total(), right.total(), tuple(classes[:MOST]), tuple(cells), len(wrong) - len(cells)
    )  # fmt: skip
