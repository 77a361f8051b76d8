"""The predictions file: what any model hands to the benchmark, and the only thing the benchmark takes.

JSON Lines, UTF-8. The first line is the header, every other line one answer:

    {"format": "vtinstruct-predictions", "version": 1, "model": "refvlm-tiny", "dialect": "trp",
     "coordinates": "absolute-xyxy-pixel-edges", "dataset": "<content hash of manifest.json>",
     "generation": {...}, "versions": {...}}
    {"id": "coco_instances/val/139/det/0", "turn": 1, "text": "<Phrase>dog</Phrase>(<Unit>box</Unit>[0]<REF>).",
     "units": [{"kind": "box", "box_xyxy": [10.0, 20.5, 84.0, 96.0], "score": 0.93}]}

The n-th entry of `units` belongs to the n-th `<REF>` of `text`; `null` says nothing was decoded for it. `turn` is the
index of the answered assistant message; without it, the dialogue's last. Depth maps are 16-bit PNG files beside the
predictions file, named by relative paths.

Reading never stops at a bad line: `read_predictions` yields predictions and reports faults, one line each with its
number. A file without a usable header is refused as a whole (`PredictionsError`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, cast

from vtinstruct.dialogue import Reference
from vtinstruct.units import UnitError, unit_from_wire, unit_to_wire

FORMAT = "vtinstruct-predictions"
VERSION = 1
COORDINATES = "absolute-xyxy-pixel-edges"
MAX_UNITS = 100_000  # in one answer; more is a fault of the writer, not an answer


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


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer: TRP (or another declared dialect's) text, and the decoded references in `<REF>` order."""

    id: str
    text: str
    references: tuple[Reference, ...] = ()
    turn: int | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in a predictions file: its line, the id when it could be read, and one clear sentence.

    `reason` is the short class to count by. A fault in a single unit keeps the answer; a fault in a line loses it.
    """

    line: int
    id: str
    reason: str
    detail: str


def header_to_wire(header: Header) -> dict[str, Any]:
    """The header line's JSON values."""
    return {
        "format": FORMAT, "version": VERSION, "model": header.model, "dialect": header.dialect,
        "coordinates": header.coordinates, "dataset": header.dataset, "generation": dict(header.generation),
        "versions": dict(header.versions),
    }  # fmt: skip


def prediction_to_wire(prediction: Prediction) -> dict[str, Any]:
    """An answer line's JSON values; inverse of `prediction_from_wire`."""
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
    try:
        wire: Any = json.loads(first)
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError both
        raise PredictionsError(f"{path}: line 1 is not JSON ({error}); the header object is right") from error
    if not isinstance(wire, dict) or cast(dict[str, Any], wire).get("format") != FORMAT:
        raise PredictionsError(
            f'{path}: line 1 is no header; {{"format": "{FORMAT}", "version": {VERSION}, ...}} is right'
        )
    fields = cast(dict[str, Any], wire)
    if fields.get("version") != VERSION:
        raise PredictionsError(f"{path}: version {fields.get('version')!r}; this program reads version {VERSION}")
    for name in ("model", "dataset", "dialect"):
        if not isinstance(fields.get(name), str):
            raise PredictionsError(f"{path}: the header's {name!r} is {fields.get(name)!r:.60}; a string is right")
    if fields.get("coordinates") != COORDINATES:
        raise PredictionsError(
            f"{path}: coordinates {fields.get('coordinates')!r:.60}; {COORDINATES!r} is right (other conventions go "
            "through a dialect first)"
        )
    return Header(
        fields["model"], fields["dataset"], fields["dialect"], COORDINATES,
        _mapping(fields.get("generation")), _mapping(fields.get("versions")),
    )  # fmt: skip


def _mapping(value: object) -> dict[str, Any]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def read_predictions(path: Path, report: Callable[[Fault], None]) -> Iterator[Prediction]:
    """Every readable answer in file order. Faults go to `report`; duplicates are the scorer's to judge, not dropped."""
    read_header(path)
    with path.open("rb") as file:
        file.readline()
        for number, line in enumerate(file, start=2):
            if not line.strip():
                continue
            prediction = _read_line(line, number, report)
            if prediction is not None:
                yield prediction


def _read_line(line: bytes, number: int, report: Callable[[Fault], None]) -> Prediction | None:
    try:
        wire: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        report(Fault(number, "", "not JSON", f"line {number}: not JSON ({error}); one JSON object a line is right"))
        return None
    if not isinstance(wire, dict):
        report(Fault(number, "", "not an object", f"line {number}: {wire!r:.60}; one JSON object a line is right"))
        return None
    return prediction_from_wire(cast(dict[str, Any], wire), number, report)


def prediction_from_wire(wire: Mapping[str, Any], line: int, report: Callable[[Fault], None]) -> Prediction | None:
    """Read one answer. A line without id or text is lost (None, reported); a broken unit becomes a reference without
    geometry (reported), so that the n-th `<REF>` still finds the n-th unit."""
    id_, text, turn = wire.get("id"), wire.get("text"), wire.get("turn")
    if not isinstance(id_, str) or not id_:
        report(Fault(line, "", "no id", f"line {line}: id is {id_!r:.60}; the sample's id is right"))
        return None
    if not isinstance(text, str):
        report(Fault(line, id_, "no text", f"line {line}: text of {id_} is {text!r:.60}; a string is right"))
        return None
    if turn is not None and (not isinstance(turn, int) or isinstance(turn, bool) or turn < 0):
        report(Fault(line, id_, "bad turn", f"line {line}: turn of {id_} is {turn!r:.60}; a message index is right"))
        return None
    units: Any = wire.get("units", [])
    if not isinstance(units, list) or len(cast(list[object], units)) > MAX_UNITS:
        report(Fault(line, id_, "bad units", f"line {line}: units of {id_} is no list of at most {MAX_UNITS} units"))
        return Prediction(id_, text, (), turn)
    found = tuple(_reference(u, i, id_, line, report) for i, u in enumerate(cast(list[object], units)))
    return Prediction(id_, text, found, turn)


def _reference(wire: object, index: int, id_: str, line: int, report: Callable[[Fault], None]) -> Reference:
    if wire is None:
        return Reference(None)
    try:
        if not isinstance(wire, dict):
            raise UnitError(f"{wire!r:.60} is no unit; an object with kind is right")
        fields = cast(dict[str, Any], wire)
        score = fields.get("score")
        if score is not None and (
            not isinstance(score, (int, float)) or isinstance(score, bool) or not math.isfinite(score)
        ):
            raise UnitError(f"score is {score!r:.60}; a finite number is right")
        return Reference(unit_from_wire(fields), None if score is None else float(score))
    except (UnitError, OverflowError) as error:
        report(Fault(line, id_, "bad unit", f"line {line}: unit {index} of {id_}: {error}"))
        return Reference(None)
