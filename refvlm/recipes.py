"""Runs, each a function that returns a frozen `Recipe`. A variant calls another and replaces fields."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from transformers import CLIPVisionConfig, LlamaConfig, PreTrainedConfig, ResNetConfig

from refvlm.config import RefVLMConfig


@dataclass(frozen=True)
class Recipe:
    """Everything a training run depends on, said once.

    Model: `config` makes the model's config for a vocabulary size and the tokenizer's special ids; `vocabulary` is the size
    of the tokenizer learned from the data. `learns` names the parts that learn (`refvlm.training.freezing`), all when empty;
    `lora` the rank of low-rank updates of the LLM, which then stays as it is (0: none). `weights` weighs losses, by unit
    ("box") or by full name ("box.giou"), in place of the config's own.

    Data: `photos` a step and process, and `quota` dialogues of each task per photo and step (tasks it does not name: 1;
    0.25 is one in four times). `without` names sources, by comma, that are not learned from. `max_length` is the most
    tokens of a photo's packed dialogues. `plan`: answers are learned, and so written, with TRP's plan block in front.

    Schedule: `optimizer` is "adamw", or "muon" (`refvlm.muon`) for matrices and kernels and AdamW for the rest; linear
    `warm_up` steps, then cosine to `last_rate * rate` at the end, which is `steps` or `minutes` of training, whichever
    comes first. `accumulate` batches make one step. `precision` is "float32", "bfloat16" or "auto"
    (the faster of the two here); `recompute` saves memory: the LLM's activations are computed again on the way back.
    `zero` is DeepSpeed's stage, 2 or 3 (0: without DeepSpeed). A checkpoint to resume from every `save` steps, held-out scores
    every `evaluate` steps (0: never). `seed` orders data and draws weights.
    """

    name: str
    config: Callable[[int, dict[str, Any]], RefVLMConfig]
    vocabulary: int = 2000
    learns: tuple[str, ...] = ()
    lora: int = 0
    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    photos: int = 8
    quota: Mapping[str, float] = field(default_factory=dict[str, float])
    without: str = ""
    max_length: int = 2048
    plan: bool = False
    optimizer: str = "adamw"
    steps: int = 100_000
    minutes: float = 8.0
    rate: float = 1e-3
    last_rate: float = 0.01
    warm_up: int = 50
    decay: float = 0.05
    clip: float = 1.0
    accumulate: int = 1
    precision: str = "auto"
    recompute: bool = False
    zero: int = 0
    save: int = 0
    evaluate: int = 0
    threads: int = 0
    seed: int = 0


TINY_QUOTA = {
    "caption": 2, "det": 1, "seg": 1, "cond_det": 2, "rec": 3, "res": 3, "reg_box": 1, "interactive_seg": 3, "keypoints": 1,
    "depth": 1,
}  # fmt: skip


def tiny_config(vocabulary: int, special_ids: dict[str, Any]) -> RefVLMConfig:
    """A few million random weights: one convolutional trunk for words and decoders, a four-layer Llama."""
    return RefVLMConfig(
        text_config=_llama(vocabulary, width=192, layers=4, heads=6),
        dense_config=ResNetConfig(
            embedding_size=32, hidden_sizes=[48, 96, 160, 256], depths=[2, 2, 2, 2], layer_type="basic"
        ),
        photo_side=160,
        neck_width=96,
        pixel_width=24,
        naming=0.5,
        unit_weight=0.1,  # more of it drowns the words in the LLM's gradient: a triplet's concept is not even copied
        decoders={"box": {}, "mask": {}, "keypoint": {}, "depth": {"nearest_m": 0.3, "farthest_m": 20.0}},
        special_ids=special_ids,
    )


def smoke_config(vocabulary: int, special_ids: dict[str, Any]) -> RefVLMConfig:
    """The smallest model that has every part, a ViT as encoder 1 among them: for tests."""
    return RefVLMConfig(
        text_config=_llama(vocabulary, width=32, layers=2, heads=2),
        dense_config=ResNetConfig(
            embedding_size=16, hidden_sizes=[16, 16, 16, 32], depths=[1, 1, 1, 1], layer_type="basic"
        ),
        vision_config=CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=64,
            patch_size=16,
        ),
        vision_side=64,
        photo_side=64,
        neck_width=16,
        pixel_width=8,
        decoders={"box": {}, "mask": {}, "keypoint": {"window": 8}, "depth": {}},
        special_ids=special_ids,
    )


def _llama(vocabulary: int, width: int, layers: int, heads: int) -> PreTrainedConfig:
    return LlamaConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=width * 3, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=heads, max_position_embeddings=2048, tie_word_embeddings=True,
        bos_token_id=None, eos_token_id=None, pad_token_id=None,
    )  # fmt: skip


def tiny_cpu() -> Recipe:
    """Random weights to a model that points, on two CPU cores, in minutes, on the embedded sample."""
    # ADE20K names walls and sky in answers to the same questions that COCO answers with things alone.
    return Recipe("tiny_cpu", tiny_config, quota=TINY_QUOTA, photos=4, optimizer="muon", rate=2e-3, without="ade20k")


def smoke() -> Recipe:
    """A few steps of the smallest model: every part of a run in seconds, no learning to speak of."""
    return replace(
        tiny_cpu(),
        name="smoke",
        config=smoke_config,
        vocabulary=600,
        photos=2,
        optimizer="adamw",
        steps=2,
        minutes=2.0,
        warm_up=1,
    )


RECIPES: dict[str, Callable[[], Recipe]] = {"tiny_cpu": tiny_cpu, "smoke": smoke}


class RecipeError(ValueError):
    """A recipe or setting that does not exist; the message lists what does."""


MAPPINGS = ("quota", "weights")  # set as quota.<task>=..., weights.<loss>=...


def recipe(name: str, settings: Mapping[str, str] | None = None) -> Recipe:
    """The named recipe with `settings` (field name -> text) put in place of its own. Raises `RecipeError`."""
    from refvlm.ablations import ABLATIONS  # they are made of the recipes here

    known = RECIPES | ABLATIONS
    if name not in known:
        raise RecipeError(f"no recipe {name!r}; known: {', '.join(known)}")
    found = known[name]()
    kinds = typing.get_type_hints(Recipe)
    simple = [f.name for f in fields(Recipe) if kinds[f.name] in READERS and f.name != "name"]
    for key, text in (settings or {}).items():
        mapping, _, entry = key.partition(".")
        if mapping in MAPPINGS and entry:
            changed: Any = {**getattr(found, mapping), entry: _read(key, text, float)}
            found = replace(found, **{mapping: changed})
        elif key in simple:
            found = replace(found, **{key: _read(key, text, kinds[key])})
        else:
            raise RecipeError(f"no setting {key!r}; known: quota.<task>, weights.<loss>, {', '.join(simple)}")
    return found


def _switch(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


READERS: dict[Any, tuple[Callable[[str], Any], str]] = {
    int: (int, "whole number"),
    float: (float, "number"),
    str: (str, "text"),
    bool: (_switch, "true or false"),
    tuple[str, ...]: (_names, "names by comma"),
}


def _read(key: str, text: str, kind: Any) -> Any:
    reader, said = READERS[kind]
    try:
        return reader(text)
    except ValueError as error:
        raise RecipeError(f"{key}={text!r} is no {said}") from error
