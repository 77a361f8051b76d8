"""Pickles that hold plain values only. The official referring-expression files are pickles, and a pickle may run
anything; this reader builds containers, text, bytes and numbers, and refuses every name of a class or function.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

from vtinstruct.source import SourceError


class _Refused(pickle.UnpicklingError):
    """A pickle that names code."""


class _PlainUnpickler(pickle.Unpickler):
    """Every opcode that could reach code (GLOBAL, INST, OBJ, REDUCE's callables, EXT, ...) asks `find_class` first."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        raise _Refused(f"names {module_name}.{global_name}")

    def persistent_load(self, pid: Any, /) -> Any:
        raise _Refused(f"points outside the file ({pid!r:.40})")


def read_plain_pickle(path: Path, data: bytes) -> Any:
    """The value pickled in `data` (protocols 0 to 5, Python 2's included; its byte strings are read as Latin-1).

    `path` is for messages. Raises `SourceError` when the pickle names code, is cut short or is no pickle; nothing it
    names is imported or called.
    """
    try:
        return _PlainUnpickler(io.BytesIO(data), encoding="latin-1").load()
    except _Refused as error:
        raise SourceError(
            f"{path}: refused: the pickle {error}; lists, dicts, text and numbers alone are right"
        ) from error
    except (EOFError, pickle.UnpicklingError) as error:
        raise SourceError(f"{path}: no whole pickle ({error}; {len(data)} bytes); download the file again") from error
    except Exception as error:  # garbage trips the unpickler in ways its manual leaves open ("not exhaustive")
        raise SourceError(f"{path}: no pickle of plain values ({type(error).__name__}: {error})") from error
