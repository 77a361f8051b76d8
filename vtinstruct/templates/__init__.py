"""The words of the tasks: one TOML file per task, written for this project, and how placeholders are filled.

A file holds *slots* (`question`, `answer`, ...). A slot is a list of wordings, or a table with one `plain` wording, the
`share` of draws it gets, and the `framed` others:

    question = ["Find every {phrase}.", "Where is each {phrase}? Draw boxes."]

    [answer]
    plain = "{objects}."
    share = 0.8
    framed = ["Here: {objects}."]

All wordings of a slot hold the same placeholders, each exactly once; `load` refuses a file that does not. A template
id is `<task>:<slot>:<index>`, index 0 being the plain wording where there is one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from random import Random
from types import MappingProxyType
from typing import Any, cast

from vtinstruct.dialogue import Part, Parts, Prompt, Triplet
from vtinstruct.trp import join_parts

Value = str | Prompt | Triplet | Parts
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


class WordingError(ValueError):
    """A wordings file, or a use of it, that is wrong; the message says where and what would be right."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The wordings of one slot; the first is drawn with probability `share` when that is set, else all are equal."""

    wordings: tuple[str, ...]
    placeholders: frozenset[str]
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Wordings:
    """All slots of one task. `load` reads and checks the task's file once."""

    task: str
    slots: Mapping[str, Slot]

    @staticmethod
    def load(task: str) -> Wordings:
        """The wordings of `task` from `vtinstruct/templates/<task>.toml`; `WordingError` when there are none."""
        return _load(task)

    def pick(self, rng: Random, slot: str) -> tuple[str, str]:
        """A wording of `slot` drawn with `rng`, and its template id."""
        found = self.slots.get(slot)
        if found is None:
            raise WordingError(f"{self.task}.toml has no slot {slot!r}; it has: {', '.join(sorted(self.slots))}")
        if found.share is None:
            index = rng.getrandbits(32) * len(found.wordings) >> 32  # fair to 2^-32, at a third of `randrange`'s price
        else:
            # Both draws are always made, so that the share does not shift what the rng gives afterwards.
            plain, framed = rng.random() < found.share, rng.getrandbits(32) * max(len(found.wordings) - 1, 1) >> 32
            index = 0 if plain or len(found.wordings) == 1 else 1 + framed
        return found.wordings[index], f"{self.task}:{slot}:{index}"

    @staticmethod
    def fill(text: str, **values: Value) -> Parts:
        """Replace every `{name}` of a wording by its value: text, a prompt, a triplet or a tuple of parts.

        Only the wording is searched for placeholders, so braces inside values pass untouched. The result is
        well-formed (`trp.join_parts`). Raises `WordingError` when names and values do not match one to one.
        """
        return _fill(text, values)

    def say(self, rng: Random, slot: str, **values: Value) -> tuple[Parts, str]:
        """`pick` and `fill` in one: the parts and the template id."""
        text, template = self.pick(rng, slot)
        return _fill(text, values), template


def _fill(text: str, values: Mapping[str, Value]) -> Parts:
    first, holes = _pieces(text)
    if not (holes or values):
        return (first,) if first else ()
    if len(holes) != len(values) or any(name not in values for name, _ in holes):
        names = sorted(name for name, _ in holes)
        raise WordingError(f"{text!r} takes {names}, got values for {sorted(values)}")
    parts: list[Part] = [first]
    for name, words in holes:
        value = values[name]
        if isinstance(value, tuple):
            parts.extend(value)
        else:
            parts.append(value)
        parts.append(words)
    return join_parts(parts)


@cache  # as many as there are wordings
def _pieces(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The words before the first placeholder, and for each placeholder its name and the words behind it."""
    first, *rest = _PLACEHOLDER.split(text)
    return first, tuple(zip(rest[::2], rest[1::2], strict=True))


@cache
def _load(task: str) -> Wordings:
    file = files(__name__) / f"{task}.toml"
    if not re.fullmatch(r"[a-z0-9_]+", task) or not file.is_file():
        raise WordingError(f"no wordings for task {task!r}; vtinstruct/templates/{task}.toml is expected")
    return read_wordings(task, file.read_text(encoding="utf-8"))


def read_wordings(task: str, text: str) -> Wordings:
    """The slots of a wordings file's text, checked; `WordingError` names the file, the slot and the wording."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise WordingError(f"{task}.toml: {error}") from error
    slots = {name: _slot(f"{task}.toml {name}", value) for name, value in table.items()}
    return Wordings(task, MappingProxyType(slots))


def _slot(where: str, value: object) -> Slot:
    share: float | None = None
    if isinstance(value, dict):
        fields = cast(dict[str, Any], value)
        if set(fields) != {"plain", "share", "framed"} or not isinstance(fields["framed"], list):
            raise WordingError(f"{where}: has {sorted(fields)}; plain (text), share (0..1) and framed (list) are right")
        if not isinstance(fields["share"], (int, float)) or not 0 <= fields["share"] <= 1:
            raise WordingError(f"{where}: share is {fields['share']!r}; a number from 0 to 1 is right")
        share, value = float(fields["share"]), [fields["plain"], *cast(list[object], fields["framed"])]
    wordings = cast(list[object], value) if isinstance(value, list) else []
    if not wordings:
        raise WordingError(f"{where}: is {value!r:.60}; a list of wordings is right")
    for wording in wordings:
        if not isinstance(wording, str) or not wording or wording != wording.strip():
            raise WordingError(f"{where}: {wording!r:.80} is no wording; text without outer spaces is right")
    texts = tuple(cast(list[str], wordings))
    if len(set(texts)) != len(texts):
        raise WordingError(f"{where}: holds the same wording twice")
    expected = sorted(_PLACEHOLDER.findall(texts[0]))
    for text in texts:
        found = sorted(_PLACEHOLDER.findall(text))
        if found != expected or len(set(found)) != len(found) or re.search(r"[{}]", _PLACEHOLDER.sub("", text)):
            raise WordingError(f"{where}: {text!r} holds {found}; each of {expected} exactly once is right")
    return Slot(texts, frozenset(expected), share)
