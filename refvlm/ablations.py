"""The tiny recipe with one thing left out or put in, to measure what it is worth: see docs/learning.md."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from transformers import CLIPVisionConfig

from refvlm.config import RefVLMConfig
from refvlm.recipes import Recipe, tiny_config, tiny_cpu


def tiny_plan() -> Recipe:
    """Answers begin with TRP's plan block: what will be pointed at, by which unit, how many times."""
    return replace(tiny_cpu(), name="tiny_plan", plan=True)


def tiny_unmatched() -> Recipe:
    """No grouped matching: the n-th reference of a triplet must be its n-th instance from the left."""
    return replace(tiny_cpu(), name="tiny_unmatched", config=_unmatched)


def tiny_untold() -> Recipe:
    """The geometry token of a visual prompt says nothing."""
    return replace(tiny_cpu(), name="tiny_untold", config=_untold)


def tiny_two_encoders() -> Recipe:
    """A small ViT of its own as encoder 1 feeds the LLM, in place of encoder 2's stride-16 map."""
    return replace(tiny_cpu(), name="tiny_two_encoders", config=_two_encoders)


def _unmatched(vocabulary: int, special_ids: dict[str, Any]) -> RefVLMConfig:
    config = tiny_config(vocabulary, special_ids)
    kinds: dict[str, Any] = config.decoders or {}
    config.decoders = {kind: own if kind == "depth" else own | {"matched": False} for kind, own in kinds.items()}
    return config


def _untold(vocabulary: int, special_ids: dict[str, Any]) -> RefVLMConfig:
    config = tiny_config(vocabulary, special_ids)
    config.prompt_geometry = False
    return config


def _two_encoders(vocabulary: int, special_ids: dict[str, Any]) -> RefVLMConfig:
    config = tiny_config(vocabulary, special_ids)
    config.vision_config = CLIPVisionConfig(
        hidden_size=192, intermediate_size=576, num_hidden_layers=4, num_attention_heads=6, image_size=160, patch_size=16,
    )  # fmt: skip
    config.vision_side, config.vision_layer = 160, -1
    return config


ABLATIONS = {make.__name__: make for make in (tiny_plan, tiny_unmatched, tiny_untold, tiny_two_encoders)}
