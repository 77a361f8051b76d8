"""Masks of one photo as a label map: every pixel belongs to one mask or to none. Used by the panoptic and semantic scorers.

Annotated masks of such tasks do not overlap. Answered ones may: the more confident mask keeps the pixels, and where not
every mask has a confidence, the one named first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.scorer import Answered, Row, Setting, class_key, true_triplets
from benchmarks.scorers._instances import names_of, true_class, words_of
from vtinstruct.dialogue import Dialogue, Reference
from vtinstruct.geometry import decode_rle
from vtinstruct.units import Mask, Rle

NOTHING = -1
LabelMap = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a label map and its class. `area` is the annotation's own (None: its pixels); crowds are annotated groups."""

    category: int
    area: float | None = field(default=None, kw_only=True)
    crowd: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Segment(Region):
    """A region as a mask, and what its class is called."""

    rle: Rle
    name: str


def true_segments(truth: Dialogue, setting: Setting) -> list[Segment]:
    """The annotated masks by annotation id where ids are numbers (panopticapi adds IoUs in that order), then the crowds as
    annotated (it excuses answers by a class's last one)."""
    pairs = [(r, t.concept, r.crowd) for t in true_triplets(truth, "mask") for r in t.references]
    if all(reference.annotation_id.isdigit() for reference, _, _ in pairs):
        pairs.sort(key=lambda pair: int(pair[0].annotation_id))
    pairs += [(reference, reference.category, True) for reference in truth.evaluation.ignore]
    return [
        Segment(
            true_class(reference, name, setting),
            reference.unit.mask_rle,
            reference.category or name,
            area=reference.area or None,  # of 0 there is no IoU
            crowd=crowd,
        )
        for reference, name, crowd in pairs
        if isinstance(reference.unit, Mask)
    ]


def found_segments(truth: Dialogue, answer: Answered, setting: Setting) -> tuple[list[Segment], list[str]]:
    """The answered masks of known classes, those that keep their pixels first, and the unknown names, one a mask.
    What a name means is said by the declared phrase rule, as for instances."""
    names, unknown = names_of(truth, "mask", setting), list[str]()
    named: list[tuple[Reference, int, str]] = []
    for triplet in answer.triplets("mask"):
        key = class_key(triplet.concept)
        category = names.get(key, setting.vocabulary.get(key))
        if category is None and setting.vocabulary:
            category = setting.phrases.resolve(key, setting.vocabulary)
        for reference in triplet.references:
            if category is None:
                unknown.append(triplet.concept)
            else:
                named.append((reference, category, triplet.concept))
    scores = [reference.score for reference, _, _ in named]
    if all(score is not None for score in scores):
        named.sort(key=lambda pair: -(pair[0].score or 0.0))
    found = [Segment(category, r.unit.mask_rle, name) for r, category, name in named if isinstance(r.unit, Mask)]
    return found, unknown


def called(true: Sequence[Segment], found: Sequence[Segment], setting: Setting) -> list[Row]:
    """`words_of` these segments."""
    said, answered = ([(segment.category, segment.name) for segment in side] for side in (true, found))
    return words_of(said, answered, setting)


def paint(segments: Sequence[Segment], size_hw: tuple[int, int], values: Sequence[int]) -> LabelMap:
    """(H, W): the value of the first segment that holds a pixel, `NOTHING` elsewhere."""
    labels = np.full(size_hw, NOTHING, dtype=np.int32)
    for segment, value in zip(reversed(segments), reversed(values), strict=True):
        labels[decode_rle(segment.rle)] = value
    return labels


def overlaps(first: LabelMap, second: LabelMap, rows: int, columns: int) -> NDArray[np.int64]:
    """Pixels that have label i in the first map and j in the second, (rows + 1, columns + 1); the last are `NOTHING`."""
    flat = np.where(first < 0, rows, first).ravel().astype(np.int64) * (columns + 1)
    flat += np.where(second < 0, columns, second).ravel()
    return np.bincount(flat, minlength=(rows + 1) * (columns + 1)).reshape(rows + 1, columns + 1)
