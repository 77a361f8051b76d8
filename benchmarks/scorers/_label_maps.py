"""Masks of one photo as a label map: every pixel belongs to one mask or to none. Used by the panoptic and semantic scorers.

Annotated masks of such tasks do not overlap. Answered ones may: the more confident mask keeps the pixels, and where not
every mask has a confidence, the one named first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.scorer import Answered, Row, Setting, class_key, true_triplets
from benchmarks.scorers._instances import names_of, true_class, words_of
from vtinstruct.dialogue import Dialogue, Reference
from vtinstruct.geometry import GeometryError
from vtinstruct.run_lengths import read_runs
from vtinstruct.units import Mask, Rle

NOTHING = -1
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LabelMap:
    """A photo's label map as stretches of its pixels, column by column as run lengths have them: where each begins (S,),
    ascending from 0 (an empty one before another is passed over), and its value (S,). `pixels`: of the whole photo."""

    begin: Ints
    value: Ints
    pixels: int


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
    """The annotated masks, as `in_annotated_order` has them."""
    found = [
        (segment, reference.annotation_id)
        for triplet in true_triplets(truth, "mask")
        for reference in triplet.references
        for segment in _segment(reference, triplet.concept, reference.crowd, setting)
    ]
    ignored = [s for r in truth.evaluation.ignore for s in _segment(r, r.category, True, setting)]
    return in_annotated_order(found, ignored)


def _segment(reference: Reference, name: str, crowd: bool, setting: Setting) -> Iterator[Segment]:
    if isinstance(reference.unit, Mask):
        area = reference.area or None  # of 0 there is no IoU
        category = true_class(reference, name, setting)
        yield Segment(category, reference.unit.mask_rle, reference.category or name, area=area, crowd=crowd)


def in_annotated_order(found: Sequence[tuple[Segment, str]], ignored: Sequence[Segment]) -> list[Segment]:
    """Segments by annotation id where ids are numbers (panopticapi adds IoUs in that order), then the ignored crowds as annotated
    (it excuses answers by a class's last one)."""
    if all(id_.isdigit() for _, id_ in found):
        found = sorted(found, key=lambda pair: int(pair[1]))
    return [*(segment for segment, _ in found), *ignored]


def found_segments(truth: Dialogue, answer: Answered, setting: Setting) -> tuple[list[Segment], list[str]]:
    """The answered masks of known classes, as `confident_first` has them, and the unknown names, one a mask. What a name means is
    said by the declared phrase rule, as for instances."""
    names, unknown = names_of(truth, "mask", setting), list[str]()
    found: list[tuple[Segment, float | None]] = []
    for triplet in answer.triplets("mask"):
        key = class_key(triplet.concept)
        category = names.get(key, setting.vocabulary.get(key))
        if category is None and setting.vocabulary:
            category = setting.phrases.resolve(key, setting.vocabulary)
        for reference in triplet.references:
            if category is None:
                unknown.append(triplet.concept)
            elif isinstance(reference.unit, Mask):  # what was not decoded is no mask without a confidence either
                found.append((Segment(category, reference.unit.mask_rle, triplet.concept), reference.score))
    return confident_first(found), unknown


def confident_first(found: Sequence[tuple[Segment, float | None]]) -> list[Segment]:
    """Those that keep their pixels first: by confidence where each has one, else as named."""
    if all(score is not None for _, score in found):
        found = sorted(found, key=lambda pair: -(pair[1] or 0.0))
    return [segment for segment, _ in found]


def called(true: Sequence[Segment], found: Sequence[Segment], setting: Setting) -> list[Row]:
    """`words_of` these segments."""
    said, answered = ([(segment.category, segment.name) for segment in side] for side in (true, found))
    return words_of(said, answered, setting)


def paint(segments: Sequence[Segment], size_hw: tuple[int, int], values: Sequence[int]) -> LabelMap:
    """The value of the first segment that holds a pixel, `NOTHING` elsewhere. Raises `GeometryError` for a mask that is broken or
    of another size."""
    whole, text = size_hw[0] * size_hw[1], [segment.rle.counts for segment in segments]
    lengths = np.fromiter(map(len, text), np.int64, len(text))
    runs = read_runs(np.frombuffer(b"".join(text), np.uint8), lengths)
    if not runs.judged(np.full(len(text), whole)).sound.all():
        raise GeometryError("mask: not of this photo", f"sound run lengths of {size_hw[0]} x {size_hw[1]} are right")
    stops = np.cumsum(runs.px, dtype=np.int64)
    counts = np.diff(runs.through)
    stops -= np.repeat(np.arange(len(text)) * whole, counts)  # every mask has covered the photo once
    inside = (np.arange(stops.size) - np.repeat(runs.through[:-1], counts)) % 2 == 1
    inside &= runs.px > 0
    owner = np.repeat(np.arange(len(text)), counts)[inside]
    stops = stops[inside]
    starts = stops - runs.px[inside]
    order = np.argsort(starts, kind="stable")
    starts, stops, owner = starts[order], stops[order], owner[order]
    if (starts[1:] < stops[:-1]).any():
        starts, stops, owner = _first_of(starts, stops, owner)
    begin, value = np.zeros(2 * starts.size + 1, np.int64), np.full(2 * starts.size + 1, NOTHING)
    begin[1::2], begin[2::2] = starts, stops  # with nothing before, between (it may be empty) and behind
    value[1::2] = np.array(values, np.int64)[owner]
    return LabelMap(begin, value, whole)


def _first_of(starts: Ints, stops: Ints, owner: Ints) -> tuple[Ints, Ints, Ints]:
    """Stretches that lie over each other, cut at every end of one: the pieces, each of the first owner that has it."""
    edges = np.unique(np.concatenate((starts, stops)))
    first = np.full(edges.size, np.iinfo(np.int64).max)
    for one in np.unique(owner)[::-1].tolist():
        change = np.zeros(edges.size, np.int64)
        mine = owner == one
        change[np.searchsorted(edges, starts[mine])] += 1
        change[np.searchsorted(edges, stops[mine])] -= 1
        first[np.cumsum(change) > 0] = one
    held = np.flatnonzero(first[:-1] < np.iinfo(np.int64).max)
    return edges[held], edges[held + 1], first[held]


def side_by_side(*maps: LabelMap) -> tuple[Ints, list[Ints]]:
    """Label maps of one photo cut at every change of any: the pixels of the pieces (S,), and each map's value there (S,)."""
    begin = np.sort(np.concatenate([one.begin for one in maps]), kind="stable")  # merges what is sorted already
    begin = begin[np.append(begin[1:] > begin[:-1], True)]
    pixels = np.diff(begin, append=maps[0].pixels)
    values = [one.value[np.searchsorted(one.begin, begin, side="right") - 1] for one in maps]
    return pixels, values


def overlaps(pixels: Ints, first: Ints, second: Ints, rows: int, columns: int) -> Ints:
    """Pixels that have label i in the first map and j in the second, (rows + 1, columns + 1); the last are `NOTHING`. The first
    three as `side_by_side` gives them."""
    flat = np.where(first < 0, rows, first) * (columns + 1) + np.where(second < 0, columns, second)
    counts = np.bincount(flat, pixels, (rows + 1) * (columns + 1))  # as doubles: whole numbers far below 2^53
    return counts.astype(np.int64).reshape(rows + 1, columns + 1)
