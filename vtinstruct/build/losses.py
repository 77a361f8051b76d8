"""How many records of each split a build loses, and the limit beyond which it is not worth going on.

A record is lost when its slot gives none (its annotation cannot be used) or its photo cannot be used. What was asked to be
left out (licences, evaluation photos, a mix) is not lost.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from vtinstruct.build import exclude, licences
from vtinstruct.build.plan import Plan
from vtinstruct.build.receipt import Receipt
from vtinstruct.manifest import DatasetError

_ASKED_FOR = frozenset({exclude.REASON, licences.REASON})


class TooManyLost(DatasetError):
    """A split that loses more of its records than was allowed: one line with the reasons, counted."""


class Losses:
    """The records lost so far. `limit` is the share of a split's records that may be lost, 1 for any number."""

    def __init__(self, plan: Plan, limit: float) -> None:
        self._limit = limit
        self._slots = {(split.source, split.split): split.built for split in plan.splits}
        self._lost: Counter[tuple[str, str]] = Counter()
        self._reasons: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def add(self, split: tuple[str, str], receipt: Receipt) -> None:
        """Count one chunk of a (source, split). Raises `TooManyLost` as soon as the split is over the limit whatever its
        other chunks bring, so that neither their order nor their number of workers decides."""
        self._lost[split] += receipt.lost
        for drop in receipt.drops:
            if not (drop.task or drop.repaired or drop.reason in _ASKED_FOR):
                self._reasons[split][drop.reason] += 1
        lost, slots = self._lost[split], self._slots[split]
        if lost > self._limit * slots:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in self._reasons[split].most_common(8))
            raise TooManyLost(
                f"{split[0]}/{split[1]} has lost {lost:,} of its {slots:,} records, more than --max-drop-rate "
                f"{self._limit:g} allows ({reasons}); what is done is kept"
            )
