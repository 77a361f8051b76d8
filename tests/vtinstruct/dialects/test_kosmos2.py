"""Answers as Kosmos-2 writes them. The photo is 320 x 640: a patch is 10 x 20 pixels."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.vtinstruct.dialects.said import heard
from vtinstruct.dialect import Spoken, dialect_named
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.units import Box

ANSWERS: list[tuple[str, str, list[Any], list[str]]] = [
    # the model card's own answer, as the processor decodes it: the picture, then the text
    (
        "<image>.</image><grounding> An image of<phrase> a snowman</phrase><object><patch_index_0044><patch_index_0863></object>"
        " warming himself by<phrase> a fire</phrase><object><patch_index_0005><patch_index_0911></object>.",
        " An image of{a snowman|box|1} warming himself by{a fire|box|1}.",
        [(125, 30, 315, 530), (55, 10, 155, 570)], [],
    ),
    # two boxes of one phrase
    (
        "<phrase>dogs</phrase><object><patch_index_0000><patch_index_0033></delimiter_of_multi_objects/><patch_index_0066><patch_index_0099></object>",
        "{dogs|box|2}", [(5, 10, 15, 30), (25, 50, 35, 70)], [],
    ),
    # with blanks, as the processor's input has them
    ("<phrase> dog </phrase> <object> <patch_index_0000> <patch_index_0033> </object>", "{dog|box|1}", [(5, 10, 15, 30)], []),
    # one patch: from edge to edge; one row: the same
    ("<phrase>dog</phrase><object><patch_index_0033><patch_index_0033></object>", "{dog|box|1}", [(10, 20, 20, 40)], []),
    ("<phrase>dog</phrase><object><patch_index_0032><patch_index_0034></object>", "{dog|box|1}", [(0, 20, 30, 40)], []),
    # boxes without a phrase
    ("<object><patch_index_0000><patch_index_0033></object>", "{object|box|1}", [(5, 10, 15, 30)], []),
    # a phrase without a box, in the midst
    ("A<phrase> dog</phrase> runs.", "A<phrase> dog</phrase> runs.", [], ["unreadable"]),
    # cut off: between the patches, in a token, behind the phrase
    ("A<phrase> dog</phrase><object><patch_index_0000>", "A", [], ["truncated"]),
    ("A<phrase> dog</phrase><object><patch_index_00", "A", [], ["truncated"]),
    ("A<phrase> dog</phrase>", "A", [], ["truncated"]),
    # one patch alone, closed
    ("<phrase>dog</phrase><object><patch_index_0000></object>", "{dog|box|1}", [None], ["unreadable"]),
    # an empty list
    ("<phrase>dog</phrase><object></object>", "{dog|box|1}", [None], ["unreadable"]),
    # patch 1024 does not exist
    ("<phrase>dog</phrase><object><patch_index_0000><patch_index_1024></object>", "{dog|box|1}", [None], ["beyond the grid"]),
    # the last patch before the first
    ("<phrase>dog</phrase><object><patch_index_0099><patch_index_0033></object>", "{dog|box|1}", [None], ["swapped corners"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts", "units", "faults"), ANSWERS)
def test_answers(text: str, parts: str, units: list[Any], faults: list[str]) -> None:
    assert heard("kosmos2", text, (320, 640)) == (parts, units, faults)


def test_patches_equal_transformers() -> None:
    published = pytest.importorskip("transformers.models.kosmos2.processing_kosmos2")
    rng, dialect = random.Random(0), dialect_named("kosmos2")
    for _ in range(500):
        (x0, x1), (y0, y1) = sorted((rng.random(), rng.random())), sorted((rng.random(), rng.random()))
        first, last = published.coordinate_to_patch_index((x0, y0, x1, y1), 32)
        text = dialect.render((Triplet("dog", "box", (Reference(Box((x0, y0, x1, y1))),)),), (1, 1))
        assert text.endswith(f"<object><patch_index_{first:04d}><patch_index_{last:04d}></object>")
        (reference,) = dialect.read(Spoken(text, (1, 1))).references
        assert isinstance(reference.unit, Box)
        assert reference.unit.box_xyxy == pytest.approx(published.patch_index_to_coordinate(first, last, 32))


def test_sentences_equal_transformers() -> None:
    published = pytest.importorskip("transformers.models.kosmos2.processing_kosmos2")
    text = ANSWERS[0][0].rpartition("</image>")[2]
    words, entities = published.clean_text_and_extract_entities_with_bboxes(text)
    found = dialect_named("kosmos2").read(Spoken(text, (1, 1)))
    assert [one.concept for one in found.triplets()] == [name for name, _, _ in entities]
    boxes = [box for _, _, several in entities for box in several]
    assert [r.unit.box_xyxy for r in found.references if isinstance(r.unit, Box)] == boxes
    assert words == "An image of a snowman warming himself by a fire."


def test_training_text() -> None:
    dogs = Triplet(
        "dogs", "box", (Reference(Box((0.0, 0.0, 20.0, 40.0))), Reference(Box((305.0, 615.0, 320.0, 640.0))))
    )
    assert dialect_named("kosmos2").render(("Two ", dogs, "."), (320, 640)) == (
        "Two <phrase>dogs</phrase><object><patch_index_0000><patch_index_0033></delimiter_of_multi_objects/>"
        "<patch_index_0990><patch_index_1023></object>."
    )
