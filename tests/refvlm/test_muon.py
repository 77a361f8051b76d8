"""Muon: what a step is, and that it learns."""

from __future__ import annotations

import torch
from torch import nn

from refvlm.muon import Muon, orthogonal


def test_turned_matrices_keep_their_directions_and_lose_their_sizes() -> None:
    torch.manual_seed(0)
    for shape in ((3, 24, 40), (2, 40, 24), (1, 16, 16)):
        matrices = torch.randn(shape)
        left, _, right = torch.linalg.svd(matrices, full_matrices=False)
        found = orthogonal(matrices)
        sizes = (left.mT @ found @ right.mT).diagonal(dim1=1, dim2=2)  # in the matrices' own directions
        assert ((sizes > 0.4) & (sizes < 1.3)).all()
        assert (left @ torch.diag_embed(sizes) @ right - found).abs().max() < 0.05, "no other directions"


def test_a_step_has_the_root_mean_square_of_adamw() -> None:
    torch.manual_seed(0)
    kernel = nn.Parameter(torch.randn(32, 8, 3, 3))
    before = kernel.detach().clone()
    kernel.grad = torch.randn_like(kernel) * 1e-4
    Muon([kernel], lr=0.01).step()
    step = (kernel.detach() - before).square().mean().sqrt()
    assert 0.5 * 0.2 * 0.01 < step < 1.5 * 0.2 * 0.01


def test_it_learns_what_made_the_data() -> None:
    torch.manual_seed(0)
    made, inputs = torch.randn(6, 12), torch.randn(256, 12)
    layer = nn.Linear(12, 6, bias=False)
    optimizer = Muon(layer.parameters(), lr=0.5, weight_decay=0.0)
    for step in range(200):
        optimizer.param_groups[0]["lr"] = 0.5 * (1 - step / 200)
        loss = (layer(inputs) - inputs @ made.T).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (layer.weight - made).abs().max() < 0.05


def test_a_weight_without_gradient_stays() -> None:
    idle, busy = nn.Parameter(torch.ones(3, 4)), nn.Parameter(torch.ones(3, 4))
    busy.grad = torch.randn(3, 4)
    Muon([idle, busy], lr=0.1, weight_decay=0.5).step()
    assert torch.equal(idle, torch.ones(3, 4))
    assert not torch.equal(busy, torch.ones(3, 4))
