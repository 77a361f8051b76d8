"""TRP, the Triplet-Based Referring Paradigm (REF-VLM, arXiv 2503.07413, section 3.1): parts to text and back.

    answer   = [ plan ] body ;
    plan     = "<Task>\\n" ( "Unit decode (False).\\n"
                          | "Unit decode (True). Class name, target unit and number:\\n" line { line } ) "</Task>\\n" ;
    line     = "- Name: " concept " Unit: " unit " Num: " count "\\n" ;
    body     = { text | triplet } ;
    triplet  = "<Phrase>" concept "</Phrase>(<Unit>" unit "</Unit>" { "[" index "]<REF>" } ")" ;
    unit     = "box" | "mask" | "keypoint" | "depth" | "point" ;
    question = [ "<image>\\n" ] { text | "[VPT]" } ;

`index` counts from 0 inside its triplet. A triplet without references says "none here". The plan is derived from the
body: stored nowhere, rendered on demand, checked against the body when read. The n-th `<REF>` of a text is the n-th
unit of the answer, whatever else is wrong with the text.

Laws (`tests/vtinstruct/test_trp.py`): reading what was rendered gives the same parts; reading never raises, and takes
time linear in the text. What cannot be read becomes a `TrpError` with its offset; its words stay as text, its marks go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast

from vtinstruct.dialogue import Part, Parts, Prompt, Reference, Triplet
from vtinstruct.units import UNIT_KINDS, UnitKind

# The order is the order in which a tokenizer gets them, and so part of every checkpoint.
SPECIAL_TOKENS = ("<Task>", "</Task>", "<Unit>", "</Unit>", "<Phrase>", "</Phrase>", "<REF>")
VPT, IMAGE = "[VPT]", "<image>"
RESERVED = (*SPECIAL_TOKENS, VPT, IMAGE)

ErrorKind = Literal[
    "unclosed",  # a phrase, unit, reference list or plan that does not end
    "crossing",  # a mark inside another that may not hold it
    "stray",  # a mark outside any triplet
    "stray_reference",  # a <REF> outside any triplet
    "index",  # references not numbered 0, 1, 2, ...
    "unknown_unit",
    "empty_concept",
    "placeholder",  # [VPT] or <image> in an answer
    "plan",  # a plan block that cannot be read
    "plan_mismatch",  # a plan that disagrees with the body
    "units",  # more or fewer units than <REF>s
]


class RenderError(ValueError):
    """Parts that have no TRP text: a reserved token in free text, an empty concept, a prompt in an answer."""


class TrpError(NamedTuple):
    """Something a text gets wrong: its class, the character offset in the text, and one sentence."""

    kind: ErrorKind
    offset: int
    message: str


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One promise of a plan: so many references of that unit to that concept."""

    concept: str
    kind: str
    count: int


Plan = tuple[PlanLine, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a text says. `plan` is None without a plan block, `()` for "Unit decode (False)"; `references` counts the
    `<REF>`s of the whole text, stray ones too."""

    parts: Parts
    errors: tuple[TrpError, ...] = ()
    plan: Plan | None = None
    references: int = 0

    def triplets(self) -> tuple[Triplet, ...]:
        """The triplets in order."""
        return tuple(part for part in self.parts if isinstance(part, Triplet))


# --- writing ---------------------------------------------------------------------------------------------------------

_RESERVED = re.compile("|".join(re.escape(token) for token in RESERVED))


def join_parts(parts: Iterable[Part]) -> Parts:
    """Parts in their only well-formed shape: neighbouring strings joined, empty strings gone."""
    found: list[Part] = []
    words: list[str] = []  # the strings since the last triplet or prompt; joined once, so long runs stay linear
    for part in parts:
        if isinstance(part, str):
            if part:
                words.append(part)
        else:
            if words:
                found.append("".join(words))
                words = []
            found.append(part)
    if words:
        found.append("".join(words))
    return tuple(found)


def check_text(text: str) -> None:
    """Raise `RenderError` when free text holds a reserved token."""
    if ("<" in text or "[" in text) and (hit := _RESERVED.search(text)):
        raise RenderError(f"the text holds the reserved token {hit[0]} at character {hit.start()}: {text!r:.60}")


def _check_concept(concept: str) -> None:
    check_text(concept)
    if not concept.strip():
        raise RenderError("a concept is empty; a name is right")
    if "\n" in concept:
        raise RenderError(f"a concept holds a line break: {concept!r:.60}")


_MARKS = {n: "".join(f"[{i}]<REF>" for i in range(n)) for n in range(64)}


def _marks(count: int) -> str:
    return _MARKS[count] if count < 64 else "".join(f"[{i}]<REF>" for i in range(count))


def _say(parts: Iterable[Part], say: Callable[[Triplet | Prompt], str]) -> str:
    """Text as it is, checked; everything else as `say` writes it."""
    parts = parts if isinstance(parts, tuple) else tuple(parts)
    found: list[str] = []
    after_text = False
    for part in parts:
        if not isinstance(part, str):
            after_text = False
            found.append(say(part))
        elif after_text:  # a token could hide in two neighbours
            return _say(join_parts(parts), say)
        else:
            after_text = True
            check_text(part)
            found.append(part)
    return "".join(found)


def _say_triplet(part: Triplet | Prompt) -> str:
    if not isinstance(part, Triplet):
        raise RenderError("a visual prompt stands in an answer; prompts belong to questions")
    _check_concept(part.concept)
    if part.kind not in UNIT_KINDS:
        raise RenderError(f"unknown unit {part.kind!r}; known: {', '.join(UNIT_KINDS)}")
    return f"<Phrase>{part.concept}</Phrase>(<Unit>{part.kind}</Unit>{_marks(len(part.references))})"


def _say_prompt(part: Triplet | Prompt) -> str:
    if not isinstance(part, Prompt):
        raise RenderError("a triplet stands in a question; triplets belong to answers")
    return VPT


def render(parts: Iterable[Part], plan: bool = False) -> str:
    """An answer's parts as TRP text, with the plan block in front when `plan`. Raises `RenderError`."""
    parts = parts if isinstance(parts, tuple) else tuple(parts)
    body = _say(parts, _say_triplet)
    return _render_plan(plan_of(parts)) + body if plan else body


def render_question(parts: Iterable[Part], image: bool = False) -> str:
    """A question's parts as text: `[VPT]` for each prompt, `<image>` first when `image`. Raises `RenderError`."""
    return (f"{IMAGE}\n" if image else "") + _say(parts, _say_prompt)


def plan_of(parts: Iterable[Part]) -> Plan:
    """The plan that an answer's parts fulfil: one line per triplet, in order."""
    return tuple(PlanLine(p.concept, p.kind, len(p.references)) for p in parts if isinstance(p, Triplet))


_PLAN_NONE = "Unit decode (False)."
_PLAN_SOME = "Unit decode (True). Class name, target unit and number:"


def _render_plan(plan: Plan) -> str:
    if not plan:
        return f"<Task>\n{_PLAN_NONE}\n</Task>\n"
    lines = "".join(f"- Name: {line.concept} Unit: {line.kind} Num: {line.count}\n" for line in plan)
    return f"<Task>\n{_PLAN_SOME}\n{lines}</Task>\n"


# --- reading ---------------------------------------------------------------------------------------------------------

# A whole triplet at once (the common case), or any single mark. Possessive repeats: a failed try costs one scan of what
# it has read, so hostile text stays linear.
_TOKEN = re.compile(
    r"<Phrase>([^<\n]++)</Phrase>\(<Unit>(" + "|".join(UNIT_KINDS) + r")</Unit>((?:\[[0-9]++\]<REF>)*+)\)"
    r"|</?(?:Task|Unit|Phrase)>|<REF>|\[VPT\]|<image>"
)
_INDEX = re.compile(r"\[([0-9]{1,9})\]\Z")
_UNDECODED = Reference(None)
_ODD: dict[str, tuple[ErrorKind, str]] = {
    "<REF>": ("stray_reference", "<REF> outside a triplet"),
    VPT: ("placeholder", "[VPT] stands in an answer"),
    IMAGE: ("placeholder", "<image> stands in an answer"),
    **{
        word: ("stray", f"{word} stands where no triplet or plan has it")
        for word in ("<Task>", "</Task>", "<Unit>", "</Unit>", "</Phrase>")
    },
}


class _Reader:
    """One pass over the marks of a text; `index` is the next mark, `at` the first character not yet read."""

    def __init__(self, text: str, references: Sequence[Reference] | None) -> None:
        self.text, self.given = text, references
        self.marks = list(_TOKEN.finditer(text))
        self.index = self.at = self.seen = 0
        self.parts: list[Part] = []
        self.errors: list[TrpError] = []

    def error(self, kind: ErrorKind, offset: int, message: str) -> None:
        self.errors.append(TrpError(kind, offset, message))

    def say(self, stop: int) -> None:
        """The plain words up to `stop` become text."""
        if stop > self.at:
            self.parts.append(self.text[self.at : stop])

    def take(self, count: int) -> tuple[Reference, ...]:
        """The next `count` references; undecoded ones where too few were given."""
        start, self.seen = self.seen, self.seen + count
        if self.given is None:
            return (_UNDECODED,) * count
        found = tuple(self.given[start : start + count])
        return found if len(found) == count else found + (_UNDECODED,) * (count - len(found))

    def peek(self) -> re.Match[str] | None:
        return self.marks[self.index] if self.index < len(self.marks) else None

    def body(self) -> None:
        text = self.text
        while (mark := self.peek()) is not None:
            self.index += 1
            concept = mark[1]
            if concept is not None and not concept.isspace():
                self.say(mark.start())
                numbers = mark[3]
                count = numbers.count("<REF>")
                if numbers != _marks(count):
                    self.error("index", mark.start(3), f"references {numbers[:40]} are not numbered 0, 1, 2, ...")
                self.parts.append(Triplet(concept, cast(UnitKind, mark[2]), self.take(count)))
                self.at = mark.end()
            else:
                start, end = mark.span()
                if start > self.at:
                    self.parts.append(text[self.at : start])
                self.at = end
                self.odd(mark[0], mark, start)
        self.say(len(text))

    def odd(self, word: str, mark: re.Match[str], start: int) -> None:
        """Anything but a plain whole triplet."""
        if word == "<Phrase>":
            self.phrase(mark)
        elif (fault := _ODD.get(word)) is not None:
            self.seen += word == "<REF>"
            self.errors.append(TrpError(fault[0], start, fault[1]))
        else:  # a whole triplet whose concept is only white space
            self.error("empty_concept", start, "a triplet without a concept")
            self.seen += mark[3].count("<REF>")

    def phrase(self, opening: re.Match[str]) -> None:
        """A phrase that is no plain whole triplet: read as far as it goes, keep what is certain."""
        closing = self.peek()
        if closing is None or closing[0] != "</Phrase>":
            kind: ErrorKind = "unclosed" if closing is None else "crossing"
            self.errors.append(TrpError(kind, opening.start(), "<Phrase> without </Phrase>"))
            return
        concept = self.text[opening.end() : closing.start()]
        self.index += 1
        self.at = closing.end()
        unit = self.unit(closing)
        if unit is None or unit not in UNIT_KINDS or not concept.strip() or "\n" in concept:
            if unit is None:
                self.error("unclosed", closing.end(), "a phrase without its (<Unit>...</Unit>...)")
            elif unit not in UNIT_KINDS:
                self.error("unknown_unit", closing.end(), f"unit {unit!r:.40}; known: {', '.join(UNIT_KINDS)}")
            else:
                self.error("empty_concept", opening.start(), "a concept is empty or holds a line break")
            if concept:
                self.parts.append(concept)
            if unit is not None:
                self.seen += self.list_references()
            return
        count = self.list_references()
        self.parts.append(Triplet(concept, unit, self.take(count)))

    def unit(self, closing: re.Match[str]) -> str | None:
        """The name between `(<Unit>` and `</Unit>` right behind a phrase; None when they are not there."""
        opening = self.peek()
        if opening is None or opening[0] != "<Unit>" or self.text[closing.end() : opening.start()] != "(":
            return None
        if self.index + 1 >= len(self.marks) or (ending := self.marks[self.index + 1])[0] != "</Unit>":
            return None
        self.index += 2
        self.at = ending.end()
        return self.text[opening.end() : ending.start()]

    def list_references(self) -> int:
        """Read `[0]<REF>[1]<REF>...)`; returns how many there were."""
        count = 0
        while (mark := self.peek()) is not None and mark[0] == "<REF>":
            gap = self.text[self.at : mark.start()]
            number = _INDEX.match(gap) if len(gap) <= 11 else None
            if number is None:
                break
            if int(number[1]) != count:
                self.error("index", self.at, f"reference {gap} stands where [{count}] belongs")
            count += 1
            self.index += 1
            self.at = mark.end()
        if self.text.startswith(")", self.at):
            self.at += 1
        else:
            self.error("unclosed", self.at, "a list of references without its closing bracket")
        return count

    def plan(self) -> Plan | None:
        """The plan block at the very start, if there is one."""
        if not self.text.startswith("<Task>"):
            return None
        end = next((i for i, mark in enumerate(self.marks) if mark[0] == "</Task>"), None)
        if end is None:
            self.index, self.at = 1, len("<Task>")
            self.error("unclosed", 0, "<Task> without </Task>")
            return None
        inner = self.marks[1:end]
        content = self.text[len("<Task>") : self.marks[end].start()]
        self.index, self.at = end + 1, self.marks[end].end()
        if self.text.startswith("\n", self.at):
            self.at += 1
        if inner:
            self.error("crossing", inner[0].start(), f"{inner[0][0][:10]} stands inside the plan")
            self.seen += sum(mark[0].count("<REF>") for mark in inner)
            return None
        found = _read_plan(content)
        if found is None:
            self.error("plan", 0, "the plan block is none of the two forms")
        return found


def _read_plan(content: str) -> Plan | None:
    lines = content.split("\n")
    if len(lines) < 3 or lines[0] or lines[-1]:
        return None
    if lines[1] == _PLAN_NONE:
        return () if len(lines) == 3 else None
    if lines[1] != _PLAN_SOME or len(lines) < 4:
        return None
    found: list[PlanLine] = []
    for line in lines[2:-1]:
        rest, _, count = line.rpartition(" Num: ")
        name, _, kind = rest.rpartition(" Unit: ")
        if not name.startswith("- Name: ") or not (count.isascii() and count.isdigit() and len(count) <= 9):
            return None
        found.append(PlanLine(name.removeprefix("- Name: "), kind, int(count)))
    return tuple(found)


def parse(text: str, references: Sequence[Reference] | None = None) -> Answer:
    """Read an answer. Never raises. `references` are the decoded units in `<REF>` order; without them every reference
    is undecoded (`unit` None). More or fewer of them than `<REF>`s is an error of its own ("units")."""
    reader = _Reader(text, references)
    plan = reader.plan()
    reader.body()
    parts = join_parts(reader.parts)
    if plan is not None and plan != plan_of(parts):
        reader.error("plan_mismatch", 0, "the plan promises other triplets than the body has")
    if references is not None and len(references) != reader.seen:
        reader.error("units", len(text), f"{reader.seen} <REF> in the text, {len(references)} units beside it")
    return Answer(parts, tuple(reader.errors), plan, reader.seen)


@dataclass(frozen=True, slots=True)
class Question:
    """What a question's text says: its parts, and whether it stands before a photo."""

    parts: Parts
    image: bool
    errors: tuple[TrpError, ...] = ()


def parse_question(text: str, prompts: Sequence[Prompt]) -> Question:
    """Read a question; the n-th `[VPT]` is the n-th prompt. Never raises; a `[VPT]` without a prompt, other marks and
    prompts without a `[VPT]` are errors."""
    image = text.startswith(f"{IMAGE}\n")
    at = len(IMAGE) + 1 if image else 0
    parts: list[Part] = []
    errors: list[TrpError] = []
    used = 0
    for mark in _RESERVED.finditer(text, at):
        parts.append(text[at : mark.start()])
        at = mark.end()
        if mark[0] != VPT:
            errors.append(TrpError("stray", mark.start(), f"{mark[0]} stands in a question"))
        elif used == len(prompts):
            errors.append(TrpError("placeholder", mark.start(), "[VPT] without a prompt"))
        else:
            parts.append(prompts[used])
            used += 1
    parts.append(text[at:])
    if used < len(prompts):
        errors.append(TrpError("units", len(text), f"{used} [VPT] in the text, {len(prompts)} prompts beside it"))
    return Question(join_parts(parts), image, tuple(errors))


# --- the command -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Command:
    """The optional per-turn order in front of a question (paper, section 3.1): which task, which elements the answer
    has ("phrase", "sentence", "unit"), which units."""

    task: str
    elements: tuple[str, ...]
    units: tuple[UnitKind, ...]


def render_command(command: Command) -> str:
    """The command block. Raises `RenderError` on line breaks, commas inside an element or reserved tokens."""
    for word in (command.task, *command.elements):
        check_text(word)
        if "\n" in word or not word.strip():
            raise RenderError(f"a command's task or element is empty or holds a line break: {word!r:.60}")
    if any("," in word or word != word.strip() or word == "none" for word in command.elements):
        raise RenderError("an answer element is a bare word or phrase without commas")
    elements, units = ", ".join(command.elements) or "none", ", ".join(command.units) or "none"
    return f"Task Command:\n- task name: {command.task}\n- answer element: {elements}\n- unit: {units}\n"


def parse_command(text: str) -> tuple[Command | None, str]:
    """The command in front of a question and the rest of it; `(None, text)` when there is none."""
    lines = text.split("\n", 4)
    heads = ("Task Command:", "- task name: ", "- answer element: ", "- unit: ")
    if len(lines) < 5 or lines[0] != heads[0] or not all(a.startswith(b) for a, b in zip(lines, heads, strict=False)):
        return None, text
    task, elements, units = (line.removeprefix(head) for line, head in zip(lines[1:4], heads[1:], strict=True))
    kinds = () if units == "none" else tuple(units.split(", "))
    if not all(kind in UNIT_KINDS for kind in kinds):
        return None, text
    found = () if elements == "none" else tuple(elements.split(", "))
    return Command(task, found, cast(tuple[UnitKind, ...], kinds)), lines[4]
