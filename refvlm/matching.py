"""Grouped Hungarian matching: references and targets meet only inside their own group (one triplet's references).

Linear in the number of groups: costs are computed for pairs inside a group and nowhere else, so other samples in the
batch change nothing and there is no matrix across samples.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


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
    bad sample cannot stop a batch. Groups of one need no search, groups of two one comparison.
    """
    sizes = torch.unique_consecutive(groups, return_counts=True)[1].cpu().numpy()
    found = np.arange(len(groups))
    if sizes.size and sizes.max() > 1:
        table = torch.nan_to_num(costs.detach().float(), nan=1e6, posinf=1e6, neginf=-1e6).cpu().numpy()
        starts, offsets = np.cumsum(sizes) - sizes, np.cumsum(sizes**2) - sizes**2
        pairs = np.flatnonzero(sizes == 2)
        block = table[offsets[pairs][:, None] + np.arange(4)]  # (groups of two, 4): 00, 01, 10, 11
        swap = pairs[block[:, 1] + block[:, 2] < block[:, 0] + block[:, 3]]
        found[starts[swap]], found[starts[swap] + 1] = starts[swap] + 1, starts[swap]
        for g in np.flatnonzero(sizes > 2):
            n = sizes[g]
            rows, columns = linear_sum_assignment(table[offsets[g] : offsets[g] + n * n].reshape(n, n))
            found[starts[g] + rows] = starts[g] + columns
    return torch.from_numpy(found).to(groups.device)
