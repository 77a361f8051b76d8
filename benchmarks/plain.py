"""Answers as columns: the quick road for the many that are as they should be.

An answer is plain when its text is well-formed TRP without a plan, all its units are of one kind (box, mask or pose), one
for every `<REF>`, and all of them are sound and fit the photo. Such answers are checked and scored in blocks of arrays, with
the very rules of `answers.check_answer`; every other answer goes there, one by one. `tests/benchmarks/test_plain.py` holds
the two roads to the same rows.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.arrow import as_arrow
from vtinstruct.answer_lines import AnswerWire, BoxWire, KeypointsWire, MaskWire
from vtinstruct.run_lengths import read_masks, strings
from vtinstruct.trp_plain import Counted, plain_triplets
from vtinstruct.units import UnitKind

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

REACH = 1e6  # pixels; a coordinate beyond it is no position in a photo and would overflow areas and distances
CONCEPT, _KIND, REFERENCES = (itemgetter(index) for index in range(3))  # of a `Counted`, in C
KINDS: dict[type, UnitKind] = {BoxWire: "box", MaskWire: "mask", KeypointsWire: "keypoint"}


@dataclass(frozen=True, slots=True)
class Sketch:
    """One answer whose text is plain and whose units are of the right kind and number, values not yet checked."""

    wire: AnswerWire
    triplets: list[Counted]
    kind: UnitKind | None


@dataclass(frozen=True, slots=True)
class Block:
    """Plain answers to samples of one task, source and split, checked. counts (N,) units of each answer, U in all.

    boxes_xyxy (U, 4), for boxes; rles (U,), a pyarrow array, and areas_px (U,), for masks; poses (U, 3 K), for poses of
    one K; scores (U,), NaN where there is none.
    """

    triplets: list[list[Counted]]
    counts: Ints
    scores: Floats
    boxes_xyxy: Floats | None = None
    rles: Any = None
    areas_px: Ints | None = None
    poses: Floats | None = None

    def __len__(self) -> int:
        return len(self.triplets)


def sketch(wire: AnswerWire) -> Sketch | None:
    """The answer as a candidate for the quick road; None when it is none."""
    if wire.turn not in (None, 1):  # plain samples are one question and one answer
        return None
    kinds = set(map(type, wire.units))
    if len(kinds) > 1:
        return None
    kind = KINDS.get(kinds.pop()) if kinds else None
    if kind is None and wire.units:
        return None
    triplets = plain_triplets(wire.text)
    if triplets is None or sum(map(REFERENCES, triplets)) != len(wire.units):
        return None
    if kind is not None and set(map(_KIND, triplets)) != {kind}:
        return None
    return Sketch(wire, triplets, kind)


def check_block(kind: UnitKind | None, sketches: Sequence[Sketch], sizes_wh: Ints) -> tuple[Block, Bools]:
    """Check the values of answers of one kind (None: no units); `sizes_wh` (N, 2) are their photos'. Returns the answers that
    pass and which they are."""
    counts = np.fromiter((len(s.wire.units) for s in sketches), np.int64, len(sketches))
    units: list[Any] = list(chain.from_iterable(s.wire.units for s in sketches))
    scores = np.array([unit.score for unit in units], dtype=np.float64)  # None becomes NaN
    columns: dict[str, Any] = {}
    fine = np.ones(len(units), dtype=np.bool_)
    if kind == "box":
        flat = np.fromiter(chain.from_iterable(map(attrgetter("box_xyxy"), units)), np.float64, 4 * len(units))
        boxes = flat.reshape(-1, 4)
        fine = (np.abs(boxes) <= REACH).all(axis=1) & (boxes[:, :2] <= boxes[:, 2:]).all(axis=1)
        columns["boxes_xyxy"] = boxes
    elif kind == "mask":
        columns, fine = _check_masks(units, np.repeat(sizes_wh[:, ::-1], counts, axis=0))
    elif kind == "keypoint":
        columns, fine = _check_poses(units)
    owner = np.repeat(np.arange(len(sketches)), counts)
    good = np.ones(len(sketches), dtype=np.bool_)
    good[owner[~fine]] = False
    triplets = [s.triplets for s in sketches]
    if good.all():
        return Block(triplets, counts, scores, **columns), good
    kept = good[owner]
    triplets = [t for t, ok in zip(triplets, good.tolist(), strict=True) if ok]
    return Block(triplets, counts[good], scores[kept], **{n: _chosen(c, kept) for n, c in columns.items()}), good


def _chosen(column: Any, kept: Bools) -> Any:
    return column[kept] if isinstance(column, np.ndarray) else column.filter(as_arrow(kept))


def _check_masks(units: list[MaskWire], sizes_hw: Ints) -> tuple[dict[str, Any], Bools]:
    wires = list(map(attrgetter("mask_rle"), units))
    sides = chain.from_iterable(map(attrgetter("size_hw"), wires))
    said = np.fromiter(sides, np.int64, 2 * len(wires)).reshape(-1, 2)
    rles = strings(list(map(attrgetter("counts"), wires)))
    masks = read_masks(rles, said)
    return {"rles": rles, "areas_px": masks.area_px}, masks.sound & (said == sizes_hw).all(axis=1)


def _check_poses(units: list[KeypointsWire]) -> tuple[dict[str, Any], Bools]:
    joints = max((len(unit.keypoints_xyv) for unit in units), default=0)
    poses = np.full((len(units), joints, 3), np.nan)
    fine = np.fromiter((len(unit.keypoints_xyv) == joints > 0 for unit in units), np.bool_, len(units))
    for index in np.flatnonzero(fine).tolist():
        poses[index] = units[index].keypoints_xyv
    fine &= (np.abs(poses[:, :, :2]) <= REACH).all(axis=(1, 2)) & np.isin(poses[:, :, 2], (0, 1, 2)).all(axis=1)
    return {"poses": poses.reshape(len(units), -1)}, fine
