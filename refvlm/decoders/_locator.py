"""Where a reference is: attention over the coarse map, and a box read off at the cell it picks.

The head has a strong inductive bias on purpose. A hidden state is compared with every cell (a heat map), the box is
regressed at one cell; that learns in minutes from random weights where plain regression of four numbers does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refvlm.decoders._reading import ReadingLayer, seats
from refvlm.matching import group_pairs, match
from refvlm.vision import View, cell_middles, valid_cells


def to_corners(boxes: Tensor) -> Tensor:
    """(..., cx cy w h) -> (..., x0 y0 x1 y1)."""
    middle, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat((middle - size / 2, middle + size / 2), -1)


def to_middle(corners: Tensor) -> Tensor:
    """(..., x0 y0 x1 y1) -> (..., cx cy w h)."""
    low, high = corners[..., :2], corners[..., 2:]
    return torch.cat(((low + high) / 2, high - low), -1)


def iou_and_giou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU (Rezatofighi et al., 2019) of boxes a with b, corners, element by element: (...), (...)."""
    inter = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    area_a, area_b = (a[..., 2:] - a[..., :2]).prod(-1), (b[..., 2:] - b[..., :2]).prod(-1)
    union = area_a + area_b - inter
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1)
    iou = inter / union.clamp(min=1e-9)
    return iou, iou - (hull - union) / hull.clamp(min=1e-9)


@dataclass(frozen=True)
class Located:
    """Queries (N, C) in the locator's own width, their heat maps (N, h*w) as logits, the view they were made for."""

    queries: Tensor
    heat: Tensor
    view: View


@dataclass(frozen=True)
class Sight:
    """What is read off at one cell for each of N references: the cell's features (N, C), box corners (N, 4), and the
    logit (N,) of the IoU the locator expects of that box."""

    features: Tensor
    corners: Tensor
    quality: Tensor


class Locator(nn.Module):
    """Hidden states (N, query_width) and a `View` -> heat maps and boxes. With `layers`, queries first read the coarse map by
    so many layers of cross attention (the paper's sizes: width 256, 6 layers)."""

    def __init__(self, query_width: int, width: int, hidden: int = 128, layers: int = 0, matched: bool = True) -> None:
        super().__init__()
        self.matched = matched
        self.query = nn.Sequential(
            nn.LayerNorm(query_width), nn.Linear(query_width, width), nn.ReLU(), nn.Linear(width, 2 * width)
        )
        self.layers = nn.ModuleList(ReadingLayer(width) for _ in range(layers))
        self.key = nn.Conv2d(width, width, 1)
        self.sight = nn.Sequential(nn.Linear(2 * width, hidden), nn.ReLU(), nn.Linear(hidden, 5))

    def forward(self, queries: Tensor, view: View) -> Located:
        search, own = self.query(queries).chunk(2, -1)  # (N, C) each
        height, width = view.maps.coarse.shape[-2:]
        showing = valid_cells(view.maps.extent_wh, height, width).flatten(1)  # (P, h*w)
        if self.layers:
            memory = view.maps.coarse.flatten(2).transpose(1, 2)  # (P, h*w, C)
            for layer in self.layers:
                own = layer(own, memory, showing, view.owner)
            search = search + own
        keys = self.key(view.maps.coarse).flatten(2)  # (P, C, h*w)
        heat = compare(search, keys, view.owner) / search.shape[-1] ** 0.5
        return Located(own, heat.float().masked_fill(~showing[view.owner], -1e4), view)

    def at(self, located: Located, cells: Tensor, rows: Tensor | None = None) -> Sight:
        """Read off boxes at `cells` (N,) of the coarse map, for all references or for `rows` of them."""
        queries, owner = located.queries, located.view.owner
        if rows is not None:
            queries, owner = queries[rows], owner[rows]
        coarse = located.view.maps.coarse
        features = coarse.flatten(2).transpose(1, 2)[owner, cells]  # (N, C)
        raw = self.sight(torch.cat((queries, features), -1)).float()
        middles = cell_middles(coarse.shape[-2], coarse.shape[-1], coarse.device)[cells]  # (N, 2)
        boxes = torch.cat((middles + 0.1 * raw[:, :2], 0.2 * raw[:, 2:4].clamp(-6, 3).exp()), -1)
        return Sight(features, to_corners(boxes), raw[:, 4])

    def loss(self, located: Located, corners: Tensor, groups: Tensor) -> tuple[dict[str, Tensor], Tensor, Sight]:
        """Losses against target boxes (N, 4); which target each reference got (N,); the sight at a cell of that target.

        The heat map should point at the middle of its box; boxes are regressed where it should look, and judged
        (quality) where it does look.
        """
        view, n = located.view, len(groups)
        log_heat = located.heat.log_softmax(-1)
        height, width = view.maps.coarse.shape[-2:]
        aims = heat_targets(corners, view.maps.extent_wh[view.owner], height, width)  # (N, h*w)
        best = located.heat.argmax(-1)
        looked = self.at(located, best)
        order = self.assign(looked, log_heat, corners, aims, groups)
        corners, aims = corners[order], aims[order]
        taught = self.at(located, torch.multinomial(aims, 1)[:, 0])
        giou = iou_and_giou(taught.corners, corners)[1]
        seen_iou, seen_giou = iou_and_giou(looked.corners, corners)
        near = (seen_iou > 0.3).float()
        size = (corners[:, 2:] - corners[:, :2]).clamp(min=0.02).repeat(1, 2)
        l1 = ((taught.corners - corners).abs() / size).sum(-1) + near * ((looked.corners - corners).abs() / size).sum(
            -1
        )
        judged = F.binary_cross_entropy_with_logits(looked.quality, seen_iou.detach().clamp(0, 1), reduction="none")
        losses = {
            "where": -(aims * log_heat).sum(-1) + (aims * aims.clamp(min=1e-9).log()).sum(-1),
            "l1": 0.25 * l1,
            "giou": (1 - giou) + near * (1 - seen_giou),
            "quality": 0.5 * judged,
        }
        return {name: value.sum() / max(n, 1) for name, value in losses.items()}, order, taught

    @torch.no_grad()
    def assign(self, looked: Sight, log_heat: Tensor, corners: Tensor, aims: Tensor, groups: Tensor) -> Tensor:
        """Which target of its group each reference gets, (N,): the cheapest assignment, or the written order."""
        if not self.matched:
            return torch.arange(len(groups), device=groups.device)
        i, j = group_pairs(groups)
        costs = -(aims[j] * log_heat[i]).sum(-1)
        costs += 5 * (looked.corners[i] - corners[j]).abs().sum(-1)
        costs += 2 * (1 - iou_and_giou(looked.corners[i], corners[j])[1])
        return match(costs, groups)

    def choose(self, located: Located, groups: Tensor, candidates: int = 12) -> Sight:
        """The best box of every reference, different inside a group: one triplet's references are different instances."""
        n = len(groups)
        candidates = min(candidates, located.heat.shape[-1])
        heat, cells = located.heat.log_softmax(-1).topk(candidates, -1)  # (N, K)
        rows = torch.arange(n, device=cells.device).repeat_interleave(candidates)
        sight = self.at(located, cells.flatten(), rows)
        corners = sight.corners.reshape(n, candidates, 4)
        picks = torch.zeros(n, dtype=torch.long, device=cells.device)
        for members in torch.split(torch.arange(n), torch.unique_consecutive(groups, return_counts=True)[1].tolist()):
            taken: list[Tensor] = []
            # The surest first, wherever it stands: permuting a group's references permutes its boxes.
            for row in sorted(members.tolist(), key=lambda n: -float(heat[n, 0])):
                rival = [iou_and_giou(corners[row], other)[0] for other in taken]
                clash = torch.stack(rival).amax(0) > 0.6 if rival else torch.zeros(candidates, dtype=torch.bool)
                picks[row] = (heat[row] - 50.0 * clash.to(heat)).argmax()
                taken.append(corners[row, picks[row]])
        chosen = torch.arange(n, device=cells.device) * candidates + picks
        return Sight(sight.features[chosen], sight.corners[chosen], sight.quality[chosen])


def heat_targets(corners: Tensor, extent_wh: Tensor, height: int, width: int) -> Tensor:
    """Where the heat of target boxes (N, 4) should lie on a (height, width) grid over the square: a normal distribution
    around each middle, (N, height*width), sum 1, nothing outside the photo (`extent_wh` (N, 2))."""
    spread = (0.14 * (corners[:, 2:] - corners[:, :2])).clamp(min=0.45 / max(height, width))
    away = square_distance(corners, spread, height, width).flatten(1)  # (N, h*w)
    valid = valid_cells(extent_wh, height, width).flatten(1)
    return (-0.5 * away).masked_fill(~valid, -1e4).softmax(-1)


def square_distance(corners: Tensor, unit: Tensor, height: int, width: int) -> Tensor:
    """Squared distances of a grid's cells from the middles of boxes (N, 4), in units (N, 2) of each box: (N, height, width).

    A sum over two lines of cells: nothing of two coordinates a cell is ever made.
    """
    middle = (corners[:, :2] + corners[:, 2:]) / 2
    lines = [
        ((torch.arange(cells, device=corners.device) + 0.5) / cells - middle[:, axis, None]) / unit[:, axis, None]
        for axis, cells in enumerate((width, height))
    ]  # (N, width), (N, height)
    return lines[0].square()[:, None] + lines[1].square()[:, :, None]


def compare(queries: Tensor, keys: Tensor, owner: Tensor) -> Tensor:
    """Dot products of queries (N, C) with every place of their own photo's keys (P, C, L): (N, L) float32.

    One batched product over the photos; keys are not copied per query. In float32 whatever the rest is in: heat maps and
    outlines are decided by small differences, and on CPUs products this thin are three times slower in bfloat16.
    """
    seat, most = seats(owner, len(keys))
    table = queries.new_zeros(len(keys), max(most, 1), queries.shape[-1], dtype=torch.float32)
    table[owner, seat] = queries.float()
    with torch.autocast(queries.device.type, enabled=False):
        return torch.bmm(table, keys.float())[owner, seat]


def sample_windows(maps: Tensor, corners: Tensor, owner: Tensor, size: int) -> Tensor:
    """Bilinear samples of maps (P, C, h, w) on a `size` x `size` grid over windows (N, 4, corners): (N, C, size, size)."""
    n, (photos, channels) = len(owner), maps.shape[:2]
    if n == 0:
        return maps[owner, :, :1, :1].expand(0, channels, size, size)  # nothing, but of the graph
    middles = cell_middles(size, size, maps.device)  # (size*size, 2)
    low, span = corners[:, None, :2], (corners[:, 2:] - corners[:, :2])[:, None]
    points = (low + middles[None] * span) * 2 - 1  # (N, size*size, 2)
    slot, most = seats(owner, photos)
    grid = points.new_zeros(photos, most, size * size, 2)
    grid[owner, slot] = points
    sampled = F.grid_sample(maps, grid.to(maps.dtype), align_corners=False, padding_mode="zeros")  # (P, C, most, s*s)
    return sampled.permute(0, 2, 1, 3)[owner, slot].unflatten(-1, (size, size))
