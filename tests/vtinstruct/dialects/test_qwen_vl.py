"""Answers as Qwen-VL and Qwen2-VL write them. The photo is 999 x 1998: an x is its number, a y twice that."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vtinstruct.dialects.said import heard
from vtinstruct.dialect import NotSayable, dialect_named
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.units import Box

ANSWERS: list[tuple[str, str, list[Any], list[str]]] = [
    # the usual answer
    ("<ref>击掌</ref><box>(536,509),(588,602)</box>", "{击掌|box|1}", [(536, 1018, 588, 1204)], []),
    # two boxes of one phrase, and a sentence
    ("<ref>Two dogs</ref><box>(1,2),(3,4)</box><box>(5,6),(7,8)</box> play with <ref> a ball </ref><box>(9,9),(10,10)</box>.",
     "{Two dogs|box|2} play with {a ball|box|1}.", [(1, 4, 3, 8), (5, 12, 7, 16), (9, 18, 10, 20)], []),
    # Qwen2-VL's tokens, with its end of text
    ("<|object_ref_start|>dog<|object_ref_end|><|box_start|>(1,2),(3,4)<|box_end|><|im_end|>", "{dog|box|1}", [(1, 4, 3, 8)], []),
    # the prompt ended with <box>
    ("(1,2),(3,4)</box>", "{object|box|1}", [(1, 4, 3, 8)], []),
    # marks that were not decoded, as evaluate_grounding.py has it (skip_special_tokens); two boxes side by side
    ("(1,2),(3,4)", "{object|box|1}", [(1, 4, 3, 8)], []),
    ("Two dogs(1,2),(3,4)(5,6),(7,8) run.", "Two dogs{object|box|2} run.", [(1, 4, 3, 8), (5, 12, 7, 16)], []),
    ("A <ref>dog (1,2),(3,4)</ref><box>(5,6),(7,8)</box>", "A {dog (1,2),(3,4)|box|1}", [(5, 12, 7, 16)], []),
    # one corner alone is words
    ("The corner (1,2) of it", "The corner (1,2) of it", [], []),
    # a box without phrase; blanks
    ("<box> ( 1 , 2 ) , ( 3 , 4 ) </box>", "{object|box|1}", [(1, 4, 3, 8)], []),
    # an empty phrase
    ("<ref></ref><box>(1,2),(3,4)</box>", "{object|box|1}", [(1, 4, 3, 8)], []),
    # cut off in the second box; in a phrase; in a mark; before the box
    ("<ref>dog</ref><box>(1,2),(3,4)</box><box>(5,6),(7,", "{dog|box|1}", [(1, 4, 3, 8)], ["truncated"]),
    ("A <ref>dog", "A ", [], ["truncated"]),
    ("A <ref>dog</re", "A ", [], ["truncated"]),
    ("A <ref>dog</ref><bo", "A ", [], ["truncated"]),
    ("A <ref>dog</ref>", "A ", [], ["truncated"]),
    # a phrase without a box, and more words: they stay
    ("A <ref>dog</ref> runs.", "A <ref>dog</ref> runs.", [], ["unreadable"]),
    # three numbers
    ("<ref>dog</ref><box>(1,2),(3)</box>", "{dog|box|1}", [None], ["unreadable"]),
    # a second box that is no box does not cost the first
    ("<ref>dog</ref><box>(1,2),(3,4)</box><box>dog</box>", "{dog|box|2}", [(1, 4, 3, 8), None], ["unreadable"]),
    # swapped corners
    ("<ref>dog</ref><box>(3,2),(1,4)</box>", "{dog|box|1}", [None], ["swapped corners"]),
    # numbers without <box>
    ("The dog is at [1, 2, 3, 4].", "The dog is at [1, 2, 3, 4].", [], ["unreadable"]),
    # beyond the grid is beyond the photo
    ("<ref>dog</ref><box>(0,0),(1500,1000)</box>", "{dog|box|1}", [(0, 0, 1500, 2000)], []),
    # farther than any photo reaches
    ("<ref>dog</ref><box>(0,0),(99999999,1000)</box>", "{dog|box|1}", [None], ["beyond the grid"]),
    # a mark inside a phrase
    ("<ref>a <ref>dog</ref><box>(1,2),(3,4)</box>", "<ref>a {dog|box|1}", [(1, 4, 3, 8)], ["unreadable"]),
    # a smaller-than sign is no mark
    ("3 < 4 dogs", "3 < 4 dogs", [], []),
    ("3 < ", "3 < ", [], []),
    # a turned box is no two boxes
    ("<quad>(1,2),(3,4),(5,6),(7,8)</quad>", "<quad>(1,2),(3,4),(5,6),(7,8)</quad>", [], ["unreadable"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts", "units", "faults"), ANSWERS)
def test_answers(text: str, parts: str, units: list[Any], faults: list[str]) -> None:
    assert heard("qwen_vl", text, (999, 1998)) == (parts, units, faults)


def test_training_text() -> None:
    dog = Triplet("dog", "box", (Reference(Box((1.2, 2.0, 998.6, 1998.0))), Reference(Box((0.0, 0.0, 5.0, 6.0)))))
    dialect = dialect_named("qwen_vl")
    assert dialect.render(("A ", dog, "."), (999, 1998)) == (
        "A <ref>dog</ref><box>(1,1),(999,999)</box><box>(0,0),(5,3)</box>."
    )
    with pytest.raises(NotSayable, match="names nothing here"):
        dialect.render((Triplet("cat", "box"),), (999, 1998))
    with pytest.raises(NotSayable, match="own marks"):
        dialect.render(("see <box>",), (999, 1998))
