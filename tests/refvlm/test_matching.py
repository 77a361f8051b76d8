"""Grouped matching against brute force, and the laws of its groups."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from refvlm.decoders.box import BoxDecoder
from refvlm.matching import group_pairs, match
from refvlm.vision import Maps


def groups_of(sizes: list[int]) -> Tensor:
    return torch.repeat_interleave(torch.arange(len(sizes)) * 3, torch.tensor(sizes))


def brute(costs: Tensor) -> float:
    n = len(costs)
    return min(sum(float(costs[i, p[i]]) for i in range(n)) for p in permutations(range(n)))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(0, 1000))
def test_every_group_gets_its_cheapest_assignment(sizes: list[int], seed: int) -> None:
    groups = groups_of(sizes)
    i, j = group_pairs(groups)
    table = torch.rand(len(groups), len(groups), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = match(table[i, j], groups)
    assert sorted(found.tolist()) == list(range(len(groups)))
    start = 0
    for size in sizes:
        members = slice(start, start + size)
        assert ((found[members] >= start) & (found[members] < start + size)).all(), "a target of another group"
        paid = float(table[torch.arange(start, start + size), found[members]].sum())
        assert paid == pytest.approx(brute(table[members, members]), abs=1e-6)
        start += size


def test_batched_equals_one_by_one() -> None:
    sizes = [3, 1, 4, 2, 2, 6]
    groups = groups_of(sizes)
    i, _ = group_pairs(groups)
    costs = torch.rand(len(i), generator=torch.Generator().manual_seed(1))
    found = match(costs, groups)
    start = 0
    for size in sizes:
        mine = (i >= start) & (i < start + size)
        alone = match(costs[mine], torch.zeros(size, dtype=torch.long))
        assert torch.equal(alone + start, found[start : start + size])
        start += size


def test_permuting_references_permutes_the_assignment() -> None:
    costs = torch.rand(5, 5, generator=torch.Generator().manual_seed(2))
    groups = torch.zeros(5, dtype=torch.long)
    order = torch.tensor([3, 0, 4, 1, 2])
    i, j = group_pairs(groups)
    assert torch.equal(match(costs[order][i, j], groups), match(costs[i, j], groups)[order])


def test_pairs_grow_with_groups_not_with_their_square() -> None:
    few, many = (len(group_pairs(groups_of([4] * count))[0]) for count in (10, 1000))
    assert (few, many) == (160, 16_000)


def test_no_groups_at_all() -> None:
    empty = torch.zeros(0, dtype=torch.long)
    assert len(group_pairs(empty)[0]) == 0
    assert len(match(torch.zeros(0), empty)) == 0


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_cost_that_is_not_finite_stops_nothing(bad: float) -> None:
    for size in (2, 3):
        costs = torch.rand(size * size)
        costs[0] = bad
        assert sorted(match(costs, torch.zeros(size, dtype=torch.long)).tolist()) == list(range(size))


@pytest.mark.parametrize("matched", [True, False])
def test_a_groups_targets_may_come_in_any_order_only_when_matched(matched: bool) -> None:
    torch.manual_seed(0)
    decoder = BoxDecoder(12, 8, 4, matched=matched)
    maps = Maps(torch.randn(1, 8, 2, 2), torch.randn(1, 8, 4, 4), torch.randn(1, 8, 8, 8), torch.randn(1, 4, 16, 16),
                torch.ones(1, 2))  # fmt: skip
    outputs = decoder(torch.randn(3, 12), maps.pick(torch.zeros(3, dtype=torch.long)))
    corners = torch.tensor([[0.0, 0.0, 0.3, 0.3], [0.6, 0.1, 0.9, 0.5], [0.2, 0.6, 0.7, 1.0]])
    groups = torch.zeros(3, dtype=torch.long)
    losses = [
        decoder.loss(outputs, {"corners": corners[list(order)]}, groups)["where"].item()
        for order in permutations(range(3))
    ]
    assert (max(losses) - min(losses) < 1e-5) == matched
