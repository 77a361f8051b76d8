"""Answers that are JSON lists of objects with a label and coordinates, bare or in a ```json fence (Qwen2.5-VL, Qwen3-VL).

Objects are found one by one, so that a list which is cut off, or broken in one place, gives its other objects: what stands
between the braces of an object must be JSON, what stands around them need not be. An answer that is nothing but four numbers in
brackets, or a list of such, is boxes too, without a label: such answers are what lmms-eval (`refcoco/utils_rec.py`) and
VLMEvalKit (`refcoco.py`) ask these models for, and read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from vtinstruct.dialect import Heard, Spoken
from vtinstruct.dialects._furniture import FOREIGN, Read, Reading, floats, unit_of
from vtinstruct.dialects._saying import triplets_alone
from vtinstruct.dialogue import Parts, Triplet
from vtinstruct.units import Unit, UnitKind

KEYS: Mapping[UnitKind, str] = {"box": "bbox_2d", "point": "point_2d"}
COUNTS: Mapping[UnitKind, int] = {"box": 4, "point": 2}

# An object without objects in it. It always matches once a brace opens, and takes all it looked at: linear. A string ends
# at the line's end: a quote that is missing costs its own object only.
_OBJECT = re.compile(r'\{(?:[^{}"]++|"(?:[^"\\\n]|\\.)*+")*+(?:(\})|"(?:[^"\\\n]|\\.)*+\\?\Z)?')
_NEVER = re.compile(r"(?!)")
_BRACES = re.compile(r"[{}]")
_FENCE = re.compile(r"```(?:json)?")
_EDGE = " \t\r\n,[]"
_NUMBER = r"\s*+[-+]?[0-9]++(?:\.[0-9]++)?\s*+"
_FOUR = rf"\[{_NUMBER}(?:,{_NUMBER}){{3}}\]"
_BOX, _BOXES = (
    re.compile(rf"\[({_NUMBER}(?:,{_NUMBER}){{3}})\]"),
    re.compile(rf"{_FOUR}|\[\s*+{_FOUR}(?:\s*+,\s*+{_FOUR})*+\s*+\]"),
)

Place = Callable[[Sequence[float]], Read]  # numbers as they stand in the list, four or two, to a unit of the photo


def read_list(spoken: Spoken, place: Place) -> Heard:
    """The objects of a list as triplets, those of one label together; words around the list stay."""
    reading, at, text = Reading(spoken), 0, spoken.text
    found = list(_OBJECT.finditer(text))
    if not found:
        _without_objects(reading, text, place)
        return reading.finish()
    for match in found:
        _between(reading, text[at : match.start()])
        at = match.end()
        if match[1]:
            _object(reading, match[0], place)
        elif at == len(text):
            reading.fault("truncated")
        else:
            reading.fault("unreadable")
            reading.words(match[0])
    _between(reading, text[at:])
    if text.count("[") > text.count("]") and found[-1][1]:
        reading.fault("truncated")  # nothing to drop: the list ends behind a whole object
    return reading.finish()


def _without_objects(reading: Reading, text: str, place: Place) -> None:
    bare = _FENCE.sub("", text).strip()
    if _BOXES.fullmatch(bare):
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


def _object(reading: Reading, text: str, place: Place) -> None:
    try:
        value: Any = json.loads(text, parse_int=float)
    except (ValueError, RecursionError):
        value = None
    fields = cast(dict[str, Any], value) if isinstance(value, dict) else {}
    kind: UnitKind | None = "box" if KEYS["box"] in fields else "point" if KEYS["point"] in fields else None
    if kind is None:
        reading.fault("unreadable")
        reading.words(text)
        return
    numbers, label = fields[KEYS[kind]], fields.get("label", "")
    several = cast(list[Any], numbers) if isinstance(numbers, list) else []
    fine = len(several) == COUNTS[kind] and all(isinstance(number, float) for number in several)
    unit = unit_of(reading, *(place(several) if fine else (None, "unreadable")))
    reading.listed(label if isinstance(label, str) else "", kind, unit)


def write_list(parts: Parts, number: Callable[[Unit | None], list[int]]) -> str:
    """The list in its fence; words alone where an answer has no phrase. Raises `NotSayable`."""

    def say(triplet: Triplet) -> str:
        known = ({KEYS[triplet.kind]: number(one.unit), "label": triplet.concept} for one in triplet.references)
        return ",\n".join("\t" + json.dumps(one, ensure_ascii=False) for one in known)

    listed = any(isinstance(part, Triplet) for part in parts)
    objects = triplets_alone(parts, _NEVER if listed else _BRACES, say, KEYS)  # a label is quoted
    if not listed:
        return "".join(objects)
    inner = ",\n".join(objects)
    return f"```json\n[\n{inner}\n]\n```" if objects else "[]"
