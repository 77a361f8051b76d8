"""Dialogues to tensors. All dialogues of a photo are packed behind one copy of it: it is seen once, and each dialogue
attends to the photo and to itself only, so packing changes the cost and not the result.

Nothing that comes in is changed; every call makes new arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from refvlm.batch import Batch, References, padded
from refvlm.decoders._contract import Decoder, DepthMap, Value
from refvlm.processing import Encoded, Question, RefVLMProcessor
from refvlm.router import Router
from refvlm.share import Share, squares_of
from vtinstruct.columns import render_messages
from vtinstruct.dialogue import Dialogue
from vtinstruct.geometry import Letterbox
from vtinstruct.units import Depth, Unit


@dataclass(frozen=True)
class Seen:
    """A photo in memory, (H, W, 3) uint8 (None: dialogues without one), and dialogues about it."""

    photo: NDArray[np.uint8] | None
    dialogues: Sequence[Dialogue]


LoadDepth = Callable[[Depth], NDArray[np.float32] | None]  # None: cannot be read, and has been reported


class Collator:
    """Makes training batches. `decoders` are the model's by kind (only their `targets` are used); `load_depth` reads the
    file behind a `Depth`. With `every_kind` a batch has references of every kind, none of some: then ranks that learn
    together run the same modules, whatever their photos show."""

    def __init__(
        self,
        processor: RefVLMProcessor,
        decoders: dict[str, type[Decoder]],
        load_depth: LoadDepth,
        max_length: int = 2048,
        every_kind: bool = False,
    ) -> None:
        self.processor, self.decoders, self.load_depth, self.max_length = processor, decoders, load_depth, max_length
        self.every_kind = every_kind
        self.router = Router.from_ids(processor.special_ids())
        self.too_long = 0  # dialogues left out because they alone exceed `max_length`

    def __call__(self, seen: Sequence[Seen]) -> Batch:
        """A batch of one row per photo."""
        rows = [_Row(self, item) for item in seen]
        photos, side = [item.photo for item in seen], self.processor.photo_side
        return Batch(
            photos=self.processor.squares(photos),
            extent_wh=self.processor.extents([row.frame for row in rows]),
            frames=tuple(row.frame for row in rows),
            owner=torch.arange(len(rows)),
            ids=padded([row.ids for row in rows], self.processor.pad_id),
            segments=padded([row.segments for row in rows], 0),
            places=padded([row.places for row in rows], 0),
            labels=padded([row.labels for row in rows], -100),
            prompts=torch.from_numpy(squares_of([share for row in rows for share in row.prompts], side)),
            prompt_owner=torch.tensor([r for r, row in enumerate(rows) for _ in row.prompts], dtype=torch.long),
            references=self._references(rows),
        )

    def _references(self, rows: Sequence[_Row]) -> dict[str, References]:
        found: dict[str, References] = {}
        for kind, decoder in self.decoders.items():
            told = [(r, told) for r, row in enumerate(rows) for told in row.told if told.kind == kind]
            if not told and not self.every_kind:
                continue
            numbers: dict[tuple[int, int], int] = {}
            groups = [numbers.setdefault((r, t.group), len(numbers)) for r, t in told]
            found[kind] = References(
                torch.tensor([r for r, _ in told], dtype=torch.long),
                torch.tensor([t.column for _, t in told], dtype=torch.long),
                torch.tensor(groups, dtype=torch.long),
                padded([t.words for _, t in told], -1),
                decoder.targets([t.value for _, t in told], [t.frame for _, t in told], self.processor.photo_side),
            )
        return found


@dataclass(frozen=True)
class _Told:
    """One reference with geometry: column of its `<REF>`, kind, group in the row, its concept's tokens, the loaded unit and
    its photo's frame."""

    column: int
    kind: str
    group: int
    words: NDArray[np.int64]
    value: Value
    frame: Letterbox


class _Row:
    """All dialogues of one photo, one behind the other."""

    def __init__(self, collator: Collator, seen: Seen) -> None:
        processor = collator.processor
        self.frame = None if seen.photo is None else processor.frame((seen.photo.shape[1], seen.photo.shape[0]))
        ids: list[NDArray[np.int64]] = []
        learn: list[NDArray[np.bool_]] = []
        self.prompts: list[Share] = []
        self.told: list[_Told] = []
        length = groups = 0
        for dialogue in seen.dialogues:
            encoded = processor.encode(messages(dialogue, processor.plan))
            if length + len(encoded.ids) > collator.max_length:
                collator.too_long += 1
                continue
            if seen.photo is not None:
                size_wh = (seen.photo.shape[1], seen.photo.shape[0])
                self.prompts += [processor.prompt_share(prompt, size_wh) for _, prompt in dialogue.prompts()]
            groups = self._tell(collator, dialogue, encoded, length, groups)
            ids.append(encoded.ids)
            learn.append(encoded.learn)
            length += len(encoded.ids)
        lengths = [len(part) for part in ids]
        self.ids = np.concatenate(ids) if ids else np.zeros(0, np.int64)
        self.segments = np.repeat(np.arange(1, len(ids) + 1), lengths)
        self.places = np.concatenate([np.arange(n) for n in lengths]) if ids else np.zeros(0, np.int64)
        self.labels = np.concatenate([_labels(i, k) for i, k in zip(ids, learn, strict=True)]) if ids else self.ids

    def _tell(self, collator: Collator, dialogue: Dialogue, encoded: Encoded, offset: int, groups: int) -> int:
        references = iter(list(dialogue.references()))
        for _, start, stop in encoded.answers:
            routes = collator.router.read(encoded.ids[start:stop].tolist())
            for route in routes:
                _, triplet, reference = next(references)
                if self.frame is None or reference.unit is None or triplet.kind not in collator.decoders:
                    continue
                value = _value(reference.unit, collator.load_depth)
                if value is None:
                    continue
                words = encoded.ids[start + route.phrase[0] : start + route.phrase[1]]
                column, group = offset + start + route.position, groups + route.group
                self.told.append(_Told(column, route.kind, group, words, value, self.frame))
            groups += max((route.group for route in routes), default=-1) + 1
        return groups


def messages(dialogue: Dialogue, plan: bool = False) -> list[tuple[str, str]]:
    """(role, content) of every turn, answers with TRP's plan block in front when `plan`."""
    return [(turn.role, text) for turn, text in zip(dialogue.turns, render_messages(dialogue, plan), strict=True)]


def _value(unit: Unit, load_depth: LoadDepth) -> Value | None:
    if not isinstance(unit, Depth):
        return unit
    depth = load_depth(unit)
    return None if depth is None else DepthMap(depth, unit.frame == "relative_inverse")


def _labels(ids: NDArray[np.int64], learn: NDArray[np.bool_]) -> NDArray[np.int64]:
    """What is to be said after each token of one dialogue: the next token where that one is to be learned."""
    labels = np.full(len(ids), -100, np.int64)
    labels[:-1] = np.where(learn[1:], ids[1:], -100)
    return labels


@dataclass(frozen=True)
class Asked:
    """A question to be answered: turn `turn` of a dialogue about photo number `photo` of the batch."""

    photo: int
    dialogue: Dialogue
    turn: int


def collate_questions(
    processor: RefVLMProcessor, photos: Sequence[NDArray[np.uint8] | None], asked: Sequence[Asked]
) -> Batch:
    """A batch for generation: one row per question, what was said before it included, nothing to be learned."""
    questions: list[Question] = []
    for item in asked:
        prompts = tuple(prompt for turn, prompt in item.dialogue.prompts() if turn < item.turn)
        questions.append(Question(item.photo, messages(item.dialogue, processor.plan)[: item.turn], prompts))
    return processor.questions(photos, questions)
