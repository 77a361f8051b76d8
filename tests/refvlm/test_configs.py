"""The large models: every part has the size it should have, on the meta device, and every class of encoder sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import (
    AutoBackbone,
    AutoModel,
    CLIPVisionConfig,
    ConvNextConfig,
    Dinov2Config,
    DINOv3ViTConfig,
    PreTrainedConfig,
    ResNetConfig,
    Siglip2VisionConfig,
    SiglipVisionConfig,
    SwinConfig,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from refvlm.collator import Collator
from refvlm.config import RefVLMConfig
from refvlm.configs import CLIP_PIXELS, modern_config, reference_7b_config, shrunk, smollm_config
from refvlm.model import RefVLMForConditionalGeneration
from refvlm.processing import RefVLMProcessor
from refvlm.recipes import smoke_config
from refvlm.vision import DenseEncoder, Pixels, TokenEncoder
from tests.refvlm import samples

VICUNA = 32_000
HALF = Pixels([0.5] * 3, [0.5] * 3)


def count(module: nn.Module | None) -> int:
    assert module is not None
    return sum(parameter.numel() for parameter in module.parameters())


def on_meta(config: RefVLMConfig) -> RefVLMForConditionalGeneration:
    with torch.device("meta"):
        return RefVLMForConditionalGeneration(config)


def test_the_7b_model_has_the_papers_sizes_part_by_part() -> None:
    model = on_meta(reference_7b_config(VICUNA, {}))
    assert all(parameter.is_meta for parameter in model.parameters())
    assert model.config.hidden_size == 4096
    assert count(model.llm) == 6_738_415_616  # Vicuna-7B-v1.5
    assert count(model.vision) == 303_507_456  # CLIP ViT-L/14-336
    assert count(model.projector) == 20_979_712  # 20.98 M
    assert count(model.dense.backbone) == 196_233_024  # ConvNeXt-L: 196,227,264 of the trunk, 5,760 of a norm a stage
    assert model.vision is not None
    assert (model.vision.grid**2, model.vision.layer, model.vision.side) == (576, -2, 336)
    assert model.vision.vision.config.hidden_size == 1024
    assert model.dense.backbone.channels == [192, 384, 768, 1536]
    assert (model.config.photo_side, model.config.neck_width) == (512, 256)
    for kind in ("box", "mask", "keypoint"):
        layers: Any = model.decoder(kind).locator.layers
        assert len(layers) == 6
        assert count(layers[0]) == 1_315_072  # a DETR layer of 256 without self-attention and its norm
    assert count(model.dense) - count(model.dense.backbone) == NECK
    assert count(model.prompts) == prompt_weights(1024) == 1_136_640
    assert {kind: count(model.decoder(kind)) for kind in model.decoders} == DECODERS_7B
    parts = (model.llm, model.vision, model.projector, model.dense, model.prompts, model.decoders)
    assert count(model) == sum(count(part) for part in parts), "nothing has weights but these"


DECODERS_7B = {"box": 9_277_445, "mask": 9_425_480, "keypoint": 10_611_529, "depth": 3_286_785}
NECK = (
    256 * (192 + 384 + 768 + 1536) + 4 * 256  # a 1x1 convolution from each stage
    + 3 * (9 * 256 * 256 + 2 * 256)  # 3x3 convolutions with batch norms at strides 4, 8, 16
    + (4 * 5 * 256 + 256)  # the place of each coarse cell: five waves, sine and cosine, x and y
    + (9 * 3 * 64 + 2 * 64)  # the photo itself, 64 wide, at stride 2
    + (256 * 4 * 64 + 4 * 64)  # stride 4 unfolded to stride 2
    + (9 * 64 * 64 + 2 * 64) + (64 * 64 + 64)  # both blended
)  # fmt: skip


def prompt_weights(width: int) -> int:
    """Of the geometry token: seven numbers in six waves, sine and cosine, through two layers of encoder 1's width."""
    return (7 * 6 * 2 * width + width) + (width * width + width)


@torch.no_grad()
def test_the_7b_encoders_give_the_papers_maps() -> None:
    """192@128, 384@64, 768@32, 1536@16 of a photo of 512; 576 tokens of 1024. Shapes need no weights."""
    model = on_meta(reference_7b_config(VICUNA, {}))
    photos = torch.zeros(1, 512, 512, 3, dtype=torch.uint8, device="meta")
    maps = model.dense.backbone(model.dense.normal(photos)).feature_maps
    assert [tuple(part.shape[1:]) for part in maps] == [(192, 128, 128), (384, 64, 64), (768, 32, 32), (1536, 16, 16)]
    assert model.vision is not None
    assert tuple(model.vision(photos).shape) == (1, 1024, 24, 24)


def test_the_modern_and_the_small_model_have_their_llms_sizes() -> None:
    modern = on_meta(modern_config(VICUNA, {}))
    assert count(modern.llm) == 4_022_468_096  # Qwen3-4B, tied
    assert modern.vision is not None
    assert modern.vision.grid**2 == 729
    assert count(modern.vision) == 412_987_248  # SigLIP 2 so400m/14, without its pooling head
    assert count(modern.dense.backbone) == 196_227_264  # DINOv3 ConvNeXt-L
    assert count(modern.projector) == (1152 * 2560 + 2560) + (2560 * 2560 + 2560)
    assert count(modern.dense) - count(modern.dense.backbone) == NECK
    assert count(modern.prompts) == prompt_weights(1152)
    # Decoders differ by the width of the LLM's states: their norm and their first layer, 256 or twice 256 wide.
    narrower = {"box": 256, "mask": 256, "keypoint": 256, "depth": 512}
    assert {kind: count(modern.decoder(kind)) for kind in modern.decoders} == {
        kind: DECODERS_7B[kind] - (4096 - 2560) * (2 + wide) for kind, wide in narrower.items()
    }
    small = on_meta(smollm_config(100, {}))
    assert count(small.llm) == 134_515_008  # SmolLM2-135M, tied
    assert small.vision is None


@pytest.mark.parametrize("make", [reference_7b_config, modern_config, smollm_config])
def test_shrunk_models_learn_and_answer_in_the_same_places(make: Any, processor: RefVLMProcessor) -> None:
    torch.manual_seed(0)
    whole = make(VICUNA, processor.special_ids())
    model = RefVLMForConditionalGeneration(shrunk(whole, len(processor.tokenizer)))
    for part in ("text_config", "dense_config", "vision_config"):
        assert type(getattr(model.config, part)) is type(getattr(whole, part)), part
    assert count(model) < 500_000
    output = model.train()(samples.collator(processor)([samples.about(n, (64, 48)) for n in range(2)]))
    output.loss.backward()
    assert torch.isfinite(output.loss)
    assert {name.split(".")[0] for name in output.losses} >= {"llm", "box", "mask", "keypoint", "depth"}
    (answer,) = samples.answers(model.eval(), processor, [samples.about(1, (64, 48))], [(0, 0)], 4)
    assert len(answer.ids) <= 4


SMALL: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2, "patch_size": 16,
}  # fmt: skip
VITS: list[PreTrainedConfig] = [
    CLIPVisionConfig(**SMALL, image_size=64),
    SiglipVisionConfig(**SMALL, image_size=64),
    Siglip2VisionConfig(**SMALL, num_patches=16),
    Dinov2Config(**{**SMALL, "image_size": 64}),
    DINOv3ViTConfig(**SMALL, image_size=64, num_register_tokens=4),
]


@pytest.mark.parametrize("config", VITS, ids=lambda config: config.model_type)
def test_a_model_with_every_class_of_vit_takes_two_steps(config: PreTrainedConfig, processor: RefVLMProcessor) -> None:
    torch.manual_seed(0)
    small = smoke_config(len(processor.tokenizer), processor.special_ids())
    small.vision_config = config
    model = RefVLMForConditionalGeneration(small).train()
    batch = samples.collator(processor)([samples.about(0, (64, 48))])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses: list[float] = []
    for _ in range(2):
        optimizer.zero_grad()
        loss = model(batch).loss
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[1] < losses[0]
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.vision.parameters())  # type: ignore[union-attr]


@torch.no_grad()
@pytest.mark.parametrize("side", [32, 64, 96])
@pytest.mark.parametrize("config", VITS, ids=lambda config: config.model_type)
def test_every_class_of_vit_gives_its_patches_and_nothing_else(config: PreTrainedConfig, side: int) -> None:
    """Whatever stands before the patches (CLS, registers) is left out, and patches lie in the map where they lie in the
    photo: changing one patch's pixels changes that cell of the first hidden state most."""
    torch.manual_seed(0)
    encoder = TokenEncoder(AutoModel.from_config(config).eval(), HALF, side, layer=0)
    photos = torch.randint(0, 255, (2, side, side, 3), dtype=torch.uint8)
    before = encoder(photos)
    assert before.shape == (2, 32, side // 16, side // 16)
    changed = photos.clone()
    changed[:, :16, 16:32] = 255 - changed[:, :16, 16:32]  # row 0, column 1
    moved = (encoder(changed) - before).abs().sum(1)
    assert moved[:, 0, 1].min() > 0
    moved[:, 0, 1] = 0
    assert moved.max() < 1e-4


def test_a_side_the_patches_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="no multiple"):
        TokenEncoder(AutoModel.from_config(VITS[0]), HALF, 60, -2)


BACKBONES: list[PreTrainedConfig] = [
    ConvNextConfig(hidden_sizes=[16, 16, 32, 32], depths=[1, 1, 1, 1]),
    ResNetConfig(embedding_size=16, hidden_sizes=[16, 16, 32, 32], depths=[1, 1, 1, 1], layer_type="basic"),
    SwinConfig(embed_dim=16, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1], image_size=64, window_size=2),
]


@torch.no_grad()
@pytest.mark.parametrize("config", BACKBONES, ids=lambda config: config.model_type)
def test_every_class_of_backbone_gives_four_maps(config: PreTrainedConfig) -> None:
    config.out_features = ["stage1", "stage2", "stage3", "stage4"]  # type: ignore[attr-defined]
    encoder = DenseEncoder(AutoBackbone.from_config(config), HALF, 16, 8, tokens=True).eval()
    maps = encoder(torch.randint(0, 255, (2, 64, 64, 3), dtype=torch.uint8), torch.ones(2, 2))
    shapes = [tuple(part.shape) for part in (maps.tokens, maps.coarse, maps.fine, maps.pixels)]
    assert shapes == [(2, 16, 4, 4), (2, 16, 8, 8), (2, 16, 16, 16), (2, 8, 32, 32)]


def test_an_encoder_sees_what_its_own_image_processor_would_show_it() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    theirs = CLIPImageProcessorPil(do_resize=False, do_center_crop=False)(photo, return_tensors="pt")["pixel_values"]
    ours = Pixels(*CLIP_PIXELS)(torch.from_numpy(photo)[None])
    assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize(("mean", "std"), [([0.5], [0.5] * 3), ([0.5] * 3, [0.5, 0.0, 0.5])])
def test_pixel_numbers_that_cannot_be_used_are_refused(mean: list[float], std: list[float]) -> None:
    with pytest.raises(ValueError, match="std above 0"):
        Pixels(mean, std)


def test_a_second_mask_decoder_is_chosen_by_the_config(processor: RefVLMProcessor) -> None:
    torch.manual_seed(0)
    config = smoke_config(len(processor.tokenizer), processor.special_ids())
    config.decoders = {"mask": {"file": "mask_sam2", "layers": 1}}
    model = RefVLMForConditionalGeneration(config)
    assert any("sam." in name for name, _ in model.named_parameters())
    batch = Collator(processor, {"mask": type(model.decoder("mask"))}, samples.load_depth)([samples.about(1, (64, 48))])
    output = model.train()(batch)
    output.loss.backward()
    assert {"mask.focal", "mask.dice", "mask.iou", "mask.seen"} <= output.losses.keys()
    idle = [n for n, p in model.decoders.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not idle, idle
    config.decoders = {"box": {"file": "mask_sam2"}}
    with pytest.raises(ValueError, match="a decoder of mask"):
        RefVLMForConditionalGeneration(config)
