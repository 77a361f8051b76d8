"""Checkpoints to resume from: what learns, what the optimizer remembers, the random numbers and the place in the data.

    <out>/run.json                          the recipe and the data, so that no run is resumed as another
    <out>/checkpoints/<steps>/state.json    how far the run is
                             /learned.safetensors   weights that learn, and buffers; what stays is built anew
                             /rank-<r>.safetensors  of each process: optimizer, random numbers, place in its order

A checkpoint is written beside its place and renamed when it is whole, so a kill at any moment leaves the last one. Tensors and
JSON only: nothing is ever unpickled, DeepSpeed's optimizers included.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from refvlm.processing import RefVLMProcessor
from refvlm.recipes import Recipe
from refvlm.training.engine import Engine, fastest_precision
from refvlm.training.feed import Store
from refvlm.training.lora import added_up
from refvlm.training.ranks import Ranks

FOLDER, RUN, STATE, LEARNED = "checkpoints", "run.json", "state.json", "learned.safetensors"
KEPT = 2  # the last ones; one is being read while the next is written, nowhere more are needed
MAY_DIFFER = ("save", "evaluate", "threads")  # settings that change nothing that is learned


class ResumeError(Exception):
    """A run that cannot be resumed as asked; one line."""


class LossError(Exception):
    """A run that cannot go on: its losses or gradients stay beyond numbers; one line."""


@dataclass
class State:
    """How far a run is: steps taken, place of this rank in its order, photos and dialogues seen, batches skipped (and how
    many of them just now in a row), batches passed over as empty, seconds."""

    step: int = 0
    place: int = 0
    photos: int = 0
    dialogues: int = 0
    skipped: int = 0
    in_a_row: int = 0
    empty: int = 0
    seconds: float = 0.0

    def skip(self, most: int) -> None:
        """Count a batch or step that was left out. Raises `LossError` after `most` in a row."""
        self.skipped, self.in_a_row = self.skipped + 1, self.in_a_row + 1
        if self.in_a_row >= most:
            raise LossError(
                f"no finite loss or gradient {most} times in a row at step {self.step}: a lower rate is right"
            )


def begin_run(out: Path, recipe: Recipe, store: Store, ranks: Ranks, start: Path | None, resume: bool) -> Recipe:
    """Write what a run is, or hold it against what is there: the same recipe, data and number of processes. The recipe with
    its precision settled: measured when a run begins, the same when it is resumed. Raises `ResumeError` with what differs."""
    half = 0.0
    if ranks.is_first:
        there = _read_run(out, resume)
        if recipe.precision == "auto":
            recipe = replace(recipe, precision=there.get("precision") or fastest_precision())
        _hold(out / RUN, there, recipe, store, ranks.world, start)
        half = float(recipe.precision == "bfloat16")
    return replace(recipe, precision="bfloat16" if ranks.of_first(half) else "float32")


def _read_run(out: Path, resume: bool) -> dict[str, Any]:
    if not (out / RUN).exists():
        return {}
    if not resume:
        raise ResumeError(f"{out} has a run; to resume it or another folder is right")
    return json.loads((out / RUN).read_text(encoding="utf-8"))


def _hold(path: Path, there: dict[str, Any], recipe: Recipe, store: Store, world: int, start: Path | None) -> None:
    settings = {f.name: getattr(recipe, f.name) for f in fields(recipe) if f.name not in (*MAY_DIFFER, "config")}
    settings |= {"data": store.fingerprint, "processes": world, "from": str(start or "")}
    wanted: dict[str, Any] = json.loads(json.dumps(settings, default=dict))
    if not there:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_json(path, wanted)
        return
    for key, now in wanted.items():
        if there.get(key) != now:
            raise ResumeError(f"{path}: the run was begun with {key}={there.get(key)}, not {now}; the same is right")


def newest(out: Path) -> Path | None:
    """The last whole checkpoint of a run, None without one."""
    found = sorted(path for path in (out / FOLDER).glob("[0-9]*") if path.name.isdigit())
    return found[-1] if found else None


def write_checkpoint(out: Path, state: State, engine: Engine, ranks: Ranks) -> Path:
    """A checkpoint of the whole run, by all its ranks; older ones than the last `KEPT` are removed."""
    place = out / FOLDER / f"{state.step:08d}"
    beside = place.with_suffix(".new")
    if ranks.is_first:
        shutil.rmtree(beside, ignore_errors=True)  # of a run that was killed
        beside.mkdir(parents=True)
    ranks.wait()
    mine = {f"optimizer|{key}": value for key, value in engine.memory().items()}
    mine |= {"place": torch.tensor(state.place)} | _random_numbers(ranks)
    _write_tensors(beside / f"rank-{ranks.rank}.safetensors", mine)
    weights = engine.weights()
    if ranks.is_first:
        stays = staying(engine.model)
        _write_tensors(beside / LEARNED, {name: value for name, value in weights.items() if name not in stays})
        _write_json(beside / STATE, asdict(state))
    ranks.wait()
    if ranks.is_first:
        shutil.rmtree(place, ignore_errors=True)
        os.rename(beside, place)
        _sync(place.parent)
        for old in sorted(path for path in place.parent.glob("[0-9]*") if path.name.isdigit())[:-KEPT]:
            shutil.rmtree(old)
    return place


def read_weights(checkpoint: Path, model: torch.nn.Module) -> None:
    """Put a checkpoint's weights and buffers into a model that was built as the run's was. Raises `ResumeError`."""
    found = load_file(checkpoint / LEARNED)
    result = model.load_state_dict(found, strict=False)
    again = {name for name, _ in model.named_parameters(remove_duplicate=False)} - dict(model.named_parameters()).keys()
    missing = set(result.missing_keys) - staying(model) - again
    for name in sorted([*result.unexpected_keys, *missing]):
        raise ResumeError(f"{checkpoint}: its weights are not those of this model ({name}); the same version is right")


def staying(model: torch.nn.Module) -> set[str]:
    """Names of the weights that do not learn; a weight that is used twice has two."""
    return {name for name, p in model.named_parameters(remove_duplicate=False) if not p.requires_grad}


def read_memory(checkpoint: Path, engine: Engine, ranks: Ranks) -> State:
    """Put optimizer and random numbers back, on every rank; how far the run was."""
    mine = load_file(checkpoint / f"rank-{ranks.rank}.safetensors")
    memory = {key.partition("|")[2]: value for key, value in mine.items() if key.startswith("optimizer|")}
    if not memory:
        first = load_file(checkpoint / "rank-0.safetensors")
        memory = {key.partition("|")[2]: value for key, value in first.items() if key.startswith("optimizer|")}
    engine.remember(memory)
    torch.set_rng_state(mine["random|cpu"])
    if ranks.device.type == "cuda":
        torch.cuda.set_rng_state(mine["random|cuda"], ranks.device)
    state = State(**json.loads((checkpoint / STATE).read_text(encoding="utf-8")))
    state.place = int(mine["place"])
    return state


def _random_numbers(ranks: Ranks) -> dict[str, Tensor]:
    found = {"random|cpu": torch.get_rng_state()}
    if ranks.device.type == "cuda":
        found["random|cuda"] = torch.cuda.get_rng_state(ranks.device)
    return found


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    unshared: dict[str, Tensor] = {}
    kept: set[tuple[int, int, tuple[int, ...]]] = set()
    for name, value in tensors.items():
        value = value.detach()
        place = (value.data_ptr(), value.numel(), tuple(value.shape))
        if value.numel() and place in kept:  # a tied weight under its second name
            continue
        kept.add(place)
        unshared[name] = value.cpu().contiguous()
    save_file(unshared, path)
    _sync(path)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    _sync(beside)
    os.replace(beside, path)


def _sync(path: Path) -> None:
    """To the disk, not only to the machine's memory."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def save(engine: Engine, processor: RefVLMProcessor, out: Path, ranks: Ranks) -> None:
    """A checkpoint folder to use: safetensors, config, tokenizer. By all ranks; the first writes."""
    weights = added_up(engine.weights())
    if ranks.is_first:
        engine.model.save_pretrained(out, state_dict=weights)
        processor.save_pretrained(out)
    ranks.wait()
