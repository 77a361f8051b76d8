"""The decoder is chosen by the unit the model wrote; whatever else it wrote, the n-th `<REF>` is the n-th unit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refvlm.processing import RefVLMProcessor
from refvlm.router import Router
from vtinstruct import trp

CASES = [
    ("a box and a mask in one answer",
     "<Phrase>cup</Phrase>(<Unit>box</Unit>[0]<REF>[1]<REF>) <Phrase>ball</Phrase>(<Unit>mask</Unit>[0]<REF>)",
     [("box", 0), ("box", 0), ("mask", 1)]),
    ("no reference", "A ball and a cup.", []),
    ("none here", "<Phrase>star</Phrase>(<Unit>box</Unit>).", []),
    ("cut short inside the list", "<Phrase>cup</Phrase>(<Unit>box</Unit>[0]<REF>[1]", [("box", 0)]),
    ("cut short inside the unit", "<Phrase>cup</Phrase>(<Unit>bo", []),
    ("unit never closed", "<Phrase>cup</Phrase>(<Unit>box[0]<REF>)", [("", -1)]),
    ("unknown unit", "<Phrase>cup</Phrase>(<Unit>cube</Unit>[0]<REF>)", [("", -1)]),
    ("no unit at all", "cup <REF>", [("", -1)]),
    ("nested phrase takes the unit away", "<Phrase>cup</Phrase>(<Unit>box</Unit><Phrase>[0]<REF>", [("", -1)]),
    ("second unit wins", "<Phrase>cup</Phrase>(<Unit>box</Unit><Unit>mask</Unit>[0]<REF>)", [("mask", 1)]),
    ("unit inside unit", "<Unit>box<Unit>mask</Unit>[0]<REF>", [("mask", 0)]),
    ("closed twice", "<Unit>box</Unit></Unit>[0]<REF>", [("", -1)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_routes(processor: RefVLMProcessor, text: str, wanted: list[tuple[str, int]]) -> None:
    router = Router.from_ids(processor.special_ids())
    ids = processor.tokenizer.encode(text, add_special_tokens=False)
    assert [(route.kind, route.group) for route in router.read(ids)] == wanted


def test_the_concept_of_a_reference_is_found(processor: RefVLMProcessor) -> None:
    ids = processor.tokenizer.encode("A <Phrase>red ball</Phrase>(<Unit>box</Unit>[0]<REF>).", add_special_tokens=False)
    start, stop = Router.from_ids(processor.special_ids()).read(ids)[0].phrase
    assert processor.text(ids[start:stop]) == "red ball"


PIECES = st.sampled_from([*trp.RESERVED, "box", "mask", "cube", "cup", "(", ")", "[0]", "[1]", " and "])


@given(st.lists(PIECES, max_size=30))
def test_as_many_routes_as_the_text_has_references(pieces: list[str]) -> None:
    router = Router(0, 1, 2, 3, 4, {"box": (5,), "mask": (6,)})
    names = {"<Unit>": 0, "</Unit>": 1, "<Phrase>": 2, "</Phrase>": 3, "<REF>": 4, "box": 5, "mask": 6}
    routes = router.read([names.get(piece, 7) for piece in pieces])
    assert len(routes) == trp.parse("".join(pieces)).references


@given(st.lists(PIECES, max_size=12))
def test_whole_triplets_are_routed_as_they_are_parsed(pieces: list[str]) -> None:
    text = "".join(pieces) + "<Phrase>cup</Phrase>(<Unit>mask</Unit>[0]<REF>)"
    router = Router(0, 1, 2, 3, 4, {"box": (5,), "mask": (6,)})
    names = {"<Unit>": 0, "</Unit>": 1, "<Phrase>": 2, "</Phrase>": 3, "<REF>": 4, "box": 5, "mask": 6}
    ids = [names.get(piece, 7) for piece in pieces] + [2, 7, 3, 7, 0, 6, 1, 7, 4, 7]
    assert router.read(ids)[-1].kind == trp.parse(text).triplets()[-1].kind == "mask"
