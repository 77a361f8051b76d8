"""Many masks at once are what they are one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vtinstruct.geometry import GeometryError, check_rle, encode_mask, rle_area, rle_box
from vtinstruct.run_lengths import read_masks
from vtinstruct.units import Rle


def sound(rle: Rle) -> bool:
    try:
        check_rle(rle)
    except GeometryError:
        return False
    return True


@st.composite
def masks(draw: st.DrawFn) -> Rle:
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    bits = draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    rle = encode_mask(np.array(bits).reshape(height, width))
    damage = draw(st.sampled_from(["none", "none", "cut", "swap", "size", "bytes"]))
    counts = rle.counts
    if damage == "cut":
        counts = counts[: draw(st.integers(0, len(counts)))]
    if damage == "swap":
        counts = counts[::-1]
    if damage == "bytes":
        counts = draw(st.binary(max_size=12)) + counts
    return Rle((height + (damage == "size"), width), counts)


@given(st.lists(masks(), max_size=12))
def test_many_are_read_as_one_by_one(rles: list[Rle]) -> None:
    found = read_masks([rle.counts for rle in rles], np.array([rle.size_hw for rle in rles]).reshape(-1, 2))
    assert found.sound.tolist() == [sound(rle) for rle in rles]
    for index, rle in enumerate(rles):
        if found.sound[index]:
            x, y, w, h = found.boxes_xywh[index].tolist()
            assert found.area_px[index] == rle_area(rle)
            assert (x, y, x + w, y + h) == rle_box(rle)


def test_hostile_strings_are_unsound_and_read_in_time() -> None:
    hostile = [b"", b"o" * 100_000, b"\x00", b"0", b"P" * 9 + b"0", b"\xff" * 50]
    found = read_masks(hostile, np.array([[10, 10], [10, 10], [10, 10], [1, 1 << 40], [3, 3], [-1, 5]]))
    assert not found.sound.any()
    assert not found.area_px.any()


def test_chunks_do_not_show() -> None:
    rng = np.random.default_rng(0)
    rles = [encode_mask(rng.random((20, 30)) < 0.3) for _ in range(40)]
    whole = read_masks([rle.counts for rle in rles], np.tile([20, 30], (40, 1)))
    parts = [read_masks([rle.counts], np.array([[20, 30]])) for rle in rles]
    assert whole.sound.all()
    assert whole.area_px.tolist() == [int(part.area_px[0]) for part in parts]
    assert np.array_equal(whole.boxes_xywh, np.concatenate([part.boxes_xywh for part in parts]))
