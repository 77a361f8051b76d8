"""The predictions file: what any model hands to the benchmark, and the only thing the benchmark takes.

JSON Lines, UTF-8. The first line is the header, every other line one answer:

    {"format": "vtinstruct-predictions", "version": 1, "model": "refvlm-tiny", "dialect": "trp",
     "coordinates": "absolute-xyxy-pixel-edges", "dataset": "<content hash of manifest.json>",
     "generation": {...}, "versions": {...}}
    {"id": "coco_instances/val/139/det/0", "turn": 1, "text": "<Phrase>dog</Phrase>(<Unit>box</Unit>[0]<REF>).",
     "units": [{"kind": "box", "box_xyxy": [10.0, 20.5, 84.0, 96.0], "score": 0.93}]}

The n-th entry of `units` belongs to the n-th `<REF>` of `text`; `null` says nothing was decoded for it. `turn` is the
index of the answered assistant message. One message of a sample is scored: the last that points at something (a box, a
mask), or else the last; an answer without `turn` is one to that message, answers to others are passed over. Depth maps
are 16-bit PNG files beside the predictions file, named by relative paths with `/`. `faults`, a list of short reasons, says
that the answer was written in another format and could not be read whole (`vtinstruct/dialect.py`): it counts as invalid.

Reading never stops at a bad line: `read_predictions` yields predictions and reports faults, one line each with its
number. A file without a usable header is refused as a whole (`PredictionsError`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, cast

from vtinstruct.answer_lines import Fault, Prediction, lines_of, read_line
from vtinstruct.units import unit_to_wire

__all__ = [
    "COORDINATES", "Fault", "Header", "Prediction", "PredictionsError", "PredictionsWriter", "answer_lines",
    "header_to_wire", "prediction_to_wire", "read_header", "read_predictions", "unlike_text",
]  # fmt: skip

FORMAT = "vtinstruct-predictions"
VERSION = 1
COORDINATES = "absolute-xyxy-pixel-edges"
DEEPEST = 100  # levels of a header; what reads and writes it goes down level by level


class PredictionsError(Exception):
    """A predictions file that cannot be used at all; the message names the file and what would be right."""


@dataclass(frozen=True, slots=True)
class Header:
    """Who answered what, and how. `dataset` is the content hash in the dataset's `manifest.json`."""

    model: str
    dataset: str
    dialect: str = "trp"
    coordinates: str = COORDINATES
    generation: Mapping[str, Any] = field(default_factory=dict[str, Any])
    versions: Mapping[str, str] = field(default_factory=dict[str, str])


def header_to_wire(header: Header) -> dict[str, Any]:
    """The header line's JSON values."""
    return {
        "format": FORMAT, "version": VERSION, "model": header.model, "dialect": header.dialect,
        "coordinates": header.coordinates, "dataset": header.dataset, "generation": dict(header.generation),
        "versions": dict(header.versions),
    }  # fmt: skip


def prediction_to_wire(prediction: Prediction) -> dict[str, Any]:
    """An answer line's JSON values; inverse of `answer_lines.read_line`."""
    wire: dict[str, Any] = {"id": prediction.id, "text": prediction.text}
    if prediction.turn is not None:
        wire["turn"] = prediction.turn
    units: list[dict[str, Any] | None] = []
    for reference in prediction.references:
        if reference.unit is None:
            units.append(None)
            continue
        unit = unit_to_wire(reference.unit)
        if reference.score is not None:
            unit["score"] = reference.score
        units.append(unit)
    wire["units"] = units
    if prediction.faults:
        wire["faults"] = list(prediction.faults)
    return wire


class PredictionsWriter:
    """Appends answers to a predictions file. An existing file is continued when its header is the same (so that a
    killed run resumes), and refused otherwise. Use as a context manager; every answer is flushed as it is written."""

    def __init__(self, path: Path, header: Header) -> None:
        self.path, self.done = path, set[tuple[str, int | None]]()
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size:
            if read_header(path) != header:
                raise PredictionsError(
                    f"{path}: holds answers of another run (its header differs); another name is right"
                )
            _cut_torn_tail(path)
            self.done = {(p.id, p.turn) for p in read_predictions(path, lambda fault: None)}
            self._file: TextIO = path.open("a", encoding="utf-8", newline="\n")
        else:
            self._file = path.open("w", encoding="utf-8", newline="\n")
            self._line(header_to_wire(header))

    def write(self, prediction: Prediction) -> None:
        """Append one answer. Raises `ValueError` on NaN or infinity: what cannot be read back is never written."""
        self._line(prediction_to_wire(prediction))
        self.done.add((prediction.id, prediction.turn))

    def _line(self, wire: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(wire, ensure_ascii=False, allow_nan=False) + "\n")
        self._file.flush()

    def __enter__(self) -> PredictionsWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _cut_torn_tail(path: Path) -> None:
    # A killed writer can leave half a line; appending to it would lose the next answer too.
    data = path.read_bytes()
    if not data.endswith(b"\n"):
        path.write_bytes(data[: data.rfind(b"\n") + 1])


def read_header(path: Path) -> Header:
    """The header of a predictions file; `PredictionsError` when there is none or its version is not ours."""
    try:
        with path.open("rb") as file:
            first = file.readline(1 << 20)
    except OSError as error:
        raise PredictionsError(f"{path}: {error.strerror or error}; a predictions file is expected there") from error
    if (unlike := unlike_text(first)) is not None:
        raise PredictionsError(f"{path}: {unlike}")
    try:
        wire: Any = json.loads(first)
        json.dumps(
            wire, ensure_ascii=False, allow_nan=False
        ).encode()  # NaN and half surrogates: no result could hold them
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeError are ValueErrors
        raise PredictionsError(f"{path}: line 1 is not JSON ({error}); the header object is right") from error
    if not isinstance(wire, dict) or cast(dict[str, Any], wire).get("format") != FORMAT:
        raise PredictionsError(
            f'{path}: line 1 is no header; {{"format": "{FORMAT}", "version": {VERSION}, ...}} is right'
        )
    fields = cast(dict[str, Any], wire)
    if _levels(fields) > DEEPEST:
        raise PredictionsError(
            f"{path}: the header is nested {_levels(fields)} deep; at most {DEEPEST} levels are right"
        )
    if fields.get("version") != VERSION:
        raise PredictionsError(f"{path}: version {fields.get('version')!r:.60}; this program reads version {VERSION}")
    for name in ("model", "dataset", "dialect"):
        said = fields.get(name)
        if not isinstance(said, str) or not said.isprintable():  # it is shown on terminals, as it is
            raise PredictionsError(f"{path}: the header's {name!r} is {said!r:.60}; a string of one line is right")
    if fields.get("coordinates") != COORDINATES:
        raise PredictionsError(
            f"{path}: coordinates {fields.get('coordinates')!r:.60}; {COORDINATES!r} is right (other conventions go "
            "through a dialect first)"
        )
    return Header(
        fields["model"], fields["dataset"], fields["dialect"], COORDINATES,
        _mapping(fields.get("generation")), _mapping(fields.get("versions")),
    )  # fmt: skip


def unlike_text(first: bytes) -> str | None:
    """What the beginning of a file that is no text in UTF-8 says about it."""
    if not first:
        return "is empty; JSON Lines are right"
    if first.startswith((b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"BZh")):
        return "is compressed; the unpacked JSON Lines are right"
    if first.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "is UTF-16; UTF-8 is right"
    return None


def _levels(value: object) -> int:
    found, level = 0, [value]
    while level:
        inside = [list(cast(dict[str, object], v).values()) if isinstance(v, dict) else v for v in level]
        level = [one for v in inside if isinstance(v, list) for one in cast(list[object], v)]
        found += 1
    return found


def _mapping(value: object) -> dict[str, Any]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def read_predictions(path: Path, report: Callable[[Fault], None]) -> Iterator[Prediction]:
    """Every readable answer in file order. Faults go to `report`; duplicates are the scorer's to judge, not dropped."""
    for number, line in answer_lines(path, report):
        prediction = read_line(line, number, report)
        if prediction is not None:
            yield prediction


def answer_lines(path: Path, report: Callable[[Fault], None]) -> Iterator[tuple[int, bytes]]:
    """Every line behind the header, not yet read, with its number. Raises `PredictionsError` on a file without header."""
    read_header(path)
    lines = lines_of(path, report)
    next(lines)
    return lines
