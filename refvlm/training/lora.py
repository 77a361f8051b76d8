"""Low-rank updates of a language model (LoRA, Hu et al., 2021): its matrices stay, and beside each learns a product of two thin
ones. They are added up when a checkpoint is saved, so nothing that reads one knows of them.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SCALE = 2.0  # alpha / rank of the paper: alpha twice the rank


class LowRank(nn.Module):
    """A linear layer (in -> out) that stays, and its update: `down` (rank, in) and `up` (out, rank), zero at first."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base
        kind: dict[str, Any] = {"dtype": base.weight.dtype, "device": base.weight.device}
        self.down = nn.Parameter(torch.empty(rank, base.in_features, **kind))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank, **kind))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + SCALE * F.linear(F.linear(x, self.down), self.up)


def add_low_rank(llm: Any, rank: int) -> None:
    """Put an update beside every linear layer of a language model's blocks. What was there stays, but for the word
    embeddings and the output head, which learn whole: TRP's marks are new words."""
    words = {id(llm.get_input_embeddings().weight), id(llm.get_output_embeddings().weight)}
    for parameter in llm.parameters():
        parameter.requires_grad_(parameter.requires_grad and id(parameter) in words)
    for module in list(llm.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear) and id(child.weight) not in words:
                setattr(module, name, LowRank(child, rank))


def added_up(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict with every update added to its matrix, under the names it has without updates."""
    owners = {name.removesuffix(".base.weight") for name in state if name.endswith(".base.weight")}
    owners = {owner for owner in owners if {f"{owner}.down", f"{owner}.up"} <= state.keys()}
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        owner, _, last = name.rpartition(".")
        if owner in owners:  # its "down" or "up"
            continue
        owner = owner.removesuffix(".base")
        if owner in owners:
            if last == "weight":
                update = state[f"{owner}.up"].float() @ state[f"{owner}.down"].float()
                value = (value.float() + SCALE * update).to(value.dtype)
            name = f"{owner}.{last}"
        found[name] = value
    return found
