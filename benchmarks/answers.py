"""From a predictions file to checked answers: the only door by which a model's output enters the benchmark.

Nothing a file can hold reaches a scorer unchecked: geometry is of the triplet's own unit kind, masks fit the photo and
are safe for native code, numbers are within reach, depth maps lie beside the file. What fails is replaced by "nothing
decoded" and the answer is marked invalid, with the reason; it never vanishes and never ends the run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.plain import REACH
from benchmarks.scorer import Answered, answered_turn
from vtinstruct import trp
from vtinstruct.answer_lines import Prediction, decode_line, read_line
from vtinstruct.dialogue import Dialogue, Part, Prompt, Reference, Triplet
from vtinstruct.geometry import GeometryError, check_rle
from vtinstruct.photos import PhotoError, read_inverse_depth
from vtinstruct.prediction import Header, PredictionsError, answer_lines, read_header
from vtinstruct.units import Box, Depth, Keypoints, Mask, Point, Unit, kind_of

SHOWN_FAULTS = 20
SHOWN_STRAYS = 3  # answers to what is not scored, which would hide the faults
STRAY = "is no sample of the scored set"  # how the line of such an answer ends
LETTERS = 400  # of a fault's detail

Line = tuple[str, int, str]  # file, number of the line, what is wrong with it


@dataclass(slots=True)
class Intake:
    """What was wrong with predictions files: counted by reason, and the first few spelled out, one line each, in the order of
    the files' lines however they were read.

    `unknown_ids` are answers to samples that the scored set does not have (another split, or a wrong id), `other_turns`
    answers to turns that are not scored.
    """

    answers: int = 0
    unknown_ids: int = 0
    other_turns: int = 0
    reasons: Counter[str] = field(default_factory=Counter[str])
    noted: list[Line] = field(default_factory=list[Line])  # faults
    strays: list[Line] = field(default_factory=list[Line])  # answers to unknown ids

    def note(self, reason: str, file: str, number: int, detail: str, times: int = 1) -> None:
        """Count a fault, and keep its line while it is among the first; a detail that quotes too much of it is cut, and what
        it quotes cannot break the line or steer a terminal."""
        self.reasons[reason] += times
        self._keep(self.noted, file, number, detail)

    def stray(self, file: str, number: int, id_: str) -> None:
        """Count an answer to a sample that is not scored."""
        self.unknown_ids += 1
        self.reasons["unknown id"] += 1
        self._keep(self.strays, file, number, f"line {number}: {id_!r:.100} {STRAY}")

    def _keep(self, lines: list[Line], file: str, number: int, detail: str) -> None:
        detail = detail if len(detail) <= LETTERS else detail[: LETTERS - 1] + "…"
        lines.append((file, number, printable(detail)))
        if len(lines) > 10 * SHOWN_FAULTS:
            self._cut()

    def add(self, other: Intake) -> None:
        """Put another part's faults beside these."""
        self.answers += other.answers
        self.unknown_ids += other.unknown_ids
        self.other_turns += other.other_turns
        self.reasons += other.reasons
        self.noted += other.noted
        self.strays += other.strays
        self._cut()

    def _cut(self) -> None:
        for lines, most in ((self.noted, SHOWN_FAULTS), (self.strays, SHOWN_STRAYS)):
            lines.sort()
            del lines[most:]

    def to_json(self) -> dict[str, Any]:
        """What a result file keeps."""
        self._cut()
        lines = [f"{file}: {detail}" for file, _, detail in sorted([*self.noted, *self.strays])]
        return {
            "answers": self.answers, "unknown_ids": self.unknown_ids, "other_turns": self.other_turns,
            "reasons": dict(sorted(self.reasons.items())), "lines": lines,
        }  # fmt: skip


def printable(text: str) -> str:
    """Text that cannot break its line, steer a terminal or turn the reading direction: such characters as escapes."""
    return (
        text
        if text.isprintable()
        else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    )


def open_predictions(path: Path, dataset: str, allow_other_dataset: bool) -> Header:
    """The header of a predictions file, fit for this dataset. Raises `PredictionsError` with one line otherwise."""
    header = read_header(path)
    if header.dialect != "trp":
        raise PredictionsError(f"{path}: dialect {header.dialect!r:.40}; this version scores 'trp' only")
    if header.dataset != dataset and not allow_other_dataset:
        raise PredictionsError(
            f"{path}: answers dataset {header.dataset[:16]!r}, this one is {dataset[:16]!r}; predictions made for this "
            "dataset are right (--allow-other-dataset scores them all the same)"
        )
    return header


def answers_to(path: Path, wanted: Mapping[str, Dialogue]) -> dict[str, Answered]:
    """The answers of a file to a few samples (for pictures of them); everything else in it is passed over."""
    found: dict[str, Answered] = {}
    reasons: list[str] = []
    for number, line in answer_lines(path, lambda fault: None):
        wire = decode_line(line)
        if wire is not None and wire.id not in wanted:
            continue
        reasons.clear()
        prediction = read_line(line, number, lambda fault: reasons.append(fault.reason))
        truth = wanted.get(prediction.id) if prediction else None
        if prediction and truth and prediction.turn in (None, answered_turn(truth)):
            found[truth.id] = check_answer(prediction, truth, path.parent, reasons.copy())
    return found


def check_answer(prediction: Prediction, truth: Dialogue, folder: Path, reasons: list[str]) -> Answered:
    """Read a prediction's text and check every reference against the sample's photo. `reasons` are faults that reading
    the file already found. Never raises on what a predictions file can hold."""
    answer = trp.parse(prediction.text, prediction.references)
    faults = [*reasons, *(f"trp: {error.kind}" for error in answer.errors)]
    size_wh = truth.photo.size_wh if truth.photo else None
    parts: list[Part] = []
    for part in answer.parts:
        if isinstance(part, Prompt):  # a parsed answer has none; kept out so that scorers need not ask
            continue
        parts.append(_checked(part, size_wh, folder, faults) if isinstance(part, Triplet) else part)
    broken_plan = any(error.kind in ("plan", "plan_mismatch") for error in answer.errors)
    agrees = False if broken_plan else (None if answer.plan is None else True)
    return Answered(prediction.text, tuple(parts), "invalid" if faults else "ok", tuple(faults), agrees)


def _checked(triplet: Triplet, size_wh: tuple[int, int] | None, folder: Path, faults: list[str]) -> Triplet:
    changed = False
    references: list[Reference] = []
    for reference in triplet.references:
        problem = _problem(reference.unit, triplet.kind, size_wh, folder)
        if problem:
            faults.append(problem)
            reference, changed = replace(reference, unit=None), True
        references.append(reference)
    return replace(triplet, references=tuple(references)) if changed else triplet


def _problem(unit: Unit | None, kind: str, size_wh: tuple[int, int] | None, folder: Path) -> str:
    """Why a unit cannot be used, as a short class to count by; "" when it can."""
    if unit is None:
        return "unit: nothing decoded"
    if kind_of(unit) != kind:
        return f"unit: a {kind_of(unit)} where the text says {kind}"
    match unit:
        case Box():
            x0, y0, x1, y1 = unit.box_xyxy
            reachable = -REACH <= x0 <= x1 <= REACH and -REACH <= y0 <= y1 <= REACH
            return "" if reachable else "unit: box out of reach"
        case Point():
            return "" if all(-REACH <= value <= REACH for value in unit.point_xy) else "unit: point out of reach"
        case Keypoints():
            reachable = all(-REACH <= x <= REACH and -REACH <= y <= REACH for x, y, _ in unit.keypoints_xyv)
            return "" if reachable else "unit: keypoints out of reach"
        case Mask():
            return _mask_problem(unit, size_wh)
        case Depth():
            return _depth_problem(unit, size_wh, folder)


def _mask_problem(mask: Mask, size_wh: tuple[int, int] | None) -> str:
    if size_wh is not None and mask.mask_rle.size_hw != (size_wh[1], size_wh[0]):
        return "unit: mask of another size than the photo"
    try:
        check_rle(mask.mask_rle)
    except GeometryError as error:
        return f"unit: {error.reason}"
    return ""


def _depth_problem(depth: Depth, size_wh: tuple[int, int] | None, folder: Path) -> str:
    try:
        read_inverse_depth(folder, depth, size_wh)  # either frame
    except PhotoError as error:
        return f"unit: {error.reason}"
    return ""
