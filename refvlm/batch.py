"""What the model eats: photos in squares, rows of tokens, marks, and what is to be learned. See `Batch` for every shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vtinstruct.geometry import Letterbox


@dataclass(frozen=True)
class References:
    """The N references of one unit kind in a batch: row and column of each `<REF>` in `Batch.ids`, its group (sorted;
    one triplet is one group), the token ids of its concept (N, W), padded with -1, and the decoder's targets (first axis
    N)."""

    rows: Tensor
    columns: Tensor
    groups: Tensor
    words: Tensor
    targets: dict[str, Tensor]


@dataclass(frozen=True)
class Batch:
    """R rows of text over P photos padded to a square of S pixels.

    photos (P, S, S, 3) uint8; extent_wh (P, 2) the share of the square in use, (0, 0) where a row has no photo; owner (R,)
    each row's photo. ids (R, T) padded on the right; segments (R, T) which dialogue of the row, from 1, 0 padding; places
    (R, T) position in the dialogue; labels (R, T) the token to be said next, -100 where none is learned. prompts (V, S, S)
    uint8 masks in `[VPT]` order, prompt_owner (V,) their photos. references by unit kind. frames: where each photo stands in its
    square, None without one.
    """

    photos: Tensor
    extent_wh: Tensor
    owner: Tensor
    ids: Tensor
    segments: Tensor
    places: Tensor
    labels: Tensor
    prompts: Tensor
    prompt_owner: Tensor
    references: dict[str, References]
    frames: tuple[Letterbox | None, ...] = ()

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        moved: dict[str, Any] = {
            field.name: value.to(device)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        kinds = {
            kind: References(
                r.rows.to(device),
                r.columns.to(device),
                r.groups.to(device),
                r.words.to(device),
                {k: v.to(device) for k, v in r.targets.items()},
            )
            for kind, r in self.references.items()
        }
        return replace(self, **moved, references=kinds)


def padded(rows: Sequence[NDArray[np.int64]], fill: int) -> Tensor:
    """Rows of numbers as one table (R, T), filled up on the right."""
    table = np.full((len(rows), max((len(row) for row in rows), default=0)), fill, np.int64)
    for n, row in enumerate(rows):
        table[n, : len(row)] = row
    return torch.from_numpy(table)
