"""The model and its processor as a run begins: the same on every rank."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import torch

from refvlm.model import RefVLMForConditionalGeneration
from refvlm.predict import load_model
from refvlm.pretrained import Checkpoints, from_checkpoints
from refvlm.processing import RefVLMProcessor, learn_tokenizer
from refvlm.recipes import Recipe
from refvlm.training.checkpoint import read_weights
from refvlm.training.feed import Store
from refvlm.training.freezing import let_learn, set_training
from refvlm.training.lora import add_low_rank
from refvlm.training.ranks import Ranks
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.trp import render
from vtinstruct.units import UNIT_KINDS


def begin(
    recipe: Recipe, store: Store, start: Path | None, checkpoint: Path | None, ranks: Ranks
) -> tuple[RefVLMForConditionalGeneration, RefVLMProcessor]:
    """In training mode, with the recipe's parts free to learn; from the checkpoint folder `start`, or else built; with the
    weights of a `checkpoint` of the run itself when it is resumed."""
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    torch.set_flush_denormal(True)  # numbers near 1e-40 make a CPU step several times slower
    torch.manual_seed(recipe.seed)
    model, processor = load_model(start) if start else build(recipe, store)
    model.config.recipe, model.config.loss_weights = recipe.name, dict(recipe.weights)
    let_learn(model, recipe.learns)
    if recipe.lora:
        add_low_rank(model.llm, recipe.lora)
    if recipe.recompute:
        enable = getattr(
            model.llm, "activation_checkpointing_enable", None
        )  # its name in later versions of transformers
        (enable or model.llm.gradient_checkpointing_enable)({"use_reentrant": False})
    set_training(model)
    if checkpoint:
        read_weights(checkpoint, model)
    if ranks.rank:  # each rank its own random numbers; the first goes on with those it has
        torch.manual_seed(recipe.seed + 1_000_003 * ranks.rank)
    return model, processor


# Plans are no part of what the data says: a learned tokenizer would spell their every letter.
PLANS = [
    render((Triplet("thing", kind, (Reference(None),)), "."), plan=True) for kind in UNIT_KINDS for _ in range(500)
]


def build(recipe: Recipe, store: Store) -> tuple[RefVLMForConditionalGeneration, RefVLMProcessor]:
    """A recipe's model and its processor, of pretrained parts where it names some. Raises `CheckpointError`."""
    torch.manual_seed(recipe.seed)
    texts = chain(store.texts(), PLANS if recipe.plan else ())
    tokenizer = None if recipe.llm else learn_tokenizer(texts, recipe.vocabulary)
    model, processor = from_checkpoints(recipe.config, Checkpoints(recipe.llm, recipe.dense, recipe.vision), tokenizer)
    processor.plan = recipe.plan
    return model, processor
