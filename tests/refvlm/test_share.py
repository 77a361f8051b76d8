"""A mask's share of the square is Pillow's box filter over the whole photo, within one level of 255."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from refvlm.processing import _scaled
from refvlm.share import share_of_mask, share_of_rle, squares_of
from vtinstruct.geometry import GeometryError, Letterbox, encode_mask
from vtinstruct.units import Rle


def whole(mask, frame):
    """The oracle: all of the mask through Pillow, and one level where it left nothing of a mask."""
    width, height = frame.scaled_wh
    levels = mask.astype(np.uint8) * np.uint8(255)
    if (width, height) != frame.size_wh:
        levels = np.asarray(Image.fromarray(levels).resize((width, height), Image.Resampling.BOX)).copy()
    if not levels.any() and mask.any():
        row, column = np.argwhere(mask).mean(0)
        levels[int(row * (height / mask.shape[0])), int(column * (width / mask.shape[1]))] = 1
    square = np.zeros((frame.side, frame.side), np.uint8)
    square[:height, :width] = levels
    return square


@st.composite
def masks(draw):
    width, height = draw(st.integers(1, 160)), draw(st.integers(1, 160))
    mask = np.zeros((height, width), np.bool_)
    for _ in range(draw(st.integers(0, 3))):
        x0, x1 = sorted(draw(st.tuples(st.integers(0, width), st.integers(0, width))))
        y0, y1 = sorted(draw(st.tuples(st.integers(0, height), st.integers(0, height))))
        share = draw(st.sampled_from([0.02, 0.5, 1.0]))
        mask[y0:y1, x0:x1] |= np.random.default_rng(draw(st.integers(0, 99))).random((y1 - y0, x1 - x0)) < share
    return mask


@settings(max_examples=300, deadline=None)
@given(masks(), st.integers(1, 200))
def test_a_share_is_pillows_box_filter(mask, side):
    frame = Letterbox(mask.shape[::-1], side)
    found = squares_of([share_of_mask(mask, frame)], side)[0]
    assert np.array_equal(squares_of([share_of_rle(encode_mask(mask), frame)], side)[0], found)
    right = whole(mask, frame)
    assert np.abs(found.astype(int) - right).max() <= 1
    assert found.any() == mask.any()


@pytest.mark.parametrize("size_wh", [(640, 480), (481, 640), (500, 375), (2048, 1024), (100, 333)])
@pytest.mark.parametrize("side", [128, 336, 1024])
def test_photos_of_everyday_sizes(size_wh, side):
    rng = np.random.default_rng(0)
    frame = Letterbox(size_wh, side)
    mask = np.zeros(size_wh[::-1], np.bool_)
    y, x = np.mgrid[: size_wh[1], : size_wh[0]]
    for _ in range(3):
        cx, cy, radius = rng.uniform(0, size_wh[0]), rng.uniform(0, size_wh[1]), rng.uniform(2, 90)
        mask |= (x - cx) ** 2 + (y - cy) ** 2 < radius**2
    found = squares_of([share_of_rle(encode_mask(mask), frame)], side)[0]
    assert np.abs(found.astype(int) - whole(mask, frame)).max() <= 1


def test_one_pixel_of_a_huge_photo_stays_and_a_broken_mask_is_refused():
    mask = np.zeros((4000, 3000), np.bool_)
    mask[3999, 2999] = True
    found = share_of_mask(mask, Letterbox((3000, 4000), 32))
    assert (found.top, found.left, found.levels.tolist()) == (31, 23, [[1]])
    with pytest.raises(GeometryError):
        share_of_rle(Rle((4, 4), b"0"), Letterbox((4, 4), 32))


@pytest.mark.parametrize("side", [112, 336, 1024])
def test_a_photo_is_pillows_within_one_level(side):
    photo = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    frame = Letterbox((640, 480), side)
    right = np.asarray(Image.fromarray(photo).resize(frame.scaled_wh, Image.Resampling.BILINEAR))
    found = _scaled(photo, frame).numpy()
    assert found.shape == right.shape
    assert np.abs(found.astype(int) - right).max() <= 1
