"""What a converter leaves out or mends, written down with file, row and reason: `Fault` to say it, `Notes` to keep it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vtinstruct.geometry import GeometryError
from vtinstruct.record import Drop


class Fault(Exception):
    """Something in a file that cannot be used. `reason` is a short class to count by, `detail` what would be right,
    `looked_for` the photos below the root whose coming would change that."""

    def __init__(self, reason: str, detail: str, looked_for: tuple[str, ...] = ()) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail, self.looked_for = reason, detail, looked_for


def text_of(data: bytes, name: str, notes: Notes) -> str:
    """The text of an annotation file: UTF-8, or else Latin-1 (which some official files are) with a note."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        notes.mended(name, "text: not UTF-8", f"byte {error.start}; read as Latin-1, which some official files are")
        return data.decode("latin-1")


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

    def fault(self, row: str, fault: Fault | GeometryError) -> None:
        """Something was left out for that fault."""
        looked_for = fault.looked_for if isinstance(fault, Fault) else ()
        self.report(Drop(self.source, self.split, self.file, row, fault.reason, fault.detail, looked_for=looked_for))

    def mended(self, row: str, reason: str, detail: str) -> None:
        """Something was kept after a repair."""
        self.report(Drop(self.source, self.split, self.file, row, reason, detail, repaired=True))
