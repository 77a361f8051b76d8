"""How a person is drawn: a posed skeleton in COCO's 17 joints, dressed in limbs of real thickness.

The joint order is `vtinstruct.units.COCO_KEYPOINTS`; left and right are the person's own.
"""

from dataclasses import dataclass
from math import cos, pi, sin
from random import Random

import numpy as np
from numpy.typing import NDArray

from vtinstruct.sample.drawing.brush import Brush, Rgb, mix
from vtinstruct.sample.drawing.shapes import DARK, WHITE, Look
from vtinstruct.units import COCO_KEYPOINTS

# 1-based pairs, as in the official person category of person_keypoints_*.json.
SKELETON = (
    (16, 14),
    (14, 12),
    (17, 15),
    (15, 13),
    (12, 13),
    (6, 12),
    (7, 13),
    (6, 7),
    (6, 8),
    (7, 9),
    (8, 10),
    (9, 11),
    (2, 3),
    (1, 2),
    (1, 3),
    (2, 4),
    (3, 5),
    (4, 6),
    (5, 7),
)
PERSON_HEIGHT_M = 1.5
PERSON_REACH = (0.62, 0.3, 0.04)
PERSON_BULGE_M = 0.15

# Angles in degrees from straight down, away from the body: (upper arm, forearm) and (thigh, shin), person's left
# then right. Poses a viewer can name; a few degrees of noise are added to each.
POSES: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "standing": ((14, 6), (14, 6), (4, 3), (4, 3)),
    "waving": ((20, 10), (128, 172), (5, 3), (5, 3)),
    "raising both arms": ((150, 165), (150, 165), (7, 5), (7, 5)),
    "walking": ((34, 12), (-24, 18), (24, 6), (20, 30)),
    "jumping": ((118, 130), (118, 130), (30, 26), (30, 26)),
    "standing with hands on hips": ((48, -52), (48, -52), (7, 4), (7, 4)),
    "stretching out both arms": ((88, 90), (88, 90), (8, 5), (8, 5)),
}
SKINS: tuple[Rgb, ...] = ((242, 205, 175), (224, 178, 140), (186, 134, 96), (140, 94, 66), (98, 66, 50))
HAIRS: tuple[Rgb, ...] = ((48, 36, 30), (92, 60, 38), (170, 120, 60), (222, 186, 110), (140, 60, 34), (120, 118, 118))
TROUSERS: tuple[Rgb, ...] = ((54, 66, 98), (86, 88, 96), (150, 128, 92), (44, 46, 52))


@dataclass(frozen=True)
class Body:
    """A posed person in object heights: joints (17, 2), which of them the person's own head hides, and looks."""

    pose: str
    joints: NDArray[np.float64]
    hidden: frozenset[int]
    faces_viewer: bool
    turn: float
    skin: Rgb
    hair: Rgb
    trousers: Rgb
    long_hair: bool


def _step(start: tuple[float, float], degrees: float, length: float, side: float) -> tuple[float, float]:
    angle = degrees * pi / 180
    return start[0] + side * sin(angle) * length, start[1] + cos(angle) * length


def pose_body(rng: Random) -> Body:
    """Draw a pose and looks at random; the lower ankle ends just above y = 1."""
    pose = rng.choice(sorted(POSES))
    faces = rng.random() < 0.85
    turn = rng.uniform(-0.5, 0.5)
    # Seen from the front a person's left is on the right of the photo, and the other way round from behind.
    left_side = 1.0 if faces else -1.0
    mirrored = rng.random() < 0.5
    arms_legs = POSES[pose]
    arms, legs = arms_legs[:2], arms_legs[2:]
    if mirrored:
        arms, legs = arms[::-1], legs[::-1]
    lean = rng.uniform(-0.03, 0.03)
    neck, hips = (lean, 0.245), (0.0, 0.53)
    joints: dict[str, tuple[float, float]] = {}
    for name, side, (upper, lower), (thigh, shin) in (
        ("left", left_side, arms[0], legs[0]),
        ("right", -left_side, arms[1], legs[1]),
    ):
        joints[f"{name}_shoulder"] = shoulder = (neck[0] + side * 0.115, neck[1] + 0.02)
        joints[f"{name}_elbow"] = elbow = _step(shoulder, upper + rng.uniform(-8, 8), 0.155, side)
        joints[f"{name}_wrist"] = _step(elbow, lower + rng.uniform(-8, 8), 0.145, side)
        joints[f"{name}_hip"] = hip = (hips[0] + side * 0.065, hips[1])
        joints[f"{name}_knee"] = knee = _step(hip, thigh + rng.uniform(-3, 3), 0.21, side)
        joints[f"{name}_ankle"] = _step(knee, shin + rng.uniform(-3, 3), 0.21, side)
    head_x, head_y, shift = neck[0] + lean, 0.105, turn * 0.05
    joints["nose"] = (head_x + shift, head_y + 0.012)
    for name, side in (("left", left_side), ("right", -left_side)):
        joints[f"{name}_eye"] = (head_x + shift * 0.85 + side * 0.034, head_y - 0.012)
        joints[f"{name}_ear"] = (head_x - shift * 0.3 + side * 0.078, head_y)
    table = np.array([joints[name] for name in COCO_KEYPOINTS], np.float64)
    # Feet reach the ground whatever the legs do, except in the air; one scale of 1 keeps thickness and length fair.
    if pose != "jumping":
        table[:, 1] += 0.965 - max(table[15, 1], table[16, 1])
    return Body(
        pose,
        table,
        frozenset() if faces else frozenset({0, 1, 2}),
        faces,
        turn,
        rng.choice(SKINS),
        rng.choice(HAIRS),
        rng.choice(TROUSERS),
        rng.random() < 0.4,
    )


def draw_person(brush: Brush, look: Look, body: Body) -> None:
    """Dress the skeleton: legs, arms, shirt in the look's colour, then the head."""
    points = [(float(x), float(y)) for x, y in body.joints]
    named = dict(zip(COCO_KEYPOINTS, points, strict=True))
    for side, tone in (("left", 1.0), ("right", 0.9)):
        hip, knee, ankle = named[f"{side}_hip"], named[f"{side}_knee"], named[f"{side}_ankle"]
        outward = 0.035 if ankle[0] > named["nose"][0] else -0.035
        brush.paint(brush.capsule((ankle[0], ankle[1] + 0.01), (ankle[0] + outward, ankle[1] + 0.014), 0.032), DARK)
        brush.paint(brush.capsule(hip, knee, 0.066, 0.052), body.trousers, tone)
        brush.paint(brush.capsule(knee, ankle, 0.052, 0.036), body.trousers, tone)
    left, right = named["left_shoulder"], named["right_shoulder"]
    hip_left, hip_right = named["left_hip"], named["right_hip"]
    neck = ((left[0] + right[0]) / 2, (left[1] + right[1]) / 2)
    head = (named["left_ear"][0] + named["right_ear"][0]) / 2, named["left_ear"][1] - 0.005
    if body.long_hair:
        brush.paint(brush.ellipse(head[0], head[1] + 0.045, 0.098, 0.125), body.hair, 0.85)
    brush.paint(brush.capsule(neck, head, 0.036), body.skin, 0.86)
    shirt = brush.polygon([left, right, hip_right, hip_left])
    for start, end, radius in ((left, right, 0.05), (hip_left, hip_right, 0.055), (left, hip_left, 0.05)):
        shirt |= brush.capsule(start, end, radius)
    shirt |= brush.capsule(right, hip_right, 0.05)
    decor_mask = brush.texture(look.texture, 0.1)
    decor = None if decor_mask is None else (decor_mask, look.second)
    brush.paint(shirt, look.colour, brush.pillar_shade(neck[0], 0.2), decor)
    for side, tone in (("left", 0.98), ("right", 0.88)):
        shoulder, elbow, wrist = named[f"{side}_shoulder"], named[f"{side}_elbow"], named[f"{side}_wrist"]
        sleeve_end = shoulder[0] + (elbow[0] - shoulder[0]) * 0.7, shoulder[1] + (elbow[1] - shoulder[1]) * 0.7
        brush.paint(brush.capsule(shoulder, elbow, 0.042, 0.036), body.skin, tone)
        brush.paint(brush.capsule(elbow, wrist, 0.036, 0.03), body.skin, tone)
        brush.paint(brush.ellipse(*wrist, 0.038, 0.038), body.skin, tone)
        brush.paint(brush.capsule(shoulder, sleeve_end, 0.05), look.colour, tone * 0.92)
    _draw_head(brush, body, named, head)


def _draw_head(brush: Brush, body: Body, named: dict[str, tuple[float, float]], head: tuple[float, float]) -> None:
    face = brush.ellipse(head[0], head[1], 0.085, 0.105)
    for ear in ("left_ear", "right_ear"):
        brush.paint(brush.ellipse(*named[ear], 0.018, 0.026), body.skin, 0.86)
    if not body.faces_viewer:
        brush.paint(face, body.hair, brush.sphere_shade(head[0], head[1], 0.12))
        return
    brush.paint(face, body.skin, brush.sphere_shade(head[0] + 0.01, head[1] + 0.02, 0.17))
    part = named["nose"][0]
    brush.paint(face & (brush.y < head[1] - 0.042 - 0.12 * np.abs(brush.x - part)), body.hair, 1.0)
    for eye in ("left_eye", "right_eye"):
        brush.paint(brush.ellipse(*named[eye], 0.0175, 0.018), WHITE)
        brush.paint(brush.ellipse(*named[eye], 0.012, 0.014), DARK, 0.7)
    brush.paint(brush.ellipse(*named["nose"], 0.012, 0.019), mix(body.skin, DARK, 0.22))
    brush.paint(brush.ellipse(part, head[1] + 0.058, 0.026, 0.009), (176.0, 74.0, 70.0))
