"""Grey pictures of official layouts: label maps and masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.official._files import OfficialError
from vtinstruct.photos import FORMATS


def grey_values(path: Path) -> NDArray[np.int64]:
    """(H, W) grey values or palette indices, 0..65535. Raises `OfficialError`."""
    try:
        with Image.open(path, formats=FORMATS) as picture:
            if picture.mode not in ("L", "P", "1", "I", "I;16"):
                raise OfficialError(f"{path}: mode {picture.mode}; grey values or palette indices are right")
            values = np.asarray(picture).astype(np.int64)
    except OfficialError:
        raise
    except Exception as error:  # decoders raise whatever a broken picture makes them trip over
        raise OfficialError(f"{path}: unreadable ({error}); a grey PNG is right") from error
    if values.min() < 0 or values.max() >= 1 << 16:
        raise OfficialError(f"{path}: values outside 0..65535; class numbers are right")
    return values
