"""The search for an alignment: against every alignment there is, on small ones, and cases by hand."""

from __future__ import annotations

from itertools import pairwise, product

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.meteor.aligner import align, chunks_in
from benchmarks.meteor.matches import EXACT, PARAPHRASE, STEM, Match, java_hash, matches_between, text_of
from benchmarks.meteor.tables import Tables

TABLES = Tables(frozenset({"the", "a"}), {}, {}, {"car": "1 2", "automobile": "1", "machine": "2"})
PARAPHRASES = {"a lot of": {"many": 0}, "many": {"lots": 2, "a lot of": 1}}


def options(said: str, reference: str) -> list[list[Match]]:
    return matches_between(*(text_of(text.split(), TABLES, PARAPHRASES) for text in (said, reference)))


def aligned(said: str, reference: str) -> list[tuple[int, ...]]:
    return [tuple(match) for match in align(options(said, reference), len(said.split()))]


def every_alignment(there: list[list[Match]]) -> list[list[Match]]:
    """All ways to take at most one match a start with no word used twice."""
    ways = ([match for match in way if match] for way in product(*([None, *some] for some in there)))
    return [
        way
        for way in ways
        if all(a.end <= b.start for a, b in pairwise(way))
        and len({w for m in way for w in range(m.said_start, m.said_end)})
        == sum(m.said_end - m.said_start for m in way)
    ]


def undisputed(there: list[list[Match]]) -> list[Match]:
    """The matches that share no word with another: METEOR takes them whatever they gain."""
    every = [match for some in there for match in some]
    return [
        one
        for one in every
        if all(
            one is other
            or (
                (one.end <= other.start or other.end <= one.start)
                and (one.said_end <= other.said_start or other.said_end <= one.said_start)
            )
            for other in every
        )
    ]


words = st.lists(
    st.sampled_from(["the", "car", "automobile", "machine", "run", "runs", "many", "lots", "a", "lot", "of"]),
    max_size=6,
).map(" ".join)


@given(words, words)
def test_small_alignments_are_the_best_there_are(said: str, reference: str) -> None:
    there = options(said, reference)
    found = align(there, len(said.split()))
    ways = [way for way in every_alignment(there) if all(match in way for match in undisputed(there))]
    assert found in ways
    best = min((-sum(match.gain() for match in way), chunks_in(way)) for way in ways)
    assert (-sum(match.gain() for match in found), chunks_in(found)) == best


def test_stages() -> None:
    assert options("the car runs", "automobile run the") == [
        [Match(2, 0, 1, 1, 2)], [Match(STEM, 1, 2, 2, 3)], [Match(EXACT, 2, 3, 0, 1)]
    ]  # fmt: skip
    assert options("machine", "automobile") == [[]]  # each shares a sense with a car, none with the other
    assert options("a car", "a car") == [[Match(EXACT, 0, 1, 0, 1)], [Match(EXACT, 1, 2, 1, 2)]]


def test_paraphrases_match_both_ways_and_in_the_order_of_the_table() -> None:
    assert options("a lot of lots", "many") == [
        [Match(PARAPHRASE, 0, 1, 0, 3), Match(PARAPHRASE, 0, 1, 3, 4), Match(PARAPHRASE, 0, 1, 0, 3)]
    ]
    assert aligned("a lot of cars", "many cars") == [(PARAPHRASE, 0, 1, 0, 3), (EXACT, 1, 2, 3, 4)]


def test_fewer_chunks_win_and_chunks_are_counted() -> None:
    found = aligned("the dog saw the cat", "the cat")
    assert found == [(EXACT, 0, 1, 3, 4), (EXACT, 1, 2, 4, 5)]
    assert chunks_in([Match(*match) for match in found]) == 1
    assert chunks_in([Match(*match) for match in aligned("dog the saw cat", "the dog cat")]) == 3
    assert chunks_in([]) == 0
    assert aligned("", "the cat") == aligned("the cat", "") == []


def test_words_are_equal_when_javas_hashes_are() -> None:
    assert java_hash("an") == java_hash("c0") == 3117
    assert java_hash("😀") == java_hash("\ud83d\ude00") == 0xD83D * 31 + 0xDE00
    assert aligned("c0", "an") == [(EXACT, 0, 1, 0, 1)]
