"""Which words of a caption METEOR may match with which of a reference: equal, equal in stem, synonyms, paraphrases.

Denkowski and Lavie, "Meteor Universal" (WMT 2014), section 2.1. The order of matches is the original's, because its search
breaks ties by it. So is this: words are compared by Java's 32-bit string hash, under which "an" and "c0" are one word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from benchmarks.meteor.paraphrases import Paraphrases, phrases_of
from benchmarks.meteor.stemmer import stem
from benchmarks.meteor.tables import Tables

EXACT, STEM, SYNONYM, PARAPHRASE = range(4)
# what the search for an alignment counts a matched word, by stage; the score has other weights
SEARCH_WEIGHTS = (1.0, 0.5, 0.5, 0.5)


class Match(NamedTuple):
    """Words `start` to `end` of the reference against words `said_start` to `said_end` of the caption."""

    stage: int
    start: int
    end: int
    said_start: int
    said_end: int

    def gain(self) -> int:
        """Weighted words of both sides. The original rounds each side down: half a word counts nothing."""
        weight = SEARCH_WEIGHTS[self.stage]
        return int((self.said_end - self.said_start) * weight) + int((self.end - self.start) * weight)


@dataclass(frozen=True, slots=True)
class Text:
    """One text as the four stages see it.

    Of every word its hash, its stem's hash, its synonym sets and whether it is a function word; where a hash and a stem's hash
    stand; where every phrase starts; and the phrases that the table knows, by start, then length, with their paraphrases.
    """

    hashes: list[int]
    stems: list[int]
    senses: list[frozenset[int]]
    function: list[bool]
    hash_places: dict[int, list[int]]
    stem_places: dict[int, list[int]]
    phrase_places: dict[str, list[int]]
    known: list[tuple[int, int, dict[str, int]]]


@lru_cache(maxsize=1 << 16)
def java_hash(word: str) -> int:
    """Java's `String.hashCode`, without its sign."""
    found = 0
    for unit in memoryview(word.encode("utf-16-le", "surrogatepass")).cast("H"):
        found = (31 * found + unit) & 0xFFFFFFFF
    return found


def text_of(words: Sequence[str], tables: Tables, paraphrases: Paraphrases) -> Text:
    """What the stages need to know of one text, which is its words."""
    phrase_places: dict[str, list[int]] = {}
    known: list[tuple[int, int, dict[str, int]]] = []
    for start, length, phrase in phrases_of(words):
        phrase_places.setdefault(phrase, []).append(start)
        if phrase in paraphrases:
            known.append((start, length, paraphrases[phrase]))
    hashes, stems = [java_hash(word) for word in words], [java_hash(stem(word)) for word in words]
    senses, function = [tables.senses(word) for word in words], [word in tables.function_words for word in words]
    return Text(hashes, stems, senses, function, _places(hashes), _places(stems), phrase_places, known)


def _places(keys: list[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for place, key in enumerate(keys):
        found.setdefault(key, []).append(place)
    return found


def matches_between(said: Text, reference: Text) -> list[list[Match]]:
    """All matches, by the word of the reference they start at."""
    found = [
        [Match(EXACT, j, j + 1, i, i + 1) for i in said.hash_places.get(word, ())]
        for j, word in enumerate(reference.hashes)
    ]
    if said.hashes == reference.hashes:  # the original spares its search what only errs here
        return found
    sensed = [(i, senses) for i, senses in enumerate(said.senses) if senses]
    for j, (word, stemmed, senses) in enumerate(zip(reference.hashes, reference.stems, reference.senses, strict=True)):
        stems = [i for i in said.stem_places.get(stemmed, ()) if said.hashes[i] != word]
        synonyms = (
            [i for i, other in sensed if not senses.isdisjoint(other) and said.hashes[i] != word] if senses else []
        )
        found[j] += [Match(STEM, j, j + 1, i, i + 1) for i in stems]
        found[j] += [Match(SYNONYM, j, j + 1, i, i + 1) for i in synonyms]
    for start, length, other, at in _paraphrased(reference, said):
        found[start].append(Match(PARAPHRASE, start, start + length, at, at + other))
    for start, length, other, at in _paraphrased(said, reference):
        found[at].append(Match(PARAPHRASE, at, at + other, start, start + length))
    return found


def _paraphrased(one: Text, other: Text) -> list[tuple[int, int, int, int]]:
    """Phrases of `one` whose paraphrase stands in `other`: start and length there, words of the paraphrase and its start."""
    found: list[tuple[int, int, int, int]] = []
    for start, length, places in one.known:
        for phrase in sorted(places.keys() & other.phrase_places.keys(), key=places.__getitem__):
            words = phrase.count(" ") + 1
            found += [(start, length, words, at) for at in other.phrase_places[phrase]]
    return found
