"""What the larger models are made of: each function is one model, said in the sub-models' own `transformers` configs.

`vocabulary` is the number of rows of the LLM's embedding table (at least the tokenizer's length), `special_ids` what
`RefVLMProcessor.special_ids` says. Weights are random until `refvlm.pretrained.from_checkpoints` puts real checkpoints in.
"""

from __future__ import annotations

import copy
from typing import Any

from transformers import (
    CLIPVisionConfig,
    ConvNextConfig,
    DINOv3ConvNextConfig,
    LlamaConfig,
    PreTrainedConfig,
    Qwen3Config,
    ResNetConfig,
    SiglipVisionConfig,
)

from refvlm.config import RefVLMConfig

# Channel means and deviations of the encoders' own training, from their published preprocessor_config.json files.
CLIP_PIXELS = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
IMAGENET_PIXELS = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
SIGLIP_PIXELS = ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])

# Six layers 256 wide, as the paper's box decoder (DETR) and mask decoder (MaskFormer) have them.
REFERENCE_DECODERS: dict[str, dict[str, Any]] = {
    "box": {"layers": 6, "hidden": 256},
    "mask": {"layers": 6, "hidden": 256},
    "keypoint": {"layers": 6, "hidden": 256},
    "depth": {"nearest_m": 0.3, "farthest_m": 100.0},
}


def reference_7b_config(vocabulary: int, special_ids: dict[str, Any]) -> RefVLMConfig:
    """The paper's model: Vicuna-7B-v1.5, CLIP ViT-L/14-336 (layer -2, 576 tokens), CLIP-ConvNeXt-L at 512 pixels."""
    return RefVLMConfig(
        text_config=LlamaConfig(
            vocab_size=vocabulary, hidden_size=4096, intermediate_size=11008, num_hidden_layers=32,
            num_attention_heads=32, num_key_value_heads=32, max_position_embeddings=4096, rms_norm_eps=1e-5,
            tie_word_embeddings=False,
        ),
        dense_config=ConvNextConfig(hidden_sizes=[192, 384, 768, 1536], depths=[3, 3, 27, 3]),
        vision_config=CLIPVisionConfig(
            hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16, image_size=336,
            patch_size=14, projection_dim=768,
        ),
        photo_side=512, vision_side=336, vision_layer=-2,
        dense_mean=CLIP_PIXELS[0], dense_std=CLIP_PIXELS[1], vision_mean=CLIP_PIXELS[0], vision_std=CLIP_PIXELS[1],
        neck_width=256, pixel_width=64, decoders=copy.deepcopy(REFERENCE_DECODERS), special_ids=special_ids,
    )  # fmt: skip


def modern_config(vocabulary: int, special_ids: dict[str, Any]) -> RefVLMConfig:
    """Today's parts in the same places: Qwen3-4B, SigLIP 2 so400m/14-384 (729 tokens), DINOv3 ConvNeXt-L at 768 pixels."""
    return RefVLMConfig(
        text_config=Qwen3Config(
            vocab_size=max(vocabulary, 151_936), hidden_size=2560, intermediate_size=9728, num_hidden_layers=36,
            num_attention_heads=32, num_key_value_heads=8, head_dim=128, max_position_embeddings=40_960,
            tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
        ),
        dense_config=DINOv3ConvNextConfig(hidden_sizes=[192, 384, 768, 1536], depths=[3, 3, 27, 3]),
        vision_config=SiglipVisionConfig(
            hidden_size=1152, intermediate_size=4304, num_hidden_layers=27, num_attention_heads=16, image_size=384,
            patch_size=14, vision_use_head=False,
        ),
        photo_side=768, vision_side=378, vision_layer=-2,
        dense_mean=IMAGENET_PIXELS[0], dense_std=IMAGENET_PIXELS[1],
        vision_mean=SIGLIP_PIXELS[0], vision_std=SIGLIP_PIXELS[1],
        neck_width=256, pixel_width=64, decoders=copy.deepcopy(REFERENCE_DECODERS), special_ids=special_ids,
    )  # fmt: skip


def smollm_config(vocabulary: int, special_ids: dict[str, Any]) -> RefVLMConfig:
    """SmolLM2-135M with one convolutional trunk from random weights: a pretrained LLM on a CPU, no vision download."""
    return RefVLMConfig(
        text_config=LlamaConfig(
            vocab_size=max(vocabulary, 49_152), hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
            num_attention_heads=9, num_key_value_heads=3, max_position_embeddings=8192, rms_norm_eps=1e-5,
            tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": 100_000.0},
        ),
        dense_config=ResNetConfig(
            embedding_size=32, hidden_sizes=[48, 96, 160, 256], depths=[2, 2, 2, 2], layer_type="basic"
        ),
        photo_side=160, neck_width=96, pixel_width=24, naming=0.5, unit_weight=0.1,
        decoders={"box": {}, "mask": {}, "keypoint": {}, "depth": {"nearest_m": 0.3, "farthest_m": 20.0}},
        special_ids=special_ids,
    )  # fmt: skip


def shrunk(config: RefVLMConfig, vocabulary: int) -> RefVLMConfig:
    """The same classes and places in a size that runs anywhere: every part 32 wide, one or two layers, photos of 64 pixels.

    What a recipe is tried with before it is given real checkpoints.
    """
    small = copy.deepcopy(config)
    text: Any = small.text_config
    vision: Any = small.vision_config
    small.text_config = _with(
        text, vocab_size=vocabulary, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, head_dim=16, layer_types=None, bos_token_id=None, eos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    small.dense_config = _with(
        small.dense_config, hidden_sizes=[16, 16, 32, 32], depths=[1, 1, 1, 1], embedding_size=16
    )
    if vision is not None:
        small.vision_config = _with(
            vision, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=64,
            patch_size=16,
        )  # fmt: skip
    small.photo_side, small.vision_side, small.neck_width, small.pixel_width = 64, 64, 16, 8
    small.decoders = {kind: _small_decoder(settings) for kind, settings in (config.decoders or {}).items()}
    return small


def _with(config: Any, **sizes: Any) -> PreTrainedConfig:
    """A config of the same class with other sizes, of those that the class has."""
    said = config.to_dict()
    return type(config)(**{**said, **{name: value for name, value in sizes.items() if name in said}})


def _small_decoder(settings: dict[str, Any]) -> dict[str, Any]:
    return {**settings, **{name: most for name, most in (("layers", 1), ("hidden", 16)) if name in settings}}
