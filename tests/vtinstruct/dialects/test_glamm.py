"""Answers as GLaMM and LISA write them: marks in the text, masks beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.vtinstruct.dialects.said import heard
from vtinstruct.dialect import NotSayable, dialect_named
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.geometry import encode_mask
from vtinstruct.units import Box, Mask

SIZE_WH = (4, 3)
M = [Mask(encode_mask(np.eye(3, 4, n, dtype=np.uint8))) for n in range(3)]
ANSWERS: list[tuple[str, list[Mask | None], str, list[Any], list[str]]] = [
    # GLaMM: a grounded caption
    ("<p> A man </p> [SEG] rides <p> a horse </p> [SEG].", M[:2], "{A man|mask|1} rides {a horse|mask|1}.", M[:2], []),
    # LISA: no phrase; it is what was asked for
    ("Sure, it is [SEG].</s>", M[:1], "Sure, it is {the horse|mask|1}.", M[:1], []),
    # several marks of one phrase
    ("<p> dogs </p> [SEG] [SEG], and [SEG].", M, "{dogs|mask|3}.", M, []),
    # words alone
    ("Sorry, there is no horse.", [], "Sorry, there is no horse.", [], []),
    # fewer masks than marks; a mark whose mask is missing
    ("<p> A man </p> [SEG] and <p> a dog </p> [SEG]", M[:1], "{A man|mask|1} and {a dog|mask|1}", [M[0], None], ["no mask"]),
    ("<p> A man </p> [SEG] and <p> a dog </p> [SEG]", [None, M[1]], "{A man|mask|1} and {a dog|mask|1}", [None, M[1]], ["no mask"]),
    # more masks than marks
    ("[SEG]", M[:2], "{the horse|mask|1}", M[:1], ["beside"]),
    # cut off in a phrase, behind it, in the mark
    ("<p> A man </p> [SEG] and <p> a d", M[:1], "{A man|mask|1} and ", M[:1], ["truncated"]),
    ("<p> A man </p> [SEG] and <p> a dog </p>", M[:1], "{A man|mask|1} and ", M[:1], ["truncated"]),
    ("<p> A man </p> [SE", [], "", [], ["truncated"]),
    # a phrase without its mark, in the midst
    ("<p> A man </p> walks", [], "<p> A man </p> walks", [], ["unreadable"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "masks", "parts", "units", "faults"), ANSWERS)
def test_answers(text: str, masks: list[Mask | None], parts: str, units: list[Any], faults: list[str]) -> None:
    assert heard("glamm", text, SIZE_WH, beside=tuple(masks), asked="the horse") == (parts, units, faults)


def test_training_text() -> None:
    dialect = dialect_named("glamm")
    dogs = Triplet("two dogs", "mask", (Reference(M[0]), Reference(M[1])))
    assert dialect.render(("A man with ", dogs, "."), SIZE_WH) == "A man with <p> two dogs </p> [SEG] [SEG]."
    with pytest.raises(NotSayable, match="no mask"):
        dialect.render((Triplet("dog", "mask", (Reference(Box((0.0, 0.0, 1.0, 1.0))),)),), SIZE_WH)
