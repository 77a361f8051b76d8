"""Visual prompts: inside the region, inside the photo, never empty, the same for the same rng, for every odd region."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from vtinstruct.dialogue import PROMPT_KINDS, Prompt
from vtinstruct.geometry import decode_rle, encode_mask
from vtinstruct.prompts import BOX_JITTER, PromptError, draw, prompt_mask
from vtinstruct.record import Region
from vtinstruct.strokes import eroded
from vtinstruct.units import Box, Mask, Point, Rle

W, H = 160, 120
YY, XX = np.mgrid[:H, :W]


def region_of(mask, box=None, **fields) -> Region:
    return Region("r", "thing", 1, box_xyxy=box, mask_rle=encode_mask(np.asarray(mask)), **fields)


def shape(name: str):
    disc = (XX - 80) ** 2 + (YY - 60) ** 2
    match name:
        case "disc":
            return disc < 45**2
        case "letter_c":  # a ring with a gap: a stroke that follows it must bend
            return (disc < 50**2) & (disc > 34**2) & ~((XX > 80) & (abs(YY - 60) < 18))
        case "pole":
            return abs(XX - 20) < 2
        case "diagonal":
            return abs(XX - YY) < 2
        case "two_parts":
            return ((XX - 30) ** 2 + (YY - 30) ** 2 < 20**2) | ((XX - 130) ** 2 + (YY - 90) ** 2 < 15**2)
        case "whole":
            return np.ones((H, W), bool)
        case "dust":  # every third pixel of every third line: nothing is deeper than one layer
            return (XX % 3 == 0) & (YY % 3 == 0)
        case _:
            raise AssertionError(name)


SHAPES = ("disc", "letter_c", "pole", "diagonal", "two_parts", "whole", "dust")


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("kind", PROMPT_KINDS)
def test_a_mark_lies_on_its_region(kind, name, exact):
    mask = shape(name)
    for seed in range(8):
        prompt = draw(kind, region_of(mask), (W, H), Random(seed), exact)
        marked = prompt_mask(prompt, (W, H))
        assert prompt.kind == kind
        assert marked.shape == (H, W)
        assert marked.any()
        match prompt.mark:
            case Point(point_xy=(x, y)):
                assert mask[int(y), int(x)]
            case Mask() if kind == "scribble":
                assert not (marked & ~mask).any()
            case Mask():
                assert (marked & mask).sum() * 2 >= mask.sum()
            case Box(box_xyxy=(x0, y0, x1, y1)):
                assert 0 <= x0 < x1 <= W
                assert 0 <= y0 < y1 <= H


@pytest.mark.parametrize("name", ["disc", "letter_c", "pole", "two_parts", "whole"])
def test_points_keep_away_from_the_border(name):
    mask = shape(name)
    inside = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    depths = []
    for seed in range(40):
        x, y = draw("point", region_of(mask), (W, H), Random(seed)).mark.point_xy
        depths.append(inside[int(y), int(x)])
    assert min(depths) >= 0.3 * inside.max()
    x, y = draw("point", region_of(mask), (W, H), Random(0), exact=True).mark.point_xy
    assert inside[int(y), int(x)] >= 0.8 * inside.max()
    assert len(set(depths)) > 1 or name == "pole"  # 3 pixels wide: one depth


def test_points_vary_over_the_region():
    points = {draw("point", region_of(shape("disc")), (W, H), Random(seed)).mark.point_xy for seed in range(50)}
    assert len(points) > 25


def test_a_scribble_is_one_thin_long_stroke_that_follows_the_shape():
    mask = shape("letter_c")
    bends = []
    for seed in range(20):
        stroke = prompt_mask(draw("scribble", region_of(mask), (W, H), Random(seed)), (W, H))
        assert ndimage.label(stroke, np.ones((3, 3)))[1] == 1  # one piece: it goes round the gap, never across
        assert stroke.sum() < 0.5 * mask.sum()
        angles = np.arctan2(YY[stroke] - 60, XX[stroke] - 80) % (2 * math.pi)
        bends.append(np.ptp(angles))
    assert np.median(bends) > math.radians(90)


def test_a_stroke_is_as_wide_as_a_pen_whatever_the_photo():
    small = shape("disc")
    big = np.kron(small, np.ones((6, 6), bool))
    widths = []
    for mask in (small, big):
        size = (mask.shape[1], mask.shape[0])
        stroke = prompt_mask(draw("scribble", region_of(mask), size, Random(1)), size)
        widths.append(2 * ndimage.distance_transform_edt(np.pad(stroke, 1)).max() / math.sqrt(mask.size))
    assert 0.01 < widths[1] < 0.03
    assert widths[0] < 0.04


def test_boxes_move_by_a_bounded_share_of_their_sides():
    box = (40.0, 20.0, 100.0, 60.0)
    seen = set()
    for seed in range(100):
        found = draw("box", Region("r", box_xyxy=box), (W, H), Random(seed)).mark.box_xyxy
        limits = [BOX_JITTER * 60, BOX_JITTER * 40] * 2
        assert all(abs(a - b) <= limit for a, b, limit in zip(found, box, limits, strict=True))
        seen.add(found)
    assert len(seen) == 100
    assert draw("box", Region("r", box_xyxy=box), (W, H), Random(0), exact=True).mark.box_xyxy == box


@pytest.mark.parametrize("pixels", range(1, 10))
@pytest.mark.parametrize("place", [(0, 0), (H - 9, W - 9), (57, 93)])
def test_tiny_regions(pixels, place):
    mask = np.zeros((H, W), bool)
    row, column = place
    for index in range(pixels):
        mask[row + index // 3, column + index % 3] = True
    region = region_of(mask)
    for seed in range(5):
        x, y = draw("point", region, (W, H), Random(seed)).mark.point_xy
        assert mask[int(y), int(x)]
        assert (x % 1, y % 1) == (0.5, 0.5)
        for kind in ("scribble", "mask"):
            assert np.array_equal(prompt_mask(draw(kind, region, (W, H), Random(seed)), (W, H)), mask)
        x0, y0, x1, y1 = draw("box", region, (W, H), Random(seed)).mark.box_xyxy
        assert 0 <= x0 <= x1 - 1 <= W - 1
        assert 0 <= y0 <= y1 - 1 <= H - 1


def test_crowds_are_drawn_like_any_region():
    mask = shape("two_parts")
    for kind in PROMPT_KINDS:
        assert draw(kind, region_of(mask, crowd=True), (W, H), Random(3)) == draw(
            kind, region_of(mask), (W, H), Random(3)
        )


def test_a_box_without_a_mask():
    region = Region("r", box_xyxy=(40.0, 20.0, 100.0, 60.0))
    for seed in range(20):
        x, y = draw("point", region, (W, H), Random(seed)).mark.point_xy
        assert 55 <= x <= 85
        assert 30 <= y <= 50
    for kind in ("scribble", "mask"):
        with pytest.raises(PromptError, match="has no mask"):
            draw(kind, region, (W, H), Random(0))


@pytest.mark.parametrize(
    ("rle", "message"),
    [
        (encode_mask(np.zeros((H, W))), "empty mask"),
        (encode_mask(np.ones((W, H))), "on a photo of"),
        (Rle((H, W), b"52203"), "mask:"),  # does not fill the photo
        (Rle((H, W), b"\xff\xff"), "mask:"),
        (Rle((H, W), b""), "mask:"),
    ],
)
@pytest.mark.parametrize("kind", ["point", "scribble", "mask", "box"])
def test_broken_masks_are_refused_in_words(kind, rle, message):
    with pytest.raises(PromptError, match=message):
        draw(kind, Region("r", mask_rle=rle), (W, H), Random(0))


def test_mask_prompts_are_sometimes_worn_and_never_by_much():
    mask = shape("disc")
    exact = same = 0
    for seed in range(60):
        found = prompt_mask(draw("mask", region_of(mask), (W, H), Random(seed)), (W, H))
        iou = (found & mask).sum() / (found | mask).sum()
        assert iou > 0.6
        same += bool((found == mask).all())
        exact += draw("mask", region_of(mask), (W, H), Random(seed), exact=True).mark.mask_rle == encode_mask(mask)
    assert 5 < same < 40
    assert exact == 60


@pytest.mark.parametrize(
    ("prompt", "count"),
    [
        (Prompt("point", Point((0.0, 0.0))), 1),
        (Prompt("point", Point((float(W), float(H)))), 1),
        (Prompt("box", Box((10.0, 10.0, 20.0, 15.0))), 50),
        (Prompt("box", Box((10.2, 10.2, 10.3, 10.3))), 1),  # thinner than a pixel
        (Prompt("box", Box((-5.0, -5.0, 2.0, 2.0))), 4),
        (Prompt("box", Box((float(W) - 0.1, 0.0, float(W), float(H)))), H),
    ],
)
def test_a_prompt_as_a_mask(prompt, count):
    found = prompt_mask(prompt, (W, H))
    assert found.sum() >= count
    assert found.sum() == count or prompt.kind == "point"


def test_a_point_keeps_its_share_of_the_photo():
    for size in ((64, 64), (640, 480), (2048, 2048)):
        middle = Prompt("point", Point((size[0] / 2, size[1] / 2)))
        assert prompt_mask(middle, size).sum() / (size[0] * size[1]) == pytest.approx(math.pi * 0.015**2, rel=0.4)


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt("point", Point((float(W) + 1, 5.0))),
        Prompt("point", Point((math.nan, 5.0))),
        Prompt("box", Box((W + 5.0, 0.0, W + 9.0, 9.0))),
        Prompt("box", Box((math.nan, 0.0, 9.0, 9.0))),
        Prompt("mask", Mask(encode_mask(np.ones((W, H))))),
        Prompt("scribble", Mask(encode_mask(np.zeros((H, W))))),
    ],
)
def test_a_mark_off_the_photo_is_refused(prompt):
    with pytest.raises(PromptError):
        prompt_mask(prompt, (W, H))


@settings(max_examples=150, deadline=None)
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    seed=st.integers(0, 2**32),
    share=st.floats(0.0, 1.0),
    kind=st.sampled_from(PROMPT_KINDS),
    exact=st.booleans(),
)
def test_any_mask_at_all(size, seed, share, kind, exact):
    noise = np.random.default_rng(seed)
    mask = noise.random((size[1], size[0])) < share
    mask[noise.integers(size[1]), noise.integers(size[0])] = True
    region = region_of(mask)
    prompt = draw(kind, region, size, Random(seed), exact)
    assert prompt == draw(kind, region, size, Random(seed), exact)
    found = prompt_mask(prompt, size)
    assert found.any()
    match prompt.mark:
        case Point(point_xy=(x, y)):
            assert mask[int(y), int(x)]
        case Mask(mask_rle=rle):
            assert decode_rle(rle).shape == mask.shape
            assert (found & mask).any()
        case Box(box_xyxy=(x0, y0, x1, y1)):
            assert 0 <= x0 < x1 <= size[0]
            assert 0 <= y0 < y1 <= size[1]


@pytest.mark.parametrize("name", SHAPES)
def test_layers_are_taken_off_as_scipy_does(name):
    mask = shape(name)
    cross, square = ndimage.generate_binary_structure(2, 1), np.ones((3, 3), bool)
    first = ndimage.binary_erosion(mask, cross)
    second = ndimage.binary_erosion(first, square)
    assert np.array_equal(eroded(mask, 1), first)
    assert np.array_equal(eroded(mask, 2), second)
    noise = np.random.default_rng(0).random((H, W)) < 0.93
    worn = ndimage.binary_erosion(ndimage.binary_erosion(mask & noise, cross), square)
    assert np.array_equal(eroded(mask & noise, 2), worn)
