"""AP of poses by object keypoint similarity (OKS).

Source: cocoapi `cocoeval.py`, iouType "keypoints" (`computeOks`); https://cocodataset.org/#keypoints-eval. At most 20
poses a photo; persons without a labelled point are ignored, neither helping nor hurting; areas are the annotation's.
The per-joint sigmas are those of the skeleton whose joints the source's classes name (`benchmarks/skeletons.py`), COCO's
where they name none; poses of another number of joints are not scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.columns import Instances
from benchmarks.engine import KEYPOINT_NUMBERS
from benchmarks.matching import Similar
from benchmarks.scorer import Answered, Row, Scorer, Setting, Summary
from benchmarks.scorers._ap import ap_metrics, coco_rules, summarize_ap
from benchmarks.scorers._instances import COLUMNS, LATE, Kind, columns, flat, instance_row, with_hits
from benchmarks.skeletons import BOX_SHARE, SKELETONS, Skeleton, skeleton_of
from vtinstruct.dialogue import Dialogue, Reference
from vtinstruct.units import Keypoints, Unit

Floats = NDArray[np.float64]
COCO = SKELETONS["coco"]


def skeleton_for(setting: Setting) -> Skeleton:
    """The skeleton of a source's classes: the first that names its joints decides."""
    named = (category.keypoints for category in setting.categories.values() if category.keypoints)
    return skeleton_of(next(named, ())) or COCO


def oks(
    found: Floats, true: Floats, boxes_xywh: Floats, areas: Floats, sigmas: Sequence[float] = COCO.sigmas
) -> Floats:
    """Object keypoint similarity of poses (P, 3K) with the truths beside them (P, 3K): (P,).

    Distances are scaled by the truth's area and the joint's sigma, over labelled joints; where none is labelled, by how
    far each joint lies outside the truth's box grown to three times its size.
    """
    fx, fy, tx, ty, labelled = found[:, 0::3], found[:, 1::3], true[:, 0::3], true[:, 1::3], true[:, 2::3] > 0
    x, y, width, height = (boxes_xywh[:, i, None] for i in range(4))
    any_ = labelled.any(axis=1, keepdims=True)
    outside_x = np.maximum(0.0, x - width - fx) + np.maximum(0.0, fx - (x + width * 2))
    outside_y = np.maximum(0.0, y - height - fy) + np.maximum(0.0, fy - (y + height * 2))
    dx, dy = np.where(any_, fx - tx, outside_x), np.where(any_, fy - ty, outside_y)
    error = (dx**2 + dy**2) / (np.array(sigmas) * 2) ** 2 / (areas[:, None] + np.spacing(1)) / 2
    used = labelled | ~any_
    return np.where(used, np.exp(-error), 0.0).sum(axis=1) / used.sum(axis=1)


def _value(
    skeleton: Skeleton, unit: Unit | None, reference: Reference, size_wh: tuple[int, int]
) -> tuple[Floats, Floats, float] | None:
    """The pose (3K,), its box and area; None for another skeleton. No unit but a box: an annotated person without a
    labelled point."""
    if isinstance(unit, Keypoints) and len(unit.keypoints_xyv) == len(skeleton.joints):
        pose = np.array(unit.keypoints_xyv, dtype=np.float64).ravel()
    elif reference.box_xyxy is not None and not (isinstance(unit, Keypoints) and unit.keypoints_xyv):
        pose = np.zeros(3 * len(skeleton.joints))
    else:
        return None
    box = _extent(pose) if reference.box_xyxy is None else np.array(reference.box_xyxy)
    sides = box[2:] - box[:2]
    if skeleton.by_box:
        area = float(sides[1] * sides[0] * BOX_SHARE)
    else:
        area = float(sides[0] * sides[1]) if reference.area is None else reference.area
    return pose, np.concatenate([box[:2], sides]), area


def _extent(pose: Floats) -> Floats:
    return np.array([pose[0::3].min(), pose[1::3].min(), pose[0::3].max(), pose[1::3].max()])


@cache
def _kind(name: str) -> Kind:
    value = partial(_value, SKELETONS[name])
    return Kind("keypoint", value, lambda value, _: tuple(value[1].tolist()), lambda value: value[2])


POSE_COLUMNS: dict[str, Any] = {
    "skeleton": pl.String, "true_pose": pl.List(pl.Float64), "found_pose": pl.List(pl.Float64)
}  # fmt: skip


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """One sample's annotated and answered poses."""
    name = skeleton_for(setting).name
    row, true, found = instance_row(truth, answer, _kind(name), setting)
    return row | {"skeleton": name, "true_pose": _poses(true.values), "found_pose": _poses(found.values)}


def _poses(values: list[Any]) -> list[float]:
    return np.concatenate([value[0] for value in values]).tolist() if values else []


def sides(rows: pl.DataFrame) -> tuple[Instances, Instances]:
    """Instances of all rows as columns, annotated and found."""
    return _with_poses(rows, "true"), _with_poses(rows, "found")


def _with_poses(rows: pl.DataFrame, side: str) -> Instances:
    plain = columns(rows, side)
    poses = flat(rows[f"{side}_pose"], np.float64).reshape(-1, 3 * len(_of(rows).joints))
    return Instances(
        plain.image, plain.category, plain.boxes_xywh, plain.area, plain.crowd, plain.score, keypoints=poses
    )


def _of(rows: pl.DataFrame) -> Skeleton:
    """The skeleton of a set's rows: one source has one."""
    return SKELETONS[rows["skeleton"][0]] if rows.height else COCO


def pose_similar(truth: Instances, found: Instances, sigmas: Sequence[float] = COCO.sigmas) -> Similar:
    """Object keypoint similarity, pair by pair."""
    true_poses, found_poses = (
        np.zeros((0, 3 * len(sigmas))) if s.keypoints is None else s.keypoints for s in (truth, found)
    )
    return lambda f, t: oks(found_poses[f], true_poses[t], truth.boxes_xywh[t], truth.area[t], sigmas)


def finish(rows: pl.DataFrame) -> pl.DataFrame:
    truth, found = sides(rows)
    return with_hits(rows, truth, found, pose_similar(truth, found, _of(rows).sigmas))


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """The 10 COCO numbers of poses, and what holds without confidences."""
    skeleton = _of(rows)
    similar = partial(pose_similar, sigmas=skeleton.sigmas)
    rules = coco_rules("keypoints", None if skeleton is COCO else skeleton.sigmas)
    summary = summarize_ap(rows, setting, rules, METRICS, sides, similar)
    return replace(summary, details={**summary.details, "skeleton": skeleton.name})


METRICS = ap_metrics(KEYPOINT_NUMBERS, "keypoint")
SCORER = Scorer(
    "ap_keypoint", ("keypoints", "region_keypoints"), METRICS, COLUMNS | POSE_COLUMNS, score, summarize,
    "cocoapi PythonAPI/pycocotools/cocoeval.py, iouType keypoints", None, finish, LATE,
)  # fmt: skip
