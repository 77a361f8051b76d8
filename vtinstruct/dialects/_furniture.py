"""What dialects share in reading: putting an answer together, and walking through a text's marks.

All patterns here and in the dialects use possessive repeats and stop at the next mark, so that a text of openings without
ends takes time linear in its length.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from vtinstruct.dialect import UNNAMED, Heard, SizeWH, Spoken
from vtinstruct.dialogue import Part, Reference, Triplet
from vtinstruct.trp import RESERVED, join_parts
from vtinstruct.units import Box, Point, Unit, UnitKind

REACH = 1e6  # pixels; what lies farther is no position in a photo
_TRP = re.compile("|".join(re.escape(token) for token in RESERVED))
_SPACES = re.compile(r"\s+")
_N = r"\s*+[-+]?[0-9]++(?:\.[0-9]*+)?\s*+%?+\s*+"
# Four numbers in brackets: a box in another model's form. Reading it would be a guess; passing it over in silence, a lie.
FOREIGN = re.compile(rf"\[{_N}(?:,{_N}){{3}}\]|\({_N},{_N}\)\s*+,\s*+\({_N},{_N}\)|\({_N}(?:,{_N}){{3}}\)")
# What several models' decoders leave at an answer's end.
ENDS = re.compile(r"<\|im_end\|>|<\|endoftext\|>|</s>|<[|｜]end▁of▁sentence[|｜]>")
_PARTIAL = re.compile(r"<[^<>\s]{0,40}\Z")
CLAUSE = re.compile(r".*[.,;:!?\n]", re.DOTALL)
_MORE = re.compile(r"(?:[\s,;&]|\band\b)*", re.IGNORECASE)


class Reading:
    """An answer as it is put together, in the order of its text."""

    def __init__(self, spoken: Spoken) -> None:
        self.spoken = spoken
        self._parts: list[str | _Open] = []
        self._known: dict[tuple[str, UnitKind], _Open] = {}
        self._faults: list[str] = []
        self._marks = self._beside = 0

    def fault(self, reason: str) -> None:
        """Something is wrong; `reason` is a key of `dialect.TEXT_FAULTS` or `UNIT_FAULTS`."""
        if reason != "truncated" or reason not in self._faults:  # a text ends once
            self._faults.append(reason)

    def words(self, text: str) -> None:
        """Text that is no mark."""
        if text:
            self._parts.append(text)

    def phrase(self, concept: str, kind: UnitKind, units: Iterable[Unit | None]) -> None:
        """A phrase and its marks, in running text. A phrase without words is called what was asked for."""
        self._parts.append(_Open(self._name(concept), kind, [self._reference(unit) for unit in units]))

    def listed(self, concept: str, kind: UnitKind, unit: Unit | None, score: float | None = None) -> None:
        """An element of a list: beside the others of its name and kind, wherever they stand; `score` as the list has it."""
        name = self._name(concept)
        if (name, kind) not in self._known:
            if self._parts and isinstance(self._parts[-1], _Open):
                self.words(", ")
            self._known[name, kind] = opened = _Open(name, kind, [])
            self._parts.append(opened)
        self._known[name, kind].references.append(self._reference(unit, score))

    def more(self, kind: UnitKind, units: Iterable[Unit | None]) -> bool:
        """Further marks of the phrase that was read last; False when the last thing read is no such phrase."""
        last = self._parts[-1] if self._parts else None
        if not isinstance(last, _Open) or last.kind != kind:
            return False
        last.references += [self._reference(unit) for unit in units]
        return True

    def next_beside(self) -> Unit | None:
        """The unit beside the text that belongs to the next mark; a fault where there is none."""
        beside = self.spoken.beside
        found = beside[self._beside] if self._beside < len(beside) else None
        self._beside += 1
        if found is None:
            self.fault("no mask")
        return found

    def _name(self, concept: str) -> str:
        for words in (concept, self.spoken.asked, UNNAMED):
            name = _SPACES.sub(" ", _TRP.sub(" ", words)).strip()
            if words is concept and _TRP.search(concept):
                self.fault("trp mark")
            if name:
                return name
        return UNNAMED

    def _reference(self, unit: Unit | None, score: float | None = None) -> _Mark:
        self._marks += 1
        return self._marks - 1, unit, score

    def finish(self) -> Heard:
        """The whole answer."""
        scores = self.spoken.scores
        if (scores and len(scores) != self._marks) or len(self.spoken.beside) > self._beside:
            self.fault("beside")
        used = scores if len(scores) == self._marks else ()
        parts: list[Part] = []
        for part in self._parts:
            if isinstance(part, _Open):
                found = tuple(Reference(unit, used[n] if used else score) for n, unit, score in part.references)
                parts.append(Triplet(part.concept, part.kind, found))
            else:
                parts.append(part)
        return Heard(join_parts(self._cleaned(part) for part in join_parts(parts)), tuple(self._faults))

    def _cleaned(self, part: Part) -> Part:
        if not isinstance(part, str) or not _TRP.search(part):
            return part
        self.fault("trp mark")
        return _TRP.sub(" ", part)  # by a blank: without it, what stood around could be a new mark


_Mark = tuple[int, Unit | None, float | None]  # its place in the text, what it is, the text's own confidence


@dataclass(slots=True)
class _Open:
    """A triplet that may still grow."""

    concept: str
    kind: UnitKind
    references: list[_Mark]


@dataclass(frozen=True, slots=True)
class Marks:
    """A dialect's marks in running text: `whole` a complete element; `debris` any piece of one, which outside of a complete
    element is a fault; `unfinished` an element that the text's end cuts off (ends in `\\Z`); `tokens` marks in angle brackets,
    which the end may cut too, those with a number in them up to the number."""

    whole: re.Pattern[str]
    debris: re.Pattern[str]
    unfinished: re.Pattern[str]
    tokens: tuple[str, ...] = ()


def listen(spoken: Spoken, marks: Marks, element: Callable[[Reading, re.Match[str]], None]) -> Heard:
    """Read running text: words stay where they are, `element` reads each complete element."""
    reading = Reading(spoken)
    for gap, match in _walk(reading, marks):
        _gap(reading, gap, marks)
        element(reading, match)
    return reading.finish()


def listen_labelled(spoken: Spoken, marks: Marks, element: Callable[[Reading, str, re.Match[str]], None]) -> Heard:
    """Read labels with marks behind them: all words since the last mark, of any kind, are the label."""
    reading = Reading(spoken)
    for gap, match in _walk(reading, marks):
        start = max(gap.rfind("<"), gap.rfind(">")) + 1
        _gap(reading, gap[:start], marks)
        element(reading, gap[start:], match)
    return reading.finish()


def listen_behind(spoken: Spoken, marks: Marks, kind_of: Callable[[re.Match[str]], tuple[UnitKind, Units]]) -> Heard:
    """Read running text whose marks stand behind their phrase without saying where it begins: it is what stands between the
    mark and the last punctuation or mark before it. A mark with nothing but "and" before it belongs to the same phrase."""
    reading = Reading(spoken)
    for gap, match in _walk(reading, marks):
        kind, read = kind_of(match)
        units = [unit_of(reading, *one) for one in read]
        if _MORE.fullmatch(gap) is None or not reading.more(kind, units):
            clause = CLAUSE.match(gap)
            start = clause.end() if clause else 0
            start += len(gap) - start - len(gap[start:].lstrip())
            _gap(reading, gap[:start], marks)
            reading.phrase(gap[start:], kind, units)
    return reading.finish()


def _walk(reading: Reading, marks: Marks) -> Iterator[tuple[str, re.Match[str]]]:
    """Every complete element with the words since the last one; what follows the last is read at the end."""
    at, text = 0, reading.spoken.text
    for match in marks.whole.finditer(text):
        yield text[at : match.start()], match
        at = match.end()
    _gap(reading, _uncut(reading, text[at:], marks), marks)


def _gap(reading: Reading, text: str, marks: Marks) -> None:
    if marks.debris.search(text) or FOREIGN.search(text):
        reading.fault("unreadable")
    reading.words(text)


def _uncut(reading: Reading, tail: str, marks: Marks) -> str:
    """The rest of a text without the element that its end cuts off."""
    begun = _PARTIAL.search(tail, max(0, len(tail) - 60))
    cut = begun is not None and any(
        token.startswith(begun[0]) or begun[0].rstrip("0123456789") == token for token in marks.tokens
    )
    if begun is not None and cut:
        tail = tail[: begun.start()]
    unfinished = marks.unfinished.search(tail)
    if unfinished is not None:
        tail = tail[: unfinished.start()]
    if cut or unfinished is not None:
        reading.fault("truncated")
    return tail


Read = tuple[Unit | None, str]  # a unit, or why there is none
Units = Sequence[Read]


def last_mark(text: str) -> int:
    """Where the mark in angle brackets begins that the text's end cuts off; behind the text, where none is."""
    return text.rfind("<") if text.rfind("<") > text.rfind(">") else len(text)


def unit_of(reading: Reading, unit: Unit | None, why: str) -> Unit | None:
    """A unit that was read, its fault told."""
    if why:
        reading.fault(why)
    return unit


def box_of(shares: Sequence[float], size_wh: SizeWH) -> Read:
    """A box of four shares of the photo's sides (x0, y0, x1, y1)."""
    pixels = [share * size_wh[index % 2] for index, share in enumerate(shares)]
    if len(pixels) != 4 or not all(abs(value) <= REACH for value in pixels):  # NaN is not <= either
        return None, "beyond the grid"
    x0, y0, x1, y1 = pixels
    if x1 < x0 or y1 < y0:
        return None, "swapped corners"
    return Box((x0, y0, x1, y1)), ""


def point_of(shares: Sequence[float], size_wh: SizeWH) -> Read:
    """A point of two shares of the photo's sides (x, y)."""
    pixels = [share * side for share, side in zip(shares, size_wh, strict=False)]
    if len(shares) != 2 or not all(abs(value) <= REACH for value in pixels):
        return None, "beyond the grid"
    return Point((pixels[0], pixels[1])), ""


def mark_of(shares: Sequence[float], size_wh: SizeWH) -> Read:
    """Four shares are a box, others a point."""
    return (box_of if len(shares) == 4 else point_of)(shares, size_wh)


def floats(texts: Iterable[str]) -> list[float]:
    """Numbers as they stand in a text; NaN for what is none."""
    found: list[float] = []
    for text in texts:
        try:
            found.append(float(text))
        except ValueError:
            found.append(math.nan)
    return found
