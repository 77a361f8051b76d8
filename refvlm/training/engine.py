"""What takes a step: a model with its optimizer, in one process or in many (`torch`'s own data parallelism).

`refvlm.training.zero` is the same for DeepSpeed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from refvlm.batch import Batch
from refvlm.model import Output, RefVLMForConditionalGeneration
from refvlm.muon import Muon
from refvlm.recipes import Recipe, RecipeError
from refvlm.training.ranks import Ranks

MUON_RATE = 2.0  # times AdamW's: what was tried on the sample


class Engine(Protocol):
    """The model in training, whatever it is spread over."""

    model: RefVLMForConditionalGeneration

    def forward(self, batch: Batch, last: bool) -> Output:
        """The losses of a batch; `last` says that the step is taken after it."""
        ...

    def backward(self, loss: Tensor) -> None:
        """Add a batch's share to the gradients: a step is the mean over its batches and ranks."""
        ...

    def step(self, rate: float) -> float:
        """Take the step at a learning rate; the norm of the gradients. When that is not finite, no step was taken."""
        ...

    def weights(self) -> dict[str, Tensor]:
        """Every weight and buffer by name, whole, on the first rank (others: anything). To be called on every rank."""
        ...

    def memory(self) -> dict[str, Tensor]:
        """What this rank's optimizer remembers; empty where another rank's says the same."""
        ...

    def remember(self, memory: Mapping[str, Tensor]) -> None:
        """Put such a memory back, in place."""
        ...


class TorchEngine:
    """See `Engine`: plain in one process, distributed data parallel in several."""

    def __init__(self, model: RefVLMForConditionalGeneration, recipe: Recipe, ranks: Ranks) -> None:
        nn.Module.to(model, ranks.device)
        self.model = model
        self._recipe, self._ranks = recipe, ranks
        self._half = recipe.precision == "bfloat16"
        self._optimizers = optimizers(model, recipe)
        # Unused: the blocks of a ViT behind the layer that is read, and decoders whose unit the batch has not.
        self._whole: Any = model
        if ranks.world > 1:
            self._whole = DistributedDataParallel(model, find_unused_parameters=True)

    def forward(self, batch: Batch, last: bool) -> Output:
        alone = nullcontext() if last or self._ranks.world == 1 else self._whole.no_sync()
        with alone, torch.autocast(self._ranks.device.type, torch.bfloat16, enabled=self._half):
            return self._whole(batch)

    def backward(self, loss: Tensor) -> None:
        (loss / self._recipe.accumulate).backward()

    def step(self, rate: float) -> float:
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self._recipe.clip)
        if torch.isfinite(norm):
            for optimizer in self._optimizers:
                set_rate(optimizer, rate)
                optimizer.step()
        self.model.zero_grad(set_to_none=True)
        return norm.item()

    def weights(self) -> dict[str, Tensor]:
        return self.model.state_dict()

    def memory(self) -> dict[str, Tensor]:
        if not self._ranks.is_first:
            return {}
        names = {id(parameter): name for name, parameter in self.model.named_parameters()}
        return {
            f"{names[id(parameter)]}|{key}": value
            for optimizer in self._optimizers
            for parameter, entries in optimizer.state.items()
            for key, value in entries.items()
        }

    def remember(self, memory: Mapping[str, Tensor]) -> None:
        named = dict(self.model.named_parameters())
        learned_by = {id(p): o for o in self._optimizers for group in o.param_groups for p in group["params"]}
        for key, value in memory.items():
            name, _, entry = key.partition("|")
            place = torch.device("cpu") if entry == "step" else named[name].device
            learned_by[id(named[name])].state[named[name]][entry] = value.to(place)


def optimizers(model: RefVLMForConditionalGeneration, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """What the recipe learns by: AdamW for everything, or Muon for matrices and kernels and AdamW for the rest."""
    if recipe.optimizer == "adamw":
        return [adamw(model.parameters(), recipe)]
    if recipe.optimizer != "muon":
        raise RecipeError(f"no optimizer {recipe.optimizer!r}; adamw or muon is right")
    words = {id(part.weight) for part in (model.get_input_embeddings(), model.llm.get_output_embeddings())}
    turned = [p for p in model.parameters() if p.requires_grad and p.ndim > 1 and id(p) not in words]
    taken = {id(p) for p in turned}
    rest = adamw([p for p in model.parameters() if id(p) not in taken], recipe)
    group = {"params": turned, "times": MUON_RATE}
    return [Muon([group], lr=recipe.rate, weight_decay=recipe.decay), rest] if turned else [rest]


def adamw(parameters: Iterable[nn.Parameter], recipe: Recipe) -> torch.optim.AdamW:
    """AdamW. Weight decay for matrices and kernels only: biases, norms and lone scalars keep their size."""
    learning = [p for p in parameters if p.requires_grad]
    wide = [p for p in learning if p.ndim > 1]
    flat = [p for p in learning if p.ndim <= 1]
    groups = [{"params": wide, "weight_decay": recipe.decay}, {"params": flat, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98), fused=True)


def set_rate(optimizer: Any, rate: float) -> None:
    """Give every group that learning rate, times its own factor where it has one."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("times", 1.0)


def fastest_precision() -> str:
    """ "float32" or "bfloat16": multiplies two matrices in both and takes bfloat16 if clearly faster. CPUs without
    bfloat16 units are three times slower in it, those with them three times faster."""
    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    seconds: dict[torch.dtype, float] = {}
    for kind in (torch.float32, torch.bfloat16):
        a = torch.ones(512, 512, dtype=kind)
        for _ in range(3):  # the last of three: the first pays for preparation
            begin = time.perf_counter()
            for _ in range(4):
                torch.mm(a, a)
            seconds[kind] = time.perf_counter() - begin
    return "bfloat16" if seconds[torch.bfloat16] < 0.7 * seconds[torch.float32] else "float32"
