"""Sums in the order of the published loops: one number onto the running total at a time.

numpy adds in pairs and Python's `sum` compensates from 3.12 on; both give other last bits than a loop of `total += value`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def in_order(values: Iterable[float]) -> float:
    """`total = 0.0; total += value` for every value, to the bit; 0.0 of none."""
    several = np.fromiter(values, dtype=np.float64)
    return float(np.cumsum(several)[-1]) if several.size else 0.0
