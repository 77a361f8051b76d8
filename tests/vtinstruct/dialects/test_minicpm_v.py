"""Answers as MiniCPM-V writes them. The photo is 1000 x 500: an x is its number, a y half of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vtinstruct.dialects.said import heard
from vtinstruct.dialect import dialect_named
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.units import Box

ANSWERS: list[tuple[str, str, list[Any], list[str]]] = [
    # the usual answers, with and without a phrase
    ("<ref>dog</ref><box>100 200 300 400</box>", "{dog|box|1}", [(100, 100, 300, 200)], []),
    ("<box>100 200 300 400</box>", "{object|box|1}", [(100, 100, 300, 200)], []),
    # several boxes, line breaks, the end token
    ("<ref>dogs</ref><box>1 2 3 4</box>\n<box> 5\n6 7  8 </box><|im_end|>", "{dogs|box|2}", [(1, 1, 3, 2), (5, 3, 7, 4)], []),
    # commas, three numbers, percent, none
    ("<box>1, 2, 3, 4</box>", "{object|box|1}", [None], ["unreadable"]),
    ("<box>1 2 3</box>", "{object|box|1}", [None], ["unreadable"]),
    ("<box>10% 20% 30% 40%</box>", "{object|box|1}", [None], ["unreadable"]),
    ("<ref>dog</ref><box></box>", "{dog|box|1}", [None], ["unreadable"]),
    # swapped corners
    ("<box>300 200 100 400</box>", "{object|box|1}", [None], ["swapped corners"]),
    # a quadrangle of text is no mark of ours
    ("<quad>1 2 3 4 5 6 7 8</quad>", "<quad>1 2 3 4 5 6 7 8</quad>", [], []),
    # numbers without marks are words
    ("100 200 300 400", "100 200 300 400", [], []),
    # cut off
    ("<ref>a</ref><box>1 2 3 4</box> <ref>b</ref><box>1 2", "{a|box|1} ", [(1, 1, 3, 2)], ["truncated"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts", "units", "faults"), ANSWERS)
def test_answers(text: str, parts: str, units: list[Any], faults: list[str]) -> None:
    assert heard("minicpm_v", text) == (parts, units, faults)


def test_training_text() -> None:
    dogs = Triplet("dogs", "box", (Reference(Box((1.4, 2.0, 1000.0, 500.0))), Reference(Box((0.0, 0.0, 5.0, 6.0)))))
    text = dialect_named("minicpm_v").render((dogs, "."), (1000, 500))
    assert text == "<ref>dogs</ref><box>1 4 1000 1000</box><box>0 0 5 12</box>."
