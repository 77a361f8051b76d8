"""Poses: a locator finds the person, a window around its box gets one heat map per joint.

Losses: the locator's, cross entropy of the heat maps, L1 of the joints, 1 - OKS (COCO's keypoint similarity), and the
three-way visibility (0 outside or unlabelled, 1 hidden, 2 visible).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refvlm.decoders._contract import Decoder, Found, Value
from refvlm.decoders._locator import Located, Locator, Sight, sample_windows, to_corners, to_middle
from refvlm.vision import ConvBlock, View, cell_middles
from vtinstruct.geometry import Letterbox
from vtinstruct.units import COCO_KEYPOINTS, Keypoints

# cocoapi, cocoeval.py: per-joint standard deviations, in COCO_KEYPOINTS order.
COCO_SIGMAS = (.026, .025, .025, .035, .035, .079, .079, .072, .072, .062, .062, .107, .107, .087, .087, .089, .089)  # fmt: skip
MARGIN = 1.35  # the window's size in boxes: joints may lie outside the visible part


@dataclass(frozen=True)
class Pose:
    """Joints (N, K, 2) as shares of the square, heat logits (N, K, R*R) in the window, visibility logits (N, K, 3)."""

    joints: Tensor
    heat: Tensor
    visible: Tensor


class KeypointDecoder(Decoder):
    """K joints per `<REF>`; `joints` is K, COCO's 17 unless the recipe says otherwise."""

    kind = "keypoint"

    def __init__(
        self,
        query_width: int,
        width: int,
        pixel_width: int,
        joints: int = len(COCO_KEYPOINTS),
        window: int = 24,
        **settings: Any,
    ) -> None:
        super().__init__(query_width, width, pixel_width)
        self.locator = Locator(query_width, width, **settings)
        self.joints, self.window = joints, window
        self.stem = ConvBlock(width + 2, width)
        self.bias = nn.Linear(2 * width, width)
        self.body = ConvBlock(width, width)
        self.heat = nn.Conv2d(width, joints, 1)
        self.visible = nn.Linear(width, 3 * joints)
        sigmas = COCO_SIGMAS if joints == len(COCO_SIGMAS) else (0.08,) * joints
        self.spreads = nn.Buffer(
            8 * torch.tensor(sigmas).square(), persistent=False
        )  # OKS: exp(-d^2 / (spread * area))

    @staticmethod
    def targets(units: Sequence[Value], frame: Letterbox) -> dict[str, Tensor]:
        poses = [np.asarray(unit.keypoints_xyv, np.float64) for unit in units if isinstance(unit, Keypoints)]
        table = np.stack(poses) if poses else np.zeros((0, len(COCO_KEYPOINTS), 3))  # (N, K, 3)
        joints = torch.from_numpy(frame.to_square(table[..., :2]) / frame.side).float()
        visible = torch.from_numpy(table[..., 2]).long()
        return {"corners": _bounds(joints, visible), "joints": joints, "visible": visible}

    def forward(self, queries: Tensor, view: View) -> Located:
        return self.locator(queries, view)

    def pose(self, located: Located, sight: Sight, corners: Tensor) -> Pose:
        """Joints of the persons in boxes `corners` (N, 4)."""
        boxes = to_middle(corners)
        side = boxes[:, 2:].amax(-1, keepdim=True).clamp(min=0.04) * MARGIN
        window = to_corners(torch.cat((boxes[:, :2], side, side), -1))
        features = sample_windows(located.view.maps.fine, window.detach(), located.view.owner, self.window)
        n, size = len(features), self.window
        middles = cell_middles(size, size, features.device)
        place = (middles.T.reshape(1, 2, size, size) - 0.5).expand(n, -1, -1, -1).to(features.dtype)
        bias = self.bias(torch.cat((located.queries, sight.features), -1))
        hidden = self.body(self.stem(torch.cat((features, place), 1)) + bias[..., None, None])
        heat = self.heat(hidden).flatten(2).float()  # (N, K, R*R)
        share = heat.softmax(-1)
        joints = window[:, None, :2] + (share @ middles) * side[:, None]
        there = share.to(hidden.dtype) @ hidden.flatten(2).transpose(1, 2)  # (N, K, C): what is seen at each joint
        weight = self.visible.weight.unflatten(0, (self.joints, 3))
        visible = torch.einsum("nkc,kvc->nkv", there, weight) + self.visible.bias.unflatten(0, (self.joints, 3))
        return Pose(joints, heat, visible.float())

    def loss(self, outputs: Located, targets: dict[str, Tensor], groups: Tensor) -> dict[str, Tensor]:
        corners = targets["corners"]
        losses, order, sight = self.locator.loss(outputs, corners, groups)
        corners, joints, visible = corners[order], targets["joints"][order], targets["visible"][order]
        pose = self.pose(outputs, sight, corners)
        n = max(len(groups), 1)
        labelled = (visible > 0).float()
        many = labelled.sum(-1).clamp(min=1)
        size = (corners[:, 2:] - corners[:, :2]).amax(-1).clamp(min=0.04)
        offset = (pose.joints - joints) / size[:, None, None]
        area = (corners[:, 2:] - corners[:, :2]).prod(-1).clamp(min=1e-5) * 0.5
        square = (pose.joints - joints).square().sum(-1) / (self.spreads * area[:, None])
        wanted = self._aims(corners, joints)
        cross = -(wanted * pose.heat.log_softmax(-1)).sum(-1)
        judged = F.cross_entropy(pose.visible.flatten(0, 1), visible.flatten(), reduction="none").unflatten(
            0, visible.shape
        )
        losses["heat"] = 0.5 * ((cross * labelled).sum(-1) / many).sum() / n
        losses["joints"] = 4 * ((offset.abs().sum(-1) * labelled).sum(-1) / many).sum() / n
        losses["oks"] = (((1 - (-square).exp()) * labelled).sum(-1) / many).sum() / n
        losses["visible"] = 0.5 * judged.mean(-1).sum() / n
        return losses

    def _aims(self, corners: Tensor, joints: Tensor) -> Tensor:
        """Heat targets (N, K, R*R): a narrow normal distribution around every joint, sum 1."""
        boxes = to_middle(corners)
        side = boxes[:, 2:].amax(-1).clamp(min=0.04) * MARGIN
        inside = (joints - boxes[:, None, :2]) / side[:, None, None] + 0.5  # (N, K, 2) shares of the window
        middles = cell_middles(self.window, self.window, joints.device)
        away = (middles - inside.clamp(0, 1)[..., None, :]).square().sum(-1) * self.window**2
        return (-0.5 * away).softmax(-1)

    def units(self, outputs: Located, frames: Sequence[Letterbox], groups: Tensor) -> list[Found]:
        sight = self.locator.choose(outputs, groups)
        pose = self.pose(outputs, sight, sight.corners)
        scores, visible = sight.quality.sigmoid().tolist(), pose.visible.argmax(-1)
        joints = pose.joints.detach().double().cpu().numpy()
        found: list[Found] = []
        for n, frame in enumerate(frames):
            points = frame.to_photo(joints[n] * frame.side).tolist()
            triples = zip(points, visible[n].tolist(), strict=True)
            found.append(Found(Keypoints(tuple((x, y, int(v)) for (x, y), v in triples)), scores[n]))
        return found


def _bounds(joints: Tensor, visible: Tensor) -> Tensor:
    """The box around every pose's labelled joints, (N, 4): where the locator should find the person."""
    hidden = (visible == 0)[..., None]
    low = joints.masked_fill(hidden, 1.0).amin(1) if joints.shape[1] else joints.new_zeros(len(joints), 2)
    high = joints.masked_fill(hidden, 0.0).amax(1) if joints.shape[1] else joints.new_ones(len(joints), 2)
    return torch.cat((torch.minimum(low, high), torch.maximum(low, high)), -1)


DECODER = KeypointDecoder
