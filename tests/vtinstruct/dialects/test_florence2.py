"""Answers as Florence-2 writes them. The photo is 1000 x 500: bin n is read at n + 0.5 across and half of that down."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.vtinstruct.dialects.said import heard
from vtinstruct.dialect import NotSayable, Spoken, dialect_named
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.geometry import decode_rle, polygons_to_rle
from vtinstruct.units import Box, Mask


def locs(*numbers: int) -> str:
    return "".join(f"<loc_{number}>" for number in numbers)


A, B = locs(10, 20, 30, 40), locs(50, 60, 70, 80)
BOX_A, BOX_B = (10.5, 10.25, 30.5, 20.25), (50.5, 30.25, 70.5, 40.25)
ANSWERS: list[tuple[str, str, list[Any], list[str]]] = [
    # <OD>: labels and boxes, one behind the other, between the sentence marks
    (f"</s><s>car{A}door handle{B}</s>", "{car|box|1}, {door handle|box|1}", [BOX_A, BOX_B], []),
    # blanks and line breaks between the numbers, as some decoders put them
    (f"car {A.replace('><', '> <')} door\n{B.replace('><', '> <')}", "{car|box|1}, {door|box|1}", [BOX_A, BOX_B], []),
    # a label twice
    (f"wheel{A}wheel{B}", "{wheel|box|2}", [BOX_A, BOX_B], []),
    # <CAPTION_TO_PHRASE_GROUNDING>: two boxes of one phrase
    (f"two wheels{A}{B}", "{two wheels|box|2}", [BOX_A, BOX_B], []),
    # <REGION_PROPOSAL>: no labels
    (A + B, "{object|box|2}", [BOX_A, BOX_B], []),
    # a caption without marks
    ("<s>A green car parked in front of a yellow building.</s>", "A green car parked in front of a yellow building.", [], []),
    # cut off in the second box; in a token
    (f"car{A}door{locs(50, 60, 70)}", "{car|box|1}", [BOX_A], ["truncated"]),
    (f"car{A}door{locs(50, 60)}<loc_7", "{car|box|1}", [BOX_A], ["truncated"]),
    # seven numbers, and more behind them: a box, and a mark with nothing decoded
    (f"car{A}{locs(1, 2, 3)}door{B}", "{car|box|2}, {door|box|1}", [BOX_A, None, BOX_B], ["unreadable"]),
    # bin 1000 does not exist
    (f"car{locs(0, 0, 1000, 40)}", "{car|box|1}", [None], ["beyond the grid"]),
    # swapped corners
    (f"car{locs(30, 20, 10, 40)}", "{car|box|1}", [None], ["swapped corners"]),
    # a separator and no numbers
    ("car<sep>", "car<sep>", [], ["unreadable"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts", "units", "faults"), ANSWERS)
def test_answers(text: str, parts: str, units: list[Any], faults: list[str]) -> None:
    assert heard("florence2", text) == (parts, units, faults)


def test_a_quadrangle_is_the_box_around_it_when_it_is_said_to_be_one() -> None:
    quad = f"STOP{locs(10, 20, 30, 25, 28, 45, 8, 40)}"
    assert heard("florence2", quad, form="quads") == ("{STOP|box|1}", [(8.5, 10.25, 30.5, 22.75)], [])
    assert heard("florence2", quad, form="boxes")[1] == [(10.5, 10.25, 30.5, 12.75), None]


def test_polygons_are_masks_where_the_sample_asks_for_masks() -> None:
    square = locs(100, 200, 300, 200, 300, 600, 100, 600)
    expected = Mask(polygons_to_rle([[100.5, 100.25, 300.5, 100.25, 300.5, 300.25, 100.5, 300.25]], (1000, 500)))
    assert heard("florence2", square, wanted="mask", asked="the sign") == ("{the sign|mask|1}", [expected], [])
    assert heard("florence2", square, form="polygons")[1] == [expected]
    text, units, faults = heard(
        "florence2", f"sign<poly>{square}</poly><poly>{square}<sep>{locs(1, 1, 9, 1, 5, 9)}</poly>"
    )
    assert (text, len(units), faults) == ("{sign|mask|2}", 2, [])
    assert decode_rle(units[1].mask_rle).sum() > decode_rle(units[0].mask_rle).sum() == 40000
    # two points are no polygon; bin 1000 does not exist
    assert heard("florence2", locs(1, 2, 3, 4), wanted="mask") == ("{object|mask|1}", [None], ["unreadable"])
    assert heard("florence2", locs(1, 2, 3, 4, 1000, 6), wanted="mask")[2] == ["beyond the grid"]


def test_bins_equal_transformers() -> None:
    torch = pytest.importorskip("torch")
    published = pytest.importorskip("transformers.models.florence2.processing_florence2").Florence2PostProcessor
    bins = published.__new__(published)
    bins.quantize_bins = (1000, 1000)
    rng, dialect, size_wh = np.random.default_rng(0), dialect_named("florence2"), (640, 427)
    for _ in range(300):
        box = np.sort(rng.random((2, 2)), axis=0) * size_wh
        text = dialect.render((Triplet("car", "box", (Reference(Box(tuple(box.ravel().tolist()))),)),), size_wh)
        numbers = bins.quantize(torch.tensor(box.reshape(1, 4)), size_wh)
        assert text == f"car{locs(*numbers[0].tolist())}"
        (reference,) = dialect.read(Spoken(text, size_wh)).references
        assert isinstance(reference.unit, Box)
        assert [int(value) for value in reference.unit.box_xyxy] == bins.dequantize(numbers, size_wh)[0].tolist()


def test_training_text() -> None:
    dialect = dialect_named("florence2")
    cars = Triplet("car", "box", (Reference(Box((0.0, 0.0, 1000.0, 500.0))), Reference(Box((10.9, 10.4, 20.0, 20.0)))))
    assert dialect.render((cars, " on a road"), (1000, 500)) == f"car{locs(0, 0, 999, 999)}car{locs(10, 20, 20, 40)}"
    assert dialect.render((Triplet("car", "box"),), (1000, 500)) == ""
    with pytest.raises(NotSayable, match="a mask has no form"):
        dialect.render((Triplet("car", "mask"),), (1000, 500))
