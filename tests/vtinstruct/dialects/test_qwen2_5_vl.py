"""Answers as Qwen2.5-VL writes them: pixels of the resized picture. The list itself is tested with Qwen3-VL's."""

from __future__ import annotations

import random

import pytest

from tests.vtinstruct.dialects.said import heard
from vtinstruct.dialect import dialect_named
from vtinstruct.dialects.qwen2_5_vl import MAX_PIXELS, MIN_PIXELS, smart_resize
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.units import Box

BOX = '```json\n[\n\t{"bbox_2d": [112, 56, 560, 280], "label": "dog"}\n]\n```'


def test_sides_are_multiples_of_28() -> None:
    assert smart_resize((640, 480)) == (644, 476)
    assert smart_resize((1000, 500)) == (1008, 504)
    assert smart_resize((20, 20)) == (56, 56)  # at least 3,136 pixels
    assert smart_resize((8000, 6000)) == (4116, 3080)  # at most 12,845,056


def test_sizes_equal_transformers() -> None:
    published = pytest.importorskip("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl").smart_resize
    rng = random.Random(0)
    sizes = [(rng.randint(1, side), rng.randint(1, side)) for side in (60, 700, 9000) for _ in range(300)]
    for wide, high in sizes:
        if max(wide, high) / min(wide, high) <= 200:  # the original refuses others
            high_wide = published(high, wide, 28, MIN_PIXELS, MAX_PIXELS)
            assert smart_resize((wide, high)) == high_wide[::-1]


def test_pixels_of_the_resized_picture() -> None:
    # 1000 x 500 is seen as 1008 x 504
    assert heard("qwen2_5_vl", BOX) == ("{dog|box|1}", [(111.111, 55.556, 555.556, 277.778)], [])


def test_the_size_that_stands_beside_the_answer() -> None:
    # run with a bound of its own: the picture was 560 x 280
    assert heard("qwen2_5_vl", BOX, input_wh=(560, 280)) == ("{dog|box|1}", [(200, 100, 1000, 500)], [])


def test_points() -> None:
    assert heard("qwen2_5_vl", '{"point_2d": [504, 252], "label": "nose"}') == ("{nose|point|1}", [(500, 250)], [])


def test_points_as_xml() -> None:
    one = '<points x1="504" y1="252" x2="1008" y2="0" alt="pups">dogs</points>'
    assert heard("qwen2_5_vl", one) == ("{dogs|point|2}", [(500, 250), (1000, 0)], [])
    assert heard("qwen2_5_vl", f"```xml\n{one}\n```<|im_end|>")[1:] == ([(500, 250), (1000, 0)], [])
    assert heard("qwen2_5_vl", one, input_wh=(2016, 504))[1] == [(250, 250), (500, 0)]
    assert heard("qwen2_5_vl", '<points alt="pups">dogs</points>') == ("{dogs|point|1}", [None], ["unreadable"])
    assert heard("qwen2_5_vl", one[:-20]) == ("", [], ["truncated"])


def test_cut_off_and_absurd() -> None:
    assert heard("qwen2_5_vl", BOX[:-30]) == ("", [], ["truncated"])
    swapped = '{"bbox_2d": [560, 56, 112, 280], "label": "dog"}'
    assert heard("qwen2_5_vl", swapped) == ("{dog|box|1}", [None], ["swapped corners"])


def test_training_text_is_clamped_as_the_published_notebook_does() -> None:
    # process_bbox.ipynb: rounded, and at most one less than the side
    parts = (Triplet("dog", "box", (Reference(Box((111.0, 0.0, 1000.0, 500.0))),)),)
    text = dialect_named("qwen2_5_vl").render(parts, (1000, 500))
    assert '{"bbox_2d": [112, 0, 1007, 503], "label": "dog"}' in text
