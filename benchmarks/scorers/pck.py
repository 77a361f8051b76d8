"""PCK: the share of labelled joints whose answer lies near, whatever the pose as a whole is like.

"Near" needs a length, which is in the name: `PCK@a[norm]` counts a joint within a x norm of its annotated place.

* bbox: the longer side of the annotated box (Yang & Ramanan, TPAMI 2013; Andriluka et al. call it PCK)
* torso: from the left shoulder to the right hip (Sapp & Taskar, "MODEC", CVPR 2013); persons without both are left out
* head: PCKh (Andriluka et al., "MPII", CVPR 2014), the segment from the upper neck to the top of the head; only for skeletons
  that have both joints, so null for COCO's

A photo's persons are paired with answered poses one-to-one by the most joints within .2 x box (as `mmpose` does with given
boxes where there is one of each); an annotated person without a pose has all joints wrong. Unlabelled joints do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.intervals import interval, photo_index, ratio
from benchmarks.scorer import Answered, Metric, Row, Scorer, Setting, Summary, common, true_references
from benchmarks.scorers._pairs import assign
from vtinstruct.dialogue import Dialogue, Reference
from vtinstruct.units import COCO_KEYPOINTS, Keypoints

Floats = NDArray[np.float64]
NORMS = {"bbox": (0.05, 0.1, 0.2), "torso": (0.1, 0.2), "head": (0.5,)}
NAMES = tuple(
    f"PCK{'h' if norm == 'head' else ''}@{level:g}[{norm}]" for norm, levels in NORMS.items() for level in levels
)
PRIMARY = "PCK@0.2[bbox]"
COLUMNS: dict[str, Any] = {
    **{f"joints_{norm}": pl.Int64 for norm in NORMS}, **{f"near_{name}": pl.Int64 for name in NAMES},
    "persons": pl.Int64, "poses": pl.Int64,
}  # fmt: skip
METRICS = tuple(
    Metric(name, "share of labelled joints near their place") for name in sorted(NAMES, key=lambda n: n != PRIMARY)
)
ENDS = {"torso": ("left_shoulder", "right_hip"), "head": ("upper_neck", "head_top")}


def _poses(references: Sequence[Reference], joints: int | None = None) -> list[Floats]:
    """(K, 3) each; only poses of `joints` joints."""
    found = [np.array(r.unit.keypoints_xyv, dtype=np.float64) for r in references if isinstance(r.unit, Keypoints)]
    return [pose for pose in found if pose.size and (joints is None or len(pose) == joints)]


def lengths(pose: Floats, box_xyxy: Sequence[float] | None, names: Sequence[str]) -> dict[str, float]:
    """The norms of one annotated person, 0 where undefined."""
    seen = pose[pose[:, 2] > 0, :2]
    x0, y0, x1, y1 = box_xyxy or (*seen.min(axis=0), *seen.max(axis=0))
    found = {"bbox": float(max(x1 - x0, y1 - y0))}
    for norm, ends in ENDS.items():
        places = [names.index(end) for end in ends if end in names]
        whole = len(places) == 2 and max(places) < len(pose) and bool((pose[places, 2] > 0).all())
        found[norm] = float(np.linalg.norm(pose[places[0], :2] - pose[places[1], :2])) if whole else 0.0
    return found


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """Joints that count and joints that are near, for every norm."""
    row: Row = dict.fromkeys(COLUMNS, 0)
    persons = [r for r in true_references(truth, "keypoint") if isinstance(r.unit, Keypoints)]
    persons = [r for r in persons if _labelled(r)]
    answers = _poses(answer.references("keypoint"))
    row["persons"], row["poses"] = len(persons), len(answers)
    for reference, chosen in zip(persons, _paired(persons, answers, setting), strict=True):
        pose = _poses([reference])[0]
        labelled = pose[:, 2] > 0
        away = np.full(int(labelled.sum()), np.inf)
        if chosen is not None:
            away = np.linalg.norm(chosen[labelled, :2] - pose[labelled, :2], axis=1)
        for norm, length in lengths(pose, reference.box_xyxy, _names(reference, setting)).items():
            if length > 0:
                row[f"joints_{norm}"] += int(labelled.sum())
                for level in NORMS[norm]:
                    name = f"PCK{'h' if norm == 'head' else ''}@{level:g}[{norm}]"
                    row[f"near_{name}"] += int((away <= level * length).sum())
    total = row["joints_bbox"]
    quality = row[f"near_{PRIMARY}"] / total if total else 1.0
    return common(truth, answer, quality) | row


def _labelled(reference: Reference) -> bool:
    return isinstance(reference.unit, Keypoints) and any(v > 0 for _, _, v in reference.unit.keypoints_xyv)


def _names(reference: Reference, setting: Setting) -> Sequence[str]:
    category = setting.categories.get(reference.category_id)
    return category.keypoints if category and category.keypoints else COCO_KEYPOINTS


def _paired(persons: Sequence[Reference], answers: Sequence[Floats], setting: Setting) -> list[Floats | None]:
    """For every annotated person its answered pose, or None."""
    near = np.zeros((len(persons), len(answers)))
    for p, reference in enumerate(persons):
        (pose,) = _poses([reference])
        labelled, reach = pose[:, 2] > 0, 0.2 * lengths(pose, reference.box_xyxy, _names(reference, setting))["bbox"]
        for a, answer in enumerate(answers):
            if len(answer) == len(pose):
                away = np.linalg.norm(answer[labelled, :2] - pose[labelled, :2], axis=1)
                near[p, a] = float((away <= reach).sum()) + 1.0 / (1.0 + float(away.mean()))  # the nearer of equals
    found: list[Floats | None] = [None] * len(persons)
    for p, a in assign(near):
        if near[p, a] > 0:
            found[p] = answers[a]
    return found


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """Shares over all labelled joints of the set."""
    numbers: dict[str, float | None] = {}
    for metric in METRICS:
        joints = int(rows[f"joints_{metric.name.split('[')[1][:-1]}"].sum())
        numbers[metric.name] = int(rows[f"near_{metric.name}"].sum()) / joints if joints else None
    index, photos = photo_index(rows["photo"].to_list())
    near, joints = (rows[n].to_numpy().astype(np.float64) for n in (f"near_{PRIMARY}", "joints_bbox"))
    got = interval(ratio(near, joints, index, photos), photos, setting.resamples, setting.seed, bounds=(0.0, 1.0))
    details = {"persons": int(rows["persons"].sum()), "poses": int(rows["poses"].sum())}
    return Summary(numbers, {PRIMARY: got} if got else {}, details)


SCORER = Scorer(
    "pck", ("keypoints", "region_keypoints"), METRICS, COLUMNS, score, summarize,
    "Yang & Ramanan (TPAMI 2013); MODEC (CVPR 2013); MPII (CVPR 2014)",
)  # fmt: skip
