"""Units on the wire: written and read back alike."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from vtinstruct.units import (
    COCO_KEYPOINTS,
    DEPTH_FRAMES,
    UNIT_KINDS,
    Box,
    Depth,
    Keypoints,
    Mask,
    Point,
    Rle,
    Unit,
    kind_of,
    unit_from_wire,
    unit_to_wire,
)

numbers = st.floats(-1e6, 1e6, allow_nan=False)
boxes = st.builds(lambda x, y, w, h: Box((x, y, x + w, y + h)), numbers, numbers, st.floats(0, 1e6), st.floats(0, 1e6))
rles = st.builds(
    lambda h, w, counts: Rle((h, w), counts.encode()),
    st.integers(1, 9999),
    st.integers(1, 9999),
    st.text("0123ABCabc", min_size=1),
)
poses = st.lists(st.tuples(numbers, numbers, st.integers(0, 2)), max_size=20).map(lambda p: Keypoints(tuple(p)))
depths = st.builds(
    Depth,
    st.text(min_size=1).filter(lambda t: t.isprintable()),
    st.floats(1e-6, 10),
    st.sampled_from(DEPTH_FRAMES),
    st.none() | rles,
)
units: st.SearchStrategy[Unit] = boxes | rles.map(Mask) | poses | depths | st.tuples(numbers, numbers).map(Point)


@given(units)
def test_a_unit_reads_back_through_json_to_the_last_bit(unit: Unit) -> None:
    wire = json.loads(json.dumps(unit_to_wire(unit)))
    assert wire["kind"] == kind_of(unit)
    assert unit_from_wire(wire) == unit


def test_names_are_the_grammars() -> None:
    assert UNIT_KINDS == ("box", "mask", "keypoint", "depth", "point")
    assert len(COCO_KEYPOINTS) == 17
    assert COCO_KEYPOINTS[0] == "nose"
