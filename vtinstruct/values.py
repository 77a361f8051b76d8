"""Small values that are made by the million: records, dialogues and their parts."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

Value = TypeVar("Value")


@dataclass_transform(frozen_default=True)
def value(cls: type[Value]) -> type[Value]:
    """A dataclass of slots, equal and hashed by content. Nobody may change one: the type checker refuses it.

    Frozen at run time it would cost five times as much to make (every field goes through `object.__setattr__`), a fifth
    of the time of a whole build.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)


@contextmanager
def gc_paused() -> Generator[None, None, None]:
    """No collections of cycles inside: values form none, and the collector walks all that are alive again and again (30 % of a
    chunk's time, a fifth of scoring's)."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
