"""Keyed draws: a function of the words alone, as fair as the standard library's."""

from __future__ import annotations

import itertools
import statistics
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtinstruct.chance import DIGEST_BITS, Keyed


def keyed(words: str) -> Keyed:
    rng = Keyed()
    rng.key(words)
    return rng


def draws(rng: Keyed) -> list[object]:
    return [
        rng.random(),
        rng.randrange(7),
        rng.choice("abc"),
        rng.sample(range(100), 30),
        rng.gauss(),
        rng.getrandbits(300),
    ]


@given(st.text(), st.text())
def test_draws_follow_from_the_words_and_nothing_else(words, before):
    rng = keyed(before)
    draws(rng)
    rng.gauss()  # leaves a second number behind
    rng.key(words)
    assert draws(rng) == draws(keyed(words))
    assert before == words or draws(keyed(before)) != draws(keyed(words))


def test_words_that_differ_in_any_part_draw_differently():
    seeds, names = ("0", "1", "10"), ("a", "b", "ab")
    keys = ["|".join(parts) for parts in itertools.product(seeds, names, seeds, names)]
    assert len({keyed(key).random() for key in keys}) == len(keys)


def test_a_state_can_be_kept():
    for drawn in (0, DIGEST_BITS):
        rng = keyed("x")
        rng.getrandbits(drawn) if drawn else None
        rng.gauss()
        state = rng.getstate()
        after = draws(rng)
        rng.setstate(state)
        assert draws(rng) == after


@pytest.mark.parametrize("skip", [0, DIGEST_BITS])
def test_draws_are_fair_before_and_after_the_digest_ends(skip):
    found: Counter[int] = Counter()
    numbers = []
    for n in range(7000):
        rng = keyed(f"0|coco|{n}|det")
        rng.getrandbits(skip)
        found[rng.randrange(7)] += 1
        numbers.append(rng.random())
    assert all(850 < found[face] < 1150 for face in range(7))  # 1000 expected, five standard deviations are 146
    assert statistics.mean(numbers) == pytest.approx(0.5, abs=0.018)
    assert statistics.pstdev(numbers) == pytest.approx(12**-0.5, abs=0.01)
    assert 0 <= min(numbers) < 0.005 < 0.995 < max(numbers) < 1


def test_without_words_it_is_not_the_clock_that_decides():
    assert draws(Keyed()) == draws(Keyed())
    one, other = Keyed(), Keyed()
    one.seed(3)
    other.seed(4)
    assert draws(one) != draws(other)
