"""What a converter leaves out or mends, written down with file, row and reason: `Fault` to say it, `Notes` to keep it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vtinstruct.record import Drop


class Fault(Exception):
    """Something in a file that cannot be used. `reason` is a short class to count by, `detail` what would be right."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, slots=True)
class Notes:
    """Writes the drops of one file of one split to `report`."""

    source: str
    split: str
    file: str
    report: Callable[[Drop], None]

    def dropped(self, row: str, reason: str, detail: str) -> None:
        """Something was left out."""
        self.report(Drop(self.source, self.split, self.file, row, reason, detail))

    def mended(self, row: str, reason: str, detail: str) -> None:
        """Something was kept after a repair."""
        self.report(Drop(self.source, self.split, self.file, row, reason, detail, repaired=True))
