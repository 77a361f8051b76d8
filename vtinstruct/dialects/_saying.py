"""What dialects share in writing an answer's parts as a model's training text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from vtinstruct.dialect import Grid, NotSayable, SizeWH
from vtinstruct.dialects._furniture import CLAUSE
from vtinstruct.dialogue import Parts, Prompt, Triplet
from vtinstruct.units import Box, Point, Unit, UnitKind


def written(parts: Parts, own_marks: re.Pattern[str], say: Callable[[Triplet], str], kinds: Iterable[UnitKind]) -> str:
    """Running text: words as they are, each triplet as `say` writes it. Raises `NotSayable`."""
    found: list[str] = []
    for part in parts:
        words = part.concept if isinstance(part, Triplet) else part
        if isinstance(words, Prompt) or own_marks.search(words):
            raise NotSayable("words that hold the dialect's own marks")
        if isinstance(part, Triplet):
            sayable(part, kinds)
            found.append(say(part))
        else:
            found.append(words)
    return "".join(found)


_BRACKETS = re.compile(r"[\[\]]")  # the marks of dialects that write numbers in brackets behind a phrase


def written_behind(parts: Parts, say: Callable[[Triplet], str], kinds: Iterable[UnitKind]) -> str:
    """Running text of a dialect that `listen_behind` reads. Raises `NotSayable` also on phrases that it would cut."""
    if any(isinstance(part, Triplet) and CLAUSE.match(part.concept) for part in parts):
        raise NotSayable("a phrase with punctuation, which would end it")
    return written(parts, _BRACKETS, say, kinds)


def triplets_alone(
    parts: Parts, own_marks: re.Pattern[str], say: Callable[[Triplet], str], kinds: Iterable[UnitKind]
) -> list[str]:
    """For dialects that list what they see: every triplet as `say` writes it, words only where there is no triplet. A phrase
    that names nothing is not in the list. Raises `NotSayable`."""
    triplets = tuple(part for part in parts if isinstance(part, Triplet))
    if not triplets:
        return [written(parts, own_marks, say, kinds)]
    for triplet in triplets:
        if triplet.kind not in kinds:
            sayable(triplet, kinds)
    return [written((triplet,), own_marks, say, kinds) for triplet in triplets if triplet.references]


def sayable(triplet: Triplet, kinds: Iterable[UnitKind]) -> None:
    """Raise `NotSayable` on a triplet of another unit, one that names nothing here, or one without geometry."""
    if triplet.kind not in kinds:
        raise NotSayable(f"a {triplet.kind} has no form")
    if not triplet.references:
        raise NotSayable("a phrase that names nothing here has no form")
    if any(reference.unit is None for reference in triplet.references):
        raise NotSayable("a reference without geometry")


def shares_of(unit: Unit | None, size_wh: SizeWH) -> list[float]:
    """A box or a point as shares of the photo's sides. Raises `NotSayable` on anything else."""
    match unit:
        case Box():
            values: Sequence[float] = unit.box_xyxy
        case Point():
            values = unit.point_xy
        case _:
            raise NotSayable("geometry that is no box and no point")
    return [value / size_wh[index % 2] for index, value in enumerate(values)]


def numbers_of(unit: Unit | None, grid: Grid, size_wh: SizeWH) -> list[int]:
    """A box or a point as numbers of a grid."""
    return [grid.number(share) for share in shares_of(unit, size_wh)]
