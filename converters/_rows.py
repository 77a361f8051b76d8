"""Annotation files that are not COCO's, read row by row forgiving: JSON lists, objects of rows, JSON lines.

Good files take one typed pass of msgspec. A file with a broken row (a field missing, a number that is text, NaN, bytes
that are no UTF-8) is read again row by row, so that one bad row costs one row. What is no JSON at all, or cut short, is
one `SourceError`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from converters._coco_json import paused_gc, read_bytes
from converters._notes import Fault, Notes
from vtinstruct.containers import ContainerError, read_member, split_container
from vtinstruct.geometry import GeometryError
from vtinstruct.record import Category, Drop, Record
from vtinstruct.source import Report, SourceError

Row = TypeVar("Row")
Slot = TypeVar("Slot")
MAX_MEMBER = 1 << 26  # bytes of one photo's annotation in an archive


def _typed(data: bytes | msgspec.Raw, wanted: Any) -> Any:
    """`data` as `wanted`, or None when a row of it is not of that type."""
    try:
        return msgspec.json.decode(data, type=wanted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _shell(path: Path, data: bytes, wanted: Any, right: str, notes: Notes) -> Any:
    """The outer shape of a file with its rows as bytes; NaN and infinity, which JSON does not have, become null, and
    halves of characters (lone surrogates) become "?"."""
    try:
        return msgspec.json.decode(data, type=wanted)
    except msgspec.ValidationError as error:
        raise SourceError(f"{path}: {error}; {right} is right") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: not UTF-8 at byte {error.start} ({error.reason}); {right} is right") from error
    except RecursionError as error:
        raise SourceError(f"{path}: nested too deeply; {right} is right") from error
    except msgspec.DecodeError as error:
        first = error
    try:
        return msgspec.json.decode(_mended(json.loads(data), notes), type=wanted)
    except RecursionError as error:
        raise SourceError(f"{path}: nested too deeply; {right} is right") from error
    except (ValueError, TypeError, OverflowError) as error:
        where = f"cut at byte {len(data)}" if "truncated" in str(first) else str(first)
        raise SourceError(f"{path}: no JSON ({where}); download the file again, {right} is right") from error


def _mended(content: Any, notes: Notes) -> bytes:
    try:
        return msgspec.json.encode(content)
    except UnicodeEncodeError:
        whole = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
        notes.mended("whole file", "text: half a character", "a lone surrogate such as \\ud800 is read as ?")
        return msgspec.json.encode(json.loads(whole))


def decoded_row(row: msgspec.Raw, row_type: type[Row], where: str, notes: Notes) -> Row | None:
    """A row on its own; None, and a note, when it cannot be read."""
    try:
        return msgspec.json.decode(row, type=row_type, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        detail = f"{error}, found {bytes(row)[:80]!r} (null may stand for NaN)"
        notes.dropped(where, "row: unreadable", detail)
        return None


def list_rows(path: Path, row_type: type[Row], notes: Notes) -> list[tuple[int, Row]]:
    """The rows of a file that is one JSON list, each with its position. Broken rows go to `notes`."""
    data = read_bytes(path)
    with paused_gc():
        whole = _typed(data, list[row_type])
        if whole is not None:
            return list(enumerate(whole))
        return _one_by_one(_shell(path, data, list[msgspec.Raw], "a JSON list of rows", notes), row_type, "row", notes)


def _one_by_one(raws: list[msgspec.Raw], row_type: type[Row], name: str, notes: Notes) -> list[tuple[int, Row]]:
    found = ((n, decoded_row(raw, row_type, f"{name} {n}", notes)) for n, raw in enumerate(raws))
    return [(n, row) for n, row in found if row is not None]


def rows_inside(raw: msgspec.Raw, row_type: type[Row], name: str, notes: Notes) -> list[tuple[int, Row]]:
    """The rows of a list that was left as bytes until its record is asked for. Raises `Fault` when it is no list."""
    whole = _typed(raw, list[row_type])
    if whole is not None:
        return list(enumerate(whole))
    try:
        raws = msgspec.json.decode(raw, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Fault(f"{name}: no list", f"{bytes(raw)[:60]!r}; a list of rows is right") from error
    return _one_by_one(raws, row_type, name, notes)


def rows_below(path: Path, key: str, row_type: type[Row], notes: Notes) -> list[tuple[int, Row]]:
    """The rows of the list under `key` of a JSON object, each with its position. Broken rows go to `notes`."""
    return rows_below_keys(path, {key: row_type}, notes)[key]


def rows_below_keys(path: Path, wanted: dict[str, Any], notes: Notes) -> dict[str, list[tuple[int, Any]]]:
    """The lists under several keys of one JSON object, each row of its own type."""
    data = read_bytes(path)
    right = f"an object with the lists {' and '.join(f'`{key}`' for key in wanted)}"
    found: dict[str, list[tuple[int, Any]]] = {}
    with paused_gc():
        shell = _shell(path, data, dict[str, msgspec.Raw], right, notes)
        for key, row_type in wanted.items():
            if key not in shell:
                raise SourceError(f"{path}: has no `{key}`; {right} is right")
            whole = _typed(shell[key], list[row_type])
            if whole is None:
                raws = _shell(path, bytes(shell[key]), list[msgspec.Raw], right, notes)
                found[key] = _one_by_one(raws, row_type, key, notes)
            else:
                found[key] = list(enumerate(whole))
    return found


def rows_by_key(path: Path, row_type: type[Row], notes: Notes) -> dict[str, Row]:
    """The rows of a file that is one JSON object of rows, by their keys. Broken rows go to `notes`."""
    data = read_bytes(path)
    with paused_gc():
        whole = _typed(data, dict[str, row_type])
        if whole is not None:
            return whole
        raws = _shell(path, data, dict[str, msgspec.Raw], "a JSON object of rows", notes)
        found = {key: decoded_row(raw, row_type, key, notes) for key, raw in raws.items()}
        return {key: row for key, row in found.items() if row is not None}


def line_rows(path: Path, row_type: type[Row], notes: Notes) -> list[tuple[int, Row]]:
    """The rows of a file of JSON lines, each with its line number from 1. Broken lines go to `notes`.

    Raises `SourceError` when no line at all can be read: then it is another file.
    """
    data = read_bytes(path)
    found: list[tuple[int, Row]] = []
    lines = 0
    with paused_gc():
        decoder = msgspec.json.Decoder(row_type)
        for number, line in enumerate(data.split(b"\n"), 1):
            if not line.strip():
                continue
            lines += 1
            try:
                found.append((number, decoder.decode(line)))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                notes.dropped(f"line {number}", "row: unreadable", f"{error}, found {line[:80]!r}")
    if lines and not found:
        raise SourceError(f"{path}: none of {lines} lines can be read as a row; a file of JSON lines is right")
    return found


def one_object(path: Path, wanted: type[Row]) -> Row:
    """A small file, or a file in a tar or zip, that is one object of type `wanted`. Raises `Fault`, so that only its own
    record is lost."""
    try:
        inner = None if path.is_file() else split_container(path)
        data = path.read_bytes() if inner is None else read_member(*inner, MAX_MEMBER)
        return msgspec.json.decode(data, type=wanted)
    except ContainerError as error:
        raise Fault(f"file: {error.reason}", error.detail) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Fault("file: unreadable", f"{path.name}: {error}; a whole JSON file is right") from error
    except OSError as error:
        raise Fault("file: missing", f"{path.name}: {error.strerror or error}; download it") from error


@dataclass
class Slotted(Generic[Slot]):
    """A parsed split (`vtinstruct.source.Opened`): any list of slots, and what makes one of them a record.

    `file` is the annotation file that notes name, `row_of` names a slot in it; `make` may raise `Fault` or
    `GeometryError`, which costs the one record.
    """

    source: str
    split: str
    file: str
    files: Sequence[Path]
    slots: Sequence[Slot]
    make: Callable[[Slot, Notes], Record]
    row_of: Callable[[Slot], str]
    faults: Sequence[Drop]
    vocabulary: Sequence[Category] = ()

    def __len__(self) -> int:
        return len(self.slots)

    def records(self, start: int, stop: int, report: Report) -> Iterator[Record]:
        """Records of slots start..stop-1; what cannot be used is dropped with a note."""
        notes = Notes(self.source, self.split, self.file, report)
        for slot in self.slots[max(start, 0) : max(stop, 0)]:
            try:
                record = self.make(slot, notes)
            except (Fault, GeometryError) as fault:
                notes.fault(self._row(slot), fault)
            except UnicodeDecodeError as error:  # in what stayed bytes until now
                notes.dropped(self._row(slot), "row: not UTF-8", f"byte {error.start}; text in UTF-8 is right")
            else:
                yield record

    def _row(self, slot: Slot) -> str:
        return " ".join(self.row_of(slot).split()) or "row without a name"
