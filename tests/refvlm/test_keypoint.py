"""Several skeletons in one keypoint decoder: a target's joints say which one it is, and the decoder learns to tell."""

from __future__ import annotations

from random import Random

import pytest
import torch

from refvlm.decoders.keypoint import KeypointDecoder
from refvlm.vision import Maps
from tests.refvlm import samples
from vtinstruct.geometry import Letterbox
from vtinstruct.skeletons import COCO, CROWDPOSE, SKELETONS, skeleton_of
from vtinstruct.units import Keypoints

FRAME = Letterbox((64, 64), 64)


def pose(joints: int, seed: int) -> Keypoints:
    """Labelled joints somewhere in the photo."""
    full = samples.pose(Random(seed), (64, 64)).keypoints_xyv[:joints]
    return Keypoints(tuple((x, y, 2) for x, y, _ in full))


def test_skeletons_are_told_by_their_number_of_joints() -> None:
    assert len({len(skeleton.joints) for skeleton in SKELETONS.values()}) == len(SKELETONS)
    assert all(len(skeleton.joints) == len(skeleton.sigmas) for skeleton in SKELETONS.values())
    assert (skeleton_of(17), skeleton_of(14)) == (COCO, CROWDPOSE)
    with pytest.raises(ValueError, match=r"5 joints.*coco \(17\)"):
        skeleton_of(5)


def test_two_skeletons_in_one_batch_are_learned_and_come_back_as_what_they_were() -> None:
    torch.manual_seed(0)
    decoder = KeypointDecoder(32, 16, 8, skeletons=["coco", "crowdpose"], window=12).train()
    owner, groups = torch.tensor([0, 0]), torch.tensor([0, 1])
    wanted = [pose(17, 1), pose(14, 2)]
    targets = KeypointDecoder.targets(wanted, [FRAME, FRAME], FRAME.side)
    assert targets["count"].tolist() == [17, 14]
    queries = torch.randn(2, 32)
    fine = torch.nn.Parameter(torch.randn(1, 16, 16, 16))
    maps = Maps(torch.randn(1, 16, 4, 4), torch.randn(1, 16, 8, 8), fine, torch.randn(1, 8, 32, 32), torch.ones(1, 2))
    optimizer = torch.optim.Adam([*decoder.parameters(), fine], lr=0.01)
    history: list[float] = []
    for _ in range(100):
        losses = decoder.loss(decoder(queries, maps.pick(owner)), targets, groups)
        loss = torch.stack(list(losses.values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(float(loss.detach()))
    assert "which" in losses
    assert history[-1] < 0.5 * history[0]
    with torch.no_grad():
        found = decoder.units(decoder(queries, maps.pick(owner)), [FRAME, FRAME], groups)
    assert [len(item.unit.keypoints_xyv) for item in found if isinstance(item.unit, Keypoints)] == [17, 14]


def test_padding_of_the_smaller_skeleton_is_learned_from_by_nobody() -> None:
    torch.manual_seed(0)
    decoder = KeypointDecoder(32, 16, 8, skeletons=["crowdpose"], window=8).eval()
    targets = KeypointDecoder.targets([pose(14, 3)], [FRAME], FRAME.side)
    maps = Maps(*(torch.randn(1, c, s, s) for c, s in ((16, 4), (16, 8), (16, 16), (8, 32))), torch.ones(1, 2))
    one = torch.zeros(1, dtype=torch.long)
    outputs = decoder(torch.randn(1, 32), maps.pick(one))
    losses = []
    for fill in (0.0, 0.9):
        changed = {**targets, "joints": targets["joints"].clone()}
        changed["joints"][:, 14:] = fill
        torch.manual_seed(1)
        losses.append(decoder.loss(outputs, changed, one))
    assert all(torch.equal(losses[0][name], losses[1][name]) for name in losses[0])


@pytest.mark.parametrize("skeletons", [["coco", "hand"], []])
def test_a_skeleton_that_is_not_there_is_said(skeletons: list[str]) -> None:
    with pytest.raises(ValueError, match="known: coco, crowdpose"):
        KeypointDecoder(32, 16, 8, skeletons=skeletons)


def test_a_pose_of_a_skeleton_the_decoder_does_not_know_is_said() -> None:
    decoder = KeypointDecoder(32, 16, 8)
    one = torch.zeros(1, dtype=torch.long)
    maps = Maps(*(torch.randn(1, c, s, s) for c, s in ((16, 4), (16, 8), (16, 16), (8, 32))), torch.ones(1, 2))
    with pytest.raises(ValueError, match=r"14 joints.*knows coco \(17\)"):
        decoder.loss(
            decoder(torch.randn(1, 32), maps.pick(one)),
            KeypointDecoder.targets([pose(14, 3)], [FRAME], FRAME.side),
            one,
        )
