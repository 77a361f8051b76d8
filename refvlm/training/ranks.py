"""The processes of a run: who this one is, and the few things they must agree on.

`torchrun`, `deepspeed` and `srun` say it in the environment (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT); without
them there is one process. A process has the accelerator of its local rank, or else the CPU.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

PATIENCE = timedelta(hours=2)  # how long ranks wait for the first, which may be scoring held-out photos


@dataclass(frozen=True)
class Ranks:
    """This process among `world`, and where its tensors live."""

    rank: int = 0
    world: int = 1
    device: torch.device = torch.device("cpu")  # noqa: RUF009  (a constant)

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def every(self, fact: bool) -> bool:
        """Whether it is so on every rank."""
        return self._reduced(torch.tensor([float(fact)]), dist.ReduceOp.MIN).item() == 1

    def summed(self, numbers: Tensor) -> Tensor:
        """Numbers (n,) summed over the ranks."""
        return self._reduced(numbers, dist.ReduceOp.SUM)

    def of_first(self, number: float) -> float:
        """The first rank's number: what depends on a clock must not differ."""
        return self.summed(torch.tensor([number if self.is_first else 0.0], dtype=torch.float64)).item()

    def wait(self) -> None:
        """For all others to be here too."""
        if self.world > 1:
            dist.barrier()

    def _reduced(self, numbers: Tensor, operation: dist.ReduceOp.RedOpType) -> Tensor:
        if self.world == 1:
            return numbers
        moved = numbers.to(self.device)
        dist.all_reduce(moved, operation)
        return moved.cpu()


@contextmanager
def joined(environment: Mapping[str, str] = os.environ, together: bool = False) -> Iterator[Ranks]:
    """Join the processes that the launcher started, and leave them at the end. A process group that exists is used;
    `together` makes one of a single process too."""
    rank, world = int(environment.get("RANK", "0")), int(environment.get("WORLD_SIZE", "1"))
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(environment.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    began = (world > 1 or together) and not dist.is_initialized()
    if began:
        alone: dict[str, Any] = {} if world > 1 else {"store": dist.HashStore(), "rank": 0, "world_size": 1}  # pyright: ignore[reportPrivateImportUsage]
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE, **alone)
    try:
        yield Ranks(rank, world, device)
    finally:
        if began:
            dist.destroy_process_group()
