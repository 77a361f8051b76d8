"""Answers as Shikra writes them. A photo of 1000 x 500 is padded to 1000 x 1000 with 250 above it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vtinstruct.dialects.said import heard
from vtinstruct.dialect import NotSayable, dialect_named
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.units import Box

ANSWERS: list[tuple[str, str, list[Any], list[str]]] = [
    # the box alone, as for a referring expression
    ("[0.100,0.300,0.200,0.400].", "{object|box|1}.", [(100, 50, 200, 150)], []),
    # phrases in a sentence, two boxes of one
    ("A man[0.100,0.300,0.200,0.400] walks, two dogs[0.000,0.250,1.000,0.750;0.100,0.300,0.200,0.400] run.",
     "{A man|box|1} walks, {two dogs|box|2} run.", [(100, 50, 200, 150), (0, 0, 1000, 500), (100, 50, 200, 150)], []),
    # a point
    ("The nose[0.500,0.500] is red.", "{The nose|point|1} is red.", [(500, 250)], []),
    # further boxes in brackets of their own belong to the same phrase
    ("dogs [0.100,0.300,0.200,0.400] and [0.000,0.250,1.000,0.750]", "{dogs|box|2}", [(100, 50, 200, 150), (0, 0, 1000, 500)], []),
    # whole numbers
    ("all[0,0,1,1]", "{all|box|1}", [(0, -250, 1000, 750)], []),
    # cut off
    ("A man[0.100,0.300,0.200,0.400] and a dog[0.1,0.", "{A man|box|1} and a dog", [(100, 50, 200, 150)], ["truncated"]),
    # three numbers; pixels; negative: not Shikra's form, which has one digit before the point
    ("A man[0.1,0.3,0.2].", "A man[0.1,0.3,0.2].", [], ["unreadable"]),
    ("A man[100,300,200,400].", "A man[100,300,200,400].", [], ["unreadable"]),
    ("A man[-0.1,0.3,0.2,0.4].", "A man[-0.1,0.3,0.2,0.4].", [], ["unreadable"]),
    # beyond the square is beyond the photo
    ("A man[0.1,0.3,2.0,0.4]", "{A man|box|1}", [(100, 50, 2000, 150)], []),
    # swapped corners
    ("A man[0.2,0.3,0.1,0.4]", "{A man|box|1}", [None], ["swapped corners"]),
    # other brackets are words
    ("A man [sic] walks", "A man [sic] walks", [], []),
    # percent: another form, which is not guessed at
    ("dog[10%, 20%, 30%, 40%]", "dog[10%, 20%, 30%, 40%]", [], ["unreadable"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts", "units", "faults"), ANSWERS)
def test_answers(text: str, parts: str, units: list[Any], faults: list[str]) -> None:
    assert heard("shikra", text) == (parts, units, faults)


def test_tall_photos_are_padded_left_and_right() -> None:
    # 500 x 1001: half of 501 is rounded down, as Expand2square does
    assert heard("shikra", "dog[0.500,0.500,1.000,1.000]", (500, 1001))[1] == [(250.5, 500.5, 751, 1001)]


def test_training_text() -> None:
    dialect = dialect_named("shikra")
    man = Triplet(
        "a man", "box", (Reference(Box((100.4, 50.0, 200.0, 150.0))), Reference(Box((0.0, 0.0, 1000.0, 500.0))))
    )
    assert dialect.render(("There is ", man, "."), (1000, 500)) == (
        "There is a man[0.100,0.300,0.200,0.400;0.000,0.250,1.000,0.750]."
    )
    with pytest.raises(NotSayable, match="punctuation"):
        dialect.render((Triplet("a tall, old man", "box", man.references),), (1000, 500))
