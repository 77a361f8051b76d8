"""What must be right in this model, point by point (the published code fails each): prompts, routing, matching, padding,
saving, geometry, scores, recipes, missing photos, and nothing changed in place. On the whole small model, through the doors
that users take; the parts have tests of their own."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from refvlm.batch import Batch
from refvlm.collator import Collator, Seen
from refvlm.configs import shrunk
from refvlm.data import DatasetStore
from refvlm.decoders._contract import DepthMap
from refvlm.decoders.box import photo_box, square_corners
from refvlm.decoders.keypoint import KeypointDecoder
from refvlm.decoders.mask import photo_mask, square_masks
from refvlm.generation import Answered
from refvlm.matching import group_pairs
from refvlm.model import RefVLMForConditionalGeneration
from refvlm.predict import load_model
from refvlm.processing import RefVLMProcessor
from refvlm.recipes import RECIPES, recipe
from refvlm.share import share_of_mask
from tests.refvlm import samples
from vtinstruct import cli as data_cli
from vtinstruct.dialogue import Prompt
from vtinstruct.geometry import decode_rle, rle_iou
from vtinstruct.units import Box, Keypoints, Mask, Point

SIZE = (64, 48)
Model = RefVLMForConditionalGeneration


# --- 1: prompts ------------------------------------------------------------------------------------------------------


def marks_of(model: Model, processor: RefVLMProcessor, photo: NDArray[np.uint8], prompts: list[Prompt]) -> Tensor:
    """The prompt encoder's embeddings (V, 10, C) of prompts on a photo, from pixels as the processor makes them."""
    question = tuple(part for prompt in prompts for part in ("This: ", prompt))
    batch = processor(images=[photo], text=[question])
    masks = batch.prompts.float() / 255
    prompt_map = model.see(batch.photos, batch.extent_wh).prompt_map
    return model.prompts(masks, prompt_map, batch.prompt_owner, batch.extent_wh)


@torch.no_grad()
@pytest.mark.parametrize("size_wh", [(640, 640), (1920, 480), (333, 999)])
def test_01_a_prompt_in_the_top_left_ninth_lights_cell_0_0_and_no_other(
    model: Model, processor: RefVLMProcessor, size_wh: tuple[int, int]
) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)
    # Up to one pixel of the square before the ninth's edge: that pixel belongs to both ninths.
    width, height = (side / 3 - max(size_wh) / processor.photo_side for side in size_wh)
    lit = marks_of(model, processor, photo, [Prompt("box", Box((0, 0, width, height)))])[0, :9].abs().sum(-1)
    assert lit[0] > 0
    assert torch.count_nonzero(lit) == 1


@torch.no_grad()
def test_01_the_geometry_token_differs_for_different_masks(model: Model, processor: RefVLMProcessor) -> None:
    photo = np.full((480, 640, 3), 90, np.uint8)
    boxes = [(100, 100, 200, 200), (110, 100, 210, 200), (100, 100, 200, 220), (90, 90, 210, 210)]
    tokens = marks_of(model, processor, photo, [Prompt("box", Box(tuple(map(float, box)))) for box in boxes])[:, 9]
    apart = torch.cdist(tokens, tokens) + 9 * torch.eye(len(boxes))
    assert apart.min() > 1e-4


@torch.no_grad()
@pytest.mark.parametrize("xy", [(1.5, 1.5), (1023.2, 767.9), (2046.5, 1534.5)])
def test_01_a_3_px_point_on_a_2048_px_photo_still_yields_features(
    model: Model, processor: RefVLMProcessor, xy: tuple[float, float]
) -> None:
    photo = np.random.default_rng(1).integers(0, 256, (1536, 2048, 3), dtype=np.uint8)
    (marks,) = marks_of(model, processor, photo, [Prompt("point", Point(xy))])
    lit = marks[:9].abs().sum(-1)
    assert torch.count_nonzero(lit) >= 1
    assert lit.max() > 0.01 * marks_of(model, processor, photo, [Prompt("box", Box((0, 0, 2048, 1536)))]).abs().max()
    assert marks[9].abs().sum() > 0


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_01_an_empty_and_a_tiny_mask_are_finite_in_every_precision(
    model: Model, processor: RefVLMProcessor, dtype: torch.dtype
) -> None:
    model = model.to(dtype)
    side = processor.photo_side
    masks = torch.zeros(2, side, side)
    masks[1, 3, 5] = 1 / 255
    features = torch.randn(1, model.config.vision_config.hidden_size, 4, 4).to(dtype)
    marks = model.prompts(masks.to(dtype), features, torch.zeros(2, dtype=torch.long), torch.ones(1, 2))
    assert marks.dtype == dtype
    assert torch.isfinite(marks).all()
    assert not marks[0].any()
    assert marks[1, 0].any(), "a 255th of a pixel is a mask"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_01_the_whole_model_is_finite_in_half_precision(
    model: Model, processor: RefVLMProcessor, collator: Collator, dtype: torch.dtype
) -> None:
    model = model.to(dtype)
    output = model(collator([samples.about(n, SIZE) for n in range(2)]))
    assert all(torch.isfinite(value).all() for value in output.losses.values())
    (answer,) = samples.answers(model, processor, [samples.about(1, SIZE)], [(0, 1)], 4)
    assert len(answer.ids) <= 4


# --- 2: the decoder is chosen by the unit the model wrote ------------------------------------------------------------


class Dictation(nn.Module):
    """An output head that says given tokens, whatever the hidden states are; rows leave when their end was said."""

    def __init__(self, scripts: list[list[int]], end: int, vocabulary: int) -> None:
        super().__init__()
        self.left, self.end, self.vocabulary = [[*script, end] for script in scripts], end, vocabulary

    def forward(self, states: Tensor) -> Tensor:
        words = [script.pop(0) for script in self.left]
        self.left = [script for script, word in zip(self.left, words, strict=True) if word != self.end]
        return 30 * nn.functional.one_hot(torch.tensor(words), self.vocabulary).float()[: len(states)]


Dictate = Callable[..., list[Answered]]


@pytest.fixture
def dictate(model: Model, processor: RefVLMProcessor, monkeypatch: pytest.MonkeyPatch) -> Dictate:
    """`dictate(texts, limit)`: answers about as many photos, whose words are the given ones."""

    def answer(texts: list[str], limit: int = 10_000) -> list[Answered]:
        scripts = [processor.encode([("assistant", text)]).ids[:-1].tolist() for text in texts]
        head = Dictation(scripts, processor.end_id, len(processor.tokenizer))
        monkeypatch.setattr(model.llm, "get_output_embeddings", lambda: head)
        photos = [samples.about(n, SIZE if n % 2 else (48, 64)).photo for n in range(len(texts))]
        return model.generate(processor(images=photos, text=["What is here?"] * len(texts)), max_new_tokens=limit)

    return answer


MIXED = (
    "<Phrase>cup</Phrase>(<Unit>box</Unit>[0]<REF>[1]<REF>) <Phrase>ball</Phrase>(<Unit>mask</Unit>[0]<REF>) "
    "<Phrase>person</Phrase>(<Unit>keypoint</Unit>[0]<REF>) <Phrase>depth</Phrase>(<Unit>depth</Unit>[0]<REF>)."
)


def test_02_one_answer_may_mix_units_and_each_is_decoded_as_what_was_written(dictate: Dictate) -> None:
    (answer,) = dictate([MIXED])
    kinds = [type(found.unit) for found in answer.units if found is not None]
    assert kinds == [Box, Box, Mask, Keypoints, DepthMap]


def test_02_samples_without_references_and_odd_marks_stand_in_one_batch(dictate: Dictate) -> None:
    wanted: list[tuple[str, list[type | None]]] = [
        ("A ball and a cup.", []),
        ("<Phrase>star</Phrase>(<Unit>box</Unit>).", []),
        ("<Phrase>cup</Phrase>(<Unit>box</Unit><Unit>mask</Unit>[0]<REF>)", [Mask]),
        ("<Phrase>cup</Phrase>(<Unit>box[0]<REF>)", [None]),
        ("<Phrase>a <Phrase>cup</Phrase>(<Unit>mask</Unit>[0]<REF>)", [Mask]),
        ("<Unit>cube</Unit>[0]<REF> <Phrase>cup</Phrase>(<Unit>box</Unit>[0]<REF>) <REF>", [None, Box, Box]),
        ("<REF></Unit></Phrase><Task></Task><REF>", [None, None]),
        (MIXED, [Box, Box, Mask, Keypoints, DepthMap]),
    ]
    answers = dictate([text for text, _ in wanted])
    for answer, (text, kinds) in zip(answers, wanted, strict=True):
        found = [None if unit is None else type(unit.unit) for unit in answer.units]
        assert found == kinds, text
        assert answer.ended


@pytest.mark.parametrize("length", [1, 3, 5, 7, 9, 11, 20])
def test_02_an_answer_cut_short_anywhere_has_a_unit_for_every_reference_it_has(
    dictate: Dictate, processor: RefVLMProcessor, length: int
) -> None:
    (answer,) = dictate([MIXED], limit=length)
    assert len(answer.ids) == length
    assert not answer.ended
    assert len(answer.units) == answer.ids.count(processor.token_id("<REF>"))
    assert all(unit is not None for unit in answer.units)


# --- 3: grouped matching ---------------------------------------------------------------------------------------------

DRAWN = ("l1", "giou", "cross", "dice", "heat", "joints", "oks", "visible", "smooth")  # look at a cell drawn at random


def sums(model: Model, collator: Collator, seen: list[Seen]) -> dict[str, float]:
    """Every unit loss that draws nothing at random, times its number of references."""
    batch = collator(seen)
    losses = model(batch).losses
    return {
        name: float(value) * len(batch.references[name.split(".")[0]].rows)
        for name, value in losses.items()
        if "." in name and name.split(".")[1] not in DRAWN
    }


@torch.no_grad()
def test_03_batched_equals_one_by_one_and_other_samples_change_nothing(model: Model, collator: Collator) -> None:
    seen = [samples.about(n, SIZE if n % 2 else (48, 64)) for n in range(3)]
    together = sums(model, collator, seen)
    alone = [sums(model, collator, [item]) for item in seen]
    assert {"box.where", "mask.where", "keypoint.where", "depth.silog"} <= together.keys()
    for name, value in together.items():
        assert value == pytest.approx(sum(one[name] for one in alone), rel=1e-3), name


@torch.no_grad()
def test_03_the_order_of_targets_inside_a_group_is_free(model: Model, collator: Collator) -> None:
    rng = Random(5)
    boxes = [samples.box(rng, SIZE) for _ in range(4)]
    found = []
    for order in ([0, 1, 2, 3], [2, 0, 3, 1]):
        answer = (samples.triplet("ball", *(boxes[n] for n in order)), ".")
        about = Seen(samples.about(1, SIZE).photo, [samples.dialogue(1, ("Box.",), answer, SIZE)])
        found.append(sums(model, collator, [about]))
    assert found[0]["box.where"] == pytest.approx(found[1]["box.where"], rel=1e-4)


def alike(a: Any, b: Any) -> bool:
    match a, b:
        case Box(), Box():
            return a.box_xyxy == pytest.approx(b.box_xyxy, abs=1e-2)
        case Mask(), Mask():
            same = a.mask_rle == b.mask_rle
            return same or bool(rle_iou([a.mask_rle], [b.mask_rle])[0, 0] > 0.99)
        case Keypoints(), Keypoints():
            return np.allclose(np.array(a.keypoints_xyv)[:, :2], np.array(b.keypoints_xyv)[:, :2], atol=1e-2)
        case DepthMap(), DepthMap():
            return np.allclose(a.depth_m, b.depth_m, rtol=1e-3)
        case _:
            return a is None and b is None


def test_03_no_matrix_across_samples() -> None:
    def pairs(samples: int) -> int:
        return len(group_pairs(torch.arange(samples * 20).repeat_interleave(3))[0])

    assert pairs(64) == 64 * pairs(1) == 64 * 20 * 9  # the whole matrix would have (64 * 60) ** 2


# --- 4: padding ------------------------------------------------------------------------------------------------------


def test_04_batch_n_says_token_for_token_what_batch_1_says(talker: Model, processor: RefVLMProcessor) -> None:
    photos = [samples.about(n, SIZE if n % 2 else (48, 64)) for n in range(3)]
    which = [(p, d) for p in range(3) for d in range(7)]
    together = samples.answers(talker, processor, photos, which)
    assert sum(len(answer.units) for answer in together) > 10, "the model should have written references"
    assert any(unit is not None for answer in together for unit in answer.units)
    for one, pair in zip(together, which, strict=True):
        (alone,) = samples.answers(talker, processor, photos, [pair])
        assert one.ids == alone.ids
        assert one.probabilities == pytest.approx(alone.probabilities, abs=1e-4)
        for a, b in zip(one.units, alone.units, strict=True):
            assert (a is None) == (b is None)
            if a is not None and b is not None:
                assert a.score == pytest.approx(b.score, abs=1e-4)
                assert alike(a.unit, b.unit)


# --- 5: save and load ------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_05_saved_and_loaded_gives_identical_logits_and_losses_of_every_part(
    model: Model, processor: RefVLMProcessor, collator: Collator, tmp_path: Path
) -> None:
    model.save_pretrained(tmp_path, max_shard_size="100KB")
    processor.save_pretrained(tmp_path)
    again, _ = load_model(tmp_path)
    batch = collator([samples.about(1, SIZE), samples.about(2, SIZE)])
    torch.manual_seed(0)
    before = model(batch)
    torch.manual_seed(0)  # some losses look at a cell drawn at random
    after = again(batch)
    assert torch.equal(before.logits, after.logits)
    # The losses too: a buffer that is not saved is not in the state dict, and once came back as zeros.
    assert before.losses.keys() == after.losses.keys()
    assert all(torch.equal(before.losses[name], after.losses[name]) for name in before.losses)
    own, loaded = model.state_dict(), again.state_dict()
    assert own.keys() == loaded.keys()
    assert all(torch.equal(own[name], loaded[name]) for name in own)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".safetensors", ".jinja"}
    assert len(list(tmp_path.glob("*.safetensors"))) > 1


# --- 6: geometry -----------------------------------------------------------------------------------------------------

SIZES = [(640, 640), (1000, 333), (333, 1000), (2048, 1365), (50, 40)]


@pytest.mark.parametrize("size_wh", SIZES)
def test_06_geometry_goes_to_the_model_and_back_within_one_pixel(size_wh: tuple[int, int]) -> None:
    own = samples.processor()
    own.photo_side = 512
    frame = own.frame(size_wh)
    width, height = size_wh
    rng = Random(1)
    for _ in range(50):
        box = samples.box(rng, size_wh).box_xyxy
        back = photo_box(square_corners([box], [frame], frame.side)[0], frame).box_xyxy
        assert back == pytest.approx(box, abs=0.01)
    corners = photo_box(square_corners([(0, 0, width, height)], [frame], frame.side)[0], frame).box_xyxy
    assert corners == pytest.approx((0, 0, width, height), abs=0.01)
    pose = samples.pose(rng, size_wh)
    joints = KeypointDecoder.targets([pose], [frame], frame.side)["joints"][0, :17].double().numpy() * frame.side
    assert np.abs(frame.to_photo(joints) - np.array(pose.keypoints_xyv)[:, :2]).max() < 0.01
    # A mask passes through whole pixels of the square: one of them, or of the photo's where those are larger.
    inside = np.zeros((height, width), np.bool_)
    inside[height // 4 : 3 * height // 4, width // 8 : width // 2] = True
    found, _ = photo_mask(square_masks([share_of_mask(inside, frame)], frame.side)[0].float(), frame)
    mine, theirs = (np.argwhere(part) for part in (decode_rle(found.mask_rle), inside))
    pixel = max(1.0, max(size_wh) / own.photo_side)
    assert np.abs(mine.min(0) - theirs.min(0)).max() <= pixel
    assert np.abs(mine.max(0) - theirs.max(0)).max() <= pixel


# --- 7: scores, and no cap -------------------------------------------------------------------------------------------


def test_07_every_box_mask_and_pose_has_a_score_of_its_own(dictate: Dictate) -> None:
    answers = dictate([MIXED] * 4)
    for kind in (Box, Mask, Keypoints, DepthMap):
        scores = [u.score for answer in answers for u in answer.units if u is not None and isinstance(u.unit, kind)]
        assert len(scores) >= 4
        assert all(0 <= score <= 1 for score in scores)
        if kind is not DepthMap:  # a depth map is the whole photo's: there is nothing to rank
            assert len({round(score, 6) for score in scores}) > 1


def test_07_a_score_falls_with_the_probability_of_what_was_written(
    talker: Model, processor: RefVLMProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, which = [samples.about(1, SIZE)], [(0, 0)]
    (sure,) = samples.answers(talker, processor, photos, which)
    head = talker.llm.get_output_embeddings()
    monkeypatch.setattr(talker.llm, "get_output_embeddings", lambda: lambda states: 0.8 * head(states))
    (unsure,) = samples.answers(talker, processor, photos, which)
    assert sure.ids == unsure.ids
    pairs = [(a.score, b.score) for a, b in zip(sure.units, unsure.units, strict=True) if a and b]
    assert pairs
    assert all(a > b for a, b in pairs)


def test_07_no_cap_on_references_below_the_context_length(dictate: Dictate) -> None:
    (answer,) = dictate(["<Phrase>ball</Phrase>(<Unit>box</Unit>" + 130 * "<REF>" + ")."])
    assert len(answer.units) == 130  # DETR's decoders end at 100
    assert all(unit is not None and isinstance(unit.unit, Box) for unit in answer.units)


# --- 8: recipes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_08_the_model_of_every_recipe_runs_two_steps_in_small(
    name: str, processor: RefVLMProcessor, collator: Collator
) -> None:
    torch.manual_seed(0)
    whole = recipe(name).config(len(processor.tokenizer), processor.special_ids())
    model = Model(shrunk(whole, len(processor.tokenizer))).train()
    batch = collator([samples.about(n, SIZE) for n in range(2)])
    batch.references.update({kind: refs for kind, refs in batch.references.items() if kind in model.decoders})
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(2):
        output = model(batch)
        assert torch.isfinite(output.loss)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())


# --- 9: missing photos -----------------------------------------------------------------------------------------------


def test_09_a_missing_or_broken_photo_is_named_and_counted_and_never_black(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (
        ["sample", "s", "--scenes", "4"],
        ["build", "coco_instances=s/coco", "--out", "d", "--tasks", "det"],
    ):
        monkeypatch.setattr("sys.argv", ["vtinstruct", *arguments])
        with pytest.raises(SystemExit, match="0"):
            data_cli.main()
    told: list[str] = []
    store = DatasetStore(tmp_path / "d", report=told.append)
    count = len(store)
    assert count >= 2
    sound = [store.seen(n, Random(0), {}) for n in range(count)]
    photos = [item.dialogues[0].photo for item in sound if item is not None]
    assert len(photos) == count
    missing, broken = (tmp_path / "d" / photo.path for photo in photos[:2] if photo is not None)
    bytes_ = {path: path.read_bytes() for path in (missing, broken)}
    missing.unlink()
    broken.write_bytes(bytes_[broken][:100] if broken in bytes_ else b"")
    fresh = DatasetStore(tmp_path / "d", report=told.append)
    found = [fresh.seen(n, Random(0), {}) for n in range(count)]
    assert sum(item is None for item in found) == 2
    assert fresh.lost == 2
    assert all(any(path.name in line for line in told) for path in (missing, broken))
    for n in range(count):  # told once, counted always
        fresh.seen(n, Random(0), {})
    assert fresh.lost == 4
    assert len(told) == 2


# --- 10: nothing in place --------------------------------------------------------------------------------------------


def test_10_epoch_two_sees_what_epoch_one_saw(model: Model, collator: Collator) -> None:
    seen = [samples.about(1, SIZE), samples.about(2, SIZE)]
    before = copy.deepcopy(seen)
    first = collator(seen)
    kept = copy.deepcopy(first)
    model.train()(first).loss.backward()  # a training step leaves the batch alone
    same(first, kept)
    same(collator(seen), kept)
    assert [item.dialogues for item in seen] == [item.dialogues for item in before]
    assert all((a.photo == b.photo).all() for a, b in zip(seen, before, strict=True) if a.photo is not None)


def same(a: Batch, b: Batch) -> None:
    for field in fields(Batch):
        one, other = getattr(a, field.name), getattr(b, field.name)
        if isinstance(one, Tensor):
            assert torch.equal(one, other), field.name
    assert a.references.keys() == b.references.keys()
    for kind, refs in a.references.items():
        for name, target in refs.targets.items():
            assert torch.equal(target, b.references[kind].targets[name]), (kind, name)
