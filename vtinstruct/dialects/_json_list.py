"""Answers that are JSON lists of objects with a label and coordinates, bare or in a ```json fence (Qwen2.5-VL, Qwen3-VL, Gemini,
Moondream).

Objects are found one by one, so that a list which is cut off, or broken in one place, gives its other objects: what stands
between the braces of an object must be JSON, what stands around them need not be. An answer that is nothing but four numbers in
brackets, or a list of such, is boxes too, without a label: such answers are what lmms-eval (`refcoco/utils_rec.py`) and
VLMEvalKit (`refcoco.py`) ask these models for, and read. Which fields an object has is the dialect's.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from vtinstruct.dialect import Heard, Spoken
from vtinstruct.dialects._furniture import ENDS, FOREIGN, Read, Reading, floats, unit_of
from vtinstruct.dialects._saying import triplets_alone
from vtinstruct.dialogue import Parts, Triplet
from vtinstruct.units import Unit, UnitKind, is_finite_number

KEYS: Mapping[UnitKind, str] = {"box": "bbox_2d", "point": "point_2d"}  # Qwen's
COUNTS: Mapping[UnitKind, int] = {"box": 4, "point": 2}

# An object without objects in it. It always matches once a brace opens, and takes all it looked at: linear. A string ends
# at the line's end: a quote that is missing costs its own object only.
_OBJECT = re.compile(r'\{(?:[^{}"]++|"(?:[^"\\\n]|\\.)*+")*+(?:(\})|"(?:[^"\\\n]|\\.)*+\\?\Z)?')
MAX_LITERAL = 2_000  # characters; an object of a label and four numbers has a hundred
_NEVER = re.compile(r"(?!)")
_BRACES = re.compile(r"[{}]")
_FENCE = re.compile(r"```(?:json|python)?", re.IGNORECASE)
_ESCAPED = re.compile(r"\\[^'\"\\n]")  # Python would warn of it
_EDGE = " \t\r\n,[]"
_NUMBER = r"\s*+[-+]?[0-9]++(?:\.[0-9]++)?\s*+"
_FOUR = rf"\[{_NUMBER}(?:,{_NUMBER}){{3}}\]"
_BOX, _BOXES = (
    re.compile(rf"\[({_NUMBER}(?:,{_NUMBER}){{3}})\]"),
    re.compile(rf"{_FOUR}|\[\s*+{_FOUR}(?:\s*+,\s*+{_FOUR})*+\s*+\]"),
)

Place = Callable[[Sequence[float]], Read]  # numbers as they stand in the list, four or two, to a unit of the photo
Fields = Mapping[str, Any]
Element = Callable[[Fields], tuple[UnitKind, Read] | None]  # what an object says; None where it is no mark


def keyed(keys: Mapping[UnitKind, str], place: Place) -> Element:
    """Objects that have their numbers as a list in the field that `keys` names."""

    def element(fields: Fields) -> tuple[UnitKind, Read] | None:
        for kind, key in keys.items():
            if key in fields:
                numbers = numbers_in(fields[key], COUNTS[kind])
                return kind, place(numbers) if numbers else (None, "unreadable")
        return None

    return element


def numbers_in(value: object, count: int) -> list[float]:
    """`count` numbers of a JSON list; empty where it is anything else."""
    several = cast(list[Any], value) if isinstance(value, list) else []
    fine = len(several) == count and all(type(number) in (float, int) for number in several)  # True is no number
    return [float(number) for number in several] if fine else []


def read_list(spoken: Spoken, element: Element, place: Place | None = None) -> Heard:
    """The objects of a list as triplets, those of one label together; words around the list stay. `place` is for numbers without
    an object, where the dialect has such."""
    reading, at, text = Reading(spoken), 0, ENDS.sub("", spoken.text)
    found = list(_OBJECT.finditer(text))
    if not found:
        _without_objects(reading, text, place)
        return reading.finish()
    for match in found:
        _between(reading, text[at : match.start()])
        at = match.end()
        if match[1]:
            _object(reading, match[0], element)
        elif at == len(text):
            reading.fault("truncated")
        else:
            reading.fault("unreadable")
            reading.words(match[0])
    _between(reading, text[at:])
    if text.count("[") > text.count("]") and found[-1][1]:
        reading.fault("truncated")  # nothing to drop: the list ends behind a whole object
    return reading.finish()


def _without_objects(reading: Reading, text: str, place: Place | None) -> None:
    bare = _FENCE.sub("", text).strip()
    if place and _BOXES.fullmatch(bare):
        for numbers in _BOX.findall(bare):
            reading.listed("", "box", unit_of(reading, *place(floats(numbers.split(",")))))
        return
    if FOREIGN.search(bare):
        reading.fault("unreadable")
    if bare == "[":
        reading.fault("truncated")
    else:
        reading.words("" if bare == "[]" else text)


def _between(reading: Reading, text: str) -> None:
    if FOREIGN.search(text):
        reading.fault("unreadable")
    reading.words(_FENCE.sub("", text).strip(_EDGE))


def _fields(text: str) -> Fields:
    """What is between two braces: JSON, or as Python writes it (single quotes, a comma behind the last field), which the models'
    own notebooks read by `ast.literal_eval`. Empty where it is neither."""
    try:
        value: Any = json.loads(text, parse_int=float)
    except (ValueError, RecursionError):
        value = _literal(text)
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def _literal(text: str) -> object:
    if len(text) > MAX_LITERAL or _ESCAPED.search(text):
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _object(reading: Reading, text: str, element: Element) -> None:
    fields = _fields(text)
    found = element(fields)
    if found is None:
        reading.fault("unreadable")
        reading.words(text)
        return
    kind, read = found
    label = fields.get("label", "")
    sure = fields.get("confidence", fields.get("score"))
    score = float(sure) if is_finite_number(sure) else None
    reading.listed(label if isinstance(label, str) else "", kind, unit_of(reading, *read), score)


Write = Callable[[UnitKind, Unit | None], Fields]  # the fields that say a unit, without its label


def write_list(parts: Parts, write: Write, kinds: Iterable[UnitKind]) -> str:
    """The list in its fence; words alone where an answer has no phrase. Raises `NotSayable`."""

    def say(triplet: Triplet) -> str:
        known = ({**write(triplet.kind, one.unit), "label": triplet.concept} for one in triplet.references)
        return ",\n".join("\t" + json.dumps(one, ensure_ascii=False) for one in known)

    listed = any(isinstance(part, Triplet) for part in parts)
    objects = triplets_alone(parts, _NEVER if listed else _BRACES, say, kinds)  # a label is quoted
    if not listed:
        return "".join(objects)
    inner = ",\n".join(objects)
    return f"```json\n[\n{inner}\n]\n```" if objects else "[]"
