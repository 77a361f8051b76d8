"""Greedy generation in batches, with a KV cache, and the decoding of every `<REF>` that was written.

Only the hidden states of `<REF>` tokens are kept. Questions are padded on the right and the padding masked, so a batch
says token for token what its members say alone; rows that have ended leave the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import DynamicCache

from refvlm.batch import Batch
from refvlm.decoders._contract import Found
from refvlm.router import Route, Router

if TYPE_CHECKING:
    from refvlm.model import RefVLMForConditionalGeneration, Sights


@dataclass(frozen=True)
class Answered:
    """What the model said to one question: token ids without the end token, each one's probability, whether it ended by
    itself, and one entry per `<REF>`: the decoded unit with its score, or None where none could be decoded."""

    ids: list[int]
    probabilities: list[float]
    ended: bool
    units: list[Found | None]


@dataclass
class _Saying:
    """A row while it is being generated."""

    ids: list[int] = field(default_factory=list[int])
    probabilities: list[float] = field(default_factory=list[float])
    states: list[Tensor] = field(default_factory=list[Tensor])
    ended: bool = False


@torch.no_grad()
def generate(model: RefVLMForConditionalGeneration, batch: Batch, max_new_tokens: int = 256) -> list[Answered]:
    """Answer every row of `batch` (one question per row)."""
    batch = batch.to(model.device)
    sights = model.see(batch.photos, batch.extent_wh)
    said = _say(model, batch, sights, max_new_tokens)
    special: dict[str, Any] = model.config.special_ids or {}
    routes = [Router.from_ids(special).read(row.ids) for row in said]
    units: list[list[Found | None]] = [[None] * len(row) for row in routes]
    for kind in model.decoders:
        _decode(model, kind, batch, sights, said, routes, units)
    return [Answered(row.ids, row.probabilities, row.ended, found) for row, found in zip(said, units, strict=True)]


def _say(model: RefVLMForConditionalGeneration, batch: Batch, sights: Sights, max_new_tokens: int) -> list[_Saying]:
    special: dict[str, Any] = model.config.special_ids or {}
    end, ref = special["<|end|>"], special["<REF>"]
    llm: Any = model.llm
    body, head, embed = llm.get_decoder(), llm.get_output_embeddings(), model.get_input_embeddings()
    words = model.embed(batch, sights)
    inputs = torch.cat((sights.tokens[batch.owner].to(words.dtype), words), 1)
    n = inputs.shape[1] - words.shape[1]
    mask = torch.cat((sights.token_valid[batch.owner], batch.segments > 0), 1).long()  # (R, n + T)
    raster = sights.prompt_map.shape[-2] * sights.prompt_map.shape[-1]
    places = torch.cat((sights.token_places.expand(len(words), -1), batch.places + raster), 1)
    lengths = (batch.segments > 0).sum(1)  # (R,)
    cache = DynamicCache()
    states = body(
        inputs_embeds=inputs, attention_mask=mask, position_ids=places, past_key_values=cache, use_cache=True
    ).last_hidden_state
    active = torch.arange(len(words), device=words.device)  # (A,) rows that have not ended
    last = states[active, n + lengths - 1]  # (A, D)
    said = [_Saying() for _ in range(len(words))]
    for step in range(max_new_tokens):
        chances = head(last).float().softmax(-1)
        chance, token = chances.max(-1)
        for row, word, sure in zip(active.tolist(), token.tolist(), chance.tolist(), strict=True):
            if word == end:
                said[row].ended = True
            else:
                said[row].ids.append(word)
                said[row].probabilities.append(sure)
        going = (token != end).nonzero()[:, 0]
        if not len(going):
            break
        if len(going) < len(active):
            active, token, mask = active[going], token[going], mask[going]
            cache.batch_select_indices(going)
        mask = torch.cat((mask, torch.ones_like(mask[:, :1])), 1)
        last = body(
            inputs_embeds=embed(token[:, None]), attention_mask=mask, past_key_values=cache, use_cache=True,
            position_ids=(raster + lengths[active] + step)[:, None],
        ).last_hidden_state[:, 0]  # fmt: skip
        for index in (token == ref).nonzero()[:, 0].tolist():
            said[int(active[index])].states.append(last[index])
    return said


def _decode(
    model: RefVLMForConditionalGeneration, kind: str, batch: Batch, sights: Sights,
    said: Sequence[_Saying], routes: Sequence[Sequence[Route]], units: Sequence[list[Found | None]],
) -> None:  # fmt: skip
    """Decode every reference of one kind, of all rows at once, into `units`."""
    owner = batch.owner.tolist()
    wanted = [
        (row, n, route)
        for row, found in enumerate(routes)
        for n, route in enumerate(found)
        if route.kind == kind and batch.frames[owner[row]] is not None and n < len(said[row].states)
    ]
    if not wanted:
        return
    numbers: dict[tuple[int, int], int] = {}
    numbered = [numbers.setdefault((row, route.group), len(numbers)) for row, _, route in wanted]
    groups = torch.tensor(numbered, device=batch.owner.device)
    queries = torch.stack([said[row].states[n] for row, n, _ in wanted])
    decoder = model.decoder(kind)
    outputs = decoder(queries, sights.maps.pick(batch.owner[[row for row, _, _ in wanted]]))
    seen = [frame for row, _, _ in wanted if (frame := batch.frames[owner[row]]) is not None]
    for (row, n, route), found in zip(wanted, decoder.units(outputs, seen, groups), strict=True):
        said_so = written_probability(said[row], route, model)
        units[row][n] = Found(found.unit, found.score * said_so)


def written_probability(row: _Saying, route: Route, model: RefVLMForConditionalGeneration) -> float:
    """How sure the model was of writing this reference: the product of its tokens' probabilities since `<Phrase>`."""
    special: dict[str, Any] = model.config.special_ids or {}
    start = route.position
    while start > 0 and row.ids[start] != special["<Phrase>"]:
        start -= 1
    return float(torch.tensor(row.probabilities[start : route.position + 1], dtype=torch.float64).prod())
