"""The ledger: everything left out or repaired, one JSON line each, and the counts by reason."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import TextIO

from vtinstruct.manifest import DropCount
from vtinstruct.record import Drop


class Ledger:
    """Writes drops to a file as they come and counts them."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._counts: Counter[tuple[str, str, str, str, bool]] = Counter()

    def add(self, drops: Iterable[Drop]) -> None:
        """Write drops in order."""
        for drop in drops:
            said = {name: value for name, value in asdict(drop).items() if name != "looked_for"}
            self._file.write(json.dumps(said, ensure_ascii=False) + "\n")
            self._counts[drop.source, drop.split, drop.task, drop.reason, drop.repaired] += 1

    def counts(self) -> tuple[DropCount, ...]:
        """How many of each, sorted."""
        return tuple(DropCount(*key, count) for key, count in sorted(self._counts.items()))
