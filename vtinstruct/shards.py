"""Dialogues on disk: files of record batches (`streams`) of one frozen schema (`schema.SCHEMA`), written whole or not at
all; at most 1000 rows a batch, so that one row can be taken without reading many.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from vtinstruct.columns import Columns, RowError
from vtinstruct.dialogue import Dialogue
from vtinstruct.manifest import DatasetError, read_manifest
from vtinstruct.rows import ReadError, dialogue_from_row
from vtinstruct.schema import SCHEMA
from vtinstruct.streams import BATCH_ROWS, StreamWriter, read_stream

__all__ = [
    "BATCH_ROWS", "SCHEMA", "ReadError", "RowError", "ShardWriter", "Written", "dialogue_from_row", "open_batches",
    "read_batches", "read_dialogues", "write_shard",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Written:
    """A finished file: hash and size of its bytes, rows in it, units in them."""

    sha256: str
    bytes: int
    rows: int
    units: int


class ShardWriter:
    """Writes one shard; use as a context manager. The file appears under its name only when the block ends well.

    `add` dialogues, or `add_batch` record batches of the frozen schema. Same rows in the same calls: same bytes.
    """

    def __init__(self, path: Path) -> None:
        self._file = StreamWriter(path, SCHEMA)
        self.units = 0
        self.written: Written | None = None
        self._columns = Columns()

    def __enter__(self) -> ShardWriter:
        self._file.__enter__()
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
        self._file.write_batch(batch)
        self.units += units

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            if kind is None:
                self.flush()
        except BaseException as error:
            self._file.__exit__(type(error))
            raise
        self._file.__exit__(kind, *rest)
        if kind is None:
            self.written = Written(self._file.sha256, self._file.bytes, self._file.rows, self.units)


def write_shard(path: Path, dialogues: Iterable[Dialogue]) -> Written:
    """Write dialogues as one shard, atomically; says what was written. `RowError` on one without a row."""
    with ShardWriter(path) as writer:
        for dialogue in dialogues:
            writer.add(dialogue)
    assert writer.written is not None  # the block ended well
    return writer.written


def open_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The record batches of a shard, memory-mapped. Raises `DatasetError` on a file that is no whole shard of ours."""
    return read_stream(path, SCHEMA)


def read_batches(root: Path, task: str, split: str) -> Iterator[pa.RecordBatch]:
    """Every record batch of a task and split of the dataset at `root`, in order, memory-mapped.

    Raises `DatasetError` when the dataset is unfinished, damaged or has no such task and split.
    """
    for shard in read_manifest(root).shards(task, split):
        rows = 0
        for batch in open_batches(root / shard.path):
            rows += batch.num_rows
            yield batch
        if rows != shard.rows:
            raise DatasetError(f"{root / shard.path}: {rows} rows, the manifest says {shard.rows}; build it again")


def read_dialogues(root: Path, task: str, split: str) -> Iterator[Dialogue]:
    """Every dialogue of a task and split, in order. Raises as `read_batches` does, and `ReadError` on a row that is no
    dialogue."""
    for batch in read_batches(root, task, split):
        for row in batch.to_pylist():
            yield dialogue_from_row(row)
