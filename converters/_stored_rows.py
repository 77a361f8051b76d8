"""Rows of a JSON file that stay bytes, in memory or on disk, and are parsed when asked for."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

Row = TypeVar("Row")
Read = Callable[[int, int], bytes]


class Stored(Generic[Row]):
    """Rows of one type by where they are; `read(offset, length)` gives the bytes of one."""

    def __init__(self, read: Read, row_type: type[Row], offsets: NDArray[np.int64], lengths: NDArray[np.int32]) -> None:
        self._read, self._offsets, self._lengths = read, offsets, lengths
        self._decoder = msgspec.json.Decoder(list[row_type], strict=False)

    def __len__(self) -> int:
        return len(self._offsets)

    def at(self, places: NDArray[np.integer[Any]]) -> list[Row]:
        """The rows at some places, read as one list: that is faster than one by one."""
        found = map(self._read, self._offsets[places].tolist(), self._lengths[places].tolist())
        return self._decoder.decode(b"[" + b",".join(found) + b"]")


class _OnDisk:
    """The bytes of a file that stays on disk, and open."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)

    def __call__(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)


def reader(path: Path, data: bytes | None) -> Read:
    """What gives bytes of a file: of `data`, or where that is None, from disk. Raises `OSError`."""
    return _OnDisk(path) if data is None else lambda offset, length: data[offset : offset + length]


def without_bytes(row_type: type[Any]) -> type[Any]:
    """The type without its fields that stay bytes and may be missing: to look at a row they need not be kept."""
    kept: list[Any] = []
    for field in msgspec.structs.fields(row_type):
        if field.required:
            kept.append((field.name, field.type))
        elif field.type is not msgspec.Raw:
            made = field.default_factory
            default = field.default if made is msgspec.NODEFAULT else msgspec.field(default_factory=made)
            kept.append((field.name, field.type, default))
    return msgspec.defstruct(row_type.__name__, kept, gc=False)
