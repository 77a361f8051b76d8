"""What every `refvlm/decoders/<unit>.py` offers as `DECODER`: a module class named after the unit it decodes.

One file holds a unit's whole way: `targets` (units -> tensors in the padded square), `forward` (hidden states -> outputs),
`loss`, and `units` (outputs -> units in the photo's own pixels). `tests/contracts/test_decoders.py` holds every file to it.

Frames: inside, everything is a share of the padded square (0..1); outside, absolute pixel edges and metres. References
of all photos of a batch come in one call; `View.owner` says which photo each looks at, and `groups` (N,), sorted, which of
them belong to one triplet and must therefore be different instances.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from refvlm.vision import View
from vtinstruct.geometry import Letterbox
from vtinstruct.units import Box, Keypoints, Mask, Point


@dataclass(frozen=True, slots=True, eq=False)
class DepthMap:
    """A depth map in memory, (H, W) float32 metres, 0 = missing: what a `Depth` unit's file holds.

    With `relative` it is inverse depth of unknown scale and shift instead, larger is nearer, above 0 where it is known.
    """

    depth_m: NDArray[np.float32]
    relative: bool = False


Value = Box | Mask | Keypoints | Point | DepthMap


@dataclass(frozen=True, slots=True)
class Found:
    """A decoded unit and how sure the decoder is of it, 0..1."""

    unit: Value
    score: float


class Decoder(nn.Module, ABC):
    """A decoder of one kind of unit. `query_width` is the LLM's width, `width` and `pixel_width` those of `Maps`."""

    kind: ClassVar[str]

    def __init__(self, query_width: int, width: int, pixel_width: int, **settings: Any) -> None:
        super().__init__()

    @staticmethod
    @abstractmethod
    def targets(units: Sequence[Value], frames: Sequence[Letterbox], side: int) -> dict[str, Tensor]:
        """Units as tensors with a first axis of `len(units)`; `frames[n]` is the frame of unit n's photo, and all are
        squares of `side` pixels."""

    @abstractmethod
    def forward(self, queries: Tensor, view: View) -> Any:
        """Hidden states of N `<REF>`s, (N, query_width), to this decoder's outputs. N may be 0."""

    @abstractmethod
    def loss(self, outputs: Any, targets: dict[str, Tensor], groups: Tensor) -> dict[str, Tensor]:
        """Named, weighted losses, each a scalar mean over references; matched inside groups where order is free."""

    @abstractmethod
    def units(self, outputs: Any, frames: Sequence[Letterbox], groups: Tensor) -> list[Found]:
        """The decoded units; `frames[n]` is the frame of reference n's photo."""
