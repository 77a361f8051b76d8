"""METEOR 1.5 for English, without Java: the numbers of the official program, from the data that `pycocoevalcap` carries."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks.meteor.aligner import align
from benchmarks.meteor.matches import Text, matches_between, text_of
from benchmarks.meteor.normaliser import words_of
from benchmarks.meteor.package import (
    ARCHIVE,
    PACKAGE,
    PARAPHRASES,
    MeteorError,
    Tokens,
    carried,
    data_version,
    sentence,
)
from benchmarks.meteor.paraphrases import read_paraphrases
from benchmarks.meteor.score import Counts, counts_of, scores, table_of, total
from benchmarks.meteor.tables import read_tables

__all__ = [
    "PACKAGE", "Counts", "MeteorError", "Tokens", "counts_of_captions", "data_version", "meteor", "scores", "table_of", "total"
]  # fmt: skip


def meteor(captions: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> float:
    """METEOR of a whole set, 0..1: matches and chunks are summed over all captions first, as the official number is.

    Raises `MeteorError` where the data is not there or a caption has no reference.
    """
    return total(counts_of_captions(captions, references)).score()


def counts_of_captions(captions: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> list[Counts]:
    """Every caption's counts against the reference it scores best with, the first of equals."""
    sets = [[sentence(tokens) for tokens in (said, *those)] for said, those in zip(captions, references, strict=True)]
    for number, texts in enumerate(sets):
        if len(texts) < 2:
            raise MeteorError(f"caption {number} has no reference; one or more are right")
    if not sets:
        return []
    tables = read_tables(carried(ARCHIVE))
    every = dict.fromkeys(text for texts in sets for text in texts)
    words = {text: [sys.intern(word) for word in words_of(text, tables.prefixes)] for text in every}
    paraphrases = read_paraphrases(carried(PARAPHRASES), words.values())
    return [_best([text_of(words[text], tables, paraphrases) for text in texts]) for texts in sets]


def _best(texts: Sequence[Text]) -> Counts:
    said, *references = texts
    found = [counts_of(said, one, align(matches_between(said, one), len(said.hashes))) for one in references]
    return max(found, key=Counts.score)
