"""Geometry: equal to pycocotools on sound input, one clear refusal on everything else."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from vtinstruct.geometry import (
    GeometryError,
    Letterbox,
    box_iou,
    box_xyxy_of_xywh,
    check_rle,
    clip_box,
    decode_rle,
    encode_mask,
    polygons_to_rle,
    rle_area,
    rle_box,
    rle_from_runs,
    rle_iou,
    rle_runs,
    rle_union,
    rles_of_label_map,
)
from vtinstruct.units import Rle

seeds = st.integers(0, 2**32 - 1)


def random_mask(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 60, 2)
    # Blocks give long runs, noise gives short ones: both encodings' widths are met.
    block = int(rng.integers(1, 12))
    small = rng.random((math.ceil(height / block), math.ceil(width / block))) < rng.random()
    return np.kron(small, np.ones((block, block), dtype=bool))[:height, :width]


@given(seeds)
def test_masks_read_back_and_equal_pycocotools(seed: int) -> None:
    mask = random_mask(seed)
    rle = encode_mask(mask)
    assert np.array_equal(decode_rle(rle), mask)
    native = {"size": list(rle.size_hw), "counts": rle.counts}
    assert np.array_equal(coco_mask.decode(native), mask)
    assert rle_from_runs(rle_runs(rle), rle.size_hw) == rle
    assert rle_area(rle) == mask.sum()
    if mask.any():
        ys, xs = np.nonzero(mask)
        assert rle_box(rle) == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    else:
        assert rle_box(rle) == (0, 0, 0, 0)


@given(seeds)
def test_one_pass_over_a_label_map_equals_a_comparison_per_label(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, 4, rng.integers(1, 40, 2)).astype(rng.choice([np.int64, np.int16]))
    found = rles_of_label_map(labels)
    assert list(found) == sorted(set(labels.reshape(-1).tolist()))
    for value, rle in found.items():
        assert rle == encode_mask(labels == value)


def test_label_maps_of_unsigned_ids_above_26000() -> None:
    labels = np.array([[26_001, 26_001], [7, 65_535]], dtype=np.uint16)
    assert {value: rle_area(rle) for value, rle in rles_of_label_map(labels).items()} == {7: 1, 26_001: 2, 65_535: 1}


@settings(max_examples=200)
@given(st.binary(max_size=24), st.integers(1, 30), st.integers(1, 30))
def test_any_bytes_are_a_sound_mask_or_refused_before_native_code(counts: bytes, height: int, width: int) -> None:
    rle = Rle((height, width), counts)
    try:
        check_rle(rle)
    except GeometryError:
        return
    native = coco_mask.decode({"size": [height, width], "counts": counts})
    assert np.array_equal(native, decode_rle(rle))


@pytest.mark.parametrize(
    ("rle", "reason"),
    [
        (Rle((4, 4), encode_mask(np.ones((4, 5))).counts), "mask: RLE of wrong length"),
        (Rle((4, 4), b""), "mask: not a COCO RLE string"),
        (Rle((4, 4), b"\xff"), "mask: not a COCO RLE string"),
        (Rle((4, 4), b"o"), "mask: RLE cut short"),
        (Rle((0, 4), b"0"), "mask: absurd size"),
        (Rle((100_000, 100_000), b"0"), "mask: absurd size"),
        (Rle((4, 4), b"O"), "mask: negative run"),
        (Rle((4, 4), b"ooooooooo0"), "mask: RLE number too long"),
    ],
)
def test_broken_rle_is_refused_with_its_reason(rle: Rle, reason: str) -> None:
    with pytest.raises(GeometryError) as error:
        decode_rle(rle)
    assert error.value.reason == reason


@pytest.mark.parametrize("runs", [[], [17], [-1, 17], [8, 9], [1.5, 14.5], ["16"], [2**70], [[16]]])
def test_run_lengths_that_do_not_fill_the_photo_are_refused(runs: list[object]) -> None:
    with pytest.raises(GeometryError):
        rle_from_runs(runs, (4, 4))  # type: ignore[arg-type]


def test_polygons_are_the_union_of_all_parts_as_pycocotools_draws_them() -> None:
    parts = [[1.0, 1.0, 9.0, 1.0, 9.0, 6.0, 1.0, 6.0], [12.0, 3.0, 19.5, 3.0, 15.0, 9.0]]
    rle = polygons_to_rle(parts, (20, 10))
    native = coco_mask.merge(coco_mask.frPyObjects(parts, 10, 20))
    assert rle.counts == native["counts"]
    assert rle_area(rle) == sum(rle_area(polygons_to_rle([part], (20, 10))) for part in parts)


@pytest.mark.parametrize(
    ("polygon", "reason"),
    [
        ([], "polygon: none"),
        ([[1.0, 2.0]], "polygon: fewer than 3 points"),
        ([[1.0, 2.0, 3.0, 4.0]], "polygon: fewer than 3 points"),  # pycocotools would take it for a box
        ([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]], "polygon: odd number of coordinates"),
        ([[1.0, 2.0, float("nan"), 4.0, 5.0, 6.0]], "polygon: not finite"),
        ([[1.0, 2.0, float("inf"), 4.0, 5.0, 6.0]], "polygon: not finite"),
        ([[1.0, 2.0, float("inf"), 4.0, float("-inf"), 6.0]], "polygon: not finite"),
        ([[1.0, 2.0, 1e12, 4.0, 5.0, 6.0]], "polygon: not finite"),
    ],
)
def test_broken_polygons_are_refused_with_their_reason(polygon: list[list[float]], reason: str) -> None:
    with pytest.raises(GeometryError) as error:
        polygons_to_rle(polygon, (20, 10))
    assert error.value.reason == reason


@given(seeds)
def test_mask_iou_equals_pycocotools_with_its_crowd_rule(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = ([encode_mask(rng.random((12, 9)) < 0.4) for _ in range(3)] for _ in range(2))
    crowd = [bool(flag) for flag in rng.integers(0, 2, 3)]
    native = [[{"size": list(r.size_hw), "counts": r.counts} for r in side] for side in (a, b)]
    assert np.array_equal(rle_iou(a, b, crowd), coco_mask.iou(*native, [int(flag) for flag in crowd]))
    assert rle_area(rle_union(a)) == np.logical_or.reduce([decode_rle(r) for r in a]).sum()


def test_mask_iou_refuses_masks_of_two_photos() -> None:
    with pytest.raises(GeometryError, match="sizes differ"):
        rle_iou([encode_mask(np.ones((3, 3)))], [encode_mask(np.ones((4, 4)))])
    assert rle_iou([], [encode_mask(np.ones((3, 3)))]).shape == (0, 1)
    with pytest.raises(GeometryError, match="broken run lengths"):
        rle_iou([encode_mask(np.ones((3, 3)))], [Rle((3, 3), b"S1Oa")])


@given(seeds)
def test_box_iou_equals_pycocotools(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corner, side = rng.random((2, 5, 2)) * 50
    boxes = np.concatenate((corner, corner + side), axis=1)
    xywh = np.concatenate((corner, side), axis=1)
    expected = coco_mask.iou(xywh[:2], xywh[2:], [0, 0, 0])
    np.testing.assert_allclose(box_iou(boxes[:2], boxes[2:]), expected, rtol=1e-12)


def test_boxes_cross_the_border_by_rule() -> None:
    assert box_xyxy_of_xywh([1, 2, 3, 4]) == (1.0, 2.0, 4.0, 6.0)
    for bad in ([1, 2, 3], [1, 2, float("nan"), 4], [1, 2, -3, 4]):
        with pytest.raises(GeometryError):
            box_xyxy_of_xywh(bad)
    assert clip_box((-5.0, 2.0, 30.0, 8.0), (20, 10)) == (0.0, 2.0, 20.0, 8.0)
    for outside in ((20.0, 0.0, 25.0, 5.0), (-5.0, 0.0, 0.0, 5.0), (3.0, 3.0, 3.0, 5.0)):
        with pytest.raises(GeometryError, match="outside the photo"):
            clip_box(outside, (20, 10))


@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([32, 128, 512, 1024]), seeds)
def test_the_letterbox_goes_there_and_back(width: int, height: int, side: int, seed: int) -> None:
    box = Letterbox((width, height), side)
    points = np.random.default_rng(seed).random((10, 2)) * [width, height]
    square = box.to_square(points)
    assert (square >= 0).all()
    assert (square <= np.asarray(box.scaled_wh) + 1e-9).all()
    assert max(box.scaled_wh) == side
    np.testing.assert_allclose(box.to_photo(square), points, atol=1e-6)
