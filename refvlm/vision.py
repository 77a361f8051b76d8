"""What the model sees: encoder 1's tokens for the LLM, encoder 2's maps for the decoders.

Encoder 2 is any `transformers` backbone with maps at strides 4, 8, 16 and 32 (ResNet, ConvNeXt, Swin, ...). `Neck` makes a
small feature pyramid of them, once per photo, however many dialogues and references speak of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Maps:
    """Feature maps of P photos padded to a square. `extent_wh` (P, 2): the share of the square the photo fills.

    tokens: (P, C, S/16, S/16), what the LLM may read. coarse: (P, C, S/8, S/8), where to look. fine: (P, C, S/4, S/4), for
    windows and dense maps. pixels: (P, E, S/2, S/2), to be compared with mask queries.
    """

    tokens: Tensor
    coarse: Tensor
    fine: Tensor
    pixels: Tensor
    extent_wh: Tensor

    def pick(self, owner: Tensor) -> View:
        """These maps, seen by N references of which number n looks at photo `owner[n]`."""
        return View(self, owner)


@dataclass(frozen=True)
class View:
    """`Maps` and which photo each of N references looks at: what a decoder gets. Maps are never copied per reference."""

    maps: Maps
    owner: Tensor  # (N,)


def valid_cells(extent_wh: Tensor, height: int, width: int) -> Tensor:
    """Which cells of a (height, width) grid over the square show the photo, (P, height, width) bool: those whose
    middle does, and always the first."""
    x = (torch.arange(width, device=extent_wh.device) + 0.5) / width
    y = (torch.arange(height, device=extent_wh.device) + 0.5) / height
    inside_x, inside_y = x[None] < extent_wh[:, :1], y[None] < extent_wh[:, 1:]
    inside_x[:, 0] = inside_y[:, 0] = True
    return inside_y[:, :, None] & inside_x[:, None, :]


def cell_middles(height: int, width: int, device: torch.device) -> Tensor:
    """Middles (x, y) of a grid's cells as shares of the square, (height * width, 2)."""
    y = (torch.arange(height, device=device) + 0.5) / height
    x = (torch.arange(width, device=device) + 0.5) / width
    return torch.stack((x.repeat(height), y.repeat_interleave(width)), -1)


def waves(values: Tensor, count: int) -> Tensor:
    """Fourier features of values in 0..1: (..., D) -> (..., D * 2 * count), wave lengths 2, 1, 1/2, ..."""
    turns = torch.pi * 2.0 ** torch.arange(count, device=values.device, dtype=torch.float32)
    angles = (values.float()[..., None] * turns).flatten(-2)
    return torch.cat((angles.sin(), angles.cos()), -1)


WAVES = 5


class Place(nn.Module):
    """Adds to a map (P, C, h, w) what place each cell has in the square."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = nn.Linear(4 * WAVES, width)

    def forward(self, features: Tensor) -> Tensor:
        height, width = features.shape[-2:]
        where = waves(cell_middles(height, width, features.device), WAVES)  # (h*w, 4 * WAVES)
        place = self.embed(where.to(self.embed.weight.dtype))  # (h*w, C)
        return features + place.T.reshape(1, -1, height, width)


class ConvBlock(nn.Sequential):
    """3x3 convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
        )


class Pixels(nn.Module):
    """Photos as bytes -> as an encoder was trained to see them: (value / 255 - mean) / std of each of the channels R, G, B."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(f"pixel mean {list(mean)}, std {list(std)}: three numbers each and std above 0 are right")
        self.mean, self.std = tuple(mean), tuple(std)  # no buffers: those that are not saved come back empty

    def forward(self, photos: Tensor) -> Tensor:
        """(P, S, S, 3) uint8 -> (P, 3, S, S) float32: half precision would lose steps of the 256."""
        mean, std = (torch.tensor(values, device=photos.device) for values in (self.mean, self.std))
        return ((photos.float() / 255 - mean) / std).permute(0, 3, 1, 2)


class DenseEncoder(nn.Module):
    """Encoder 2 and its neck: photos (P, S, S, 3) uint8 -> `Maps`.

    `backbone` is a `transformers` backbone of four stages, `pixels` how it sees a photo. `width` is the channels of the
    pyramid, `pixel_width` those of the half-resolution map, which sees the photo itself through one convolution:
    outlines are sharper than a stride-4 stem keeps. `tokens`: the LLM reads the stride-16 map, which then says where its
    cells are.
    """

    def __init__(self, backbone: Any, pixels: Pixels, width: int, pixel_width: int, tokens: bool) -> None:
        super().__init__()
        self.backbone, self.normal = backbone, pixels
        channels: list[int] = backbone.channels  # strides 4, 8, 16, 32
        # Channels last is twice as fast on CPUs. With fewer than 16 channels torch 2.13 corrupts memory in the backward
        # pass of a strided 1x1 convolution over an odd batch (oneDNN), so tiny widths keep the plain layout.
        narrow = any(c % 16 for c in (*channels, getattr(backbone.config, "embedding_size", 16)))
        self.layout = torch.contiguous_format if narrow else torch.channels_last
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.smooth = nn.ModuleList(ConvBlock(width, width) for _ in range(3))  # strides 4, 8, 16
        self.token_place = Place(width) if tokens else nn.Identity()
        self.coarse_place = Place(width)
        self.edge = ConvBlock(3, pixel_width, stride=2)
        self.unfold = nn.Conv2d(width, 4 * pixel_width, 1)
        self.blend = nn.Sequential(ConvBlock(pixel_width, pixel_width), nn.Conv2d(pixel_width, pixel_width, 1))

    def forward(self, photos: Tensor, extent_wh: Tensor) -> Maps:
        pixels = self.normal(photos).to(self.unfold.weight.dtype).contiguous(memory_format=self.layout)  # (P, 3, S, S)
        return self.neck(pixels, self.backbone(pixels).feature_maps, extent_wh)

    def neck(self, photos: Tensor, features: Sequence[Tensor], extent_wh: Tensor) -> Maps:
        """The pyramid: photos as the backbone sees them (P, 3, S, S), its maps (P, channels[i], S/4 ... S/32, same)."""
        c4, c8, c16, c32 = features
        p32 = self.lateral[3](c32)  # (P, C, S/32, S/32)
        p16 = self.smooth[2](self.lateral[2](c16) + F.interpolate(p32, size=c16.shape[-2:], mode="nearest"))
        p8 = self.smooth[1](self.lateral[1](c8) + F.interpolate(p16, size=c8.shape[-2:], mode="nearest"))
        p4 = self.smooth[0](self.lateral[0](c4) + F.interpolate(p8, size=c4.shape[-2:], mode="nearest"))
        pixels = self.blend(F.pixel_shuffle(self.unfold(p4), 2) + self.edge(photos))  # (P, E, S/2, S/2)
        return Maps(self.token_place(p16), self.coarse_place(p8), p4, pixels, extent_wh)


class TokenEncoder(nn.Module):
    """Encoder 1: a ViT's patch tokens as a map. Photos (P, S, S, 3) uint8 -> (P, D, g, g), g = side / patch.

    `vision` is a `transformers` ViT (CLIP, SigLIP, SigLIP 2, DINOv2, DINOv3, ...), `pixels` how it sees a photo, `layer` the
    hidden state that is read (-2: the output of the last layer but one). CLS and register tokens stand before the
    patches and are left out. Raises `ValueError` when `side` is no multiple of the patch.
    """

    def __init__(self, vision: Any, pixels: Pixels, side: int, layer: int) -> None:
        super().__init__()
        self.vision, self.normal, self.side, self.layer = vision, pixels, side, layer
        self.patch = int(vision.config.patch_size)
        if side % self.patch:
            raise ValueError(f"vision_side {side} is no multiple of the ViT's patch of {self.patch} pixels")
        self.grid = side // self.patch

    def forward(self, photos: Tensor) -> Tensor:
        pixels = self.normal(photos)  # (P, 3, S, S)
        size = (self.side, self.side)
        if pixels.shape[-2:] != size:
            pixels = F.interpolate(pixels, size=size, mode="bilinear", antialias=True, align_corners=False)
        found = self._look(pixels.to(self.vision.dtype)).hidden_states[self.layer]  # (P, [CLS, registers] + g*g, D)
        patches = found[:, found.shape[1] - self.grid**2 :]  # (P, g*g, D)
        return patches.transpose(1, 2).unflatten(-1, (self.grid, self.grid))

    def _look(self, pixels: Tensor) -> Any:
        """The ViT's outputs, asked in the way of its class."""
        config = self.vision.config
        if config.model_type == "siglip2_vision_model":  # takes patches, of any number
            n, p = self.grid, self.patch
            cut = pixels.unflatten(3, (n, p)).unflatten(2, (n, p))  # (P, 3, n, p, n, p): row, y, column, x
            patches = cut.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)  # (P, n*n, p*p*3)
            every = torch.ones(patches.shape[:2], dtype=torch.int32, device=pixels.device)
            shapes = torch.tensor([[n, n]] * len(pixels), device=pixels.device)
            return self.vision(
                pixel_values=patches, pixel_attention_mask=every, spatial_shapes=shapes, output_hidden_states=True
            )
        # Learned positions of another grid are stretched to ours; classes with rotary ones know no such word.
        trained = getattr(config, "image_size", self.side)
        stretch = {} if trained == self.side or "rope_theta" in config.to_dict() else {"interpolate_pos_encoding": True}
        return self.vision(pixels, output_hidden_states=True, **stretch)
