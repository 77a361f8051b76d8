"""When a run is over, how fast it learns, and what falls due on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from refvlm.recipes import Recipe


class Clock:
    """Seconds of training, from `before` on: what an interrupted run had. Stopped while something else is done."""

    def __init__(self, before: float = 0.0) -> None:
        self._begin = time.monotonic() - before

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self._begin

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Time that does not count."""
        now = self.seconds
        yield
        self._begin = time.monotonic() - now


def share_over(recipe: Recipe, step: int, seconds: float) -> float:
    """The share of a run that is over, by steps or by minutes, whichever is more."""
    return max(step / recipe.steps, seconds / (60 * recipe.minutes))


def rate_at(recipe: Recipe, step: int, share: float) -> float:
    """The learning rate: linear warm-up by steps, cosine by the share of the run that is over."""
    cosine = recipe.last_rate + (1 - recipe.last_rate) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
    return recipe.rate * cosine * min(1.0, (step + 1) / max(recipe.warm_up, 1))


def is_due(step: int, every: int, begun: int = 0) -> bool:
    """Whether what happens every so many steps (0: never) happens before step number `step` of a run that began at `begun`."""
    return every > 0 and step > begun and step % every == 0
