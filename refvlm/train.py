"""Training: one loop that reads top to bottom, and the few things it leans on."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any, Protocol

import torch
from torch import nn

from refvlm.collator import Batch, Collator, LoadDepth, Seen
from refvlm.model import RefVLMForConditionalGeneration
from refvlm.processing import RefVLMProcessor, learn_tokenizer
from refvlm.recipes import Recipe


class NothingToLearn(Exception):
    """Data of which nothing can be used; one line."""


class Store(Protocol):
    """Photos and what is said about them. `load_depth` reads the file behind a `Depth`."""

    load_depth: LoadDepth

    def __len__(self) -> int:
        """The number of photos."""
        ...

    def texts(self) -> Iterator[str]:
        """Everything that is said, to learn a tokenizer from."""
        ...

    def seen(self, index: int, rng: random.Random, quota: Mapping[str, int]) -> Seen | None:
        """Photo `index` with at most `quota[task]` of its dialogues of each task (1 of a task not named), drawn by `rng`;
        None when the photo cannot be read (counted by the store)."""
        ...


@dataclass(frozen=True)
class Progress:
    """What a step did: its number, the share of the run that is over, losses by name, what was seen so far."""

    step: int
    share: float
    rate: float
    losses: dict[str, float]
    photos: int
    dialogues: int
    skipped: int
    seconds: float


Report = Callable[[Progress], None]


def build(recipe: Recipe, store: Store) -> tuple[RefVLMForConditionalGeneration, RefVLMProcessor]:
    """A model with random weights for a recipe, and its processor, whose tokenizer is learned from the data."""
    torch.manual_seed(recipe.seed)
    tokenizer = learn_tokenizer(store.texts(), recipe.vocabulary)
    draft = recipe.config(len(tokenizer), {})
    processor = RefVLMProcessor(tokenizer, draft.photo_side)
    config = recipe.config(len(tokenizer), processor.special_ids())
    config.recipe = recipe.name
    return RefVLMForConditionalGeneration(config), processor


def train(recipe: Recipe, store: Store, out: Path, report: Report) -> RefVLMForConditionalGeneration:
    """Run a recipe on a store's photos; leaves the checkpoint and `losses.jsonl` in `out`."""
    prepare(recipe)
    model, processor = build(recipe, store)
    collator = Collator(
        processor, {k: type(model.decoder(k)) for k in model.decoders}, store.load_depth, recipe.max_length
    )
    optimizer = torch.optim.AdamW(parameter_groups(model, recipe.decay), lr=recipe.rate, betas=(0.9, 0.98), fused=True)
    half = fastest_precision(recipe.precision) == "bfloat16"
    out.mkdir(parents=True, exist_ok=True)
    model.train()
    start, photos, dialogues, skipped = time.monotonic(), 0, 0, 0
    with (out / "losses.jsonl").open("w", encoding="utf-8") as log:
        for step, batch in enumerate(batches(recipe, store, collator)):
            share = max(step / recipe.steps, (time.monotonic() - start) / (60 * recipe.minutes))
            if share >= 1:
                break
            rate = set_rate(optimizer, recipe, step, share)
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                output = model(batch)
            optimizer.zero_grad(set_to_none=True)
            output.loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
            if torch.isfinite(norm) and torch.isfinite(output.loss):
                optimizer.step()
            else:
                skipped += 1
            photos, dialogues = photos + len(batch.photos), dialogues + int(batch.segments.amax(1).sum())
            losses = {name: float(value.detach()) for name, value in output.losses.items()}
            progress = Progress(step, share, rate, losses, photos, dialogues, skipped, time.monotonic() - start)
            log.write(json.dumps(asdict(progress)) + "\n")
            report(progress)
    model.eval()
    save(model, processor, out)
    return model


def prepare(recipe: Recipe) -> None:
    """Threads, seed, and denormals to zero (numbers near 1e-40 make a CPU step several times slower)."""
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(recipe.seed)


def parameter_groups(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices and kernels only: biases, norms and lone scalars keep their size."""
    wide = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    flat = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    return [{"params": wide, "weight_decay": decay}, {"params": flat, "weight_decay": 0.0}]


def set_rate(optimizer: torch.optim.Optimizer, recipe: Recipe, step: int, share: float) -> float:
    """Linear warm-up by steps, cosine by the share of the run that is over."""
    cosine = recipe.last_rate + (1 - recipe.last_rate) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
    rate = recipe.rate * cosine * min(1.0, (step + 1) / max(recipe.warm_up, 1))
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate


def fastest_precision(wanted: str) -> str:
    """ "float32" or "bfloat16"; "auto" multiplies two matrices in both and takes bfloat16 if clearly faster. CPUs without
    bfloat16 units are three times slower in it, those with them three times faster."""
    if wanted != "auto":
        return wanted
    seconds: dict[torch.dtype, float] = {}
    for kind in (torch.float32, torch.bfloat16):
        a = torch.ones(512, 512, dtype=kind)
        for _ in range(3):  # the last of three: the first pays for preparation
            begin = time.perf_counter()
            for _ in range(4):
                torch.mm(a, a)
            seconds[kind] = time.perf_counter() - begin
    return "bfloat16" if seconds[torch.bfloat16] < 0.7 * seconds[torch.float32] else "float32"


def batches(recipe: Recipe, store: Store, collator: Collator) -> Iterator[Batch]:
    """Endless batches, a new order every epoch, made in a thread while the last one is learned from."""
    queue: Queue[Batch | BaseException] = Queue(maxsize=2)

    def work() -> None:
        try:
            barren = 0  # photos in a row of which nothing could be learned
            for indices in orders(len(store), recipe.photos, recipe.seed):
                if barren >= max(len(store), recipe.photos):
                    raise NothingToLearn("no photo of the data can be read; those left out are named above")
                rng = random.Random(f"{recipe.seed}/{indices}")
                seen = [item for index in indices if (item := store.seen(index, rng, recipe.quota)) is not None]
                barren = 0 if seen else barren + len(indices)
                if seen:
                    queue.put(collator(seen))
        except BaseException as error:  # handed to the loop, which raises it
            queue.put(error)

    Thread(target=work, daemon=True).start()
    while True:
        item = queue.get()
        if isinstance(item, BaseException):
            raise item
        yield item


def orders(photos: int, size: int, seed: int) -> Iterator[list[int]]:
    """Endless lists of `size` photo numbers; every epoch has each photo once, in an order of (seed, epoch)."""
    if photos < 1:
        raise NothingToLearn("no photos to learn from")
    epoch = 0
    queue: list[int] = []
    while True:
        while len(queue) < size:
            order = list(range(photos))
            random.Random(f"{seed}/{epoch}").shuffle(order)
            queue, epoch = queue + order, epoch + 1
        yield queue[:size]
        queue = queue[size:]


def save(model: RefVLMForConditionalGeneration, processor: RefVLMProcessor, out: Path) -> None:
    """A checkpoint folder: safetensors, config, tokenizer."""
    model.save_pretrained(out)
    processor.save_pretrained(out)
