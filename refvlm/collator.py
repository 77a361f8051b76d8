"""Dialogues to tensors. All dialogues of a photo are packed behind one copy of it: it is seen once, and each dialogue
attends to the photo and to itself only, so packing changes the cost and not the result.

Nothing that comes in is changed; every call makes new arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from refvlm.decoders._contract import Decoder, DepthMap, Value
from refvlm.processing import Encoded, RefVLMProcessor
from refvlm.router import Router
from vtinstruct.columns import render_messages
from vtinstruct.dialogue import Dialogue
from vtinstruct.prompts import prompt_mask
from vtinstruct.units import Depth, Unit


@dataclass(frozen=True)
class References:
    """The N references of one unit kind in a batch: row and column of each `<REF>` in `Batch.ids`, its group (sorted;
    one triplet is one group), the token ids of its concept (N, W), padded with -1, and the decoder's targets (first axis
    N)."""

    rows: Tensor
    columns: Tensor
    groups: Tensor
    words: Tensor
    targets: dict[str, Tensor]


@dataclass(frozen=True)
class Batch:
    """R rows of text over P photos padded to a square of S pixels.

    photos (P, S, S, 3) uint8; extent_wh (P, 2) the share of the square in use, (0, 0) where a row has no photo; owner (R,)
    each row's photo. ids (R, T) padded on the right; segments (R, T) which dialogue of the row, from 1, 0 padding; places
    (R, T) position in the dialogue; labels (R, T) the token to be said next, -100 where none is learned. prompts (V, S, S)
    uint8 masks in `[VPT]` order, prompt_owner (V,) their photos. references by unit kind.
    """

    photos: Tensor
    extent_wh: Tensor
    owner: Tensor
    ids: Tensor
    segments: Tensor
    places: Tensor
    labels: Tensor
    prompts: Tensor
    prompt_owner: Tensor
    references: dict[str, References]

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        moved: dict[str, Any] = {
            field.name: getattr(self, field.name).to(device) for field in fields(self) if field.name != "references"
        }
        kinds = {
            kind: References(
                r.rows.to(device),
                r.columns.to(device),
                r.groups.to(device),
                r.words.to(device),
                {k: v.to(device) for k, v in r.targets.items()},
            )
            for kind, r in self.references.items()
        }
        return replace(self, **moved, references=kinds)


@dataclass(frozen=True)
class Seen:
    """A photo in memory, (H, W, 3) uint8 (None: dialogues without one), and dialogues about it."""

    photo: NDArray[np.uint8] | None
    dialogues: Sequence[Dialogue]


LoadDepth = Callable[[Depth], NDArray[np.float32] | None]  # None: cannot be read, and has been reported


class Collator:
    """Makes training batches. `decoders` are the model's by kind (only their `targets` are used); `load_depth` reads the
    file behind a `Depth`."""

    def __init__(
        self,
        processor: RefVLMProcessor,
        decoders: dict[str, type[Decoder]],
        load_depth: LoadDepth,
        max_length: int = 2048,
    ) -> None:
        self.processor, self.decoders, self.load_depth, self.max_length = processor, decoders, load_depth, max_length
        self.router = Router.from_ids(processor.special_ids())
        self.too_long = 0  # dialogues left out because they alone exceed `max_length`

    def __call__(self, seen: Sequence[Seen]) -> Batch:
        """A batch of one row per photo."""
        rows = [_Row(self, item) for item in seen]
        squares = [_square(self.processor, item.photo) for item in seen]
        return Batch(
            photos=torch.stack([torch.from_numpy(square) for square, _ in squares]),
            extent_wh=torch.tensor([extent for _, extent in squares], dtype=torch.float32),
            owner=torch.arange(len(rows)),
            ids=_padded([row.ids for row in rows], self.processor.special_ids()["<|pad|>"]),
            segments=_padded([row.segments for row in rows], 0),
            places=_padded([row.places for row in rows], 0),
            labels=_padded([row.labels for row in rows], -100),
            prompts=stack_masks([mask for row in rows for mask in row.prompts], self.processor.photo_side),
            prompt_owner=torch.tensor([r for r, row in enumerate(rows) for _ in row.prompts], dtype=torch.long),
            references=self._references(rows),
        )

    def _references(self, rows: Sequence[_Row]) -> dict[str, References]:
        found: dict[str, References] = {}
        for kind, decoder in self.decoders.items():
            told = [(r, told) for r, row in enumerate(rows) for told in row.told if told.kind == kind]
            parts = [
                decoder.targets([t.value for t in row.told if t.kind == kind], row.frame)
                for row in rows
                if row.frame and any(t.kind == kind for t in row.told)
            ]
            if not told:
                continue
            numbers: dict[tuple[int, int], int] = {}
            groups = [numbers.setdefault((r, t.group), len(numbers)) for r, t in told]
            found[kind] = References(
                torch.tensor([r for r, _ in told]),
                torch.tensor([t.column for _, t in told]),
                torch.tensor(groups),
                _padded([t.words for _, t in told], -1),
                {name: torch.cat([part[name] for part in parts]) for name in parts[0]},
            )
        return found


@dataclass(frozen=True)
class _Told:
    """One reference with geometry: column of its `<REF>`, kind, group in the row, its concept's tokens, the loaded unit."""

    column: int
    kind: str
    group: int
    words: NDArray[np.int64]
    value: Value


class _Row:
    """All dialogues of one photo, one behind the other."""

    def __init__(self, collator: Collator, seen: Seen) -> None:
        processor = collator.processor
        self.frame = None if seen.photo is None else processor.frame((seen.photo.shape[1], seen.photo.shape[0]))
        ids: list[NDArray[np.int64]] = []
        learn: list[NDArray[np.bool_]] = []
        self.prompts: list[NDArray[np.uint8]] = []
        self.told: list[_Told] = []
        length = groups = 0
        for dialogue in seen.dialogues:
            encoded = processor.encode(render_messages(dialogue))
            if length + len(encoded.ids) > collator.max_length:
                collator.too_long += 1
                continue
            self.prompts += prompt_squares(dialogue, processor)
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
                if reference.unit is None or triplet.kind not in collator.decoders:
                    continue
                value = _value(reference.unit, collator.load_depth)
                if value is None:
                    continue
                words = encoded.ids[start + route.phrase[0] : start + route.phrase[1]]
                self.told.append(_Told(offset + start + route.position, route.kind, groups + route.group, words, value))
            groups += max((route.group for route in routes), default=-1) + 1
        return groups


def _value(unit: Unit, load_depth: LoadDepth) -> Value | None:
    if not isinstance(unit, Depth):
        return unit
    metres = load_depth(unit)
    return None if metres is None else DepthMap(metres)


def _labels(ids: NDArray[np.int64], learn: NDArray[np.bool_]) -> NDArray[np.int64]:
    """What is to be said after each token of one dialogue: the next token where that one is to be learned."""
    labels = np.full(len(ids), -100, np.int64)
    labels[:-1] = np.where(learn[1:], ids[1:], -100)
    return labels


def _padded(rows: Sequence[NDArray[np.int64]], fill: int) -> Tensor:
    table = np.full((len(rows), max((len(row) for row in rows), default=0)), fill, np.int64)
    for n, row in enumerate(rows):
        table[n, : len(row)] = row
    return torch.from_numpy(table)


def _square(
    processor: RefVLMProcessor, photo: NDArray[np.uint8] | None
) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    if photo is None:
        return np.full((processor.photo_side, processor.photo_side, 3), 128, np.uint8), (0.0, 0.0)
    return processor.square(photo), processor.extent((photo.shape[1], photo.shape[0]))


def prompt_squares(dialogue: Dialogue, processor: RefVLMProcessor, turns: int | None = None) -> list[NDArray[np.uint8]]:
    """The masks of a dialogue's prompts in the square, (side, side) of 0..255, in `[VPT]` order; of its first `turns`."""
    if dialogue.photo is None:
        return []
    found: list[NDArray[np.uint8]] = []
    for turn, prompt in dialogue.prompts():
        if turns is None or turn < turns:
            found.append(processor.square_share(prompt_mask(prompt, dialogue.photo.size_wh)))
    return found


def stack_masks(masks: Sequence[NDArray[np.uint8]], side: int) -> Tensor:
    """Masks as one tensor (V, side, side) uint8."""
    return torch.from_numpy(np.stack(masks)) if masks else torch.zeros(0, side, side, dtype=torch.uint8)


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
    squares = [_square(processor, photo) for photo in photos]
    rows = [processor.encode(render_messages(item.dialogue)[: item.turn]).ids for item in asked]
    masks = [prompt_squares(item.dialogue, processor, item.turn) for item in asked]
    ids = _padded(rows, processor.special_ids()["<|pad|>"])
    lengths = torch.tensor([len(row) for row in rows])
    index = torch.arange(ids.shape[1])
    return Batch(
        photos=torch.stack([torch.from_numpy(square) for square, _ in squares]),
        extent_wh=torch.tensor([extent for _, extent in squares], dtype=torch.float32),
        owner=torch.tensor([item.photo for item in asked], dtype=torch.long),
        ids=ids,
        segments=(index < lengths[:, None]).long(),
        places=index.expand(len(rows), -1),
        labels=torch.full_like(ids, -100),
        prompts=stack_masks([mask for row in masks for mask in row], processor.photo_side),
        prompt_owner=torch.tensor(
            [a.photo for a, row in zip(asked, masks, strict=True) for _ in row], dtype=torch.long
        ),
        references={},
    )
