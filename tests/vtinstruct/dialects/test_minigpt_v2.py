"""Answers as MiniGPT-v2 writes them. The photo is 1000 x 500: an x is ten times its number, a y five times."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vtinstruct.dialects.said import heard
from vtinstruct.dialect import dialect_named
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.units import Box

BOX, UNITS = "{<10><20><30><40>}", (100, 100, 300, 200)
ANSWERS: list[tuple[str, str, list[Any], list[str]]] = [
    # a referring answer, and the same with what eval_ref.py takes out
    (BOX, "{object|box|1}", [UNITS], []),
    ("{ <10> <20> <30> <40> }<unk></s>", "{object|box|1}", [UNITS], []),
    # a grounded sentence, two boxes of a phrase
    (f"A <p>red dog</p> {BOX} and <p>cups</p>{BOX}<delim>{BOX}.", "A {red dog|box|1} and {cups|box|2}.", [UNITS] * 3, []),
    # without the delimiter
    (f"<p>cups</p> {BOX} {BOX}", "{cups|box|2}", [UNITS] * 2, []),
    # beyond 100 is outside of the photo, and stays there
    ("{<10><20><30><140>}", "{object|box|1}", [(100, 100, 300, 700)], []),
    # swapped corners, three numbers, five, GeoChat's angle
    ("<p>a</p> {<40><20><30><40>}", "{a|box|1}", [None], ["swapped corners"]),
    ("<p>a</p> {<10><20><30>}", "{a|box|1}", [None], ["unreadable"]),
    ("{<10><20><30><40><50>}", "{object|box|1}", [None], ["unreadable"]),
    ("{<10><20><30><40>|<90>}", "{object|box|1}", [None], ["unreadable"]),
    # a phrase without a box
    ("<p>a</p> is red", "<p>a</p> is red", [], ["unreadable"]),
    # cut off: in a box, behind the delimiter, in a phrase
    (f"<p>a</p> {BOX} and <p>b</p>{{<1><2", "{a|box|1} and ", [UNITS], ["truncated"]),
    (f"<p>a</p> {BOX}<delim>", "{a|box|1}", [UNITS], ["truncated"]),
    (f"<p>a</p> {BOX}<del", "{a|box|1}", [UNITS], ["truncated"]),
    ("A <p>red d", "A ", [], ["truncated"]),
    # braces that are words; another's box
    ("the set {1, 2}", "the set {1, 2}", [], []),
    ("the dog [1, 2, 3, 4]", "the dog [1, 2, 3, 4]", [], ["unreadable"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts", "units", "faults"), ANSWERS)
def test_answers(text: str, parts: str, units: list[Any], faults: list[str]) -> None:
    assert heard("minigpt_v2", text) == (parts, units, faults)


def test_training_text() -> None:
    cups = Triplet("cups", "box", (Reference(Box((19.0, 4.0, 1000.0, 500.0))), Reference(Box((0.0, 0.0, 10.0, 5.0)))))
    text = dialect_named("minigpt_v2").render((cups, "."), (1000, 500))
    assert text == "<p>cups</p> {<1><0><100><100>}<delim>{<0><0><1><1>}."
