"""Answers as GLM-4.1V to GLM-4.6V write them. The photo is 1000 x 500: an x is its number, a y half of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vtinstruct.dialects.said import heard
from vtinstruct.dialect import dialect_named
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.units import Box

B, E = "<|begin_of_box|>", "<|end_of_box|>"
UNITS = (100, 100, 300, 200)
ANSWERS: list[tuple[str, str, list[Any], list[str]]] = [
    # the usual answers
    (f"{B}[[100,200,300,400]]{E}", "{object|box|1}", [UNITS], []),
    (f"<answer>The dog: {B}[[100, 200, 300, 400]]{E}</answer>", "The dog: {object|box|1}", [UNITS], []),
    (f"a red dog {B}[[100,200,300,400], [5,6,7,8]]{E}", "{a red dog|box|2}", [UNITS, (5, 3, 7, 4)], []),
    # the other brackets of its README, a line break
    (f"{B}[100,200,300,400]{E}", "{object|box|1}", [UNITS], []),
    (f"{B}(100, 200,\n300, 400){E}", "{object|box|1}", [UNITS], []),
    (f"{B}<100,200,300,400>{E}", "{object|box|1}", [UNITS], []),
    # marks not decoded
    ("[[100,200,300,400]]", "{object|box|1}", [UNITS], []),
    # final answers that are no boxes
    (f"{B}yes{E}", "yes", [], []),
    (f"The answer is {B}1,000{E}.", "The answer is 1,000.", [], []),
    (f"{B}red, blue{E}", "red, blue", [], []),
    # three numbers, five, percent, swapped corners
    (f"{B}[100,200,300]{E}", "{object|box|1}", [None], ["unreadable"]),
    (f"{B}[[1,2,3,4,5]]{E}", "{object|box|1}", [None], ["unreadable"]),
    (f"{B}[[10%,20%,30%,40%]]{E}", "{object|box|1}", [None], ["unreadable"]),
    (f"{B}[[300,200,100,400]]{E}", "{object|box|1}", [None], ["swapped corners"]),
    # cut off: in the box, in a mark; an end without a beginning
    (f"It is {B}[[100,20", "It is ", [], ["truncated"]),
    ("It is <|begin_of_b", "It is ", [], ["truncated"]),
    (f"It is 3{E}", f"It is 3{E}", [], ["unreadable"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts", "units", "faults"), ANSWERS)
def test_answers(text: str, parts: str, units: list[Any], faults: list[str]) -> None:
    assert heard("glm_v", text) == (parts, units, faults)


def test_training_text() -> None:
    dogs = Triplet("dogs", "box", (Reference(Box((1.4, 2.0, 1000.0, 500.0))), Reference(Box((0.0, 0.0, 5.0, 6.0)))))
    text = dialect_named("glm_v").render((dogs, "."), (1000, 500))
    assert text == f"dogs {B}[[1, 4, 1000, 1000], [0, 0, 5, 12]]{E}."
