"""`Dialogue`: what a task makes of a record. Turns are typed parts, never text with holes.

A turn's parts are strings, `Prompt`s (marks a person makes on the photo, in questions) and `Triplet`s (concept +
decoding unit + references, in answers). `trp.py` turns parts into text and back; `shards.py` stores dialogues.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

from vtinstruct.units import Box, Mask, Point, Unit, UnitKind
from vtinstruct.values import value

PromptKind = Literal["point", "box", "scribble", "mask"]
PROMPT_KINDS: tuple[PromptKind, ...] = get_args(PromptKind)
Role = Literal["user", "assistant"]


@value
class Prompt:
    """A visual prompt: a mark on the photo. A point is a `Point`, a box a `Box`, a scribble or a mask a `Mask`."""

    kind: PromptKind
    mark: Box | Point | Mask


@value
class Reference:
    """One instance a triplet refers to, in `<REF>` order.

    `unit` is None where a `<REF>` was written and nothing was decoded for it. `score` is a model's confidence; the
    other fields are the annotation's own facts, kept so that official scores can be computed from shards alone:
    `area` as the source gives it, `box_xyxy` where a score needs the annotation's box beside the unit (OKS).
    """

    unit: Unit | None
    score: float | None = None
    category: str = ""
    category_id: int = -1
    annotation_id: str = ""
    area: float | None = None
    crowd: bool = False
    box_xyxy: tuple[float, float, float, float] | None = None


@value
class Triplet:
    """Concept, decoding unit, references. No references says "none here"."""

    concept: str
    kind: UnitKind
    references: tuple[Reference, ...] = ()


Part = str | Prompt | Triplet
Parts = tuple[Part, ...]


@value
class Turn:
    """One utterance."""

    role: Role
    parts: Parts


@value
class StoredPhoto:
    """A photo as a dataset knows it: `path` relative to the dataset's folder, content hash, size, identity."""

    path: str
    sha256: str
    size_wh: tuple[int, int]
    id: str


@value
class Evaluation:
    """What official scoring needs and the answer does not say.

    `concepts` are the names that were asked about (empty: the source's whole vocabulary); `ignore` regions that neither
    help nor hurt (crowds, persons without a labelled point); `negatives` and `not_exhaustive` are LVIS's lists;
    `references` all reference captions of a caption, REG or grounded-caption answer; `answers` all accepted answers of a
    question; `question_kind` the source's own type.
    """

    concepts: tuple[str, ...] = ()
    ignore: tuple[Reference, ...] = ()
    negatives: tuple[str, ...] = ()
    not_exhaustive: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    question_kind: str = ""


@value
class Provenance:
    """Down to the source row: file (relative to the source's root) and its hash, row, versions, seed, wording."""

    file: str
    file_sha256: str
    row: str
    converter_version: str
    seed: int
    template: str


@value
class Dialogue:
    """One training or evaluation sample. `id` is unique in a dataset: `<source>/<split>/<record>/<task>/<n>`."""

    id: str
    task: str
    source: str
    split: str
    licence: str
    photo: StoredPhoto | None
    turns: tuple[Turn, ...]
    evaluation: Evaluation
    provenance: Provenance

    def prompts(self) -> Iterator[tuple[int, Prompt]]:
        """Every visual prompt with the index of its turn, in `[VPT]` order."""
        for index, turn in enumerate(self.turns):
            for part in turn.parts:
                if isinstance(part, Prompt):
                    yield index, part

    def triplets(self) -> Iterator[tuple[int, Triplet]]:
        """Every triplet with the index of its turn, in order."""
        for index, turn in enumerate(self.turns):
            for part in turn.parts:
                if isinstance(part, Triplet):
                    yield index, part

    def references(self) -> Iterator[tuple[int, Triplet, Reference]]:
        """Every reference with its turn and triplet, in `<REF>` order."""
        for index, triplet in self.triplets():
            for reference in triplet.references:
                yield index, triplet, reference
