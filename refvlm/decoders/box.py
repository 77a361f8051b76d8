"""Boxes: heat map, then four numbers. Losses: where to look, 5-to-2 weighted L1 and GIoU, and the expected IoU (score)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from refvlm.decoders._contract import Decoder, Found, Value
from refvlm.decoders._locator import Located, Locator
from refvlm.vision import View
from vtinstruct.geometry import Letterbox
from vtinstruct.units import Box


def square_corners(boxes_xyxy: Sequence[Sequence[float]], frames: Sequence[Letterbox], side: int) -> Tensor:
    """Boxes in absolute pixel edges of the frames' photos -> corners as shares of the square, (N, 4) float32."""
    points = np.asarray(boxes_xyxy, np.float64).reshape(-1, 2, 2)
    return torch.from_numpy((points * scales_xy(frames)[:, None] / side).reshape(-1, 4)).float()


def scales_xy(frames: Sequence[Letterbox]) -> NDArray[np.float64]:
    """Pixels of the square to one of each frame's photo, (N, 2)."""
    return np.asarray([frame.scale_xy for frame in frames], np.float64).reshape(-1, 2)


def photo_box(corners: Tensor, frame: Letterbox) -> Box:
    """Corners as shares of the square (4,) -> a box in the photo's pixels, clipped to the photo."""
    x0, y0, x1, y1 = frame.to_photo(corners.detach().double().numpy().reshape(2, 2) * frame.side).reshape(4).tolist()
    width, height = frame.size_wh
    x0, x1 = sorted((min(max(x0, 0.0), width), min(max(x1, 0.0), width)))
    y0, y1 = sorted((min(max(y0, 0.0), height), min(max(y1, 0.0), height)))
    return Box((x0, y0, x1, y1))


class BoxDecoder(Decoder):
    """One box per `<REF>`."""

    kind = "box"

    def __init__(self, query_width: int, width: int, pixel_width: int, **settings: Any) -> None:
        super().__init__(query_width, width, pixel_width)
        self.locator = Locator(query_width, width, **settings)

    @staticmethod
    def targets(units: Sequence[Value], frames: Sequence[Letterbox], side: int) -> dict[str, Tensor]:
        return {"corners": square_corners([unit.box_xyxy for unit in units if isinstance(unit, Box)], frames, side)}

    def forward(self, queries: Tensor, view: View) -> Located:
        return self.locator(queries, view)

    def loss(self, outputs: Located, targets: dict[str, Tensor], groups: Tensor) -> dict[str, Tensor]:
        return self.locator.loss(outputs, targets["corners"], groups)[0]

    def units(self, outputs: Located, frames: Sequence[Letterbox], groups: Tensor) -> list[Found]:
        sight = self.locator.choose(outputs, groups)
        scores = sight.quality.sigmoid().tolist()
        corners = sight.corners.cpu()
        return [Found(photo_box(corners[n], frame), scores[n]) for n, frame in enumerate(frames)]


DECODER = BoxDecoder
