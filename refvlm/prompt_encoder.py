"""Visual prompts as embeddings: every prompt is a region mask, and becomes 3 x 3 cells and one geometry token.

Paper: REF-VLM, section 3.2 (mask-guided pooling of encoder 1's features). Pooling is weighted by *area*, never by samples: a
three-pixel point on a large photo still has weight, and a mask confined to one ninth of the photo lights that ninth's
cell and no other.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from refvlm.vision import waves

CELLS = 3
TOKENS = CELLS * CELLS + 1  # embeddings of one [VPT]
_GEOMETRY = 7  # x0, y0, x1, y1, middle x, middle y, root of the area


def cell_shares(extent_wh: Tensor, side: int) -> Tensor:
    """How much of pixel column (row) s of the square lies in cell k of the photo's 3 x 3 grid: (V, 2, 3, side)."""
    edges = torch.arange(side + 1, device=extent_wh.device, dtype=torch.float32) / side  # (side + 1,)
    cuts = extent_wh.float()[..., None] * torch.linspace(0, 1, CELLS + 1, device=extent_wh.device)  # (V, 2, 4)
    low = torch.maximum(edges[:-1], cuts[..., :-1, None])
    high = torch.minimum(edges[1:], cuts[..., 1:, None])
    shares = (high - low).clamp(min=0) * side
    # A ninth that ends on a pixel's edge must not reach a millionth of a pixel beyond it: cells are means, and the mean
    # over next to nothing is as loud as any other.
    return shares * (shares > 1e-3)


def grid_shares(cells: int, side: int, device: torch.device) -> Tensor:
    """How much of pixel s of a line of `side` lies in cell i of `cells` equal ones: (cells, side)."""
    edges = torch.arange(side + 1, device=device, dtype=torch.float32) / side
    cuts = torch.arange(cells + 1, device=device, dtype=torch.float32)[:, None] / cells
    return (torch.minimum(edges[1:], cuts[1:]) - torch.maximum(edges[:-1], cuts[:-1])).clamp(min=0) * side


class PromptEncoder(nn.Module):
    """Masks (V, S, S) in 0..1 over the padded square, and each one's photo's features -> (V, 10, C), to be projected.

    Cell (r, c) is the mean of the features below the mask's part in that ninth of the photo; a cell without mask is zero.
    The last embedding encodes the mask's bounds, middle and area, so different masks never look alike (not `told`: it is
    zero, to measure what it is worth). An empty mask is all zeros and finite in every precision.
    """

    def __init__(self, width: int, count: int = 6, told: bool = True) -> None:
        super().__init__()
        self.count, self.told = count, told
        inputs = _GEOMETRY * 2 * count
        self.geometry = nn.Sequential(nn.Linear(inputs, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, masks: Tensor, features: Tensor, owner: Tensor, extent_wh: Tensor) -> Tensor:
        """`features` (P, C, g, g) of the photos, `owner` (V,) each prompt's photo, `extent_wh` (P, 2)."""
        masks = masks.float()
        lit = self.cell_weights(masks, features.shape[-2:], extent_wh[owner])  # (V, 9, g*g)
        flat = features.flatten(2).transpose(1, 2)  # (P, g*g, C)
        area = lit.sum(-1, keepdim=True)
        # A hundred-millionth of the square is still a mask; only true emptiness divides by one.
        weights = lit / torch.where(area > 0, area, torch.ones_like(area))
        cells = torch.bmm(weights.to(flat.dtype), flat[owner])  # (V, 9, C)
        described = waves(self.describe(masks), self.count).to(flat.dtype)
        filled = (area.sum(1) > 0).to(flat.dtype)  # (V, 1)
        geometry = self.geometry(described).to(flat.dtype) * filled * self.told
        return torch.cat((cells, geometry[:, None]), 1)

    @staticmethod
    def cell_weights(masks: Tensor, grid_hw: tuple[int, int] | torch.Size, extent_wh: Tensor) -> Tensor:
        """Area of every mask inside each (grid cell, ninth of the photo) pair, (V, 9, g*g), as a share of the square."""
        (height, width), side = grid_hw, masks.shape[-1]
        shares = cell_shares(extent_wh, side)  # (V, 2, 3, S)
        # Both cuttings are separable, so the areas are two matrix products: (V, 3*g, S) @ (V, S, S) @ (V, S, 3*g).
        rows = (shares[:, 1, :, None] * grid_shares(height, side, masks.device)).flatten(1, 2)
        columns = (shares[:, 0, :, None] * grid_shares(width, side, masks.device)).flatten(1, 2)
        areas = rows @ masks @ columns.transpose(1, 2) / side**2
        areas = areas.unflatten(2, (CELLS, width)).unflatten(1, (CELLS, height))  # (V, 3, g, 3, g)
        return areas.transpose(2, 3).flatten(3).flatten(1, 2)

    @staticmethod
    def describe(masks: Tensor) -> Tensor:
        """Bounds, middle and root area of masks (V, S, S), as shares of the square: (V, 7)."""
        side = masks.shape[-1]
        columns, rows = masks.amax(1) > 0, masks.amax(2) > 0  # (V, S)
        index = torch.arange(side, device=masks.device)
        bounds = [
            torch.where(found, index, side).amin(-1).clamp(max=side) for found in (columns, rows)
        ] + [torch.where(found, index + 1, 0).amax(-1) for found in (columns, rows)]  # fmt: skip
        area = masks.mean((1, 2))
        middle = (torch.arange(side, device=masks.device) + 0.5) / side
        total = masks.sum((1, 2)).clamp(min=1e-6)
        middles = [(masks.sum(axis) * middle).sum(-1) / total for axis in (1, 2)]
        return torch.stack([bound / side for bound in bounds] + middles + [area.sqrt()], -1)
