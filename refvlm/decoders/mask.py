"""Masks: a locator finds the instance, a mask query is compared with every pixel of the half-resolution map.

MaskFormer's dot product (Cheng et al., 2021) with one addition: a learned bump over the located box, so that two things of
one kind are told apart from the first minute. Losses: the locator's, binary cross entropy and dice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refvlm.decoders._contract import Decoder, Found, Value
from refvlm.decoders._locator import Located, Locator, Sight, compare, square_distance
from refvlm.decoders.box import square_corners
from refvlm.share import Share, share_of_rle, squares_of
from refvlm.vision import View
from vtinstruct.geometry import Letterbox, encode_mask, rle_box
from vtinstruct.units import Mask


def square_masks(shares: Sequence[Share], side: int) -> Tensor:
    """Masks in the padded square, (N, side, side) uint8: 1 where at least half a pixel is inside; of a mask too thin for
    that, where most is."""
    inside = ((share.levels >= min(128, int(share.levels.max(initial=0)))).view(np.uint8) for share in shares)
    return torch.from_numpy(squares_of([replace(s, levels=one) for s, one in zip(shares, inside, strict=True)], side))


class MaskDecoder(Decoder):
    """One mask per `<REF>`."""

    kind = "mask"

    def __init__(self, query_width: int, width: int, pixel_width: int, **settings: Any) -> None:
        super().__init__(query_width, width, pixel_width)
        self.locator = Locator(query_width, width, **settings)
        self.pixel_query = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, pixel_width + 1))
        self.bump = nn.Parameter(torch.tensor([1.5, 1.4]))  # steepness, and reach in half boxes (squared)

    @staticmethod
    def targets(units: Sequence[Value], frames: Sequence[Letterbox], side: int) -> dict[str, Tensor]:
        rles = [unit.mask_rle for unit in units if isinstance(unit, Mask)]
        shares = [share_of_rle(rle, frame) for rle, frame in zip(rles, frames, strict=True)]
        corners = square_corners([rle_box(rle) for rle in rles], frames, side)
        return {"corners": corners, "masks": square_masks(shares, side)}

    def forward(self, queries: Tensor, view: View) -> Located:
        return self.locator(queries, view)

    def logits(self, located: Located, sight: Sight, corners: Tensor) -> Tensor:
        """Mask logits over the half-resolution square, (N, S/2, S/2), for instances in boxes `corners` (N, 4)."""
        pixels = located.view.maps.pixels
        query = self.pixel_query(torch.cat((located.queries, sight.features), -1))  # (N, E + 1)
        height, width = pixels.shape[-2:]
        alike = compare(query[:, :-1], pixels.flatten(2), located.view.owner).float() + query[:, -1:].float()
        half = ((corners[:, 2:] - corners[:, :2]) / 2).clamp(min=0.5 / width)
        away = square_distance(corners, half, height, width)  # (N, h, w)
        return alike.unflatten(-1, (height, width)) + self.bump[0] * (self.bump[1] - away).clamp(min=-12)

    def loss(self, outputs: Located, targets: dict[str, Tensor], groups: Tensor) -> dict[str, Tensor]:
        losses, order, sight = self.locator.loss(outputs, targets["corners"], groups)
        corners, masks = targets["corners"][order], targets["masks"][order]
        logits = self.logits(outputs, sight, _shaken(corners) if self.training else corners)
        wanted = shares_of(masks, logits.shape[-1]).flatten(1)  # (N, h*w)
        logits = logits.flatten(1)
        found = logits.sigmoid()
        n = max(len(groups), 1)
        cross = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").sum(-1)
        area = wanted.sum(-1)
        dice = 1 - (2 * (found * wanted).sum(-1) + 1) / (found.square().sum(-1) + wanted.square().sum(-1) + 1)
        losses["cross"] = (cross / (2 * area + 4)).sum() / n
        losses["dice"] = dice.sum() / n
        return losses

    def units(self, outputs: Located, frames: Sequence[Letterbox], groups: Tensor) -> list[Found]:
        sight = self.locator.choose(outputs, groups)
        found = self.logits(outputs, sight, sight.corners).sigmoid()
        quality = sight.quality.sigmoid().tolist()
        masks = [photo_mask(found[n], frame) for n, frame in enumerate(frames)]
        return [Found(mask, quality[n] * sure) for n, (mask, sure) in enumerate(masks)]


def shares_of(masks: Tensor, side: int) -> Tensor:
    """How much of each cell of a coarser square masks (N, S, S) of 0 and 1 cover, (N, side, side) float32."""
    step, rest = divmod(masks.shape[-1], side)
    if rest:
        return F.adaptive_avg_pool2d(masks[:, None].float(), side)[:, 0]
    if step**2 > 255:
        masks = masks.float()
    # Bytes added up by strided views: three times as fast as pooling floats.
    total = sum(masks[:, y::step, x::step] for y in range(step) for x in range(step))
    return torch.as_tensor(total).float() / step**2


def photo_mask(shares: Tensor, frame: Letterbox) -> tuple[Mask, float]:
    """Probabilities over the square, (h, w) of any resolution, as a mask of the photo, and their mean inside it."""
    square = F.interpolate(shares[None, None], (frame.side, frame.side), mode="bilinear", align_corners=False)
    width, height = frame.scaled_wh
    photo = square[..., :height, :width]
    if (width, height) != frame.size_wh:
        photo = F.interpolate(photo, frame.size_wh[::-1], mode="bilinear", align_corners=False)
    photo = photo[0, 0]  # (H, W)
    inside = photo >= 0.5
    sure = float(photo[inside].mean()) if bool(inside.any()) else 0.0
    return Mask(encode_mask(inside.detach().cpu().numpy())), sure


def _shaken(corners: Tensor) -> Tensor:
    """Boxes moved and scaled by up to a tenth: what the locator will really hand over."""
    size = (corners[:, 2:] - corners[:, :2]).repeat(1, 2)
    return corners + size * (torch.rand_like(corners) - 0.5) * 0.2


DECODER = MaskDecoder
