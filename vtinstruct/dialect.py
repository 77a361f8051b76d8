"""`Dialect`: how another model writes answers, and what they say in TRP. Both ways.

Every `dialects/<name>.py` is one format, with one public name `DIALECT`. A dialect declares what its numbers mean (`grid`,
`coordinates`), from its model's own code; nothing is guessed from an answer. What it is held to
(`tests/contracts/test_dialects.py`):

* `read` never raises and takes time linear in the text. What it cannot read stays as words and is a fault; a mark that is
  there and has no usable geometry becomes a reference without a unit; a last element that the length limit cut off is
  dropped, and is a fault. Text that holds TRP's own marks stays words, without the marks, and is a fault.
* what `read` gives can always be rendered as TRP.
* `read(render(parts))` gives the boxes and points back within `grid.error` cells.

Faults go into the predictions file and make the answer invalid there, as TRP's own errors do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from vtinstruct import plugins
from vtinstruct.dialogue import Parts, Reference, Triplet
from vtinstruct.trp import render as render_trp
from vtinstruct.units import Unit, UnitKind

ROOM = "vtinstruct.dialects"
UNNAMED = "object"  # what a mark without words of its own is called where nothing was asked for by name
THINKING, THOUGHT = "<think>", "</think>"
TEXT_FAULTS: Mapping[str, str] = {
    "truncated": "the text ends inside an element, which is dropped",
    "unreadable": "a mark of the dialect, or a box in another's form, cannot be read; it stays as words, or has nothing decoded",
    "trp mark": "the text holds TRP's own marks, which go; the words stay",
    "beside": "more masks beside the text than marks in it, or not one score a mark; no score is used then",
}
UNIT_FAULTS: Mapping[str, str] = {
    "swapped corners": "a box ends before it begins; nothing is decoded for it",
    "beyond the grid": "a number that the dialect does not have; nothing is decoded for it",
    "no mask": "a mark without its mask beside the text; nothing is decoded for it",
    "not decoded": "a mark whose tokens need the model's own decoder; see the dialect",
}
SizeWH = tuple[int, int]


class NotSayable(ValueError):
    """Something that has no form in a dialect; the message is the reason to count."""


@dataclass(frozen=True, slots=True)
class Grid:
    """How a share of a side (0..1) is written as a number, and read back, as the model's own code does it.

    `scale` cells a side (0: one cell a pixel of the picture as the model got it); written by rounding, or rounding down
    (`floor`); at most `top`; read as the `centre` of a cell or as its beginning. `square`: the sides are those of the photo
    padded to a square.
    """

    scale: float
    top: float
    floor: bool = False
    centre: bool = False
    square: bool = False

    @property
    def error(self) -> float:
        """The largest distance, in cells, between what was written and what is read, away from the far border."""
        return 1.0 if self.floor and not self.centre else 0.5

    def number(self, share: float) -> int:
        """What is written for a share; shares outside of the picture become its borders."""
        exact = share * self.scale
        return int(min(max(math.floor(exact) if self.floor else round(exact), 0), self.top))

    def share(self, number: float) -> float:
        """What a number means; no number is cut to the picture."""
        return (number + 0.5 * self.centre) / self.scale


@dataclass(frozen=True, slots=True)
class Spoken:
    """A model's answer as it came: `text` about a photo of `size_wh` pixels, and what stands beside the text.

    `asked` is what the question names: a mark without words of its own is called that. `wanted` is the unit the sample's
    task answers with. `input_wh` is the size of the picture as the model got it, where a dialect counts its pixels (None:
    by the model's published rule). `beside` are the units of marks that have their geometry beside the text, in the order of
    marks; `scores` one confidence a reference; `form` a dialect's own way of reading, where it has several; `classes` the
    names of class numbers.
    """

    text: str
    size_wh: SizeWH
    asked: str = UNNAMED
    wanted: UnitKind | None = None
    input_wh: SizeWH | None = None
    beside: tuple[Unit | None, ...] = ()
    scores: tuple[float | None, ...] = ()
    form: str = ""
    classes: Mapping[int, str] = field(default_factory=dict[int, str])


@dataclass(frozen=True, slots=True)
class Heard:
    """What an answer says: parts that TRP can render, and faults, one for each thing that is wrong (keys of `TEXT_FAULTS` and
    `UNIT_FAULTS`)."""

    parts: Parts
    faults: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """As TRP text."""
        return render_trp(self.parts)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The faults as predictions files name them, each once."""
        named = (f"{'unit' if fault in UNIT_FAULTS else 'dialect'}: {fault}" for fault in self.faults)
        return tuple(dict.fromkeys(named))

    @property
    def references(self) -> tuple[Reference, ...]:
        """In `<REF>` order."""
        return tuple(reference for triplet in self.triplets() for reference in triplet.references)

    def triplets(self) -> tuple[Triplet, ...]:
        """The triplets in order."""
        return tuple(part for part in self.parts if isinstance(part, Triplet))


@dataclass(frozen=True, slots=True)
class Dialect:
    """A format. `source` names the code or paper that defines it, `coordinates` what its numbers mean, in words, as
    predictions files record it; `reads` and `writes` are the unit kinds it can say; `lost` is what TRP says and it does not.

    `render` takes an answer's parts and the size of the photo, and gives the model's training text; it raises `NotSayable`.
    `forms` are the ways of reading that an answer may name. `beside`: geometry stands beside the text.
    """

    name: str
    title: str
    source: str
    coordinates: str
    grid: Grid | None
    reads: tuple[UnitKind, ...]
    writes: tuple[UnitKind, ...]
    lost: str
    read: Callable[[Spoken], Heard]
    render: Callable[[Parts, SizeWH], str]
    forms: tuple[str, ...] = ()
    beside: bool = False


def hear(dialect: Dialect, spoken: Spoken) -> Heard:
    """What a model's answer says, without what it thought before: up to the last `</think>`, or all behind a `<think>` that the
    length limit cut off. Boxes it thought of are no answers."""
    _, ended, answer = spoken.text.rpartition(THOUGHT)
    if not ended and answer.lstrip().startswith(THINKING):
        return Heard((), ("truncated",))
    return dialect.read(replace(spoken, text=answer.lstrip()) if ended else spoken)


def dialects() -> tuple[Dialect, ...]:
    """Every dialect, by name."""
    return tuple(plugins.load(ROOM, name) for name in plugins.names(ROOM))


def dialect_named(name: str) -> Dialect:
    """The dialect of that name. Raises `UnknownPlugin`."""
    return plugins.load(ROOM, name)
