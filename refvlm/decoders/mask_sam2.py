"""Masks by SAM 2's own decoder (Ravi et al., 2024; `transformers`' module): a `<REF>`'s hidden state is its prompt.

A second way to the same unit, chosen by `config.decoders["mask"] = {"file": "mask_sam2"}`. The pyramid's maps stand where
SAM 2 has its own: stride 16 is the image embedding, strides 8 and 4 are the high-resolution features. Losses: 20 focal
and 1 dice, as the paper weighs its mask decoder, the error of the predicted IoU, and whether the thing was found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.models.sam2.configuration_sam2 import Sam2MaskDecoderConfig
from transformers.models.sam2.modeling_sam2 import Sam2MaskDecoder

from refvlm.decoders._contract import Decoder, Found
from refvlm.decoders._reading import seats
from refvlm.decoders.mask import MaskDecoder, photo_mask, shares_of
from refvlm.matching import group_pairs, match
from refvlm.vision import WAVES, View, cell_middles, waves
from vtinstruct.geometry import Letterbox

COST_SIDE = 32  # masks are compared for matching on a grid of that side


@dataclass(frozen=True)
class Masks:
    """Mask logits (N, S/4, S/4), the IoU expected of each (N,), and the logit of having found its thing (N,)."""

    logits: Tensor
    iou: Tensor
    seen: Tensor


class Sam2Decoder(Decoder):
    """One mask per `<REF>`; `layers`, `thought` and `iou_depth` are SAM 2's sizes at width 256."""

    kind = "mask"
    targets = staticmethod(MaskDecoder.targets)

    def __init__(
        self, query_width: int, width: int, pixel_width: int, layers: int = 2, thought: int = 8, iou_depth: int = 3
    ) -> None:
        super().__init__(query_width, width, pixel_width)
        config = Sam2MaskDecoderConfig(
            hidden_size=width, mlp_dim=thought * width, num_hidden_layers=layers,
            num_attention_heads=math.gcd(width // 2, max(1, width // 32)), num_multimask_outputs=0,
            iou_head_depth=iou_depth, iou_head_hidden_dim=width, dynamic_multimask_via_stability=False,
        )  # fmt: skip
        config._attn_implementation = "sdpa"
        self.prompt = nn.Sequential(nn.LayerNorm(query_width), nn.Linear(query_width, width))
        self.place = nn.Linear(4 * WAVES, width)
        self.sam = Sam2MaskDecoder(config)

    def forward(self, queries: Tensor, view: View) -> Masks:
        image, owner = view.maps.tokens, view.owner  # (P, C, S/16, S/16), (N,)
        height, width = image.shape[-2:]
        prompts = self.prompt(queries)  # (N, C)
        if len(owner) == 0:
            none = prompts.sum(-1)  # nothing, but of the graph
            return Masks(none[:, None, None].expand(0, 4 * height, 4 * width), none, none)
        seat, most = seats(owner, len(image))
        table = prompts.new_zeros(len(image), most, 1, prompts.shape[-1])  # (P, most, 1, C): references by photo
        table[owner, seat, 0] = prompts
        place = self.place(waves(cell_middles(height, width, image.device), WAVES).to(image.dtype))  # (h*w, C)
        logits, iou, _, seen = self.sam(
            image_embeddings=image,
            image_positional_embeddings=place.T.reshape(1, -1, height, width).expand(len(image), -1, -1, -1),
            sparse_prompt_embeddings=table,
            dense_prompt_embeddings=torch.zeros_like(image),
            multimask_output=False,
            high_resolution_features=[self.sam.conv_s0(view.maps.fine), self.sam.conv_s1(view.maps.coarse)],
        )  # (P, most, 1, S/4, S/4), (P, most, 1), _, (P, most, 1)
        return Masks(*(part[owner, seat, 0].float() for part in (logits, iou, seen)))

    def loss(self, outputs: Masks, targets: dict[str, Tensor], groups: Tensor) -> dict[str, Tensor]:
        n = max(len(groups), 1)
        masks = targets["masks"]
        order = self._match(outputs.logits, masks, groups)
        wanted = shares_of(masks[order], outputs.logits.shape[-1]).flatten(1)  # (N, h*w), 0..1
        logits = outputs.logits.flatten(1)
        found = logits.sigmoid()
        cross = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        missed = found * (1 - wanted) + (1 - found) * wanted
        balance = 0.25 * wanted + 0.75 * (1 - wanted)
        focal = (balance * missed.square() * cross).mean(-1)  # Lin et al., 2017, alpha 0.25, gamma 2
        iou = _iou(logits > 0, wanted > 0.5)
        judged = F.binary_cross_entropy_with_logits(outputs.seen, (iou > 0.5).float(), reduction="none")
        losses = {
            "focal": 20 * focal,
            "dice": 1 - _dice(found, wanted),
            "iou": (outputs.iou - iou).square(),
            "seen": 0.5 * judged,
        }
        return {name: value.sum() / n for name, value in losses.items()}

    @staticmethod
    @torch.no_grad()
    def _match(logits: Tensor, masks: Tensor, groups: Tensor) -> Tensor:
        """Which target each reference gets, inside its group: the one whose mask is most alike."""
        found = F.adaptive_avg_pool2d(logits.sigmoid()[:, None], COST_SIDE).flatten(1)  # (N, 32*32)
        wanted = shares_of(masks, COST_SIDE).flatten(1)
        i, j = group_pairs(groups)
        return match(1 - _dice(found[i], wanted[j]), groups)

    def units(self, outputs: Masks, frames: Sequence[Letterbox], groups: Tensor) -> list[Found]:
        shares = outputs.logits.sigmoid()
        scores = (outputs.iou.clamp(0, 1) * outputs.seen.sigmoid()).tolist()
        return [Found(photo_mask(shares[n], frame)[0], scores[n]) for n, frame in enumerate(frames)]


def _dice(a: Tensor, b: Tensor) -> Tensor:
    """How alike soft masks (N, L) are, 0..1: (N,)."""
    return (2 * (a * b).sum(-1) + 1) / (a.square().sum(-1) + b.square().sum(-1) + 1)


def _iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU of masks (N, L) bool: (N,); 1 where both are empty."""
    union = (a | b).sum(-1)
    return torch.where(union > 0, (a & b).sum(-1) / union.clamp(min=1), torch.ones_like(union, dtype=torch.float32))


DECODER = Sam2Decoder
