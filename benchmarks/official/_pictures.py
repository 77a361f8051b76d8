"""Pictures of official layouts, label maps and masks in grey, ids in colours; and arrays of numbers."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from kornia_rs.io import read_image_png_u8
from numpy.typing import NDArray
from PIL import Image

from benchmarks.official._files import OfficialError
from vtinstruct.photos import FORMATS, MAX_PIXELS

HEADER = struct.Struct(">8s4x4sIIBB")  # of a PNG: signature, chunk, width, height, bits, kind of colours


def grey_values(path: Path) -> NDArray[np.int64]:
    """(H, W) grey values or palette indices, 0..65535. Raises `OfficialError`."""
    modes = ("L", "P", "1", "I", "I;16")
    values = np.asarray(_opened(path, modes, "grey values or palette indices", "a grey PNG")).astype(np.int64)
    if values.min() < 0 or values.max() >= 1 << 16:
        raise OfficialError(f"{path}: values outside 0..65535; class numbers are right")
    return values


def rgb_values(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) colours. Raises `OfficialError`."""
    if _is_plain_png(path):
        # kornia-rs takes a quarter of Pillow's time and less, and takes nothing but such files; what it refuses is Pillow's
        with contextlib.suppress(Exception):  # it raises no other
            return read_image_png_u8(str(path), "rgb")
    return np.asarray(_opened(path, ("RGB", "RGBA"), "the three colours of an id", "an RGB PNG").convert("RGB"))


def mask_values(path: Path) -> NDArray[np.bool_]:
    """(H, W) where a picture, made grey, is not 0. Raises `OfficialError`."""
    with _decoded(path, "a grey PNG") as found:
        return np.asarray(found.convert("L")) != 0


def _opened(path: Path, modes: Sequence[str], values: str, picture: str) -> Image.Image:
    """A picture of one of these modes, decoded; what would be right instead of others, and of none."""
    with _decoded(path, picture) as found:
        if found.mode in modes:
            found.load()
            return found
    raise OfficialError(f"{path}: mode {found.mode}; {values} are right")


@contextlib.contextmanager
def _decoded(path: Path, picture: str) -> Generator[Image.Image, None, None]:
    """A picture to read from; what goes wrong meanwhile is one line, with what would be right."""
    try:
        with Image.open(path, formats=FORMATS) as found:
            yield found
    except Exception as error:  # decoders raise whatever a broken picture makes them trip over
        raise OfficialError(f"{path}: unreadable ({error}); {picture} is right") from error


def _is_plain_png(path: Path) -> bool:
    """Whether the header is of a PNG of 8 bits a colour and no size that fills the memory."""
    with path.open("rb", buffering=0) as file:
        head = file.read(HEADER.size)
    if len(head) < HEADER.size:
        return False
    signature, chunk, width, height, *kind = HEADER.unpack(head)
    return (signature, chunk, kind) == (b"\x89PNG\r\n\x1a\n", b"IHDR", [8, 2]) and width * height <= MAX_PIXELS


def array_of(path: Path, axes: tuple[str, ...]) -> NDArray[Any]:
    """A `.npy` array of real numbers, with as many axes as are named; left on disk until it is looked at. Raises
    `OfficialError`."""
    right = f"an array of ({', '.join(axes)}) is right"
    try:
        whole: Any = np.load(path, allow_pickle=False, mmap_mode="r")
    except Exception as error:  # a torn header is read as Python text, and fails as such
        raise OfficialError(f"{path}: {error}; {right}") from error
    if not isinstance(whole, np.ndarray):
        raise OfficialError(f"{path}: several arrays in one file; {right}")
    found = cast(NDArray[Any], whole)
    if found.ndim != len(axes) or found.dtype.kind not in "buif":
        raise OfficialError(f"{path}: {found.dtype} of shape {found.shape}; numbers in {right}")
    return found
