"""Runs, each a function that returns a frozen `Recipe`. A variant calls another and replaces fields."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from math import inf
from typing import Any

from transformers import CLIPVisionConfig, LlamaConfig, PreTrainedConfig, ResNetConfig

from refvlm.config import RefVLMConfig
from refvlm.configs import modern_config, reference_7b_config, smollm_config
from refvlm.configs import shrunk as small_config


@dataclass(frozen=True)
class Recipe:
    """Everything a training run depends on, said once.

    Model: `config` makes the model's config for a vocabulary size and the tokenizer's special ids. `llm` (with its
    tokenizer), `dense` and `vision` are folders or Hub names of pretrained parts; "" means random weights, and without
    an `llm` a tokenizer of `vocabulary` tokens is learned from the data. `learns` names the parts that learn
    (`refvlm.training.freezing`), all when empty; `lora` the rank of low-rank updates of the LLM, which then stays as it
    is (0: none). `weights` weighs losses, by unit ("box") or by full name ("box.giou"), in place of the config's own.

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
    llm: str = ""
    dense: str = ""
    vision: str = ""
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


def smollm() -> Recipe:
    """A pretrained language model of 135 M weights learns to point, with a small trunk from random weights: for a patient
    CPU or any GPU."""
    return replace(
        tiny_cpu(), name="smollm", config=smollm_config, llm="HuggingFaceTB/SmolLM2-135M-Instruct", optimizer="adamw",
        rate=3e-4, minutes=inf, steps=20_000, recompute=True, save=500,
    )  # fmt: skip


def stage1() -> Recipe:
    """The paper's first stage: the projector learns to say photos in the LLM's words; all else stays."""
    return Recipe(
        "stage1", reference_7b_config, llm="lmsys/vicuna-7b-v1.5", vision="openai/clip-vit-large-patch14-336",
        dense="facebook/convnext-large-384-22k-1k",
        learns=("projector",), photos=16, steps=5_000, minutes=inf, warm_up=150, rate=1e-3, last_rate=0.0, decay=0.0,
        precision="bfloat16", recompute=True, zero=2, save=500,
    )  # fmt: skip


def stage2() -> Recipe:
    """The second: LLM, projector, prompts, boxes and masks learn from everything that is said; the encoders stay."""
    return replace(
        stage1(), name="stage2", learns=("llm", "projector", "prompts", "neck", "box", "mask"), photos=4, accumulate=2,
        rate=2e-5, steps=40_000, warm_up=1_200,
    )  # fmt: skip


def stage3_keypoint() -> Recipe:
    """The third, for poses: one decoder learns, so nothing else can be forgotten."""
    return replace(stage2(), name="stage3_keypoint", learns=("keypoint",), rate=1e-4, steps=20_000, warm_up=600)


def stage3_depth() -> Recipe:
    """The third, for depth."""
    return replace(stage3_keypoint(), name="stage3_depth", learns=("depth",))


def modern() -> Recipe:
    """Today's open LLM and encoders in one run: the LLM by low-rank updates, all that is new in whole."""
    return replace(
        stage2(), name="modern", config=modern_config, llm="Qwen/Qwen3-4B", vision="google/siglip2-so400m-patch14-384",
        dense="facebook/dinov3-convnext-large-pretrain-lvd1689m", lora=64, rate=1e-4, zero=3,
        learns=("llm", "projector", "prompts", "neck", "box", "mask", "keypoint", "depth"),
    )  # fmt: skip


def shrunk(of: Recipe) -> Recipe:
    """The same run in a size that runs anywhere, from random weights: what a recipe is tried with before it is given real
    checkpoints and a cluster."""

    def config(vocabulary: int, special_ids: dict[str, Any]) -> RefVLMConfig:
        small = small_config(of.config(vocabulary, special_ids), vocabulary)
        small.special_ids = special_ids
        return small

    return replace(
        of,
        config=config,
        llm="",
        dense="",
        vision="",
        vocabulary=600,
        photos=2,
        lora=min(of.lora, 4),
        warm_up=1,
        zero=0,
    )


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


RECIPES: dict[str, Callable[[], Recipe]] = {
    found.__name__: found for found in (tiny_cpu, smollm, stage1, stage2, stage3_keypoint, stage3_depth, modern, smoke)
}


class RecipeError(ValueError):
    """A recipe or setting that does not exist; the message lists what does."""


CHOICES: dict[str, tuple[Any, ...]] = {"precision": ("auto", "float32", "bfloat16"), "zero": (0, 2, 3)}
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
    for key, right in CHOICES.items():
        if getattr(found, key) not in right:
            raise RecipeError(f"{key}={getattr(found, key)!r}; {', '.join(map(str, right))} are right")
    for key in ("photos", "accumulate", "steps", "minutes"):
        if not getattr(found, key) > 0:
            raise RecipeError(f"{key}={getattr(found, key)}; more than 0 is right")
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
