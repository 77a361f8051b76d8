"""Answers as InternVL writes them. The photo is 1000 x 500: an x is its number, a y half of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vtinstruct.dialects.said import heard
from vtinstruct.dialect import dialect_named
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.units import Box

ANSWERS: list[tuple[str, str, list[Any], list[str]]] = [
    # the usual answer
    ("<ref>dog</ref><box>[[100, 200, 300, 400]]</box>", "{dog|box|1}", [(100, 100, 300, 200)], []),
    # several boxes of a phrase, in a sentence
    ("The <ref>two dogs</ref><box>[[1, 2, 3, 4], [5, 6, 7, 8]]</box> run.", "The {two dogs|box|2} run.", [(1, 1, 3, 2), (5, 3, 7, 4)], []),
    # one box without the outer brackets, no blanks
    ("<ref>dog</ref><box>[1,2,3,4]</box>", "{dog|box|1}", [(1, 1, 3, 2)], []),
    # a box without phrase
    ("<box>[[1, 2, 3, 4]]</box>", "{object|box|1}", [(1, 1, 3, 2)], []),
    # no <box> at all, which the evaluation script takes too
    ("<ref>dog</ref>[[1, 2, 3, 4]]", "{dog|box|1}", [(1, 1, 3, 2)], []),
    ("It is at [[1, 2, 3, 4]].", "It is at {object|box|1}.", [(1, 1, 3, 2)], []),
    # another model's form: words, and a fault
    ("It is at (1,2),(3,4).", "It is at (1,2),(3,4).", [], ["unreadable"]),
    # one pair of brackets and no <box>: special tokens are not decoded in evaluate_grounding.py, and its pattern takes any brackets
    ("[100, 200, 300, 400]", "{object|box|1}", [(100, 100, 300, 200)], []),
    ("The dog [1,2,3,4] and [[5,6,7,8]]", "The dog {object|box|1} and {object|box|1}", [(1, 1, 3, 2), (5, 3, 7, 4)], []),
    ("<ref>dog [1,2,3,4]</ref><box>[[5,6,7,8]]</box>", "{dog [1,2,3,4]|box|1}", [(5, 3, 7, 4)], []),
    # decimals below 4 in sum are shares, as in evaluate_grounding.py; above, thousandths
    ("<ref>dog</ref><box>[[0.1, 0.2, 0.3, 0.4]]</box>", "{dog|box|1}", [(100, 100, 300, 200)], []),
    ("[0.0, 0.5, 1.0, 1.0]", "{object|box|1}", [(0, 250, 1000, 500)], []),
    ("[[100.5, 200.0, 300.25, 400.0]]", "{object|box|1}", [(100.5, 100, 300.25, 200)], []),
    # whole numbers are thousandths however small (the script: shares of a photo, the whole of it)
    ("<box>[[0, 0, 1, 1]]</box>", "{object|box|1}", [(0, 0, 1, 0.5)], []),
    # five numbers without a mark
    ("[1, 2, 3, 4, 5]", "[1, 2, 3, 4, 5]", [], []),
    # cut off in the second box of a list: the element is dropped
    ("<ref>a</ref><box>[[1, 2, 3, 4]]</box> and <ref>dogs</ref><box>[[1, 2, 3, 4], [5, 6", "{a|box|1} and ", [(1, 1, 3, 2)], ["truncated"]),
    # words inside the box
    ("<ref>dog</ref><box>none</box>", "{dog|box|1}", [None], ["unreadable"]),
    # an empty list: a mark, nothing decoded
    ("<ref>dog</ref><box>[]</box>", "{dog|box|1}", [None], ["unreadable"]),
    # five numbers
    ("<ref>dog</ref><box>[[1, 2, 3, 4, 5]]</box>", "{dog|box|1}", [None], ["unreadable"]),
    # swapped corners cost their own box alone
    ("<ref>dogs</ref><box>[[3, 2, 1, 4], [5, 6, 7, 8]]</box>", "{dogs|box|2}", [None, (5, 3, 7, 4)], ["swapped corners"]),
    # absurd
    ("<ref>dog</ref><box>[[-100, 0, 99999999999, 4]]</box>", "{dog|box|1}", [None], ["beyond the grid"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts", "units", "faults"), ANSWERS)
def test_answers(text: str, parts: str, units: list[Any], faults: list[str]) -> None:
    assert heard("internvl", text) == (parts, units, faults)


def test_training_text() -> None:
    dogs = Triplet("dogs", "box", (Reference(Box((1.4, 2.0, 1000.0, 500.0))), Reference(Box((0.0, 0.0, 5.0, 6.0)))))
    text = dialect_named("internvl").render((dogs, "."), (1000, 500))
    assert text == "<ref>dogs</ref><box>[[1, 4, 1000, 1000], [0, 0, 5, 12]]</box>."
