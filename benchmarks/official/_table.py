"""What scoring an official layout gives: numbers in official order, the same by class, and what a reader must know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Table:
    """`numbers` by official name in official order, None where undefined (the tools print -1 or NaN); `classes` one entry a
    class; `notes` one line each; `engine` what computed it, with its version; `ties` how far the order of equal confidences
    carries AP, none where it moves nothing."""

    title: str
    numbers: Mapping[str, float | None]
    classes: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    engine: Mapping[str, str] = field(default_factory=dict[str, str])
    ties: Mapping[str, float | None] = field(default_factory=dict[str, float | None])
