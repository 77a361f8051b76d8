"""Answers as Molmo writes them. The photo is 1000 x 500: a percent is 10 across and 5 down."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vtinstruct.dialects.said import heard
from vtinstruct.dialect import NotSayable, dialect_named
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.units import Point

ANSWERS: list[tuple[str, str, list[Any], list[str]]] = [
    # one point
    ('<point x="10.5" y="20.0" alt="dog">dog</point>', "{dog|point|1}", [(105, 100)], []),
    # a leading blank, as the model often writes
    (' <point x="10.5" y="20.0" alt="dog">dog</point>', " {dog|point|1}", [(105, 100)], []),
    # closed at once
    ('A <point x="10.5" y="20.0" alt="dog"/>.', "A {dog|point|1}.", [(105, 100)], []),
    # several points, and the count behind them
    ('Counting the <points x1="1.0" y1="2.0" x2="3.0" y2="4.0" alt="dogs">dogs</points> shows a total of 2.',
     "Counting the {dogs|point|2} shows a total of 2.", [(10, 10), (30, 20)], []),
    # nothing there
    ("There are none.", "There are none.", [], []),
    ("This isn't in the image.", "This isn't in the image.", [], []),
    # no words inside: those of alt
    ('<point x="1" y="2" alt="dog"></point>', "{dog|point|1}", [(10, 10)], []),
    # blanks and a mark inside alt
    ('<point x=" 1.0" y="2.0" alt="a > b">dog</point>', "{dog|point|1}", [(10, 10)], []),
    # the other forms of `extract_points`, where no mark is in the text; numbers above 100 are no answer there either
    ("Click(10.5, 20.0)", "{object|point|1}", [(105, 100)], []),
    ("It is at (10.5,20.0) and (1.0 2.0).", "It is at {object|point|1} and {object|point|1}.", [(105, 100), (10, 10)], []),
    ("p=105,200 2 = 010, 020", "{object|point|1} {object|point|1}", [(105, 100), (10, 10)], []),
    ("(101.5, 20.0)", "{object|point|1}", [None], ["beyond the grid"]),
    ("Page (1, 2), step=105,200, x1=1000,200", "Page (1, 2), step=105,200, x1=1000,200", [], []),
    ('(10.5, 20.0) <point x="1" y="2" alt="dog">dog</point>', "(10.5, 20.0) {dog|point|1}", [(10, 10)], []),
    # cut off: in the numbers, in alt, before the end
    ('The <point x="10.5" y="2', "The ", [], ["truncated"]),
    ('The <point x="10.5" y="20.0" alt="do', "The ", [], ["truncated"]),
    ('The <point x="10.5" y="20.0" alt="dog">do', "The ", [], ["truncated"]),
    ('The <point x="10.5" y="20.0" alt="dog">dog</poi', "The ", [], ["truncated"]),
    # above 100 or below 0: no answer, as Molmo's own code has it
    ('<point x="105.0" y="20.0" alt="dog">dog</point>', "{dog|point|1}", [None], ["beyond the grid"]),
    ('<point x="-5.0" y="20.0" alt="dog">dog</point>', "{dog|point|1}", [None], ["beyond the grid"]),
    # a word where a number belongs, no numbers at all
    ('<point x="left" y="20.0" alt="dog">dog</point>', "{dog|point|1}", [None], ["beyond the grid"]),
    ('<point alt="dog">dog</point>', "{dog|point|1}", [None], ["unreadable"]),
    # an end without a beginning
    ("dog</point> runs", "dog</point> runs", [], ["unreadable"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts", "units", "faults"), ANSWERS)
def test_answers(text: str, parts: str, units: list[Any], faults: list[str]) -> None:
    assert heard("molmo", text) == (parts, units, faults)


def test_training_text_is_sorted_and_says_none() -> None:
    dialect = dialect_named("molmo")
    dogs = Triplet("dogs", "point", (Reference(Point((300.0, 20.0))), Reference(Point((10.4, 10.0)))))
    assert dialect.render(("The ", dogs, "."), (1000, 500)) == (
        'The <points x1="1.0" y1="2.0" x2="30.0" y2="4.0" alt="dogs">dogs</points>.'
    )
    one = Triplet("dog", "point", dogs.references[:1])
    assert dialect.render((one,), (1000, 500)) == '<point x="30.0" y="4.0" alt="dog">dog</point>'
    assert dialect.render((Triplet("cat", "point"), "."), (1000, 500)) == "There are none."
    with pytest.raises(NotSayable, match="own marks"):
        dialect.render((Triplet('a 5" screen', "point", one.references),), (1000, 500))
