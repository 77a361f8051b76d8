"""`RefVLMConfig`: what a REF-VLM is made of. Sub-models keep their own `transformers` configs."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec


class RefVLMConfig(PreTrainedConfig):
    """A language model that points: its parts and how they meet.

    `text_config` is the LLM; `dense_config` encoder 2, a convolutional backbone whose maps feed the decoders;
    `vision_config` encoder 1, a ViT whose tokens feed the LLM (None: encoder 2's stride-16 map does, so that a tiny model
    trains one trunk). `photo_side` and `vision_side` are the padded squares the encoders see, in pixels; `dense_mean`,
    `dense_std`, `vision_mean`, `vision_std` what each takes off its R, G, B (of 0..1) and divides by; `vision_layer` the
    ViT's layer that is read. `neck_width` and `pixel_width` are the channels of the maps the decoders get.
    `naming` weighs the loss that teaches photo tokens the names of things, `unit_weight` all the decoders' losses,
    beside the LLM's 1; `loss_weights` weighs some by unit or by full name instead. `prompt_geometry` False silences the
    prompts' geometry token. `decoders` maps a unit kind to the keyword arguments of its decoder, and "file" among them
    names another file of `refvlm/decoders` than `<kind>.py`. `special_ids` holds what the router must know of the
    tokenizer: the ids of the marks, and under "units" the id sequence of every unit's name. `recipe` names the run that
    made the weights.
    """

    model_type = "refvlm"
    # ClassVar by convention of transformers: unannotated, so that the config's dataclass does not take it for a field.
    sub_configs_defaults = {  # noqa: RUF012
        "text_config": SubConfigSpec(config_class=AutoConfig, model_type="llama"),
        "dense_config": SubConfigSpec(config_class=AutoConfig, model_type="resnet"),
        "vision_config": SubConfigSpec(config_class=AutoConfig, model_type="clip_vision_model", optional=True),
    }

    text_config: dict[str, Any] | PreTrainedConfig | None = None
    dense_config: dict[str, Any] | PreTrainedConfig | None = None
    vision_config: dict[str, Any] | PreTrainedConfig | None = None
    photo_side: int = 160
    vision_side: int = 224
    vision_layer: int = -2
    # Tuples become lists in JSON, so they are lists from the start. 0.5 and 0.5: every channel in -1..1.
    dense_mean: list[float] = field(default_factory=lambda: [0.5] * 3)
    dense_std: list[float] = field(default_factory=lambda: [0.5] * 3)
    vision_mean: list[float] = field(default_factory=lambda: [0.5] * 3)
    vision_std: list[float] = field(default_factory=lambda: [0.5] * 3)
    neck_width: int = 96
    pixel_width: int = 24
    naming: float = 0.0
    unit_weight: float = 0.5
    loss_weights: dict[str, Any] | None = None
    prompt_geometry: bool = True
    decoders: dict[str, Any] | None = None
    special_ids: dict[str, Any] | None = None
    recipe: str = ""
    tie_word_embeddings: bool = False

    @property
    def hidden_size(self) -> int:
        """Width of the LLM (DeepSpeed's automatic settings look for this name)."""
        return self.text_config.hidden_size  # type: ignore[union-attr]


AutoConfig.register(RefVLMConfig.model_type, RefVLMConfig)
