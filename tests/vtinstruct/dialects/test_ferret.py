"""Answers as Ferret writes them. The photo is 1000 x 500: an x is its number, a y half of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vtinstruct.dialects.said import heard
from vtinstruct.dialect import dialect_named
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.units import Box

ANSWERS: list[tuple[str, str, list[Any], list[str]]] = [
    # a referring expression: the phrase and its box
    ("The left dog [100, 200, 300, 400].", "{The left dog|box|1}.", [(100, 100, 300, 200)], []),
    # a sentence
    ("In the photo, a man [1, 2, 3, 4] rides a horse [5, 6, 7, 8]; it rains.",
     "In the photo, {a man|box|1} {rides a horse|box|1}; it rains.", [(1, 1, 3, 2), (5, 3, 7, 4)], []),
    # several boxes of one phrase
    ("dogs [1, 2, 3, 4] [5, 6, 7, 8]", "{dogs|box|2}", [(1, 1, 3, 2), (5, 3, 7, 4)], []),
    ("dogs [1, 2, 3, 4], [5, 6, 7, 8] and [9, 9, 9, 9].", "{dogs|box|3}.", [(1, 1, 3, 2), (5, 3, 7, 4), (9, 4.5, 9, 4.5)], []),
    # a box alone
    ("[1, 2, 3, 4]", "{object|box|1}", [(1, 1, 3, 2)], []),
    # cut off
    ("a man [1, 2, 3, 4] and a dog [5, 6", "{a man|box|1} and a dog ", [(1, 1, 3, 2)], ["truncated"]),
    # three numbers; decimals, which Ferret does not write
    ("a man [1, 2, 3].", "a man [1, 2, 3].", [], ["unreadable"]),
    ("a man [0.1, 0.2, 0.3, 0.4].", "a man [0.1, 0.2, 0.3, 0.4].", [], ["unreadable"]),
    # absurd
    ("a man [-1, 2, 2000, 4]", "{a man|box|1}", [(-1, 1, 2000, 2)], []),
    ("a man [1, 2, 99999999999, 4]", "{a man|box|1}", [None], ["beyond the grid"]),
    ("a man [3, 2, 1, 4]", "{a man|box|1}", [None], ["swapped corners"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts", "units", "faults"), ANSWERS)
def test_answers(text: str, parts: str, units: list[Any], faults: list[str]) -> None:
    assert heard("ferret", text) == (parts, units, faults)


def test_training_text_is_rounded_down() -> None:
    dogs = Triplet("dogs", "box", (Reference(Box((1.9, 1.0, 3.0, 2.4))), Reference(Box((0.0, 0.0, 1000.0, 500.0)))))
    assert dialect_named("ferret").render((dogs, "."), (1000, 500)) == "dogs [1, 2, 3, 4] [0, 0, 1000, 1000]."


def test_boxes_are_cut_to_whole_pixels_where_that_is_asked_for() -> None:
    text = "a man [1, 3, 250, 999] and a dog [9, 9, 1, 9] and [1, 2, 99999999999, 4]"
    assert heard("ferret", text, (333, 500), form="pixels")[1] == [(0, 1, 83, 499), None, None]
    assert heard("ferret", "[29, 0, 100, 100]", (100, 100), form="pixels")[1] == [(2, 0, 10, 10)]
    assert heard("ferret", "[29, 0, 100, 100]", (1000, 1000), form="pixels")[1] == [(29, 0, 100, 100)]
