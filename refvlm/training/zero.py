"""DeepSpeed's ZeRO as an `Engine`: optimizer and gradients (stage 2), and also weights (stage 3), spread over the ranks.

`deepspeed.initialize` is called directly and what it gives back is checked: set up through other libraries it can leave
every rank training alone, with a plausible loss. Its own checkpoints are pickles and are not used: each rank's share of
the optimizer goes through `memory` and `remember` as named tensors.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch.distributed as dist
from torch import Tensor, nn

from refvlm.batch import Batch
from refvlm.model import Output, RefVLMForConditionalGeneration
from refvlm.recipes import Recipe, RecipeError
from refvlm.training.engine import adamw, set_rate
from refvlm.training.ranks import Ranks

WHOLE_BELOW = 100_000  # stage 3: weights with fewer numbers stay whole on every rank


def zero_settings(recipe: Recipe) -> dict[str, Any]:
    """DeepSpeed's configuration for a recipe; the batch size is said there and nowhere else."""
    return {
        "train_micro_batch_size_per_gpu": recipe.photos,
        "gradient_accumulation_steps": recipe.accumulate,
        "gradient_clipping": recipe.clip,
        "bf16": {"enabled": recipe.precision == "bfloat16"},
        "zero_optimization": {"stage": recipe.zero, "stage3_param_persistence_threshold": WHOLE_BELOW},
        "zero_allow_untested_optimizer": True,
        "steps_per_print": 1_000_000_000,
    }


class ZeroEngine:
    """See `Engine`."""

    def __init__(self, model: RefVLMForConditionalGeneration, recipe: Recipe, ranks: Ranks) -> None:
        if recipe.optimizer != "adamw":
            raise RecipeError(
                f"optimizer={recipe.optimizer} sees whole matrices and DeepSpeed cuts them; adamw is right"
            )
        deepspeed = _deepspeed(ranks)
        self.model, self._ranks = model, ranks
        self._engine, *_ = deepspeed.initialize(
            model=_Tensors(model), optimizer=adamw(model.parameters(), recipe), config=zero_settings(recipe)
        )
        _check(self._engine, deepspeed, recipe, ranks)
        self._gathered = deepspeed.zero.GatheredParameters
        self._sharded: Any = self._engine.optimizer
        norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        self._moving = [buffer for norm in norms for buffer in norm.buffers()]
        for (
            buffer
        ) in self._moving:  # DeepSpeed makes weights bfloat16 and not buffers; a batch norm has one kind of both
            if recipe.precision == "bfloat16" and buffer.is_floating_point():
                buffer.data = buffer.data.bfloat16()

    def forward(self, batch: Batch, last: bool) -> Output:
        for buffer in self._moving:  # as distributed data parallel does: the first rank's statistics are everyone's
            dist.broadcast(buffer, 0)
        loss, losses, logits = self._engine(batch)
        return Output(loss, losses, logits)

    def backward(self, loss: Tensor) -> None:
        self._engine.backward(loss)
        if not self._engine.is_gradient_accumulation_boundary():
            self._engine.step()  # counts the batch, moves nothing

    def step(self, rate: float) -> float:
        set_rate(self._sharded, rate)
        self._engine.step()
        return float("inf") if self._sharded.overflow else float(self._engine.get_global_grad_norm())

    def weights(self) -> dict[str, Tensor]:
        found = {name: value.cpu() for name, value in self.model.state_dict().items()}
        if self._engine.zero_optimization_stage() == 3:
            for name, parameter in self.model.named_parameters(remove_duplicate=False):
                with self._gathered([parameter]):
                    found[name] = parameter.detach().cpu().clone()
        return found

    def memory(self) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for n, master in enumerate(self._masters()):
            found[f"{n}|master"] = master.detach()
            found |= {f"{n}|{key}": value for key, value in self._sharded.optimizer.state[master].items()}
        return found

    def remember(self, memory: Mapping[str, Tensor]) -> None:
        masters = self._masters()
        for key, value in memory.items():
            n, _, entry = key.partition("|")
            master = masters[int(n)]
            if entry == "master":
                master.data.copy_(value)
            else:
                self._sharded.optimizer.state[master][entry] = value.to("cpu" if entry == "step" else master.device)

    def _masters(self) -> list[Tensor]:
        """This rank's share of the weights that learn, in full precision, one flat tensor a group."""
        if self._engine.zero_optimization_stage() == 3:
            return self._sharded.fp32_partitioned_groups_flat
        return self._sharded.single_partition_of_fp32_groups


class _Tensors(nn.Module):
    """The model with tensors for an answer: DeepSpeed looks for them in tuples and dicts, not in dataclasses."""

    def __init__(self, model: RefVLMForConditionalGeneration) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        output = self.model(batch)
        return output.loss, {name: value.detach() for name, value in output.losses.items()}, output.logits.detach()


def _deepspeed(ranks: Ranks) -> Any:
    """The library, told to leave alone what it would compile for a CPU: a minute of g++ for an all-reduce that gloo has."""
    if ranks.device.type == "cpu":
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    os.environ.setdefault("LOCAL_RANK", "0")
    try:
        import deepspeed
        import deepspeed.ops
    except ModuleNotFoundError as error:
        raise RecipeError("zero: deepspeed is not installed; pip install 'vt-instruct[model]' is right") from error
    if ranks.device.type == "cpu":
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    return deepspeed


def _check(engine: Any, deepspeed: Any, recipe: Recipe, ranks: Ranks) -> None:
    """Raises `RuntimeError` unless the ranks really train together."""
    facts = {
        "engine": (type(engine).__name__, deepspeed.DeepSpeedEngine.__name__),
        "stage": (engine.zero_optimization_stage(), recipe.zero),
        "processes": (dist.get_world_size(engine.data_parallel_group), ranks.world),
        "batch": (engine.train_batch_size(), recipe.photos * recipe.accumulate * ranks.world),
    }
    for name, (found, wanted) in facts.items():
        if found != wanted:
            raise RuntimeError(f"DeepSpeed's {name} is {found}, not {wanted}: the ranks would not train together")
