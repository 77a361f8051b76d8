"""Where a training step's time goes: forward and backward of one part at a time, cut at the tensors they hand over.

The graph is cut by detached copies: a part's outputs become leaves of the next one, and its backward pass begins with the
gradients that the next one left in them. The sum is the whole step; nothing is computed twice or left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import torch
from torch import Tensor

from refvlm.batch import Batch
from refvlm.decoders._locator import Locator
from refvlm.model import RefVLMForConditionalGeneration, Sights
from refvlm.vision import Maps

ENCODERS = ("encoder 1", "encoder 2")  # the parts that are neither language model nor TRP, router or decoders


class Parts:
    """Processor time of the parts of one step, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._cuts: list[tuple[str, list[Tensor], list[Tensor]]] = []  # name, outputs, their detached copies

    def run(self, name: str, work: Callable[[], Sequence[Tensor]]) -> list[Tensor]:
        """A part's forward pass: its outputs as leaves for the parts that follow."""
        start = time.process_time()
        outputs = list(work())
        self.add(name, time.process_time() - start)
        copies = [value.detach().requires_grad_(value.requires_grad) for value in outputs]
        self._cuts.append((name, outputs, copies))
        return copies

    def loss(self, name: str, work: Callable[[], Tensor]) -> Tensor:
        """A part that ends in a loss: forward and backward."""
        start = time.process_time()
        value = work()
        value.backward()
        self.add(name, time.process_time() - start)
        return value.detach()

    def back(self) -> None:
        """The backward passes, last part first."""
        for name, outputs, copies in reversed(self._cuts):
            pairs = [(o, c.grad) for o, c in zip(outputs, copies, strict=True) if c.grad is not None]
            start = time.process_time()
            if pairs:
                torch.autograd.backward([o for o, _ in pairs], [g for _, g in pairs])
            self.add(name, time.process_time() - start)

    def add(self, name: str, seconds: float) -> None:
        """So much more (or less) for a part."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


def step_by_part(
    model: RefVLMForConditionalGeneration, batch: Batch, half: bool = False
) -> tuple[float, dict[str, float]]:
    """One forward and backward pass, gradients left in the model: the loss, and seconds of processor time by part."""
    parts = Parts()
    with torch.autocast("cpu", torch.bfloat16) if half else nullcontext():
        sights = _see(model, batch, parts)
        (embedded,) = parts.run("prompts", lambda: [model.embed(batch, sights)])
        (hidden,) = parts.run("language model", lambda: [model.read(batch, sights, embedded)])  # (R, T, D)
        loss = parts.loss("words", lambda: model.weight_of("llm") * model.word_loss(batch, hidden)[0])
        if model.config.naming:
            loss += parts.loss("naming", lambda: _weighed(model, model.naming_loss(batch, sights)))
        for kind in batch.references:
            with _matching_apart(parts, kind):
                loss += parts.loss(kind, lambda k=kind: _weighed(model, model.unit_losses(k, batch, sights, hidden)))
    parts.back()
    return float(loss), parts.seconds


def _weighed(model: RefVLMForConditionalGeneration, losses: dict[str, Tensor]) -> Tensor:
    return torch.stack([model.weight_of(name) * value.float() for name, value in losses.items()]).sum()


@contextmanager
def _matching_apart(parts: Parts, kind: str) -> Iterator[None]:
    """Count what the locator spends on assigning targets as "matching", not as the decoder's."""
    whole = Locator.assign

    def timed(self: Locator, *given: Tensor) -> Tensor:
        start = time.process_time()
        found = whole(self, *given)
        spent = time.process_time() - start
        parts.add("matching", spent)
        parts.add(kind, -spent)
        return found

    Locator.assign = timed
    try:
        yield
    finally:
        Locator.assign = whole


def _see(model: RefVLMForConditionalGeneration, batch: Batch, parts: Parts) -> Sights:
    """`RefVLMForConditionalGeneration.see`, part by part."""
    dense, extent, vision = model.dense, batch.extent_wh, model.vision
    kept: list[Maps] = []
    sights: list[Sights] = []

    def neck() -> list[Tensor]:
        kept.append(dense.neck(photos, features, extent))
        return [getattr(kept[0], name) for name in tensors]

    def project() -> list[Tensor]:
        sights.append(model.sights(maps, prompt_map, model.projector(prompt_map.flatten(2).transpose(1, 2))))
        return [sights[0].tokens]

    photos = dense.normal(batch.photos).contiguous(memory_format=dense.layout)  # (P, 3, S, S)
    tensors = ("tokens", "coarse", "fine", "pixels")
    features = parts.run("encoder 2", lambda: dense.backbone(photos).feature_maps)
    made = parts.run("neck", neck)
    maps = replace(kept[0], **dict(zip(tensors, made, strict=True)))
    prompt_map = maps.tokens if vision is None else parts.run("encoder 1", lambda: [vision(batch.photos)])[0]
    (tokens,) = parts.run("projector", project)
    return replace(sights[0], tokens=tokens)
