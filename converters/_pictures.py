"""Label and depth pictures, read with care: a broken file is a `Fault` of its record, never an exception of a decoder.

Photos are never opened here; only pictures that *are* annotations.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from converters._notes import Fault

FORMATS = ("PNG", "TIFF", "PPM", "BMP")  # lossless ones; labels do not survive JPEG
MAX_PIXELS = 1 << 27


def _opened(path: Path, name: str) -> Image.Image:
    try:
        picture = Image.open(path, formats=FORMATS)
    except FileNotFoundError as error:
        raise Fault("picture: missing", f"no file {name}") from error
    except UnidentifiedImageError as error:
        raise Fault("picture: unreadable", f"{name} is no PNG, TIFF, PPM or BMP picture") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Fault("picture: unreadable", f"{name}: {error}; a whole picture is right") from error
    if picture.width * picture.height > MAX_PIXELS:
        picture.close()
        raise Fault("picture: too large", f"{name}: {picture.width} x {picture.height}; at most {MAX_PIXELS} pixels")
    return picture


def _pixels(picture: Image.Image, name: str) -> NDArray[Any]:
    try:
        return np.asarray(picture)
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise Fault("picture: unreadable", f"{name}: {error}; a whole picture is right") from error


def read_rgb(path: Path, name: str) -> NDArray[np.uint8]:
    """Pixels (H, W, 3) of a colour picture; palettes are not resolved, because ids are coded in true colour.

    Raises `Fault` when the file is missing, broken, or has no three 8-bit channels.
    """
    with _opened(path, name) as picture:
        if picture.mode not in ("RGB", "RGBA"):
            raise Fault("picture: no RGB", f"{name} has mode {picture.mode}; three channels of 8 bits are right")
        return _pixels(picture, name)[..., :3]


def grey_size(path: Path, name: str) -> tuple[int, int]:
    """(width, height) of a 16-bit grey picture, from its header alone. Raises `Fault` when it is none."""
    with _opened(path, name) as picture:
        if not (picture.mode.startswith("I;16") or picture.mode == "I"):
            raise Fault("depth: not 16 bits", f"{name} has mode {picture.mode}; one channel of 16 bits is right")
        return picture.size
