"""The numbers of words that need all captions of a set at once: CIDEr-D, its corrected form, METEOR. Used by captions, grounded
captions and official caption files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.meteor import MeteorError, Tokens, meteor, program
from benchmarks.scorer import Setting
from benchmarks.scorers._ngrams import cider_d

FEW_PHOTOS = "document frequencies are those of the scored references; with few photos CIDEr-D is low and unstable"


@dataclass(frozen=True, slots=True)
class Consensus:
    """CIDEr-D of every caption, and with one photo more; METEOR of the set; a line for what a reader must know."""

    cider: NDArray[np.float64]
    corrected: NDArray[np.float64]
    meteor: float | None
    remarks: tuple[str, ...]


def consensus(said: Sequence[Tokens], references: Sequence[Sequence[Tokens]], setting: Setting) -> Consensus:
    """What captions (one a photo) and their references have in common; by the official engine, METEOR's own program is asked."""
    known, why = _meteor(said, references, setting)
    cider, corrected = (np.array(scores) for scores in cider_d(said, references))
    return Consensus(cider, corrected, known, (FEW_PHOTOS, *why))


def _meteor(
    said: Sequence[Tokens], references: Sequence[Sequence[Tokens]], setting: Setting
) -> tuple[float | None, tuple[str, ...]]:
    try:
        return (program.meteor if setting.engine == "official" else meteor)(said, references), ()
    except MeteorError as error:
        return None, (f"METEOR is null: {error}",)
