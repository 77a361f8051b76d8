"""What a task is: the contract every `vtinstruct/tasks/<name>.py` meets with its one public name `TASK`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from vtinstruct.dialogue import Dialogue, PromptKind
from vtinstruct.record import Category, Drop, Fact, GroundedText, Question, Record
from vtinstruct.templates import Wordings


@dataclass(frozen=True, slots=True)
class Setting:
    """What a task may use beside the record.

    `rng` is keyed by (seed, source, record, task), so a record's dialogues do not depend on position or company;
    `words` are the task's wordings; `vocabulary` the source's categories; `training` is False for evaluation splits, where
    a task asks everything once, keeps photos without annotations and fills `Evaluation`; `report` takes what the task
    leaves out, with a reason.
    """

    rng: Random
    words: Wordings
    vocabulary: Sequence[Category]
    training: bool
    seed: int
    report: Callable[[Drop], None]


@dataclass(frozen=True, slots=True)
class Task:
    """One task type. `number` is its id in docs (1-25, above: ours); `inputs`/`outputs` are words for the table;
    `units` the unit kinds an answer may hold, `prompts` the prompt kinds a question may hold, `needs` the facts a source
    must offer, all of them, or else all of one of `or_needs`; `make` yields zero or more dialogues for one record.

    A build pairs tasks with sources by `fed_by(source.offers)`, by the source's word and not by what a single record
    holds: RefCOCO's regions are only the ones spoken about, so no answer to "find everything", and a COCO photo
    without annotations still has to be asked about in evaluation. `make` copes with whatever a record lacks.
    """

    name: str
    number: int
    inputs: str
    outputs: str
    units: tuple[str, ...]
    prompts: tuple[PromptKind, ...]
    needs: frozenset[Fact]
    make: Callable[[Record, Setting], Iterator[Dialogue]]
    or_needs: tuple[frozenset[Fact], ...] = ()

    def fed_by(self, offered: Collection[Fact]) -> bool:
        """Whether a source that offers these facts can feed this task."""
        return any(needs <= set(offered) for needs in (self.needs, *self.or_needs))


def offers(record: Record) -> frozenset[Fact]:
    """The facts one record really has, read off its own content. `segments_all` is a source's promise that no record can
    show: taken as kept where the record is exhaustive and has stuff."""
    return frozenset(fact for fact, has in _HAS.items() if has(record))


def _grounds(text: GroundedText) -> bool:
    return any(span.region_ids for span in text.spans)


def _marked(record: Record, texts: Iterable[GroundedText]) -> bool:
    masked = {region.id for region in record.regions if region.mask_rle is not None}
    return any(span.region_ids and masked.issuperset(span.region_ids) for text in texts for span in text.spans)


def _points(question: Question) -> bool:
    return bool(question.points_xy) or any(span.points_xy for text in question.answers for span in text.spans)


_HAS: dict[Fact, Callable[[Record], bool]] = {
    "image": lambda r: r.photo is not None,
    "boxes": lambda r: any(x.category and x.box_xyxy is not None for x in r.regions),
    "masks": lambda r: any(x.category and x.mask_rle is not None for x in r.regions),
    "keypoints": lambda r: any(x.posed for x in r.regions),
    "stuff": lambda r: any(not x.thing and x.mask_rle is not None for x in r.regions),
    "segments_all": lambda r: r.exhaustive and any(not x.thing and x.mask_rle is not None for x in r.regions),
    "captions": lambda r: bool(r.captions),
    "expressions": lambda r: bool(r.expressions),
    "expression_masks": lambda r: any(
        x.mask_rle is not None and any(x.id in e.region_ids for e in r.expressions) for x in r.regions
    ),
    "region_captions": lambda r: any(x.captions for x in r.regions),
    "grounded_captions": lambda r: any(_grounds(text) for text in r.grounded_captions),
    "grounded_caption_masks": lambda r: _marked(r, r.grounded_captions),
    "questions": lambda r: any(q.answers for q in r.questions),
    "reasons": lambda r: any(q.reason is not None for q in r.questions),
    "region_questions": lambda r: any(_grounds(q.question) or bool(q.points_xy) for q in r.questions),
    "grounded_answers": lambda r: any(q.evidence_ids or any(map(_grounds, q.answers)) for q in r.questions),
    "point_answers": lambda r: any(map(_points, r.questions)),
    "chats": lambda r: bool(r.chats),
    "region_chats": lambda r: any(_grounds(turn.words) for chat in r.chats for turn in chat.turns),
    "depth": lambda r: r.depth is not None,
}
