"""Skeletons: the names of a pose's joints in their order, and how much each joint's position varies between annotators.

A pose (`vtinstruct.units.Keypoints`) carries no names; its number of joints tells its skeleton, so every skeleton here
has a number of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from vtinstruct.units import COCO_KEYPOINTS


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Joint names, and the per-joint deviations `sigmas` of object keypoint similarity (OKS), as shares of the root of the
    object's area."""

    name: str
    joints: tuple[str, ...]
    sigmas: tuple[float, ...]


# cocoapi, PythonAPI/pycocotools/cocoeval.py, `Params.setKpParams`.
COCO = Skeleton(
    "coco", COCO_KEYPOINTS,
    (.026, .025, .025, .035, .035, .079, .079, .072, .072, .062, .062, .107, .107, .087, .087, .089, .089),
)  # fmt: skip
# Li et al., CrowdPose, CVPR 2019; deviations of the official crowdpose-api, cocoeval.py.
CROWDPOSE = Skeleton(
    "crowdpose",
    (
        "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip",
        "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "head", "neck",
    ),
    (.079, .079, .072, .072, .062, .062, .107, .107, .087, .087, .089, .089, .079, .079),
)  # fmt: skip
SKELETONS = {skeleton.name: skeleton for skeleton in (COCO, CROWDPOSE)}
MOST_JOINTS = max(len(skeleton.joints) for skeleton in SKELETONS.values())


def skeleton_of(joints: int) -> Skeleton:
    """The skeleton with so many joints. Raises `ValueError` naming those there are."""
    for skeleton in SKELETONS.values():
        if len(skeleton.joints) == joints:
            return skeleton
    known = ", ".join(f"{skeleton.name} ({len(skeleton.joints)})" for skeleton in SKELETONS.values())
    raise ValueError(f"a pose of {joints} joints; known skeletons: {known}")
