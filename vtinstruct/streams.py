"""Files of record batches of one schema: Arrow IPC streams, or Parquet (zstd) where the name ends in `.parquet`.

Written to a temporary name and renamed, so that a killed writer leaves no half file; hashed on the way. Arrow is
uncompressed, so that readers map it instead of copying it; Parquet is about a third as large, for releases.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import pyarrow as pa

from vtinstruct.manifest import DatasetError
from vtinstruct.partial import partial

BATCH_ROWS = 1000
BATCH_BYTES = 16_000_000
Format = Literal["arrow", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)


class _HashingFile:
    """A file that hashes what goes through it, so that no byte is read twice."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.digest, self.size, self.closed = file, hashlib.sha256(), 0, False

    def write(self, data: Any) -> int:
        self.digest.update(data)
        self.size += memoryview(data).nbytes
        return self._file.write(data)

    def tell(self) -> int:
        return self.size

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


class _Arrow:
    """An Arrow IPC stream, byte for byte pyarrow's own, but a message at a time: its stream writer hands over a batch in
    hundreds of small pieces, each of them a call, a hash and a write."""

    def __init__(self, sink: _HashingFile, schema: pa.Schema) -> None:
        self._sink = sink
        sink.write(schema.serialize())

    def write_batch(self, batch: pa.RecordBatch) -> None:
        self._sink.write(batch.serialize())

    def close(self) -> None:
        self._sink.write(_END_OF_STREAM)


_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"


class _Parquet:
    """Parquet behind the same face. Batches are gathered into row groups of at least `BATCH_ROWS` or
    `BATCH_BYTES`: a build's batches can be of few rows, and each group costs a page of metadata."""

    def __init__(self, sink: _HashingFile, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        self._writer = pq.ParquetWriter(sink, schema, compression="zstd")
        self._waiting: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def write_batch(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows >= BATCH_ROWS or self._bytes >= BATCH_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting).combine_chunks())
        self._waiting, self._rows, self._bytes = [], 0, 0

    def close(self) -> None:
        self._flush()
        self._writer.close()


class StreamWriter:
    """Writes one file of record batches; use as a context manager. The file appears under its name only when the block
    ends well; then `sha256`, `bytes` and `rows` say what was written. Same batches in the same calls: same bytes."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path, self._schema = path, schema
        self._temporary = partial(path)
        self.rows = self.bytes = 0
        self.sha256 = ""

    def __enter__(self) -> StreamWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._temporary.open("wb")
        self._sink = _HashingFile(self._file)
        new = _Parquet if self.path.suffix == ".parquet" else _Arrow
        self._stream = new(self._sink, self._schema)
        return self

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Append a batch of the schema."""
        self._stream.write_batch(batch)
        self.rows += batch.num_rows

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._stream.close()
                self._file.flush()
                os.fsync(self._file.fileno())
        finally:
            self._file.close()
            if kind is not None:
                self._temporary.unlink(missing_ok=True)
        if kind is None:
            os.replace(self._temporary, self.path)
            self.sha256, self.bytes = self._sink.digest.hexdigest(), self._sink.size


def read_stream(path: Path, schema: pa.Schema, part: int = 0, parts: int = 1) -> Iterator[pa.RecordBatch]:
    """The record batches of a file, memory-mapped; or those that begin in one of so many equal `parts` of it, which together
    have every batch once. Raises `DatasetError` on one that is not whole or of another schema."""
    read = _parquet if path.suffix == ".parquet" else _arrow
    try:
        yield from read(path, schema, part, parts)
    except FileNotFoundError:
        raise DatasetError(f"{path} is not there; the dataset has lost a shard") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise DatasetError(f"{path}: not a whole {_kind(path)} ({error}); build it again") from error


def _kind(path: Path) -> str:
    return "Parquet file" if path.suffix == ".parquet" else "Arrow stream"


def _arrow(path: Path, schema: pa.Schema, part: int, parts: int) -> Iterator[pa.RecordBatch]:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            raise pa.ArrowInvalid("it is empty")
        mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    source = pa.BufferReader(pa.py_buffer(mapped))
    with pa.ipc.open_stream(source) as reader:
        _same(path, reader.schema, schema)
        place = source.tell()
        for batch in reader:  # passing over one costs 50 us: only its description is read
            if place * parts // size == part:
                yield batch
            # Pages that were read leave this process's memory, whatever the file's size; whoever kept the batch has them back
            # from the system at a touch.
            before, place = place - place % mmap.PAGESIZE, source.tell()
            mapped.madvise(mmap.MADV_DONTNEED, before, place - before)
            if place * parts // size > part:
                return


def _parquet(path: Path, schema: pa.Schema, part: int, parts: int) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    with pa.memory_map(os.fsencode(path)) as mapped, pq.ParquetFile(mapped) as file:
        _same(path, file.schema_arrow, schema)
        for group in range(file.num_row_groups):
            if group * parts // file.num_row_groups == part:
                yield from file.read_row_group(group).combine_chunks().to_batches()


def _same(path: Path, found: pa.Schema, schema: pa.Schema) -> None:
    if not found.equals(schema):
        raise DatasetError(f"{path}: its columns are not those of a VT-Instruct shard; build it again")
