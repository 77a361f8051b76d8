"""Answers as Molmo2 writes them. The photo is 1000 x 500: an x is its number, a y half of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vtinstruct.dialects.said import heard
from vtinstruct.dialect import NotSayable, dialect_named
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.units import Point

ANSWERS: list[tuple[str, str, list[Any], list[str]]] = [
    # one point; several, with the count behind them
    ('<points coords="1 1 105 200">dog</points>', "{dog|point|1}", [(105, 100)], []),
    ('Counting the <points coords="1 1 010 020 2 1000 040">two dogs</points> shows a total of 2.',
     "Counting the {two dogs|point|2} shows a total of 2.", [(10, 10), (1000, 20)], []),
    # nothing there
    ("There are none.", "There are none.", [], []),
    # with `alt`, without words, closed at once
    ('<points alt="pups" coords="1 1 105 200">dogs</points>', "{dogs|point|1}", [(105, 100)], []),
    ('<points label="dogs" coords="1 1 105 200"/>.', "{dogs|point|1}.", [(105, 100)], []),
    # two pictures or moments
    ('<points coords="0.1 1 010 020\t0.2 3 030 040">dog</points>', "{dog|point|2}", [(10, 10), (30, 20)], []),
    ('<points coords="1 1 010 020;2 1 030 040">dog</points>', "{dog|point|2}", [(10, 10), (30, 20)], []),
    # a number beyond the grid, of two digits, one that is missing, none at all
    ('<points coords="1 1 010 020 2 1001 040">dog</points>', "{dog|point|2}", [(10, 10), None], ["beyond the grid"]),
    ('<points coords="1 1 10 20 2 030 040">dog</points>', "{dog|point|2}", [None, (30, 20)], ["unreadable"]),
    ('<points coords="1 1 010 020 2 030">dog</points>', "{dog|point|2}", [(10, 10), None], ["unreadable"]),
    ('<points coords="">dog</points>', "{dog|point|1}", [None], ["unreadable"]),
    # Molmo's own form
    ('<point x="10.5" y="20.0" alt="dog">dog</point>', "{dog|point|1}", [None], ["unreadable"]),
    # cut off
    ('A <points coords="1 1 010 02', "A ", [], ["truncated"]),
    ('A <points coords="1 1 010 020">do', "A ", [], ["truncated"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts", "units", "faults"), ANSWERS)
def test_answers(text: str, parts: str, units: list[Any], faults: list[str]) -> None:
    assert heard("molmo2", text) == (parts, units, faults)


def test_training_text_is_sorted() -> None:
    points = (Point((500.4, 250.0)), Point((9.0, 499.9)))
    dogs = Triplet("dogs", "point", tuple(Reference(point) for point in points))
    dialect = dialect_named("molmo2")
    assert dialect.render((dogs, "."), (1000, 500)) == '<points coords="1 1 009 1000 2 500 500">dogs</points>.'
    assert dialect.render((Triplet("dog", "point"),), (1000, 500)) == "There are none."
    with pytest.raises(NotSayable, match="own marks"):
        dialect.render((Triplet('a "dog"', "point", (Reference(points[0]),)),), (1000, 500))
