"""Attention for training: a dialogue attends to its photo and to itself, and pays for nothing else.

All tokens of a batch stand in one sequence: the photos' first, then the dialogues in blocks of about equal length. The
linear layers of the LLM see that sequence as it is; attention cuts it at the blocks. One mask over everything packed behind
a photo would cost the square of it: 20 times as much, and on a CPU most of the training step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

NAME = "dialogues"  # the attention of this module, to `transformers`
SHORTEST = 0.7  # of a block's length; a shorter dialogue opens the next block


@dataclass(frozen=True)
class Block:
    """Dialogues of about one length. `photo` (D,) is each one's photo, `source` (D, L) where its tokens stand in the flat
    (R * T) batch; short dialogues repeat their last token, which nobody attends to."""

    photo: Tensor
    source: Tensor


@dataclass(frozen=True)
class Layout:
    """How a batch becomes one sequence: P photos of n tokens, of which `real` (P, n) show something, then the blocks.
    `found` (R, T): where each token of the batch stands in the sequence (padding: anywhere)."""

    real: Tensor
    blocks: tuple[Block, ...]
    found: Tensor


def layout(segments: Tensor, owner: Tensor, real: Tensor) -> Layout:
    """The layout of a batch: `segments` (R, T) number the dialogues of a row from 1, 0 is padding; `owner` (R,) is each
    row's photo."""
    rows, length = segments.shape
    flat = F.pad(segments, (1, 0), value=-1)
    starts = ((flat[:, 1:] != flat[:, :-1]) & (segments > 0)).flatten().nonzero()[:, 0]  # (D,)
    row = starts // length
    key = row * (length + 1) + segments.flatten()[starts]
    every = (torch.arange(rows, device=segments.device)[:, None] * (length + 1) + segments)[segments > 0]
    lengths = torch.bincount(every, minlength=rows * (length + 1))[key] if len(key) else key
    order = torch.argsort(lengths, descending=True, stable=True)
    sizes = lengths[order].tolist()
    blocks: list[Block] = []
    found = torch.zeros(rows * length, dtype=torch.long, device=segments.device)
    place, first = real.numel(), 0
    while first < len(sizes):
        last = first
        while last < len(sizes) and sizes[last] >= SHORTEST * sizes[first]:
            last += 1
        mine = order[first:last]
        steps = torch.arange(sizes[first], device=segments.device)
        source = starts[mine, None] + torch.minimum(steps, lengths[mine, None] - 1)  # (D, L)
        places = place + torch.arange(source.numel(), device=segments.device).view_as(source)
        inside = steps < lengths[mine, None]
        found[source[inside]] = places[inside]
        blocks.append(Block(owner[row[mine]], source))
        place, first = place + source.numel(), last
    return Layout(real, tuple(blocks), found.view(rows, length))


def dialogue_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None,
    layout: Layout | None = None, scaling: float | None = None, **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """The attention function of `transformers`: states (1, heads, N, d) in, (1, N, heads, d) out. Without a layout (in
    generation) plain scaled dot products."""
    if layout is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    # On CPUs torch's backward pass through attention is three times slower in bfloat16 than in float32.
    kind = torch.float32 if query.device.type == "cpu" else query.dtype
    q, k, v = (states[0].transpose(0, 1).to(kind) for states in (query, key, value))  # (N, heads, d)
    photos, n = layout.real.shape
    sizes = [photos * n, *(block.source.numel() for block in layout.blocks)]
    parts = list(zip(*(states.split(sizes) for states in (q, k, v)), strict=True))
    own = [states.unflatten(0, (photos, n)) for states in parts[0]]  # (P, n, heads, d)
    diagonal = torch.eye(n, dtype=torch.bool, device=q.device)  # a token of nothing must see something: no NaN
    seen = (layout.real[:, None] & torch.ones(n, n, dtype=torch.bool, device=q.device).tril()) | diagonal
    out: list[Tensor] = []
    with torch.autocast(q.device.type, enabled=False):
        if n:
            out.append(_attend(own[0], own[1], own[2], seen[:, None], scaling))
        for block, part in zip(layout.blocks, parts[1:], strict=True):
            dialogues, length = block.source.shape
            bq, bk, bv = (states.unflatten(0, (dialogues, length)) for states in part)
            bk = torch.cat((own[1].index_select(0, block.photo), bk), 1)
            bv = torch.cat((own[2].index_select(0, block.photo), bv), 1)
            earlier = torch.ones(length, length, dtype=torch.bool, device=q.device).tril().expand(dialogues, -1, -1)
            mask = torch.cat((layout.real[block.photo][:, None].expand(-1, length, -1), earlier), -1)
            out.append(_attend(bq, bk, bv, mask[:, None], scaling))
    return torch.cat(out)[None].to(query.dtype), None


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, scaling: float | None) -> Tensor:
    """States (B, length, heads, d) -> (B * length, heads, d)."""
    q, k, v = (states.transpose(1, 2) for states in (q, k, v))
    found = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scaling, enable_gqa=q.shape[1] != k.shape[1])
    return found.transpose(1, 2).flatten(0, 1)


AttentionInterface.register(NAME, dialogue_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
