"""Answers as DeepSeek-VL2 writes them. The photo is 999 x 1998: an x is its number, a y twice that."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vtinstruct.dialects.said import heard
from vtinstruct.dialect import dialect_named
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.units import Box

SIZE_WH = (999, 1998)
ANSWERS: list[tuple[str, str, list[Any], list[str]]] = [
    # the usual answer, with the end token that inference.py decodes too
    ("<|ref|>The red cup.<|/ref|><|det|>[[100, 200, 999, 400]]<|/det|><｜end▁of▁sentence｜>", "{The red cup.|box|1}", [(100, 400, 999, 800)], []),
    # the question's mark repeated
    ("<|grounding|><|ref|>cup<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>", "{cup|box|1}", [(1, 4, 3, 8)], []),
    # several boxes of a phrase, several phrases, words and lines between them
    (
        "<|ref|>cups<|/ref|><|det|>[[1, 2, 3, 4], [5, 6, 7, 8]]<|/det|> near\n<|ref|>a jug<|/ref|><|det|>[[9, 10, 11, 12]]<|/det|>.",
        "{cups|box|2} near\n{a jug|box|1}.", [(1, 4, 3, 8), (5, 12, 7, 16), (9, 20, 11, 24)], [],
    ),
    # no blanks, line breaks within the list, a comma behind the last box, one pair of brackets
    ("<|ref|>cup<|/ref|><|det|>[[1,2,3,4],\n [5,6,7,8],]<|/det|>", "{cup|box|2}", [(1, 4, 3, 8), (5, 12, 7, 16)], []),
    ("<|ref|>cup<|/ref|> <|det|>[1, 2, 3, 4]<|/det|>", "{cup|box|1}", [(1, 4, 3, 8)], []),
    # DeepSeek-OCR: what is read stands behind its box
    ("<|ref|>title<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>\n# Annual report", "{title|box|1}\n# Annual report", [(1, 4, 3, 8)], []),
    # a box without a phrase is what was asked for
    ("<|det|>[[1, 2, 3, 4]]<|/det|>", "{object|box|1}", [(1, 4, 3, 8)], []),
    # decoded without special tokens
    ("The red cup.[[1, 2, 3, 4]]", "The red cup.{object|box|1}", [(1, 4, 3, 8)], []),
    # a phrase without boxes
    ("<|ref|>cup<|/ref|> is red", "<|ref|>cup<|/ref|> is red", [], ["unreadable"]),
    # no list, no numbers, three or five of them
    ("<|ref|>cup<|/ref|><|det|>[]<|/det|>", "{cup|box|1}", [None], ["unreadable"]),
    ("<|ref|>cup<|/ref|><|det|>none<|/det|>", "{cup|box|1}", [None], ["unreadable"]),
    ("<|ref|>cup<|/ref|><|det|>[[1, 2, 3], [5, 6, 7, 8]]<|/det|>", "{cup|box|1}", [None], ["unreadable"]),
    ("<|ref|>cup<|/ref|><|det|>[[1, 2, 3, 4, 5]]<|/det|>", "{cup|box|1}", [None], ["unreadable"]),
    # percent
    ("<|ref|>cup<|/ref|><|det|>[[10%, 20%, 30%, 40%]]<|/det|>", "{cup|box|1}", [None], ["unreadable"]),
    # swapped corners cost their own box alone
    ("<|ref|>cups<|/ref|><|det|>[[3, 2, 1, 4], [5, 6, 7, 8]]<|/det|>", "{cups|box|2}", [None, (5, 12, 7, 16)], ["swapped corners"]),
    # cut off: in a list, in a mark, behind a phrase
    ("<|ref|>a<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>, <|ref|>b<|/ref|><|det|>[[1, 2, 3, 4], [5", "{a|box|1}, ", [(1, 4, 3, 8)], ["truncated"]),
    ("<|ref|>a<|/ref|><|det|>[[1, 2, 3, 4]]<|/d", "", [], ["truncated"]),
    ("A cup: <|ref|>cup<|/ref|><|d", "A cup: ", [], ["truncated"]),
    # Qwen2-VL's marks are another's, and not read
    ("<|object_ref_start|>cup<|object_ref_end|><|box_start|>(1,2),(3,4)<|box_end|>",
     "<|object_ref_start|>cup<|object_ref_end|><|box_start|>(1,2),(3,4)<|box_end|>", [], ["unreadable"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts", "units", "faults"), ANSWERS)
def test_answers(text: str, parts: str, units: list[Any], faults: list[str]) -> None:
    assert heard("deepseek_vl2", text, SIZE_WH) == (parts, units, faults)


def test_training_text() -> None:
    cups = Triplet("cups", "box", (Reference(Box((1.4, 4.0, 999.0, 1998.0))), Reference(Box((0.0, 0.0, 5.0, 6.0)))))
    text = dialect_named("deepseek_vl2").render((cups, "."), SIZE_WH)
    assert text == "<|ref|>cups<|/ref|><|det|>[[1, 2, 999, 999], [0, 0, 5, 3]]<|/det|>."
