"""What is known of one thing in a drawn scene, and of one expression about things."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vtinstruct.sample.drawing.brush import Texture


@dataclass(frozen=True, eq=False)
class Thing:
    """One visible thing (or, when `crowd`, a group that is not told apart) of a scene.

    mask: (H, W) bool, the visible part. box_xyxy: its bounds on pixel edges. depth_m: distance of its middle.
    keypoints_xyv: (17, 3) in COCO order for persons, v 0 outside the photo (x = y = 0), 1 hidden, 2 visible.
    size: "small", "large" or "" by how large it looks; pose: what a person is doing, "" for other things.
    """

    category: str
    colour: str
    texture: Texture
    size: str
    pose: str
    crowd: bool
    mask: NDArray[np.bool_]
    box_xyxy: tuple[float, float, float, float]
    depth_m: float
    keypoints_xyv: NDArray[np.float64] | None

    @property
    def middle_x(self) -> float:
        """Horizontal middle of the visible box, in pixels."""
        return (self.box_xyxy[0] + self.box_xyxy[2]) / 2

    @property
    def height_px(self) -> float:
        """Height of the visible box, in pixels."""
        return self.box_xyxy[3] - self.box_xyxy[1]


@dataclass(frozen=True)
class Expression:
    """Words and the positions in `Scene.things` they mean: one, several, or none (nothing in the photo matches)."""

    text: str
    targets: tuple[int, ...]
