"""References that read their own photo's map, layer by layer: the cross attention of a DETR decoder (Carion et al., 2020).

References never attend to one another here: which of them share a photo is an accident of packing, and the LLM has
already let each see those written before it.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def seats(owner: Tensor, photos: int) -> tuple[Tensor, int]:
    """A seat for each of N references among those of its photo, (N,) from 0, and the most that any photo has."""
    counts = torch.bincount(owner, minlength=photos)
    order = torch.argsort(owner, stable=True)
    first = torch.cumsum(counts, 0) - counts  # (P,)
    seat = torch.empty_like(owner)
    seat[order] = torch.arange(len(owner), device=owner.device) - first[owner[order]]
    return seat, int(counts.max()) if len(owner) else 0


class ReadingLayer(nn.Module):
    """One layer: queries (N, C) attend to the valid places of their photo's map, then think for themselves."""

    def __init__(self, width: int, thought: int = 8) -> None:
        super().__init__()
        self.heads = math.gcd(width, max(1, width // 32))
        self.norm, self.ask, self.know = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.tell = nn.Linear(width, width)
        self.think = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, thought * width), nn.GELU(), nn.Linear(thought * width, width)
        )

    def forward(self, queries: Tensor, memory: Tensor, valid: Tensor, owner: Tensor) -> Tensor:
        """`memory` (P, L, C) the maps, `valid` (P, L) which places show the photo, `owner` (N,). Keys are computed once per
        photo; queries are seated in a (P, most, C) table, never the maps copied."""
        if len(owner) == 0:
            return queries
        seat, most = seats(owner, len(memory))
        table = queries.new_zeros(len(memory), most, queries.shape[-1])
        table[owner, seat] = self.ask(self.norm(queries))
        keys, values = self.know(memory).chunk(2, -1)  # (P, L, C) each
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (table, keys, values)
        )  # (P, H, ., C/H)
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=valid[:, None, None])  # (P, H, most, C/H)
        queries = queries + self.tell(seen.transpose(1, 2).flatten(2)[owner, seat])
        return queries + self.think(queries)
