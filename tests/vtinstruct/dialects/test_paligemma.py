"""Answers as PaliGemma writes them. The photo is 1023 x 2046: an x is its number, a y twice that; y comes first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.vtinstruct.dialects.said import heard
from vtinstruct.dialect import dialect_named
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.geometry import encode_mask
from vtinstruct.units import Box, Mask

A, B = "<loc0010><loc0020><loc0030><loc0040>", "<loc0050><loc0060><loc0070><loc0080>"
BOX_A, BOX_B = (20, 20, 40, 60), (60, 100, 80, 140)
CODES = "".join(f"<seg{n:03d}>" for n in range(16))
MASK = Mask(encode_mask(np.ones((2046, 1023), dtype=np.uint8)))
ANSWERS: list[tuple[str, str, list[Any], list[str]]] = [
    # detect cat ; dog
    (f"{A} cat ; {B} dog", "{cat|box|1}, {dog|box|1}", [BOX_A, BOX_B], []),
    # one label twice, end of text kept by the tokenizer
    (f"{A} cat ; {B} cat<eos>", "{cat|box|2}", [BOX_A, BOX_B], []),
    # a referring expression has no label
    (A, "{object|box|1}", [BOX_A], []),
    # segment: the box is read, the mask is not
    (f"{A}{CODES} cat", "{cat|box|1}", [BOX_A], ["not decoded"]),
    # nothing found is nothing said
    ("", "", [], []),
    # words
    ("a cat on a mat", "a cat on a mat", [], []),
    # cut off: in the second box, in a token, in the codes
    (f"{A} cat ; <loc0050><loc0060>", "{cat|box|1}", [BOX_A], ["truncated"]),
    (f"{A} cat ; <loc0050><loc00", "{cat|box|1}", [BOX_A], ["truncated"]),
    (f"{A} cat ; {B}<seg001><seg002>", "{cat|box|1}", [BOX_A], ["truncated"]),
    # three numbers, five numbers
    (f"<loc0010><loc0020><loc0030> cat ; {B} dog", "{cat|box|1}, {dog|box|1}", [None, BOX_B], ["unreadable"]),
    (f"{A}<loc0001> cat", "{cat|box|1}", [None], ["unreadable"]),
    # 1024 does not exist
    ("<loc0010><loc0020><loc1024><loc0040> cat", "{cat|box|1}", [None], ["beyond the grid"]),
    # swapped corners
    ("<loc0030><loc0020><loc0010><loc0040> cat", "{cat|box|1}", [None], ["swapped corners"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts", "units", "faults"), ANSWERS)
def test_answers(text: str, parts: str, units: list[Any], faults: list[str]) -> None:
    assert heard("paligemma", text, (1023, 2046)) == (parts, units, faults)


def test_masks_that_were_decoded_stand_beside_the_text() -> None:
    text = f"{A}{CODES} cat ; {B} dog"
    assert heard("paligemma", text, (1023, 2046), beside=(MASK,)) == (
        "{cat|mask|1}, {dog|box|1}", [MASK, BOX_B], [],
    )  # fmt: skip
    assert heard("paligemma", text, (1023, 2046), beside=(None,))[1:] == ([None, BOX_B], ["no mask"])


def test_training_text() -> None:
    cats = Triplet("cat", "box", (Reference(Box((20.4, 20.0, 40.0, 60.0))), Reference(Box((0.0, 0.0, 1023.0, 2046.0)))))
    text = dialect_named("paligemma").render((cats, "."), (1023, 2046))
    assert text == f"{A} cat ; <loc0000><loc0000><loc1023><loc1023> cat"
