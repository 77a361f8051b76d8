"""Dialogues on disk: Arrow IPC streams of one frozen schema (`schema.SCHEMA`), written whole or not at all.

Uncompressed, so that readers map the file instead of copying it; at most 1000 rows a batch, so that one row can be
taken without reading many; written to a temporary name and renamed, so that a killed writer leaves no half shard.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from vtinstruct.columns import Columns, RowError
from vtinstruct.dialogue import Dialogue
from vtinstruct.manifest import DatasetError, read_manifest
from vtinstruct.rows import ReadError, dialogue_from_row
from vtinstruct.schema import SCHEMA

__all__ = [
    "BATCH_ROWS", "SCHEMA", "ReadError", "RowError", "ShardWriter", "Written", "dialogue_from_row", "open_batches",
    "read_dialogues", "write_shard",
]  # fmt: skip

BATCH_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Written:
    """A finished file: hash and size of its bytes, rows in it, units in them."""

    sha256: str
    bytes: int
    rows: int
    units: int


class _HashingFile:
    """A file that hashes what goes through it, so that no byte is read twice."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.digest, self.size, self.closed = file, hashlib.sha256(), 0, False

    def write(self, data: Any) -> int:
        self.digest.update(data)
        self.size += memoryview(data).nbytes
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


class ShardWriter:
    """Writes one shard; use as a context manager. The file appears under its name only when the block ends well.

    `add` dialogues, or `add_batch` record batches of the frozen schema. Same rows in the same calls: same bytes.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._temporary = path, path.with_name(f".{path.name}.{os.getpid()}.part")
        self.rows = self.units = 0
        self.written: Written | None = None
        self._columns = Columns()

    def __enter__(self) -> ShardWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._temporary.open("wb")
        self._sink = _HashingFile(self._file)
        self._stream = pa.ipc.new_stream(self._sink, SCHEMA)
        return self

    def add(self, dialogue: Dialogue) -> None:
        """Append a dialogue. Raises `RowError`, with nothing written, when it has no row."""
        self._columns.add(dialogue)
        if len(self._columns) == BATCH_ROWS:
            self.flush()

    def flush(self) -> None:
        """End the current batch."""
        columns, self._columns = self._columns, Columns()
        if len(columns):
            self.add_batch(columns.batch(), columns.units)

    def add_batch(self, batch: pa.RecordBatch, units: int) -> None:
        """Append a batch as it is; `units` says how many units its rows hold."""
        if len(self._columns):
            self.flush()
        self._stream.write_batch(batch)
        self.rows += batch.num_rows
        self.units += units

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.flush()
                self._stream.close()
                self._file.flush()
                os.fsync(self._file.fileno())
        finally:
            self._file.close()
            if kind is not None:
                self._temporary.unlink(missing_ok=True)
        if kind is None:
            os.replace(self._temporary, self.path)
            self.written = Written(self._sink.digest.hexdigest(), self._sink.size, self.rows, self.units)


def write_shard(path: Path, dialogues: Iterable[Dialogue]) -> Written:
    """Write dialogues as one shard, atomically; says what was written. `RowError` on one without a row."""
    with ShardWriter(path) as writer:
        for dialogue in dialogues:
            writer.add(dialogue)
    assert writer.written is not None  # the block ended well
    return writer.written


def open_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The record batches of a shard, memory-mapped. Raises `DatasetError` on a file that is no whole shard of ours."""
    try:
        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as reader:
            if not reader.schema.equals(SCHEMA):
                raise DatasetError(f"{path}: its columns are not those of a VT-Instruct shard; build it again")
            yield from reader
    except FileNotFoundError:
        raise DatasetError(f"{path} is not there; the dataset has lost a shard") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise DatasetError(f"{path}: not a whole Arrow stream ({error}); build it again") from error


def read_dialogues(root: Path, task: str, split: str) -> Iterator[Dialogue]:
    """Every dialogue of a task and split of the dataset at `root`, in order, memory-mapped.

    Raises `DatasetError` when the dataset is unfinished, damaged or has no such task and split, and `ReadError` on a
    row that is no dialogue.
    """
    for shard in read_manifest(root).shards(task, split):
        rows = 0
        for batch in open_batches(root / shard.path):
            rows += batch.num_rows
            for row in batch.to_pylist():
                yield dialogue_from_row(row)
        if rows != shard.rows:
            raise DatasetError(f"{root / shard.path}: {rows} rows, the manifest says {shard.rows}; build it again")
