"""Many masks at once are what they are one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from vtinstruct.geometry import GeometryError, check_rle, encode_mask, rle_area
from vtinstruct.run_lengths import read_masks, strings
from vtinstruct.units import Rle


def array_of(counts: list[bytes]) -> Any:
    return pa.array(counts, pa.large_binary())


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


def held_to_single_masks(rles: list[Rle]) -> list[bool]:
    """Which are sound, as one by one; so are areas."""
    found = read_masks(array_of([rle.counts for rle in rles]), np.array([rle.size_hw for rle in rles]).reshape(-1, 2))
    assert found.sound.tolist() == [sound(rle) for rle in rles]
    for index, rle in enumerate(rles):
        assert found.area_px[index] == (rle_area(rle) if found.sound[index] else 0)
    return found.sound.tolist()


def string_of(runs: list[int]) -> bytes:
    """Runs, of any size and sign, as a COCO string (cocoapi, `rleToString`)."""
    found = bytearray()
    for index, run in enumerate(runs):
        left = run - (runs[index - 2] if index > 2 else 0)
        while True:
            bits, left = left & 31, left >> 5
            over = left != (-1 if bits & 16 else 0)
            found.append(48 + bits + 32 * over)
            if not over:
                break
    return bytes(found)


def test_no_sum_turns_over() -> None:
    """Runs and sums that would be sound in 32 bits, or in 64."""
    side = 1 << 14
    whole, turn = side * side, 1 << 32
    rows = [3, side - 5, 4] * 200
    rows += [0, whole - sum(rows)] if len(rows) % 2 == 0 else [whole - sum(rows)]
    runs = [
        [whole], [0, whole], [0, 1, whole - 1], rows, [whole + turn], [0, whole + turn], [5, whole - 5 + turn], [whole // 2] * 18,
        [0, turn, whole], [0, turn, -turn, whole], [turn // 4, turn // 4, turn // 4, turn // 4, whole],
        [1, 1 << 31, 1 << 31, whole - 1], [0, *[1 << 30] * 4, whole], [0, *[whole] * 17], [-1, whole + 1], [whole, turn, -turn],
        [0, *[1 << 34] * (1 << 12), whole],
    ]  # fmt: skip
    rles = [Rle((side, side), string_of(one)) for one in runs]
    small = [encode_mask(np.eye(n, dtype=bool)) for n in (3, 9)]
    assert string_of([0, 1, 3, 1, 3, 1]) == small[0].counts
    alone = [held_to_single_masks([rle])[0] for rle in rles]
    assert alone == [True] * 4 + [False] * 13
    assert held_to_single_masks([small[0], *rles, small[1]]) == [True, *alone, True]


@given(st.lists(masks(), max_size=12))
def test_many_are_read_as_one_by_one(rles: list[Rle]) -> None:
    held_to_single_masks(rles)


def test_hostile_strings_are_unsound_and_read_in_time() -> None:
    hostile = [b"", b"o" * 100_000, b"\x00", b"0", b"P" * 9 + b"0", b"\xff" * 50]
    found = read_masks(array_of(hostile), np.array([[10, 10], [10, 10], [10, 10], [1, 1 << 40], [3, 3], [-1, 5]]))
    assert not found.sound.any()
    assert not found.area_px.any()


def test_chunks_do_not_show() -> None:
    rng = np.random.default_rng(0)
    rles = [encode_mask(rng.random((20, 30)) < 0.3) for _ in range(40)]
    whole = read_masks(array_of([rle.counts for rle in rles]), np.tile([20, 30], (40, 1)))
    parts = [read_masks(array_of([rle.counts]), np.array([[20, 30]])) for rle in rles]
    assert whole.sound.all()
    assert whole.area_px.tolist() == [int(part.area_px[0]) for part in parts]


def test_sizes_that_turn_over_are_unsound() -> None:
    sizes = np.array([[1 << 40, 1 << 40], [1 << 32, 1 << 32], [1, 1]])
    assert read_masks(array_of([b"0", b"0", b"1"]), sizes).sound.tolist() == [False, False, True]


def test_a_slice_and_strings_of_a_file() -> None:
    rles = [encode_mask(np.eye(n, dtype=bool)) for n in (3, 5, 4)]
    sizes = np.array([rle.size_hw for rle in rles])
    for counts in (array_of([b"x", *(rle.counts for rle in rles)])[1:], strings([r.counts.decode() for r in rles])):
        assert read_masks(counts, sizes).area_px.tolist() == [3, 5, 4]
    assert strings(["é", "1"]).to_pylist() == ["é".encode(), b"1"]
    assert not read_masks(strings(["é", "ｏ"]), np.array([[2, 2], [2, 2]])).sound.any()
