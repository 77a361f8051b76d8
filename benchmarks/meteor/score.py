"""METEOR of captions from the counts of their best alignments, in the original's order of operations.

Denkowski and Lavie, "Meteor Universal" (WMT 2014), section 2.2, with the parameters of version 1.5 for English (task "rank").
A set's number is that of its captions' summed counts. Every count equals the original's; a score is the same double wherever
`pow` is the same function, and Java's and C's differ in the last bit for one fraction in a thousand.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from benchmarks.meteor.aligner import chunks_in
from benchmarks.meteor.matches import Match, Text

ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75
SIDE = 10  # numbers of one side in a table
STAGE_WEIGHTS = (1.0, 0.6, 0.8, 0.6)  # equal words, equal stems, synonyms, paraphrases

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Side:
    """One side of an alignment: its words, the function words among them, and matched words by stage, of content and function."""

    words: int
    function_words: int
    content: tuple[int, ...]
    function: tuple[int, ...]

    def matched(self) -> int:
        """Matched words of all stages."""
        return sum(self.content) + sum(self.function)

    def share(self) -> float:
        """Weighted matches over weighted words: precision of the caption, recall of the reference; NaN without words."""
        length = DELTA * (self.words - self.function_words) + (1.0 - DELTA) * self.function_words
        found = 0.0
        for count, weight in zip(self.content, STAGE_WEIGHTS, strict=True):
            found += count * weight * DELTA
        for count, weight in zip(self.function, STAGE_WEIGHTS, strict=True):
            found += count * weight * (1.0 - DELTA)
        return found / length if length else math.nan

    def plus(self, other: Side) -> Side:
        """Both sides' counts together."""
        return Side(
            self.words + other.words,
            self.function_words + other.function_words,
            tuple(map(sum, zip(self.content, other.content, strict=True))),
            tuple(map(sum, zip(self.function, other.function, strict=True))),
        )


NOTHING = Side(0, 0, (0,) * 4, (0,) * 4)


@dataclass(frozen=True, slots=True)
class Counts:
    """What a score is made of: both sides of an alignment, and how many chunks it falls into."""

    said: Side = NOTHING
    reference: Side = NOTHING
    chunks: int = 0

    def whole(self) -> bool:
        """Whether both texts match in full, in one chunk."""
        return all(side.matched() == side.words for side in (self.said, self.reference)) and self.chunks == 1

    def score(self) -> float:
        """METEOR, 0..1."""
        precision, recall = self.said.share(), self.reference.share()
        if not precision or not recall or math.isnan(precision) or math.isnan(recall):
            return 0.0
        mean = 1.0 / ((1.0 - ALPHA) / precision + ALPHA / recall)
        fragments = 0.0 if self.whole() else self.chunks / ((self.said.matched() + self.reference.matched()) / 2)
        return max(mean * (1.0 - GAMMA * fragments**BETA), 0.0)

    def plus(self, other: Counts) -> Counts:
        """The counts of both; a caption that is its reference adds no chunk."""
        chunks = self.chunks + (0 if other.whole() else other.chunks)
        return Counts(self.said.plus(other.said), self.reference.plus(other.reference), chunks)


def total(several: Iterable[Counts]) -> Counts:
    """The counts of a set of captions, whose score is the set's."""
    return reduce(Counts.plus, several, Counts())


# --- many sets at once -----------------------------------------------------------------------------------------------


def table_of(several: Sequence[Counts]) -> Floats:
    """What a set's sum takes of every caption, (N, 21): words, function words, matches by stage of content and of function words,
    for the caption and then for the reference; chunks."""
    rows = [(*_flat(one.said), *_flat(one.reference), 0 if one.whole() else one.chunks) for one in several]
    return np.array(rows, dtype=np.float64).reshape(-1, 2 * SIDE + 1)


def scores(totals: Floats) -> Floats:
    """METEOR of sums of such rows, (..., 21) -> (...): `Counts.score`, but for the last bits."""
    said, reference, chunks = totals[..., :SIDE], totals[..., SIDE : 2 * SIDE], totals[..., -1]
    precision, recall = _shares(said), _shares(reference)
    counts = (precision > 0) & (recall > 0)
    mean = 1.0 / ((1.0 - ALPHA) / np.where(counts, precision, 1.0) + ALPHA / np.where(counts, recall, 1.0))
    matched = (said[..., 2:].sum(axis=-1) + reference[..., 2:].sum(axis=-1)) / 2
    fragments = chunks / np.where(counts, matched, 1.0)
    return np.where(counts, np.maximum(mean * (1.0 - GAMMA * fragments**BETA), 0.0), 0.0)


def _flat(side: Side) -> tuple[int, ...]:
    return (side.words, side.function_words, *side.content, *side.function)


def _shares(side: Floats) -> Floats:
    weights = np.array(STAGE_WEIGHTS)
    length = DELTA * (side[..., 0] - side[..., 1]) + (1.0 - DELTA) * side[..., 1]
    found = DELTA * (side[..., 2:6] @ weights) + (1.0 - DELTA) * (side[..., 6:] @ weights)
    return np.divide(found, length, out=np.zeros_like(found), where=length > 0)


def counts_of(said: Text, reference: Text, matches: list[Match]) -> Counts:
    """The counts of one alignment."""
    return Counts(
        _side(said.function, [(match.stage, match.said_start, match.said_end) for match in matches]),
        _side(reference.function, [(match.stage, match.start, match.end) for match in matches]),
        chunks_in(matches),
    )


def _side(function: list[bool], spans: list[tuple[int, int, int]]) -> Side:
    matched = ([0] * 4, [0] * 4)
    for stage, start, end in spans:
        for word in range(start, end):
            matched[function[word]][stage] += 1
    return Side(len(function), sum(function), tuple(matched[False]), tuple(matched[True]))
