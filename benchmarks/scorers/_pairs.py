"""One-to-one pairs of answered and annotated boxes or points, whatever they are called. Used by scorers of small sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize  # pyright: ignore[reportMissingTypeStubs]

from vtinstruct.dialogue import Reference
from vtinstruct.units import Box, Point

Floats = NDArray[np.float64]


def boxes_of(references: Sequence[Reference]) -> Floats:
    """(N, 4) edges of the decoded boxes."""
    return np.array([r.unit.box_xyxy for r in references if isinstance(r.unit, Box)], dtype=np.float64).reshape(-1, 4)


def points_of(references: Sequence[Reference]) -> Floats:
    """(N, 2) positions of the decoded points."""
    return np.array([r.unit.point_xy for r in references if isinstance(r.unit, Point)], dtype=np.float64).reshape(-1, 2)


def assign(weights: Floats) -> list[tuple[int, int]]:
    """The one-to-one pairs (row, column) with the largest sum of weights (R, C)."""
    solve: Any = optimize
    rows, columns = solve.linear_sum_assignment(weights, maximize=True)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def most_pairs(fits: NDArray[np.bool_]) -> int:
    """The largest number of one-to-one pairs among those that fit, (F, T)."""
    return sum(bool(fits[pair]) for pair in assign(fits.astype(np.float64))) if fits.size else 0


def f1(hits: int, found: int, true: int) -> float:
    """Harmonic mean of precision and recall; 1 where nothing was there and nothing was said."""
    return 2 * hits / (found + true) if found + true else 1.0
