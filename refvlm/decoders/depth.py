"""Depth: the reference's hidden state modulates the fine map, a convolution says log-metres for every pixel.

Losses: scale-invariant log error (Eigen et al., 2014, lambda 0.5), mean log error, and the error of log-depth's slopes.
Where the truth is relative inverse depth, the predicted inverse depth is fitted to it by scale and shift, and what is left
is the loss (Ranftl et al., TPAMI 2022). Missing pixels (0) and padding count nowhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refvlm.decoders._contract import Decoder, DepthMap, Found, Value
from refvlm.vision import ConvBlock, View
from vtinstruct.geometry import Letterbox


class DepthDecoder(Decoder):
    """One depth map per `<REF>`, between `nearest_m` and `farthest_m` metres."""

    kind = "depth"

    def __init__(
        self, query_width: int, width: int, pixel_width: int, nearest_m: float = 0.3, farthest_m: float = 100.0
    ) -> None:
        super().__init__(query_width, width, pixel_width)
        self.low, self.high = math.log(nearest_m), math.log(farthest_m)
        self.film = nn.Sequential(nn.LayerNorm(query_width), nn.Linear(query_width, 2 * width))
        self.stem, self.body = ConvBlock(width, width), ConvBlock(width, width)
        self.out = nn.Conv2d(width, 1, 1)

    @staticmethod
    def targets(units: Sequence[Value], frames: Sequence[Letterbox], side: int) -> dict[str, Tensor]:
        maps = torch.zeros(len(units), side, side)
        for square, unit, frame in zip(maps, units, frames, strict=True):
            assert isinstance(unit, DepthMap)
            width, height = frame.scaled_wh
            depth = torch.from_numpy(np.ascontiguousarray(unit.depth_m, np.float32))[None, None]
            # Nearest, not linear: between a near edge and the far wall there is no surface, and 0 means missing.
            square[:height, :width] = F.interpolate(depth, (height, width), mode="nearest-exact")[0, 0]
        relative = [isinstance(unit, DepthMap) and unit.relative for unit in units]
        return {"depth_m": maps, "relative": torch.tensor(relative, dtype=torch.bool)}

    def forward(self, queries: Tensor, view: View) -> Tensor:
        """Log-depth over the quarter-resolution square, (N, S/4, S/4)."""
        scale, shift = self.film(queries).chunk(2, -1)
        features = self.stem(view.maps.fine)[view.owner]
        hidden = self.body(features * (1 + scale[..., None, None]) + shift[..., None, None])
        share = self.out(hidden)[:, 0].float().sigmoid()
        return self.low + share * (self.high - self.low)

    def loss(self, outputs: Tensor, targets: dict[str, Tensor], groups: Tensor) -> dict[str, Tensor]:
        wanted, relative = targets["depth_m"], targets["relative"]
        found = F.interpolate(outputs[:, None], wanted.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
        affine = _affine_error(found[relative], wanted[relative])
        known = ((wanted > 0) & ~relative[:, None, None]).float()
        error = (found - wanted.clamp(min=1e-3).log()) * known  # (N, S, S)
        count = known.sum((1, 2)).clamp(min=1)
        mean, square = error.sum((1, 2)) / count, error.square().sum((1, 2)) / count
        silog = (square - 0.5 * mean.square()).clamp(min=1e-8).sqrt()
        slopes = torch.stack([_slopes(error, known, axis) for axis in (1, 2)]).sum(0) / count
        n = max(len(groups), 1)
        return {
            "silog": 2 * silog.sum() / n,
            "log_l1": (error.abs().sum((1, 2)) / count).sum() / n,
            "slope": slopes.sum() / n,
            "affine": affine.sum() / n,
        }

    def units(self, outputs: Tensor, frames: Sequence[Letterbox], groups: Tensor) -> list[Found]:
        found: list[Found] = []
        for log_m, frame in zip(outputs, frames, strict=True):
            square = F.interpolate(log_m[None, None], (frame.side, frame.side), mode="bilinear", align_corners=False)
            width, height = frame.scaled_wh
            photo = F.interpolate(
                square[..., :height, :width], frame.size_wh[::-1], mode="bilinear", align_corners=False
            )
            found.append(Found(DepthMap(photo[0, 0].exp().detach().cpu().numpy()), 1.0))
        return found


def _affine_error(log_m: Tensor, inverse: Tensor) -> Tensor:
    """Mean absolute error of predicted inverse depth, fitted by scale and shift, in units of the truth's spread: (N,)."""
    known = (inverse > 0).float()
    count = known.sum((1, 2)).clamp(min=1)

    def centred(values: Tensor) -> Tensor:
        return (values - ((values * known).sum((1, 2)) / count)[:, None, None]) * known

    found, wanted = centred((-log_m).exp()), centred(inverse)
    scale = (found * wanted).sum((1, 2)) / found.square().sum((1, 2)).clamp(min=1e-8)
    # A scale below 0 would call far what is near; held at a small one, near and far still pull the right way.
    off = scale.clamp(min=1e-3)[:, None, None] * found - wanted
    spread = (wanted.abs().sum((1, 2)) / count).clamp(min=1e-6)
    return off.abs().sum((1, 2)) / count / spread


def _slopes(error: Tensor, known: Tensor, axis: int) -> Tensor:
    """Sum over each map of how much the error changes from pixel to pixel along an axis, where both are known: (N,)."""
    last = known.shape[axis] - 1
    both = known.narrow(axis, 1, last) * known.narrow(axis, 0, last)
    return (error.diff(dim=axis).abs() * both).sum((1, 2))


DECODER = DepthDecoder
