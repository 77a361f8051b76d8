"""Answers as CogVLM writes them. The photo is 1000 x 500: an x is its number, a y half of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vtinstruct.dialects.said import heard
from vtinstruct.dialect import dialect_named
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.units import Box

ANSWERS: list[tuple[str, str, list[Any], list[str]]] = [
    # a referring expression: the box alone
    ("[[100,200,300,400]]", "{object|box|1}", [(100, 100, 300, 200)], []),
    # a grounded caption
    ("A man [[001,002,003,004]] with dogs [[005,006,007,008;000,000,999,999]].",
     "{A man|box|1} {with dogs|box|2}.", [(1, 1, 3, 2), (5, 3, 7, 4), (0, 0, 999, 499.5)], []),
    # a point
    ("the button [[500,500]]", "{the button|point|1}", [(500, 250)], []),
    # cut off: in the numbers, behind them
    ("A man [[001,002,003,004]] with a dog [[005,0", "{A man|box|1} with a dog ", [(1, 1, 3, 2)], ["truncated"]),
    ("A man [[001,002,003,004]", "A man ", [], ["truncated"]),
    # three numbers, a word, decimals, a minus
    ("A man [[001,002,003]].", "A man [[001,002,003]].", [], ["unreadable"]),
    ("A man [[here]].", "A man [[here]].", [], ["unreadable"]),
    ("A man [[-01,002,003,004]].", "A man [[-01,002,003,004]].", [], ["unreadable"]),
    # beyond 999
    ("A man [[0,0,1500,1000]]", "{A man|box|1}", [(0, 0, 1500, 500)], []),
    # swapped corners cost their own box alone
    ("men [[3,2,1,4;5,6,7,8]]", "{men|box|2}", [None, (5, 3, 7, 4)], ["swapped corners"]),
    # a box and a point in one: the point is none
    ("men [[1,2,3,4;5,6]]", "men [[1,2,3,4;5,6]]", [], ["unreadable"]),
    # single brackets are words
    ("A man [1] walks", "A man [1] walks", [], []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts", "units", "faults"), ANSWERS)
def test_answers(text: str, parts: str, units: list[Any], faults: list[str]) -> None:
    assert heard("cogvlm", text) == (parts, units, faults)


def test_training_text() -> None:
    dogs = Triplet("dogs", "box", (Reference(Box((1.9, 1.0, 3.0, 2.4))), Reference(Box((0.0, 0.0, 1000.0, 500.0)))))
    assert dialect_named("cogvlm").render((dogs, "."), (1000, 500)) == "dogs [[001,002,003,004;000,000,999,999]]."
