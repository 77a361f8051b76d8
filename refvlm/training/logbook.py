"""What a run says of itself: every step to whoever listens, to `losses.jsonl` and to TensorBoard where that is installed.

A line of `losses.jsonl` is a step (`Progress`), or held-out scores: {"step": ..., "scores": {...}}.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from refvlm.batch import Batch
from refvlm.training.ranks import Ranks

Say = Callable[[str], None]


@dataclass(frozen=True)
class Progress:
    """What a step did: its number, the share of the run that is over, the learning rate, losses by name (means over batches
    and ranks that had any), the gradients' norm (None when not finite: no step was taken), and so far: photos and
    dialogues seen, batches skipped because a loss or a gradient was not finite, batches passed over because no photo of
    them could be used, dialogues left out because they are longer than `max_length`, and seconds of training."""

    step: int
    share: float
    rate: float
    losses: dict[str, float]
    norm: float | None
    photos: int
    dialogues: int
    skipped: int
    empty: int
    too_long: int
    seconds: float


Report = Callable[[Progress], None]


class Tally:
    """Sums over the batches of a step: losses by name, photos and dialogues, and `empty`, the batches passed over."""

    def __init__(self) -> None:
        self.empty = 0
        self.batches = self._photos = self._dialogues = 0
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def add(self, batch: Batch, losses: Mapping[str, Tensor]) -> None:
        """A batch that was learned from. A loss of a unit that it has not (zero, in a run of many ranks) is no loss."""
        self.batches += 1
        self._photos += len(batch.photos)
        self._dialogues += int(batch.segments.amax(1).sum()) if batch.segments.numel() else 0
        for name, value in losses.items():
            unit = name.partition(".")[0]
            there = unit not in batch.references or len(batch.references[unit].rows) > 0
            self._sums[name] = self._sums.get(name, 0.0) + there * float(value.detach())
            self._counts[name] = self._counts.get(name, 0) + there

    def over(self, ranks: Ranks) -> tuple[dict[str, float], int, int, int]:
        """Mean losses, photos, dialogues and batches passed over, of all ranks."""
        numbers = [*self._sums.values(), *self._counts.values(), self._photos, self._dialogues, self.empty]
        *found, photos, dialogues, empty = ranks.summed(torch.tensor(numbers, dtype=torch.float64)).tolist()
        sums, counts = found[: len(self._sums)], found[len(self._sums) :]
        means = zip(self._sums, sums, counts, strict=True)
        return {name: total / count for name, total, count in means if count}, int(photos), int(dialogues), int(empty)


class Logbook:
    """See the module. `steps` of a run that is resumed are kept, and what was written after them is dropped: it is
    said again. Only the first rank of a run has one that writes."""

    def __init__(self, out: Path, steps: int, report: Report, say: Say, writes: bool = True) -> None:
        self._report, self._writes = report, writes
        if not writes:
            return
        self.path = out / "losses.jsonl"
        keep_until(self.path, steps)
        self._lines = self.path.open("a", encoding="utf-8")
        self._board = _tensorboard(out / "tensorboard", steps, say)

    def __enter__(self) -> Logbook:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writes:
            self._lines.close()
            if self._board is not None:
                self._board.close()

    def step(self, progress: Progress) -> None:
        """A step that was taken."""
        if not self._writes:
            return
        self._write(asdict(progress))
        numbers = {f"loss/{name}": value for name, value in progress.losses.items()}
        numbers |= {"train/rate": progress.rate, "train/norm": progress.norm or math.nan}
        numbers |= {f"train/{name}": getattr(progress, name) for name in ("skipped", "empty", "too_long", "dialogues")}
        self._draw(progress.step, numbers)
        self._report(progress)

    def scores(self, step: int, numbers: Mapping[str, float]) -> None:
        """Held-out scores of the model as it is before step `step`."""
        if self._writes:
            self._write({"step": step, "scores": dict(numbers)})
            self._draw(step, {f"scores/{name}": value for name, value in numbers.items()})

    def _write(self, line: dict[str, Any]) -> None:
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()

    def _draw(self, step: int, numbers: Mapping[str, float]) -> None:
        if self._board is not None:
            for name, value in numbers.items():
                self._board.add_scalar(name, value, step)


def keep_until(path: Path, steps: int) -> None:
    """Drop the lines of step number `steps` and later, and a last line that a kill cut in two."""
    if not path.exists():
        return
    kept: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            step = int(json.loads(line)["step"])
        except ValueError:  # cut in two
            break
        if step < steps:
            kept.append(line + "\n")
    beside = path.with_suffix(".new")
    beside.write_text("".join(kept), encoding="utf-8")
    os.replace(beside, path)


def _tensorboard(folder: Path, steps: int, say: Say) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError:
        say(
            "TensorBoard is not installed: losses go to losses.jsonl alone; pip install 'vt-instruct[tensorboard]' to have both"
        )
        return None
    return SummaryWriter(str(folder), purge_step=steps or None)
