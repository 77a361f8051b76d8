"""Arrow arrays as numpy arrays and back, by way of polars.

pyarrow's own conversions (`to_numpy`, `pa.array`, a Python number handed to `pyarrow.compute`) import pandas wherever it is
installed, which takes longer than scoring thousands of photos, and 40 MB. `tests/benchmarks/test_plain.py` holds scoring to
doing without.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray


def series(array: Any) -> pl.Series:
    """A pyarrow array as a polars column."""
    return cast(pl.Series, pl.from_arrow(array))


def as_numpy(array: Any, dtype: Any) -> NDArray[Any]:
    """A pyarrow array of numbers or booleans; nulls become NaN, and need a `dtype` that has it."""
    return np.asarray(series(array).to_numpy()).astype(dtype, copy=False)


def as_arrow(values: NDArray[Any] | pl.Series, nan_is_null: bool = False) -> Any:
    """A numpy array (N,), or a column, as a pyarrow array; texts and bytes as the large ones that every reader knows."""
    column = pl.Series(values)
    return (column.fill_nan(None) if nan_is_null else column).to_arrow(compat_level=pl.CompatLevel.oldest())
