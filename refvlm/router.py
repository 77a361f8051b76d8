"""The router: which decoder answers a `<REF>` is read from the unit the model itself *wrote*, token by token.

It follows `vtinstruct.trp.parse`: the n-th `<REF>` of an answer is the n-th unit, whatever else is wrong; one inside a triplet
has the triplet's unit and group, a stray one has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Route:
    """One `<REF>`: its position in the tokens, the unit written before it ("" when none was), its triplet's number in the
    answer (-1 outside any), and where the triplet's concept stands (`phrase` = start, stop; empty outside any)."""

    position: int
    kind: str
    group: int
    phrase: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Router:
    """Reads token ids. `units` maps a unit's name to the ids between `<Unit>` and `</Unit>`."""

    unit_open: int
    unit_close: int
    phrase_open: int
    phrase_close: int
    ref: int
    units: dict[str, tuple[int, ...]]

    @classmethod
    def from_ids(cls, special_ids: dict[str, Any]) -> Router:
        """From `RefVLMConfig.special_ids`."""
        units = {name: tuple(ids) for name, ids in special_ids["units"].items()}
        return cls(
            special_ids["<Unit>"],
            special_ids["</Unit>"],
            special_ids["<Phrase>"],
            special_ids["</Phrase>"],
            special_ids["<REF>"],
            units,
        )

    def read(self, ids: Sequence[int]) -> list[Route]:
        """Every `<REF>` of an answer in order. Unclosed, nested or unknown units give kind ""; never raises."""
        names = {sequence: name for name, sequence in self.units.items()}
        routes: list[Route] = []
        kind, group, opened = "", -1, -1
        groups = 0
        phrase = (0, 0)
        for position, token in enumerate(ids):
            if token == self.unit_open:
                opened, kind, group = position, "", -1
            elif token == self.unit_close:
                kind = names.get(tuple(ids[opened + 1 : position]), "") if opened >= 0 else ""
                group, groups = (groups, groups + 1) if kind else (-1, groups)
                opened = -1
            elif token == self.phrase_open:
                opened, kind, group = -1, "", -1
                phrase = (position + 1, position + 1)
            elif token == self.phrase_close and phrase[0]:
                phrase = (phrase[0], position)
            elif token == self.ref:
                routes.append(Route(position, kind, group, phrase if kind else (0, 0)))
        return routes
