"""Grouped Hungarian matching: references and targets meet only inside their own group (one triplet's references).

Linear in the number of groups: costs are computed for pairs inside a group and nowhere else, so other samples in the
batch change nothing and there is no matrix across samples.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

SMALL = 5  # references of a group whose orders (120 of five) are all tried
ORDERS = {n: np.array(list(permutations(range(n)))) for n in range(2, SMALL + 1)}  # (n!, n), the written order first


def group_pairs(groups: Tensor) -> tuple[Tensor, Tensor]:
    """All ordered pairs (i, j) with `groups[i] == groups[j]`, sorted by i: two (M,) index tensors, M = sum of n_g ** 2.

    `groups` (N,) must be sorted, so that a group is a run.
    """
    _, sizes = torch.unique_consecutive(groups, return_counts=True)
    starts = torch.cumsum(sizes, 0) - sizes
    size_of = torch.repeat_interleave(sizes, sizes)  # (N,)
    start_of = torch.repeat_interleave(starts, sizes)
    i = torch.repeat_interleave(torch.arange(len(groups), device=groups.device), size_of)
    first = torch.cumsum(size_of, 0) - size_of
    j = torch.arange(len(i), device=groups.device) - first[i] + start_of[i]
    return i, j


def match(costs: Tensor, groups: Tensor) -> Tensor:
    """The cheapest assignment inside every group: `found[i]` is the target of reference i, a permutation of 0..N-1.

    `costs` (M,) belong to the pairs of `group_pairs(groups)`. A cost that is not finite counts as very dear, so that one
    bad sample cannot stop a batch. Small groups, nearly all there are, try every order, all groups of a size at once; each
    larger one is searched (Jonker and Volgenant's algorithm).
    """
    sizes = torch.unique_consecutive(groups, return_counts=True)[1].cpu().numpy()
    found = np.arange(len(groups))
    if sizes.size and sizes.max() > 1:
        table = torch.nan_to_num(costs.detach().float(), nan=1e6, posinf=1e6, neginf=-1e6).cpu().numpy()
        starts, offsets = np.cumsum(sizes) - sizes, np.cumsum(sizes**2) - sizes**2
        for n in range(2, SMALL + 1):
            alike = np.flatnonzero(sizes == n)
            rows = starts[alike, None] + np.arange(n)  # (G, n)
            block = table[offsets[alike, None] + np.arange(n * n)].astype(np.float64)  # (G, n * n)
            taken = block[:, np.arange(n) * n + ORDERS[n]].sum(-1).argmin(1)  # (G, n!, n) -> (G,)
            found[rows] = starts[alike, None] + ORDERS[n][taken]
        for g in np.flatnonzero(sizes > SMALL):
            n = sizes[g]
            rows, columns = linear_sum_assignment(table[offsets[g] : offsets[g] + n * n].reshape(n, n))
            found[starts[g] + rows] = starts[g] + columns
    return torch.from_numpy(found).to(groups.device)
