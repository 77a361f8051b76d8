"""The numbers of words that need all captions of a set at once: CIDEr-D, its corrected form, METEOR. Used by captions, grounded
captions and official caption files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.intervals import Drawn, interval, photo_index
from benchmarks.meteor import MeteorError, Tokens, counts_of_captions, program, scores, table_of, total
from benchmarks.scorer import Setting
from benchmarks.scorers._ngrams import cider_d

FEW_PHOTOS = "document frequencies are those of the scored references; with few photos CIDEr-D is low and unstable"


@dataclass(frozen=True, slots=True)
class Consensus:
    """CIDEr-D of every caption, and with one photo more; METEOR of the set, and what it sums of every caption (`table_of`), where
    the set has it and resamples are asked for; a line for what a reader must know."""

    cider: NDArray[np.float64]
    corrected: NDArray[np.float64]
    meteor: float | None
    counts: NDArray[np.float64] | None
    remarks: tuple[str, ...]


def consensus(said: Sequence[Tokens], references: Sequence[Sequence[Tokens]], setting: Setting) -> Consensus:
    """What captions (one a photo) and their references have in common; by the official engine, METEOR's own program is asked."""
    known, counts, why = _meteor(said, references, setting)
    cider, corrected = (np.array(scores) for scores in cider_d(said, references))
    return Consensus(cider, corrected, known, counts, (FEW_PHOTOS, *why))


def _meteor(
    said: Sequence[Tokens], references: Sequence[Sequence[Tokens]], setting: Setting
) -> tuple[float | None, NDArray[np.float64] | None, tuple[str, ...]]:
    try:
        official = program.meteor(said, references) if setting.engine == "official" else None
        if official is not None and not setting.resamples:
            return official, None, ()
        counts = counts_of_captions(said, references)
    except MeteorError as error:
        return None, None, (f"METEOR is null: {error}",)
    number = total(counts).score() if official is None else official
    return number, table_of(counts) if setting.resamples else None, ()


def meteor_interval(words: Consensus, photos: Sequence[str], setting: Setting) -> Drawn | None:
    """METEOR's interval: the counts of every photo's captions are drawn together, and summed again."""
    if words.counts is None:
        return None
    index, count = photo_index(photos)
    folded = np.zeros((count, words.counts.shape[1]))
    np.add.at(folded, index, words.counts)
    return interval(lambda w: scores(w @ folded), count, setting.resamples, setting.seed, bounds=(0.0, 1.0))
