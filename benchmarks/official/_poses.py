"""Poses of other skeletons in official files, brought to the one form that the engines score: `keypoints` of every row.

* CrowdPose (Li et al., CVPR 2019): areas are a share of the box, and AP stands apart for photos whose `crowdIndex` is below .2,
  below .8 and above (CrowdPose API, `get_type_result`).
* COCO-WholeBody (Jin et al., ECCV 2020): the parts lie in fields of their own, each with its own confidence where the model
  gives one. The whole and every part are scored apart; an answered part without a visible joint is no answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.official._files import OfficialError, Rows, is_number, numbers_of
from benchmarks.skeletons import BOX_SHARE, WHOLE_BODY, Skeleton

CROWDED = {"easy": (-math.inf, 0.2), "medium": (0.2, 0.8), "hard": (0.8, math.inf)}
PARTS = ("body", *(field for field, _, _ in WHOLE_BODY.values() if field != "keypoints"))
Scored = Callable[[dict[str, Any], Rows], Mapping[str, float | None]]  # the ten numbers of annotations and results


def fill_areas(annotated: dict[str, Any], path: Path) -> None:
    """Give every annotation the share of its box as its area."""
    for number, row in enumerate(annotated["annotations"]):
        _, _, width, height = numbers_of(row, "bbox", 4, f"{path}: annotations[{number}]")
        row["area"] = height * width * BOX_SHARE


def by_crowd(annotated: dict[str, Any], found: Rows, path: Path, scored: Scored) -> dict[str, float | None]:
    """AP of the photos of each share of `crowdIndex`; empty where the file has none. Raises `OfficialError`."""
    crowds = {image["id"]: image.get("crowdIndex") for image in annotated["images"]}
    if all(value is None for value in crowds.values()):
        return {}
    for image, value in crowds.items():
        if not is_number(value):
            raise OfficialError(
                f"{path}: image {image} has crowdIndex {value!r:.40}; a number, or none anywhere, is right"
            )
    numbers: dict[str, float | None] = {}
    for name, (low, high) in CROWDED.items():
        inside = {image for image, value in crowds.items() if low <= value < high}
        part = {**annotated, "images": [i for i in annotated["images"] if i["id"] in inside]}
        part["annotations"] = [a for a in annotated["annotations"] if a["image_id"] in inside]
        numbers[f"AP_{name}"] = scored(part, [row for row in found if row["image_id"] in inside])["AP"]
    return numbers


def joined(rows: Rows, path: str) -> Rows:
    """COCO-WholeBody rows with all 133 joints in `keypoints`, and the parts as they were."""
    whole: Rows = []
    for number, row in enumerate(rows):
        joints: list[float] = []
        for field, _, sigmas in WHOLE_BODY.values():
            joints += numbers_of(row, field, 3 * len(sigmas), f"{path}[{number}]")
        found = {
            **row,
            "num_keypoints": sum(v > 0 for v in joints[2::3]),
            "body": row["keypoints"],
            "keypoints": joints,
        }
        if not row.get("bbox"):  # the original's box, and so the area, of an answer is its body's
            x, y = row["keypoints"][0::3], row["keypoints"][1::3]
            found["bbox"] = [min(x), min(y), max(x) - min(x), max(y) - min(y)]
        whole.append(found)
    return whole


def by_part(
    annotated: dict[str, Any], slim: dict[str, Any], found: Rows, scored: Callable[[Skeleton], Scored], results: Path
) -> dict[str, float | None]:
    """AP and AR of every part of `joined` rows; `slim` has what else the engines need."""
    numbers: dict[str, float | None] = {}
    for field, (name, (_, confidence, sigmas)) in zip(PARTS, WHOLE_BODY.items(), strict=True):
        truth = {**slim, "annotations": [_with_joints(row, field) for row in annotated["annotations"]]}
        got = scored(Skeleton(name, (), sigmas, ""))(truth, answered(found, field, confidence, results))
        numbers |= {f"{number}[{name}]": got[number] for number in ("AP", "AR")}
    return numbers


def answered(found: Rows, field: str, confidence: str, path: Path) -> Rows:
    """Results with one field's joints as `keypoints`, ranked by its own confidence where one is given; those without a visible
    joint are left out."""
    kept: Rows = []
    for number, row in enumerate(found):
        score = row.get(confidence, row["score"])
        if not is_number(score):
            raise OfficialError(f"{path}: [{number}] has {confidence} {score!r:.40}; a finite number is right")
        if any(v > 0 for v in row[field][2::3]):
            plain = {name: row[name] for name in ("image_id", "category_id", "bbox")}
            kept.append({**plain, "keypoints": row[field], "score": score})
    return kept


def _with_joints(row: Mapping[str, Any], field: str) -> dict[str, Any]:
    plain = {name: row[name] for name in ("id", "image_id", "category_id", "area", "iscrowd", "bbox")}
    return {**plain, "keypoints": row[field], "num_keypoints": sum(v > 0 for v in row[field][2::3])}
