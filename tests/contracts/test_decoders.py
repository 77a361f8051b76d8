"""What every decoder must keep, held by its file name alone: `refvlm/decoders/<name>.py`."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from refvlm.decoders._contract import Decoder, DepthMap, Value
from refvlm.model import decoder_class
from refvlm.vision import Maps
from tests.refvlm import samples
from vtinstruct import plugins
from vtinstruct.geometry import Letterbox, box_iou, rle_iou
from vtinstruct.units import UNIT_KINDS, Box, Keypoints, Mask

NAMES = plugins.names("refvlm.decoders")
SIDE, WIDTH, PIXELS, QUERY = 64, 16, 8, 32
FRAMES = [Letterbox((64, 64), SIDE), Letterbox((100, 40), SIDE), Letterbox((40, 100), SIDE)]
each_decoder = pytest.mark.parametrize("name", NAMES)


def build(name: str) -> Decoder:
    torch.manual_seed(0)
    return decoder_class(name)(QUERY, WIDTH, PIXELS)


def some_maps(photos: int) -> Maps:
    """Features of photos as a trunk might give them; the frames above, in turn."""
    draw = torch.Generator().manual_seed(1)
    sizes = {"tokens": (WIDTH, 4), "coarse": (WIDTH, 8), "fine": (WIDTH, 16), "pixels": (PIXELS, 32)}
    made = {name: torch.randn(photos, c, s, s, generator=draw) for name, (c, s) in sizes.items()}
    extents = [[value / SIDE for value in FRAMES[p % 3].scaled_wh] for p in range(photos)]
    return Maps(**made, extent_wh=torch.tensor(extents))


def value_of(kind: str, rng: Random, size_wh: tuple[int, int]) -> Value:
    """A unit of that kind."""
    match kind:
        case "box":
            return samples.box(rng, size_wh)
        case "mask":
            return samples.mask(rng, size_wh)
        case "keypoint":
            return samples.pose(rng, size_wh)
        case _:
            return DepthMap(np.full(size_wh[::-1], rng.uniform(1, 5), np.float32))


def some_targets(decoder: Decoder, owner: list[int], seed: int = 0) -> tuple[list[Value], dict[str, Tensor]]:
    rng = Random(seed)
    values = [value_of(decoder.kind, rng, FRAMES[p % 3].size_wh) for p in owner]
    return values, type(decoder).targets(values, [FRAMES[p % 3] for p in owner], FRAMES[0].side)


@each_decoder
def test_is_named_after_its_unit(name: str) -> None:
    """A second way to decode a unit is `<unit>_<way>.py`."""
    kind = decoder_class(name).kind
    assert kind in UNIT_KINDS
    assert name == kind or name.startswith(f"{kind}_")


@each_decoder
def test_targets_have_one_row_a_unit_whatever_photos_they_are_of(name: str) -> None:
    rng = Random(3)
    frames = [FRAMES[1], FRAMES[1], FRAMES[0], FRAMES[2]]
    values = [value_of(decoder_class(name).kind, rng, frame.size_wh) for frame in frames]
    together = decoder_class(name).targets(values, frames, FRAMES[0].side)
    alone = [decoder_class(name).targets([v], [f], f.side) for v, f in zip(values, frames, strict=True)]
    for key, tensor in together.items():
        assert len(tensor) == 4
        assert torch.equal(tensor, torch.cat([part[key] for part in alone]))


@each_decoder
def test_no_objects_is_fine(name: str) -> None:
    decoder = build(name)
    none = torch.zeros(0, dtype=torch.long)
    outputs = decoder(torch.zeros(0, QUERY), some_maps(2).pick(none))
    losses = decoder.loss(outputs, type(decoder).targets([], [], FRAMES[0].side), none)
    assert all(float(value.detach()) == 0 for value in losses.values())
    assert decoder.units(outputs, [], none) == []


@each_decoder
@torch.no_grad()
def test_a_batch_equals_its_samples_one_by_one(name: str) -> None:
    decoder = build(name).eval()
    maps = some_maps(3)
    owner, groups = torch.tensor([0, 0, 1, 2, 2, 2]), torch.tensor([0, 0, 1, 2, 2, 3])
    queries = torch.randn(6, QUERY, generator=torch.Generator().manual_seed(2))
    frames = [FRAMES[p] for p in owner.tolist()]
    together = decoder.units(decoder(queries, maps.pick(owner)), frames, groups)
    for photo in range(3):
        mine = (owner == photo).nonzero()[:, 0]
        alone_maps = Maps(*(getattr(maps, field)[photo : photo + 1] for field in maps.__dataclass_fields__))
        view = alone_maps.pick(torch.zeros(len(mine), dtype=torch.long))
        alone = decoder.units(decoder(queries[mine], view), [FRAMES[photo]] * len(mine), groups[mine])
        for n, found in zip(mine.tolist(), alone, strict=True):
            assert together[n].score == pytest.approx(found.score, abs=1e-4)
            assert likeness(together[n].unit, found.unit) > 0.999


@each_decoder
@torch.no_grad()
def test_permuting_references_inside_a_group_permutes_the_output(name: str) -> None:
    decoder = build(name).eval()
    maps = some_maps(1)
    noise = torch.Generator().manual_seed(8)
    queries = torch.randn(5, QUERY, generator=noise)
    queries[3] = queries[0] + 0.01 * torch.randn(QUERY, generator=noise)  # two that want the same thing
    groups, owner, order = torch.zeros(5, dtype=torch.long), torch.zeros(5, dtype=torch.long), [3, 0, 4, 2, 1]
    plain = decoder.units(decoder(queries, maps.pick(owner)), [FRAMES[0]] * 5, groups)
    mixed = decoder.units(decoder(queries[order], maps.pick(owner)), [FRAMES[0]] * 5, groups)
    for place, n in enumerate(order):
        assert mixed[place].score == pytest.approx(plain[n].score, abs=1e-4)
        assert likeness(mixed[place].unit, plain[n].unit) > 0.999


@each_decoder
@torch.no_grad()
def test_units_lie_in_the_photo_and_have_scores(name: str) -> None:
    decoder = build(name).eval()
    owner = torch.tensor([0, 1, 2])
    queries = torch.randn(3, QUERY, generator=torch.Generator().manual_seed(5))
    found = decoder.units(decoder(queries, some_maps(3).pick(owner)), FRAMES, torch.arange(3))
    for item, frame in zip(found, FRAMES, strict=True):
        assert 0 <= item.score <= 1
        width, height = frame.size_wh
        match item.unit:
            case Box(box_xyxy):
                assert 0 <= box_xyxy[0] <= box_xyxy[2] <= width
                assert 0 <= box_xyxy[1] <= box_xyxy[3] <= height
            case Mask(mask_rle):
                assert mask_rle.size_hw == (height, width)
            case Keypoints(keypoints_xyv):
                assert len(keypoints_xyv) == 17
            case DepthMap(depth_m):
                assert depth_m.shape == (height, width)
                assert np.isfinite(depth_m).all()
                assert (depth_m > 0).all()
            case _:
                pytest.fail(f"{name} decodes {type(item.unit)}")


@each_decoder
def test_learns_one_sample_by_heart_and_a_target_survives_the_way_to_a_unit(name: str) -> None:
    decoder = build(name).train()
    maps = some_maps(3)
    owner, groups = torch.tensor([0, 1, 1, 2]), torch.tensor([0, 1, 1, 2])
    if name == "depth":  # one map a photo
        owner, groups = torch.arange(3), torch.arange(3)
    values, targets = some_targets(decoder, owner.tolist(), seed=11)
    queries = torch.randn(len(owner), QUERY, generator=torch.Generator().manual_seed(2))
    learned = torch.nn.Parameter(maps.pixels.clone()), torch.nn.Parameter(maps.fine.clone())  # the trunk learns along
    optimizer = torch.optim.Adam([*decoder.parameters(), *learned], lr=0.01)
    history: list[float] = []
    best: list[float] = []

    def output() -> Any:
        return decoder(queries, Maps(maps.tokens, maps.coarse, learned[1], learned[0], maps.extent_wh).pick(owner))

    for step in range(1, 121):
        loss = torch.stack(list(decoder.loss(output(), targets, groups).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(float(loss.detach()))
        if step % 20 == 0:
            with torch.no_grad():
                found = decoder.units(output(), [FRAMES[p] for p in owner.tolist()], groups)
            best = [max(likeness(item.unit, value) for value in values) for item in found]
            if min(best) > 0.5 and history[-1] < 0.5 * history[0]:
                return
    pytest.fail(f"after 120 steps the loss is {history[-1]:.3f} of {history[0]:.3f}, units are {best} like the targets")


@each_decoder
def test_a_sample_of_another_group_changes_nothing(name: str) -> None:
    decoder = build(name).eval()
    maps = some_maps(2)
    owner, groups = torch.tensor([0, 0, 1]), torch.tensor([0, 0, 1])
    queries = torch.randn(3, QUERY, generator=torch.Generator().manual_seed(4))
    sums = []
    for part in (torch.tensor([0, 1]), torch.tensor([2]), torch.arange(3)):
        torch.manual_seed(0)
        _, targets = some_targets(decoder, owner.tolist(), seed=9)
        chosen = {key: value[part] for key, value in targets.items()}
        losses = decoder.loss(decoder(queries[part], maps.pick(owner[part])), chosen, groups[part])
        steady = [value for key, value in losses.items() if key not in RANDOM]
        sums.append(float(torch.stack(steady).sum().detach()) * len(part))
    assert sums[0] + sums[1] == pytest.approx(sums[2], rel=1e-4)


# Parts that look at a cell drawn at random around the target, so that two calls differ.
RANDOM = {"l1", "giou", "cross", "dice", "heat", "joints", "oks", "visible"}


def likeness(a: Value, b: Value) -> float:
    """How alike two units of one kind are, 1 when equal."""
    match a, b:
        case Box(), Box():
            return float(box_iou(np.array([a.box_xyxy]), np.array([b.box_xyxy]))[0, 0])
        case Mask(), Mask():
            return float(rle_iou([a.mask_rle], [b.mask_rle])[0, 0]) if a.mask_rle.size_hw == b.mask_rle.size_hw else 0.0
        case Keypoints(), Keypoints():
            p, q = np.array(a.keypoints_xyv), np.array(b.keypoints_xyv)
            known = (p[:, 2] > 0) & (q[:, 2] > 0)
            return float(np.exp(-np.linalg.norm(p[known, :2] - q[known, :2], axis=1).mean() / 20))
        case DepthMap(), DepthMap():
            if a.depth_m.shape != b.depth_m.shape:
                return 0.0
            return float(np.exp(-np.abs(np.log(a.depth_m) - np.log(b.depth_m)).mean()))
        case _:
            return 0.0


def test_depth_learns_from_relative_maps_by_order_alone() -> None:
    """The loss of a relative truth does not change with its scale and shift, is 0 for a perfect order of the same shape,
    pulls on the output, and leaves metric truths alone."""
    decoder = build("depth")
    frame = FRAMES[0]
    height, width = frame.size_wh[::-1]
    inverse = np.linspace(1, 2, height * width, dtype=np.float32).reshape(height, width)
    losses = []
    for values in (inverse, 3 * inverse + 5):
        targets = decoder.targets([DepthMap(values, relative=True)], [frame], frame.side)
        side = targets["depth_m"].shape[-1] // 4
        outputs = torch.rand(1, side, side, generator=torch.Generator().manual_seed(0), requires_grad=True)
        found = decoder.loss(outputs, targets, torch.tensor([0]))
        losses.append(found["affine"].item())
        assert found["log_l1"].item() == 0.0, "no metre is known"
        found["affine"].backward()
        assert outputs.grad is not None
        assert outputs.grad.abs().sum() > 0
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert losses[0] > 0.1
    metric = decoder.targets([DepthMap(inverse)], [frame], frame.side)
    assert decoder.loss(outputs, metric, torch.tensor([0]))["affine"].item() == 0.0
