"""Instances of a whole set as columns: what engines, matching and intervals work on."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rles:
    """Masks as COCO strings, a column (N,) of bytes, and their photos' sizes_hw (N, 2). The objects that native code wants are
    made when it is called: hundreds of thousands of them cost more to hold than their strings, which a column of polars has
    from where they were read, chosen or not, without a copy."""

    counts: pl.Series
    sizes_hw: Ints

    def at(self, which: Ints) -> Rles:
        """The chosen masks."""
        return Rles(self.counts.gather(which), self.sizes_hw[which])

    def only(self, wanted: NDArray[np.bool_]) -> Rles:
        """The same number of masks, empty where they are not wanted."""
        empty = pl.Series([b""], dtype=pl.Binary)
        return Rles(self.counts.zip_with(pl.Series(wanted), empty), self.sizes_hw)

    def some(self, which: Ints) -> list[dict[str, Any]]:
        """COCO RLE objects of the chosen masks."""
        return self.at(which).all()

    def all(self) -> list[dict[str, Any]]:
        """COCO RLE objects of all masks."""
        strings: list[bytes] = self.counts.to_list()
        different, which = np.unique((self.sizes_hw[:, 0] << 32) + self.sizes_hw[:, 1], return_inverse=True)
        size = [[int(one) >> 32, int(one) & 0xFFFFFFFF] for one in different]  # photos share a few, as objects too
        empty = [{"size": one, "counts": b""} for one in size]
        return [
            {"size": size[n], "counts": one} if one else empty[n]
            for n, one in zip(which.tolist(), strings, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Instances:
    """Instances of a whole set as columns; annotated ones have `area` and `crowd`, predicted ones `score`.

    image (N,) 1-based photo number; category (N,); boxes_xywh (N, 4) absolute pixels; rles: N masks;
    keypoints (N, 3K) x, y, v, for poses.
    """

    image: Ints
    category: Ints
    boxes_xywh: Floats
    area: Floats = field(default_factory=lambda: np.zeros(0))
    crowd: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    score: Floats = field(default_factory=lambda: np.zeros(0))
    rles: Rles | None = None
    keypoints: Floats | None = None

    def __len__(self) -> int:
        return int(self.image.size)

    def at(self, which: Ints) -> Instances:
        """The chosen instances."""
        given: list[Any] = [self.area, self.crowd, self.score]
        area, crowd, score = (column[which] if column.size else column for column in given)
        rles = None if self.rles is None else self.rles.at(which)
        poses = None if self.keypoints is None else self.keypoints[which]
        return Instances(
            self.image[which], self.category[which], self.boxes_xywh[which], area, crowd, score, rles, poses
        )
