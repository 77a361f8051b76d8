"""Answers as Gemini writes them. The photo is 1000 x 500: an x is its number, a y half of it; y comes first."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.vtinstruct.dialects.said import heard
from vtinstruct.dialect import Spoken, dialect_named
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.geometry import decode_rle
from vtinstruct.units import Box, Mask, Point

ANSWERS: list[tuple[str, str, list[Any], list[str]]] = [
    # the usual answer: y0, x0, y1, x1
    (
        '```json\n[\n  {"box_2d": [200, 100, 400, 300], "label": "dog"},\n  {"box_2d": [0, 0, 1000, 1000], "label": "dog"}\n]\n```',
        "{dog|box|2}", [(100, 100, 300, 200), (0, 0, 1000, 500)], [],
    ),
    # points, as the pointing prompts ask for them
    ('[{"point": [500, 250], "label": "nose"}]', "{nose|point|1}", [(250, 250)], []),
    # other fields and another order of them
    ('[{"label": "dog", "box_2d": [2, 1, 4, 3], "colour": "red"}]', "{dog|box|1}", [(1, 1, 3, 2)], []),
    # no label; four numbers alone
    ('{"box_2d": [2, 1, 4, 3]}', "{object|box|1}", [(1, 1, 3, 2)], []),
    ("[2, 1, 4, 3]", "{object|box|1}", [(1, 1, 3, 2)], []),
    # cut off in the second object
    ('```json\n[\n  {"box_2d": [2, 1, 4, 3], "label": "a"},\n  {"box_2d": [200, 1', "{a|box|1}", [(1, 1, 3, 2)], ["truncated"]),
    # swapped corners
    ('[{"box_2d": [400, 1, 2, 3], "label": "a"}]', "{a|box|1}", [None], ["swapped corners"]),
    # three numbers; shares as text
    ('[{"box_2d": [2, 1, 4], "label": "a"}]', "{a|box|1}", [None], ["unreadable"]),
    ('[{"box_2d": ["20%", "10%", "40%", "30%"], "label": "a"}]', "{a|box|1}", [None], ["unreadable"]),
    # Qwen's key is another's
    ('[{"bbox_2d": [2, 1, 4, 3], "label": "a"}]', '{"bbox_2d": [2, 1, 4, 3], "label": "a"}', [], ["unreadable"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts", "units", "faults"), ANSWERS)
def test_answers(text: str, parts: str, units: list[Any], faults: list[str]) -> None:
    assert heard("gemini", text) == (parts, units, faults)


def picture(grey: np.ndarray, kind: str = "PNG") -> str:
    file = io.BytesIO()
    Image.fromarray(grey).save(file, kind)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def masked(mask: object, box: tuple[int, ...] = (200, 100, 400, 300)) -> str:
    return json.dumps([{"box_2d": box, "mask": mask, "label": "dog"}])


HALF = np.zeros((64, 64), dtype=np.uint8)
HALF[:, :32] = 255


def test_a_mask_fills_its_box_and_is_what_is_above_127() -> None:
    found = dialect_named("gemini").read(Spoken(masked(picture(HALF)), (1000, 500)))
    (reference,) = found.references
    assert isinstance(reference.unit, Mask)
    mask = decode_rle(reference.unit.mask_rle)
    assert mask.shape == (500, 1000)
    assert mask[100:200, 100:199].all()  # the left half of the box, but for the blurred seam
    assert mask.sum() == 100 * 100
    assert heard("gemini", masked(picture(np.full((8, 8), 127, dtype=np.uint8))))[2] == []
    assert decode_rle(heard("gemini", masked(picture(HALF // 3 + 43)))[1][0].mask_rle).sum() > 0  # 128 is above


def test_who_asks_for_boxes_gets_the_boxes_of_masks() -> None:
    assert heard("gemini", masked(picture(HALF)), wanted="box") == ("{dog|box|1}", [(100, 100, 300, 200)], [])


@pytest.mark.parametrize(
    ("mask", "box", "fault"),
    [
        ("iVBORw0KGgo=", (200, 100, 400, 300), "unreadable"),  # no data URL
        ("data:image/png;base64,iVBORw0K", (200, 100, 400, 300), "unreadable"),  # a picture cut off
        ("data:image/png;base64,***", (200, 100, 400, 300), "unreadable"),
        (None, (200, 100, 400, 300), "unreadable"),
        (picture(HALF, "BMP"), (200, 100, 400, 300), "unreadable"),  # no PNG
        (picture(np.zeros((8, 8, 3), dtype=np.uint8)), (200, 100, 400, 300), "unreadable"),  # colours
        (picture(np.zeros((1, 5000), dtype=np.uint8)), (200, 100, 400, 300), "unreadable"),  # too long a side
        (picture(HALF), (400, 100, 200, 300), "swapped corners"),
        (picture(HALF), (200, 100, 201, 300), "swapped corners"),  # not a whole pixel high
        (picture(HALF), (200, 100, 400, 1300), "beyond the grid"),
    ],
)
def test_masks_that_are_none(mask: object, box: tuple[int, ...], fault: str) -> None:
    assert heard("gemini", masked(mask, box)) == ("{dog|mask|1}", [None], [fault])


def test_its_own_confidence_is_the_confidence() -> None:
    text = '[{"box_2d": [2, 1, 4, 3], "label": "a", "confidence": 0.75}, {"box_2d": [2, 1, 4, 3], "label": "a", "confidence": "high"}]'
    found = dialect_named("gemini").read(Spoken(text, (1000, 500)))
    assert [reference.score for reference in found.references] == [0.75, None]


def test_training_text() -> None:
    parts = (
        Triplet("dog", "box", (Reference(Box((100.0, 100.0, 300.4, 200.0))),)), " and a ",
        Triplet("nose", "point", (Reference(Point((1.0, 2.0))),)),
    )  # fmt: skip
    assert dialect_named("gemini").render(parts, (1000, 500)) == (
        '```json\n[\n\t{"box_2d": [200, 100, 400, 300], "label": "dog"},\n\t{"point": [4, 1], "label": "nose"}\n]\n```'
    )
