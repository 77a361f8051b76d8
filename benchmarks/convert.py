"""`refvlm-bench convert`: answers in another model's format to a predictions file, line by line.

An answers file is JSON Lines of `{"id": ..., "text": ...}`; where the dialect needs them, beside the text: `masks` (one RLE
or null a mark), `scores` (one number or null a mark), `input_wh` (the size of the picture as the model got it), `form` (how a
dialect with several forms is to be read), and `turn`. Other fields are passed over.

A line that cannot be used is told with its number, counted, and left out: its sample is missing. An answer that cannot be
read whole is kept with what could be read, and is invalid; both are counted by reason.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from benchmarks.dataset import Dataset
from benchmarks.score import file_digest
from benchmarks.scorer import answered_turn
from benchmarks.truths import Truths
from vtinstruct import plugins
from vtinstruct.answer_lines import MAX_UNITS, Fault, Prediction, lines_of
from vtinstruct.dialect import UNNAMED, Dialect, Spoken, hear
from vtinstruct.dialogue import Dialogue
from vtinstruct.partial import partial
from vtinstruct.prediction import FORMAT, Header, PredictionsError, PredictionsWriter, unlike_text
from vtinstruct.task import Task
from vtinstruct.units import Mask, Rle, UnitKind, is_finite_number
from vtinstruct.version import VERSION

TOLD = 20  # lines of each reason


class LineError(ValueError):
    """A line that cannot be used: `args[0]` the reason to count by, `args[1]` what is wrong and would be right."""


@dataclass(slots=True)
class Converted:
    """What a conversion came to: lines read, answers written, those of them that are invalid, and the reasons, of lines left
    out and of answers kept, with the number of the first line each."""

    lines: int = 0
    answers: int = 0
    invalid: int = 0
    units: int = 0
    left_out: Counter[str] = field(default_factory=Counter[str])
    faults: Counter[str] = field(default_factory=Counter[str])
    first: dict[str, int] = field(default_factory=dict[str, int])


def convert(
    answers: Path,
    dialect: Dialect,
    truths: Truths,
    dataset: Dataset,
    out: Path,
    model: str,
    tell: Callable[[str], None],
) -> Converted:
    """Convert `answers` to `out`, whole or not at all; `tell` gets a line for each of the first lines that are left out for a
    reason. Raises `PredictionsError` when nothing can be converted or a sample is answered twice, and `OSError`."""
    done = Converted()
    _refuse(answers)
    part = partial(out)
    part.unlink(missing_ok=True)
    said = {"dialect": dialect.name, "coordinates": dialect.coordinates, "answers_sha256": file_digest(answers)}
    header = Header(model, dataset.hash, generation={"converted": said}, versions={"vtinstruct": VERSION})
    try:
        with PredictionsWriter(part, header) as writer:
            for prediction in _predictions(answers, dialect, truths, dataset, done, tell):
                if (prediction.id, prediction.turn) in writer.done:
                    raise PredictionsError(
                        f"{answers}: line {done.lines}: answers {prediction.id!r:.100} twice; one answer a sample is right"
                    )
                writer.write(prediction)
        if not done.answers:
            raise PredictionsError(
                f"{answers}: none of its {done.lines} lines is an answer to a scored sample; lines of "
                f'{{"id": {next(iter(truths), "")!r}, "text": ...}} are right'
            )
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return done


def _refuse(answers: Path) -> None:
    """Files of which no line can be an answer."""
    with answers.open("rb") as file:
        first = file.readline(1 << 20)
    unlike = unlike_text(first)
    if unlike is None and _is_header(first):
        unlike = "is a predictions file already; `refvlm-bench score` takes it as it is"
    if unlike is not None:
        raise PredictionsError(f"{answers}: {unlike}")


def _is_header(line: bytes) -> bool:
    try:
        wire: Any = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(wire, dict) and cast(dict[str, Any], wire).get("format") == FORMAT


def _predictions(
    answers: Path, dialect: Dialect, truths: Truths, dataset: Dataset, done: Converted, tell: Callable[[str], None]
) -> Iterator[Prediction]:
    classes: dict[tuple[str, str], Mapping[int, str]] = {}

    def left_out(reason: str, number: int, detail: str) -> None:
        done.left_out[reason] += 1
        done.first.setdefault(reason, number)
        if done.left_out[reason] <= TOLD:
            tell(f"line {number}: {detail}")

    def too_long(fault: Fault) -> None:
        left_out(fault.reason, fault.line, fault.detail.partition(": ")[2])

    for number, line in lines_of(answers, too_long):
        done.lines = number
        try:
            fields = _fields(line)
            truth = _truth(fields, truths)
            where = (truth.source, truth.split)
            if where not in classes:
                classes[where] = {n: category.name for n, category in dataset.by_id(*where).items()}
            spoken = _spoken(fields, truth, dialect, classes[where])
        except LineError as error:
            left_out(error.args[0], number, error.args[1])
            continue
        heard = hear(dialect, spoken)
        if len(heard.references) > MAX_UNITS:
            left_out("too many marks", number, f"{len(heard.references)} marks; at most {MAX_UNITS} are right")
            continue
        done.answers += 1
        done.units += len(heard.references)
        done.invalid += bool(heard.faults)
        for reason in heard.reasons:
            done.faults[reason] += 1
            done.first.setdefault(reason, number)
        yield Prediction(truth.id, heard.text, heard.references, fields.get("turn"), heard.reasons)


# --- one line --------------------------------------------------------------------------------------------------------


def _fields(line: bytes) -> dict[str, Any]:
    try:
        wire: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise LineError("not JSON", f"not JSON ({error}); one JSON object a line is right") from error
    if not isinstance(wire, dict):
        raise LineError("not an object", f"{wire!r:.60}; one JSON object a line is right")
    fields = cast(dict[str, Any], wire)
    for name in ("id", "text"):
        if not isinstance(fields.get(name), str):
            raise LineError(f"no {name}", f"{name} is {fields.get(name)!r:.60}; a string is right")
        fields[name] = fields[name].encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair has no UTF-8
    turn = fields.get("turn")
    if turn is not None and (not isinstance(turn, int) or isinstance(turn, bool) or turn < 0):
        raise LineError("bad turn", f"turn is {turn!r:.60}; a message index is right")
    return fields


def _truth(fields: Mapping[str, Any], truths: Truths) -> Dialogue:
    if fields["id"] not in truths.place:
        raise LineError("unknown id", f"{fields['id']!r:.100} is no sample of the scored set")
    truth = truths[fields["id"]]
    if fields.get("turn") not in (None, answered_turn(truth)):
        raise LineError("other turn", f"turn {fields['turn']} of {truth.id!r:.100} is not scored")
    if truth.photo is None:
        raise LineError("no photo", f"{truth.id!r:.100} has no photo; it needs no dialect")
    return truth


def _spoken(fields: Mapping[str, Any], truth: Dialogue, dialect: Dialect, classes: Mapping[int, str]) -> Spoken:
    assert truth.photo is not None  # `_truth` refuses it
    form = fields.get("form", "")
    if form and form not in dialect.forms:
        right = ", ".join(dialect.forms) or "none"
        raise LineError("bad form", f"form is {form!r:.40}; of {dialect.name}, {right} is right")
    return Spoken(
        fields["text"], truth.photo.size_wh, asked_of(truth), wanted_of(truth), _size(fields.get("input_wh")),
        _masks(fields.get("masks")), _scores(fields.get("scores")), form, classes,
    )  # fmt: skip


def asked_of(truth: Dialogue) -> str:
    """What the question names, where it names one thing."""
    concepts = truth.evaluation.concepts
    return concepts[0] if len(concepts) == 1 else UNNAMED


def wanted_of(truth: Dialogue) -> UnitKind | None:
    """The unit a sample's task answers with, from the task's own entry."""
    task: Task = plugins.load("vtinstruct.tasks", truth.task)
    return cast(UnitKind, task.units[0]) if task.units else None


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise LineError(f"bad {name}", f"{name} is {value!r:.60}; a list is right")
    return cast(list[Any], value)


def _size(value: object) -> tuple[int, int] | None:
    if value is None:
        return None
    sides = _list(value, "input_wh")
    if len(sides) != 2 or not all(isinstance(side, int) and 0 < side <= 1 << 20 for side in sides):
        raise LineError("bad input_wh", f"input_wh is {value!r:.60}; [width, height] in whole pixels is right")
    return sides[0], sides[1]


def _scores(value: object) -> tuple[float | None, ...]:
    scores = [] if value is None else _list(value, "scores")
    if not all(score is None or is_finite_number(score) for score in scores):
        raise LineError("bad scores", f"scores is {value!r:.60}; a list of finite numbers or null is right")
    return tuple(None if score is None else float(score) for score in scores)


def _masks(value: object) -> tuple[Mask | None, ...]:
    found: list[Mask | None] = []
    for one in [] if value is None else _list(value, "masks"):
        if one is None:
            found.append(None)
            continue
        fields = cast(dict[str, Any], one) if isinstance(one, dict) else {}
        sides, counts = fields.get("size"), fields.get("counts")
        sized = isinstance(sides, list) and len(cast(list[Any], sides)) == 2
        whole = sized and all(isinstance(side, int) and 0 < side <= 1 << 30 for side in cast(list[Any], sides))
        if not whole or not isinstance(counts, str) or not counts.isascii():
            raise LineError("bad masks", f'masks has {one!r:.60}; COCO\'s {{"size": [h, w], "counts": "..."}} is right')
        high, wide = cast(list[int], sides)
        found.append(Mask(Rle((high, wide), counts.encode("ascii"))))
    return tuple(found)
