"""One line of a predictions file to one answer: quickly where it is as it should be, carefully where it is not.

`decode_line` reads a line that is right in one typed pass of msgspec (ten times the speed of `json` and checks by hand)
and gives None for every other; `read_line` then reads it field by field, keeps what can be kept and says what is wrong.
Whatever the first reads, the second reads alike and without a fault (`tests/vtinstruct/test_answer_lines.py`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec

from vtinstruct.dialogue import Reference
from vtinstruct.units import Box, Depth, Keypoints, Mask, Point, Rle, UnitError, is_finite_number, unit_from_wire

MAX_UNITS = 100_000  # in one answer; more is a fault of the writer, not an answer
MAX_FAULTS = 100
MAX_LINE = 1 << 28  # bytes; a longer line is skipped without being held
READ_AHEAD = 1 << 16  # bytes; the usual eight thousand would cut most lines of masks in pieces
# The reasons that are counted here and where ids are known: a file may not say them of its own answers, or counts would
# not add up.
OURS = frozenset(
    ("line too long", "not JSON", "not an object", "no id", "no text", "bad text", "bad turn", "bad faults", "bad units",
     "bad unit", "unknown id")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer: TRP text, and the decoded references in `<REF>` order. `faults` are short reasons why the answer, as the
    model wrote it in another format, could not be read whole (`dialect.Heard.reasons`)."""

    id: str
    text: str
    references: tuple[Reference, ...] = ()
    turn: int | None = None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in a predictions file: its line, the id when it could be read, and one clear sentence.

    `reason` is the short class to count by. A fault in a single unit keeps the answer; a fault in a line loses it.
    """

    line: int
    id: str
    reason: str
    detail: str


Report = Callable[[Fault], None]


# --- lines -----------------------------------------------------------------------------------------------------------


def lines_of(
    path: Path, report: Report, start: int = 0, stop: int | None = None, first: int = 1
) -> Iterator[tuple[int, bytes]]:
    """The lines that begin in bytes `start` to `stop` of a file, with their numbers from `first`; blank ones left out.
    A line of more than `MAX_LINE` bytes is reported and skipped."""
    with path.open("rb", READ_AHEAD) as file:
        file.seek(start)
        at, number = start, first
        while stop is None or at < stop:
            line = file.readline(MAX_LINE)
            if not line:
                return
            at += len(line)
            if len(line) == MAX_LINE and not line.endswith(b"\n"):
                detail = f"line {number}: more than {MAX_LINE} bytes; one answer is right"
                report(Fault(number, "", "line too long", detail))
                while line and not line.endswith(b"\n"):
                    line = file.readline(MAX_LINE)
                    at += len(line)
            elif not line.isspace():
                yield number, line
            number += 1


# --- lines that are right --------------------------------------------------------------------------------------------


class BoxWire(msgspec.Struct, tag_field="kind", tag="box", gc=False):
    """A box unit on the wire."""

    box_xyxy: tuple[float, float, float, float]
    score: float | None = None


Side = Annotated[int, msgspec.Meta(ge=1, le=1 << 30)]


class RleWire(msgspec.Struct, gc=False):
    """A mask's run lengths on the wire."""

    size_hw: tuple[Side, Side]
    counts: str


class MaskWire(msgspec.Struct, tag_field="kind", tag="mask", gc=False):
    """A mask unit on the wire."""

    mask_rle: RleWire
    score: float | None = None


class KeypointsWire(msgspec.Struct, tag_field="kind", tag="keypoint", gc=False):
    """A pose unit on the wire."""

    keypoints_xyv: list[tuple[float, float, float]]
    score: float | None = None


class DepthFileWire(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A depth map's file on the wire, in metres; one that says more of itself (another frame) is read with care."""

    path: str
    scale: float


class DepthWire(msgspec.Struct, tag_field="kind", tag="depth", gc=False):
    """A depth unit on the wire."""

    depth: DepthFileWire
    score: float | None = None


class PointWire(msgspec.Struct, tag_field="kind", tag="point", gc=False):
    """A point unit on the wire."""

    point_xy: tuple[float, float]
    score: float | None = None


UnitWire = BoxWire | MaskWire | KeypointsWire | DepthWire | PointWire


class AnswerWire(msgspec.Struct, gc=False):
    """A whole line, types checked, values not yet (`prediction_of`)."""

    id: str
    text: str
    units: list[UnitWire | None] = []
    turn: int | None = None
    faults: list[str] = []


_DECODER = msgspec.json.Decoder(AnswerWire)


def decode_line(line: bytes) -> AnswerWire | None:
    """A line whose fields are all of the right type; None for any other (`read_line` says why)."""
    try:
        wire = _DECODER.decode(line.decode())  # as text: msgspec does not look into the bytes of fields that it skips
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not wire.id or len(wire.units) > MAX_UNITS or (wire.turn is not None and wire.turn < 0) or wire.faults:
        return None
    return wire


def prediction_of(wire: AnswerWire) -> Prediction | None:
    """The answer of a decoded line; None when a value is not what `units.unit_from_wire` takes."""
    references: list[Reference] = []
    for unit in wire.units:
        reference = _UNDECODED if unit is None else _plain_reference(unit)
        if reference is None:
            return None
        references.append(reference)
    return Prediction(wire.id, wire.text, tuple(references), wire.turn)


_UNDECODED = Reference(None)


def _plain_reference(unit: UnitWire) -> Reference | None:
    match unit:
        case BoxWire():
            x0, y0, x1, y1 = unit.box_xyxy
            # differences of finite numbers that are not swapped; NaN and infinity fail one of the two
            if not (0 <= x1 - x0 < math.inf and 0 <= y1 - y0 < math.inf):
                return None
            return Reference(Box(unit.box_xyxy), unit.score)
        case MaskWire():
            rle = unit.mask_rle
            if not rle.counts.isascii():
                return None
            return Reference(Mask(Rle(rle.size_hw, rle.counts.encode("ascii"))), unit.score)
        case KeypointsWire():
            if not all(
                math.isfinite(x) and math.isfinite(y) and v in (0.0, 1.0, 2.0) for x, y, v in unit.keypoints_xyv
            ):
                return None
            return Reference(Keypoints(tuple((x, y, int(v)) for x, y, v in unit.keypoints_xyv)), unit.score)
        case DepthWire():
            if not unit.depth.path or not 0 < unit.depth.scale < math.inf:
                return None
            return Reference(Depth(unit.depth.path, unit.depth.scale), unit.score)
        case PointWire():
            if not all(map(math.isfinite, unit.point_xy)):
                return None
            return Reference(Point(unit.point_xy), unit.score)


# --- lines that are not ----------------------------------------------------------------------------------------------


def read_line(line: bytes, number: int, report: Report) -> Prediction | None:
    """Read one answer, however broken. A line without id or text is lost (None, reported); a broken unit becomes a
    reference without geometry (reported), so that the n-th `<REF>` still finds the n-th unit."""
    wire = decode_line(line)
    found = prediction_of(wire) if wire is not None else None
    return found if found is not None else _read_carefully(line, number, report)


def _read_carefully(line: bytes, number: int, report: Report) -> Prediction | None:
    try:
        wire: Any = json.loads(line, parse_int=_whole)
    except (ValueError, RecursionError) as error:
        report(Fault(number, "", "not JSON", f"line {number}: not JSON ({error}); one JSON object a line is right"))
        return None
    if not isinstance(wire, dict):
        report(Fault(number, "", "not an object", f"line {number}: {wire!r:.60}; one JSON object a line is right"))
        return None
    return _prediction(cast(dict[str, Any], wire), number, report)


def _whole(digits: str) -> float:
    try:
        return int(digits)
    except ValueError:  # more digits than Python takes for an integer; infinity, which costs its field and not the line
        return float(digits)


def _prediction(wire: Mapping[str, Any], line: int, report: Report) -> Prediction | None:
    id_, text, turn = wire.get("id"), wire.get("text"), wire.get("turn")
    if not isinstance(id_, str) or not id_ or _sayable(id_) != id_:
        report(Fault(line, "", "no id", f"line {line}: id is {id_!r:.60}; the sample's id is right"))
        return None
    if not isinstance(text, str):
        report(Fault(line, id_, "no text", f"line {line}: text of {id_} is {text!r:.60}; a string is right"))
        return None
    if _sayable(text) != text:
        report(
            Fault(
                line,
                id_,
                "bad text",
                f"line {line}: text of {id_} holds half a surrogate pair; whole characters are right",
            )
        )
        text = _sayable(text)
    if turn is not None and (not isinstance(turn, int) or isinstance(turn, bool) or turn < 0):
        report(Fault(line, id_, "bad turn", f"line {line}: turn of {id_} is {turn!r:.60}; a message index is right"))
        return None
    faults = _faults(wire.get("faults", []), id_, line, report)
    units: Any = wire.get("units", [])
    if not isinstance(units, list) or len(cast(list[object], units)) > MAX_UNITS:
        report(Fault(line, id_, "bad units", f"line {line}: units of {id_} is no list of at most {MAX_UNITS} units"))
        return Prediction(id_, text, (), turn, faults)
    found = tuple(_reference(u, i, id_, line, report) for i, u in enumerate(cast(list[object], units)))
    return Prediction(id_, text, found, turn, faults)


def _faults(wire: object, id_: str, line: int, report: Report) -> tuple[str, ...]:
    """What the file itself says is wrong with an answer: reported as any other fault, so the answer counts as invalid."""
    said = cast(list[object], wire) if isinstance(wire, list) else [wire]
    words = [_sayable(one)[:60] for one in said[:MAX_FAULTS] if isinstance(one, str)]
    found = tuple(f"said: {one}" if one in OURS else one for one in words)
    if len(found) < len(said) or not isinstance(wire, list):
        detail = f"line {line}: faults of {id_} is no list of at most {MAX_FAULTS} strings"
        report(Fault(line, id_, "bad faults", detail))
    for one in found:
        report(Fault(line, id_, one, f"line {line}: the answer to {id_}: {one}"))
    return found


def _sayable(text: str) -> str:
    """Text that can be written as UTF-8: lone halves of surrogate pairs become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _reference(wire: object, index: int, id_: str, line: int, report: Report) -> Reference:
    if wire is None:
        return _UNDECODED
    try:
        if not isinstance(wire, dict):
            raise UnitError(f"{wire!r:.60} is no unit; an object with kind is right")
        fields = cast(dict[str, Any], wire)
        score = fields.get("score")
        if score is not None and not is_finite_number(score):
            raise UnitError(f"score is {score!r:.60}; a finite number is right")
        return Reference(unit_from_wire(fields), None if score is None else float(score))
    except (UnitError, OverflowError) as error:
        report(Fault(line, id_, "bad unit", f"line {line}: unit {index} of {id_}: {_sayable(str(error))}"))
        return _UNDECODED
