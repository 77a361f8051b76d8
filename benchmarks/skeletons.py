"""Skeletons whose poses have an official similarity (OKS): their joints and how far an annotator strays at each, `sigmas`.

A sigma is a share of the square root of the person's area; OKS divides distances by twice of it. Where an annotation has no
outline, its area is a share of its box (`BOX_SHARE`), as the CrowdPose API has it. `tests/benchmarks/test_skeletons.py` holds
each table against its source's own numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vtinstruct.units import COCO_KEYPOINTS

BOX_SHARE = 0.53  # of a box that a person fills (CrowdPose API, `computeOks`)
FACE_JOINTS, HAND_JOINTS = 68, 21


@dataclass(frozen=True, slots=True)
class Skeleton:
    """`joints` in the order of the files; `sigmas` one a joint; `by_box`: areas are a share of the box; `source`: whose."""

    name: str
    joints: tuple[str, ...]
    sigmas: tuple[float, ...]
    source: str
    by_box: bool = False


def _thousandths(*values: int) -> tuple[float, ...]:
    return tuple(value / 1000.0 for value in values)


_BODY = _thousandths(26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89)
_FOOT = _thousandths(68, 66, 66, 92, 94, 94)
_FACE = _thousandths(
    42, 43, 44, 43, 40, 35, 31, 25, 20, 23, 29, 32, 37, 38, 43, 41, 45, 13, 12, 11, 11, 12, 12, 11, 11, 13, 15, 9, 7, 7, 7, 12, 9,
    8, 16, 10, 17, 11, 9, 11, 9, 7, 13, 8, 11, 12, 10, 34, 8, 8, 9, 8, 8, 7, 10, 8, 9, 9, 9, 7, 7, 8, 11, 8, 8, 8, 10, 8,
)  # fmt: skip
_HAND = _thousandths(29, 22, 35, 37, 47, 26, 25, 24, 35, 18, 24, 22, 26, 17, 21, 21, 32, 20, 19, 22, 31)
_LIMBS = (
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip",
    "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
_FEET = ("left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel")
_AIC = (
    "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist", "right_hip", "right_knee",
    "right_ankle", "left_hip", "left_knee", "left_ankle", "head_top", "neck",
)  # fmt: skip
_MPII = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax", "upper_neck",
    "head_top", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
)  # fmt: skip
_AP10K = (
    "left_eye", "right_eye", "nose", "neck", "root_of_tail", "left_shoulder", "left_elbow", "left_front_paw",
    "right_shoulder", "right_elbow", "right_front_paw", "left_hip", "left_knee", "left_back_paw", "right_hip", "right_knee",
    "right_back_paw",
)  # fmt: skip

# the parts of COCO-WholeBody: the field of a row that has it, the field of its confidence, its sigmas, in the order of the whole
WHOLE_BODY: dict[str, tuple[str, str, tuple[float, ...]]] = {
    "body": ("keypoints", "score", _BODY),
    "foot": ("foot_kpts", "foot_score", _FOOT),
    "face": ("face_kpts", "face_score", _FACE),
    "lefthand": ("lefthand_kpts", "lefthand_score", _HAND),
    "righthand": ("righthand_kpts", "righthand_score", _HAND),
}

SKELETONS: dict[str, Skeleton] = {
    one.name: one
    for one in (
        Skeleton("coco", COCO_KEYPOINTS, _BODY, "cocoapi, cocoeval.py (OCHuman and Human-Art take the same)"),
        Skeleton(
            "crowdpose", (*_LIMBS, "head", "neck"), _thousandths(79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89, 79, 79),
            "CrowdPose API, cocoeval.py", by_box=True,
        ),
        Skeleton(
            "aic", _AIC,
            (0.01388152, 0.01515228, 0.01057665, 0.01417709, 0.01497891, 0.01402144, 0.03909642, 0.03686941, 0.01981803,
             0.03843971, 0.03412318, 0.02415081, 0.01291456, 0.01236173),
            "AI Challenger's keypoint evaluation, as mmpose's aic.py has it", by_box=True,
        ),
        Skeleton(
            "mpii", _MPII, _thousandths(89, 83, 107, 107, 83, 89, 26, 26, 26, 26, 62, 72, 179, 179, 72, 62),
            "mmpose, mpii.py (MPII itself has PCKh only)",
        ),
        Skeleton(
            "posetrack18", ("nose", "head_bottom", "head_top", *COCO_KEYPOINTS[3:]), _BODY, "mmpose, posetrack18.py"
        ),
        Skeleton(
            "ap10k", _AP10K, _thousandths(25, 25, 26, 35, 35, 79, 72, 62, 79, 72, 62, 107, 87, 89, 107, 87, 89),
            "AP-10K, as mmpose's ap10k.py has it",
        ),
        Skeleton(
            "wholebody",
            (
                *COCO_KEYPOINTS, *_FEET, *(f"face_{n}" for n in range(FACE_JOINTS)),
                *(f"left_hand_{n}" for n in range(HAND_JOINTS)), *(f"right_hand_{n}" for n in range(HAND_JOINTS)),
            ),
            tuple(sigma for _, _, sigmas in WHOLE_BODY.values() for sigma in sigmas),
            "COCO-WholeBody, myeval_wholebody.py",
        ),
    )
}  # fmt: skip


def skeleton_of(joints: Sequence[str]) -> Skeleton | None:
    """The skeleton with these joints in this order; case, blanks and `_` do not matter. None when none is."""
    asked = tuple(name.casefold().replace(" ", "_") for name in joints)
    return next((one for one in SKELETONS.values() if one.joints == asked), None)
