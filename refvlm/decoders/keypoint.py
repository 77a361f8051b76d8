"""Poses: a locator finds the person, a window around its box gets one heat map per joint.

Losses: the locator's, cross entropy of the heat maps, L1 of the joints, 1 - OKS (COCO's keypoint similarity), and the
three-way visibility (0 outside or unlabelled, 1 hidden, 2 visible). One decoder may know several skeletons
(`vtinstruct.skeletons`): a target's number of joints says which one it is, and the decoder learns to tell them apart.
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
from refvlm.decoders.box import scales_xy
from refvlm.vision import ConvBlock, View, cell_middles
from vtinstruct.geometry import Letterbox
from vtinstruct.skeletons import MOST_JOINTS, SKELETONS, skeleton_of
from vtinstruct.units import Keypoints

MARGIN = 1.35  # the window's size in boxes: joints may lie outside the visible part


@dataclass(frozen=True)
class Pose:
    """Joints (N, K, 2) as shares of the square, heat logits (N, K, R*R) in the window, visibility logits (N, K, 3), of the
    joints of all skeletons, one skeleton behind the other; `which` (N, skeletons) logits of the skeleton."""

    joints: Tensor
    heat: Tensor
    visible: Tensor
    which: Tensor

    def of(self, slots: Tensor) -> Pose:
        """The joints at `slots` (N, J) only."""
        joints = self.joints.gather(1, slots[..., None].expand(-1, -1, 2))
        heat = self.heat.gather(1, slots[..., None].expand(-1, -1, self.heat.shape[-1]))
        return Pose(joints, heat, self.visible.gather(1, slots[..., None].expand(-1, -1, 3)), self.which)


class JointHeads(nn.Linear):
    """What is seen at each joint (N, K, C) -> visibility logits (N, K, 3), by a linear layer of each joint's own.

    A module, as its weights may only be used inside a module's own forward when they are spread over processes."""

    def forward(self, there: Tensor) -> Tensor:
        weight = self.weight.unflatten(0, (-1, 3))  # (K, 3, C)
        return torch.einsum("nkc,kvc->nkv", there, weight) + self.bias.unflatten(0, (-1, 3))


class KeypointDecoder(Decoder):
    """One pose per `<REF>`, of one of `skeletons` (names of `vtinstruct.skeletons`)."""

    kind = "keypoint"

    def __init__(
        self,
        query_width: int,
        width: int,
        pixel_width: int,
        skeletons: Sequence[str] = ("coco",),
        window: int = 24,
        **settings: Any,
    ) -> None:
        super().__init__(query_width, width, pixel_width)
        unknown = [name for name in skeletons if name not in SKELETONS]
        if unknown or not skeletons:
            raise ValueError(f"no skeleton {', '.join(unknown) or 'named'}; known: {', '.join(SKELETONS)}")
        self.locator = Locator(query_width, width, **settings)
        self.skeletons, self.window = [SKELETONS[name] for name in skeletons], window
        joints = sum(len(skeleton.joints) for skeleton in self.skeletons)  # K
        self.stem = ConvBlock(width + 2, width)
        self.bias = nn.Linear(2 * width, width)
        self.body = ConvBlock(width, width)
        self.heat = nn.Conv2d(width, joints, 1)
        self.visible = JointHeads(width, 3 * joints)
        self.which = nn.Linear(2 * width, len(self.skeletons)) if len(self.skeletons) > 1 else None

    @staticmethod
    def targets(units: Sequence[Value], frames: Sequence[Letterbox], side: int) -> dict[str, Tensor]:
        poses = [np.asarray(unit.keypoints_xyv, np.float64) for unit in units if isinstance(unit, Keypoints)]
        table = np.zeros(
            (len(poses), MOST_JOINTS, 3)
        )  # (N, J, 3), J joints of the largest skeleton; a smaller one's end is 0
        for row, pose in zip(table, poses, strict=True):
            row[: len(skeleton_of(len(pose)).joints)] = pose
        joints = torch.from_numpy(table[..., :2] * scales_xy(frames)[:, None] / side).float()
        visible = torch.from_numpy(table[..., 2]).long()
        count = torch.tensor([len(pose) for pose in poses], dtype=torch.long)
        return {"corners": _bounds(joints, visible), "joints": joints, "visible": visible, "count": count}

    def forward(self, queries: Tensor, view: View) -> Located:
        return self.locator(queries, view)

    def pose(self, located: Located, sight: Sight, corners: Tensor) -> Pose:
        """Joints of the persons in boxes `corners` (N, 4)."""
        boxes = to_middle(corners)
        side = boxes[:, 2:].amax(-1, keepdim=True).clamp(min=0.04) * MARGIN
        window = to_corners(torch.cat((boxes[:, :2], side, side), -1))
        features = sample_windows(located.view.maps.fine, window.detach(), located.view.owner, self.window)
        n, size = len(features), self.window  # features (N, C, R, R)
        middles = cell_middles(size, size, features.device)
        place = (middles.T.reshape(1, 2, size, size) - 0.5).expand(n, -1, -1, -1).to(features.dtype)
        about = torch.cat((located.queries, sight.features), -1)  # (N, 2C)
        bias = self.bias(about)
        hidden = self.body(self.stem(torch.cat((features, place), 1)) + bias[..., None, None])
        heat = self.heat(hidden).flatten(2).float()  # (N, K, R*R)
        share = heat.softmax(-1)
        joints = window[:, None, :2] + (share @ middles) * side[:, None]
        there = share.to(hidden.dtype) @ hidden.flatten(2).transpose(1, 2)  # (N, K, C): what is seen at each joint
        visible = self.visible(there)
        which = about.new_zeros(n, 1) if self.which is None else self.which(about)
        return Pose(joints, heat, visible.float(), which.float())

    def _slots(self, kinds: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """For references of skeletons `kinds` (N,): their joints' places among all K (N, J), which of the J are joints (N, J),
        and OKS's spreads (N, J): exp(-d^2 / (spread * area))."""
        counts = [len(skeleton.joints) for skeleton in self.skeletons]
        size = torch.tensor(counts, device=kinds.device)[kinds]
        start = torch.tensor([sum(counts[:k]) for k in range(len(counts))], device=kinds.device)[kinds]
        index = torch.arange(MOST_JOINTS, device=kinds.device)
        spreads = [[8 * s**2 for s in k.sigmas] + [1.0] * (MOST_JOINTS - len(k.sigmas)) for k in self.skeletons]
        real = index < size[:, None]
        return start[:, None] + index * real, real, torch.tensor(spreads, device=kinds.device)[kinds]

    def _kinds(self, counts: Tensor) -> Tensor:
        """Which of this decoder's skeletons has so many joints, (N,)."""
        order = {len(skeleton.joints): n for n, skeleton in enumerate(self.skeletons)}
        odd = set(counts.tolist()) - set(order)
        if odd:
            known = ", ".join(f"{skeleton.name} ({len(skeleton.joints)})" for skeleton in self.skeletons)
            raise ValueError(
                f"a pose of {min(odd)} joints; this keypoint decoder knows {known}: name it in `skeletons`"
            )
        return torch.tensor([order[count] for count in counts.tolist()], dtype=torch.long, device=counts.device)

    def loss(self, outputs: Located, targets: dict[str, Tensor], groups: Tensor) -> dict[str, Tensor]:
        corners = targets["corners"]
        losses, order, sight = self.locator.loss(outputs, corners, groups)
        corners, joints, visible = corners[order], targets["joints"][order], targets["visible"][order]
        kinds = self._kinds(targets["count"][order])
        slots, real, spreads = self._slots(kinds)
        pose = self.pose(outputs, sight, corners).of(slots)
        n = max(len(groups), 1)
        labelled = (visible > 0).float()
        many = labelled.sum(-1).clamp(min=1)
        size = (corners[:, 2:] - corners[:, :2]).amax(-1).clamp(min=0.04)
        offset = (pose.joints - joints) / size[:, None, None]
        area = (corners[:, 2:] - corners[:, :2]).prod(-1).clamp(min=1e-5) * 0.5
        square = (pose.joints - joints).square().sum(-1) / (spreads * area[:, None])
        wanted = self._aims(corners, joints)
        cross = -(wanted * pose.heat.log_softmax(-1)).sum(-1)
        judged = F.cross_entropy(pose.visible.flatten(0, 1), visible.flatten(), reduction="none").unflatten(
            0, visible.shape
        )
        losses["heat"] = 0.5 * ((cross * labelled).sum(-1) / many).sum() / n
        losses["joints"] = 4 * ((offset.abs().sum(-1) * labelled).sum(-1) / many).sum() / n
        losses["oks"] = (((1 - (-square).exp()) * labelled).sum(-1) / many).sum() / n
        losses["visible"] = 0.5 * ((judged * real).sum(-1) / real.sum(-1)).sum() / n
        if len(self.skeletons) > 1:
            losses["which"] = F.cross_entropy(pose.which, kinds, reduction="sum") / n
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
        kinds = pose.which.argmax(-1)
        pose = pose.of(self._slots(kinds)[0])
        scores, visible = sight.quality.sigmoid().tolist(), pose.visible.argmax(-1)
        joints = pose.joints.detach().double().cpu().numpy()
        found: list[Found] = []
        for n, frame in enumerate(frames):
            count = len(self.skeletons[int(kinds[n])].joints)
            points = frame.to_photo(joints[n, :count] * frame.side).tolist()
            triples = zip(points, visible[n, :count].tolist(), strict=True)
            found.append(Found(Keypoints(tuple((x, y, int(v)) for (x, y), v in triples)), scores[n]))
        return found


def _bounds(joints: Tensor, visible: Tensor) -> Tensor:
    """The box around every pose's labelled joints, (N, 4): where the locator should find the person."""
    hidden = (visible == 0)[..., None]
    low = joints.masked_fill(hidden, 1.0).amin(1) if joints.shape[1] else joints.new_zeros(len(joints), 2)
    high = joints.masked_fill(hidden, 0.0).amax(1) if joints.shape[1] else joints.new_ones(len(joints), 2)
    return torch.cat((torch.minimum(low, high), torch.maximum(low, high)), -1)


DECODER = KeypointDecoder
