"""Boxes that look as if they were not in pixels of the photo: the commonest fault of a predictions file, and a silent one, as
such boxes are sound and hit nothing."""

from __future__ import annotations

import numpy as np
import polars as pl

from benchmarks.columns import Instances

EDGE = 1.05  # of a side: what a model that answers in pixels may stand out
UNIT = 1.5  # pixels: shares of the sides end at 1, or a little beyond


def frames(rows: pl.DataFrame, found: Instances) -> dict[str, int]:
    """How many boxes were answered, how many of them end `within_a_pixel` of the photo's corner, as shares of the sides do,
    and how many reach `beyond_photo`, as thousandths of the sides do in photos of less than 1,000 pixels. Row n is photo n."""
    sizes_wh = rows.select("width", "height").to_numpy().astype(np.float64)[found.image - 1]
    ends = found.boxes_xywh[:, :2] + found.boxes_xywh[:, 2:]
    small = (np.abs(found.boxes_xywh[:, :2]) <= UNIT).all(axis=1) & (ends <= UNIT).all(axis=1)
    beyond = (ends > sizes_wh * EDGE).any(axis=1)
    return {"answered": len(ends), "within_a_pixel": int(small.sum()), "beyond_photo": int(beyond.sum())}
