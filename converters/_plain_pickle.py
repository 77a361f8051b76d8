"""Pickles that hold plain values only. The official referring-expression files are pickles, and a pickle may run
anything; this reader builds containers, text, bytes and numbers, and refuses everything else.

Two walls. First the bytes are walked opcode by opcode without building anything: only opcodes of plain values may
occur, lengths must fit the file, and memo numbers must be small (CPython's unpickler would otherwise reserve memory
for the largest one: seven bytes can ask for 34 GB). Then an unpickler reads them that knows no class and no function.
Opcodes: Python's `pickletools` documentation; protocols 0 to 5.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
from pathlib import Path
from typing import Any

from converters._coco_json import paused_gc
from vtinstruct.source import SourceError

# Opcodes followed by a length of so many bytes and then by that many bytes of text, bytes or integer.
LENGTH_BYTES = {
    ord("U"): 1,  # SHORT_BINSTRING, BINSTRING, BINUNICODE
    ord("T"): 4,
    ord("X"): 4,
    0x8C: 1,  # SHORT_BINUNICODE, BINUNICODE8
    0x8D: 8,
    ord("C"): 1,  # SHORT_BINBYTES, BINBYTES, BINBYTES8, BYTEARRAY8
    ord("B"): 4,
    0x8E: 8,
    0x96: 8,
    0x8A: 1,  # LONG1, LONG4
    0x8B: 4,
}


def _fixed_opcodes(size: int) -> re.Pattern[bytes]:
    """A run of opcodes of fixed length or ended by a line break, with memo numbers no greater than a file of `size`
    bytes can need. One match walks thousands of opcodes at C speed."""
    top = min(size >> 16, 0xFFFF)
    high, low = (re.escape(bytes([value])) for value in (top >> 8, top & 0xFF))
    memo = rb"r..[\x00-" + low + rb"]\x00" if top < 256 else rb"r...[\x00-" + high + rb"]"
    return re.compile(
        rb"(?:[(.012N)\]}ldtaesu\x85-\x89\x8f-\x91\x94]"  # no argument: marks, containers, constants, memoize
        rb"|[Kqh\x80].|M..|[Jj]....|[G\x95]........"  # 1, 2, 4 and 8 bytes: numbers, memo, protocol, frame
        rb"|[ILFSVg][^\n]*\n|p[0-9]{1,%d}\n|%b)++" % (len(str(size)), memo),
        re.DOTALL,
    )


def _check_opcodes(path: Path, data: bytes) -> None:
    """The first wall. Raises `SourceError` at the first byte that is no opcode of a plain value."""
    fixed = _fixed_opcodes(len(data))
    position = 0
    while position < len(data):
        width = LENGTH_BYTES.get(data[position])
        if width is not None:
            start = position + 1 + width
            position = start + int.from_bytes(data[position + 1 : start], "little")
            continue
        run = fixed.match(data, position)
        if run is None:
            raise _refusal(path, data, position)
        position = run.end()
    if position != len(data) or not data.endswith(b"."):
        raise SourceError(f"{path}: no whole pickle, cut at byte {len(data)}; download the file again")


def _refusal(path: Path, data: bytes, position: int) -> SourceError:
    name = next(
        (one.name for one in pickletools.opcodes if one.code.encode("latin-1") == data[position : position + 1]), ""
    )
    if name in ("PUT", "LONG_BINPUT") or not name:
        return SourceError(f"{path}: no pickle (byte {position}); download the file again")
    return SourceError(
        f"{path}: refused: {name} at byte {position} could run code; lists, dicts, text and numbers alone are right"
    )


class _PlainUnpickler(pickle.Unpickler):
    """The second wall: every way from a pickle to code asks one of these two methods first."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        raise pickle.UnpicklingError(f"refused: names {module_name}.{global_name}")

    def persistent_load(self, pid: Any, /) -> Any:
        raise pickle.UnpicklingError(f"refused: points outside the file ({pid!r:.40})")


def read_plain_pickle(path: Path, data: bytes) -> Any:
    """The value pickled in `data` (Python 2's pickles included; their byte strings are read as Latin-1).

    `path` is for messages. Raises `SourceError` when the pickle could reach code, is cut short or is no pickle; nothing
    it names is imported or called.
    """
    _check_opcodes(path, data)
    try:
        with paused_gc():
            return _PlainUnpickler(io.BytesIO(data), encoding="latin-1").load()
    except Exception as error:  # garbage trips the unpickler in ways its manual leaves open ("not exhaustive")
        said = " ".join(str(error).split())
        raise SourceError(f"{path}: no pickle of plain values ({type(error).__name__}: {said})") from error
