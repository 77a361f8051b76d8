"""The rows' part of `check`: one piece of a shard, looked at by whatever process. Imports little, for each has to."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vtinstruct.manifest import DatasetError, Shard
from vtinstruct.schema import SCHEMA
from vtinstruct.soundness import bytes_of, faults
from vtinstruct.streams import read_stream

PIECE_BYTES = 16_000_000  # a process holds no more of the data than this
BATCH_BYTES = 8_000_000  # looked at together
MOST = 20  # findings of one piece; a broken shard has thousands of the same

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Piece:
    """The batches of a shard of the dataset at `root` that begin in one of so many equal `parts` of its bytes."""

    root: Path
    shard: Shard
    part: int
    parts: int


@dataclass(frozen=True, slots=True)
class Looked:
    """What a piece is: its rows and units, hashes of its rows' ids (rows,), and what is wrong in it: (id, one sentence).
    When it could not be read to its end, `whole` is False."""

    rows: int
    units: int
    ids: Hashes
    wrong: tuple[tuple[str, str], ...]
    whole: bool


def pieces(root: Path, shards: Iterable[Shard]) -> Iterator[Piece]:
    """All pieces of some shards."""
    for shard in shards:
        parts = shard.bytes // PIECE_BYTES + 1
        for part in range(parts):
            yield Piece(root, shard, part, parts)


def look(piece: Piece) -> Looked:
    """Everything about a piece but whether its bytes are the right ones."""
    path = piece.root / piece.shard.path
    rows = units = 0
    ids: list[Hashes] = []
    wrong: list[tuple[str, str]] = []
    whole = True
    try:
        for batch in _gathered(read_stream(path, SCHEMA, piece.part, piece.parts)):
            batch.validate(full=True)
            rows += batch.num_rows
            units += len(batch.column("units").flatten())
            ids.append(hashes(batch.column("id")))
            wrong.extend(islice(_wrong(piece.shard, batch), MOST + 1 - len(wrong)))
    except (DatasetError, pa.ArrowException) as error:
        wrong.append(("", str(error).removeprefix(f"{path}: ")))
        whole = False
    return Looked(rows, units, np.concatenate((np.zeros(0, np.uint64), *ids)), tuple(wrong), whole)


def _gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in larger batches: what a batch costs by itself is more than to copy it."""
    waiting: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        waiting.append(batch)
        size += batch.nbytes
        if size >= BATCH_BYTES:
            yield from pa.Table.from_batches(waiting).combine_chunks().to_batches()
            waiting, size = [], 0
    if waiting:
        yield from pa.Table.from_batches(waiting).combine_chunks().to_batches()


def _wrong(shard: Shard, batch: pa.RecordBatch) -> Iterator[tuple[str, str]]:
    for column, value in (("task", shard.task), ("split", shard.split)):
        if set(batch.column(column).unique().to_pylist()) - {value}:
            yield "", f"has rows of another {column} than {value!r}"
    names = batch.column("id")
    for row, text in faults(batch):
        yield str(names[row]), text


@lru_cache(maxsize=4)
def _weights(count: int) -> Hashes:
    return np.random.default_rng(0).integers(0, 1 << 64, count, np.uint64) | np.uint64(1)


def hashes(texts: pa.Array) -> Hashes:
    """A hash of every text, the same in every process (which `hash` is not): its characters times random odd weights, one for
    each place. Of two different texts the hashes are the same once in 2**57 draws of the weights."""
    data, lengths = bytes_of(texts)
    found = lengths.astype(np.uint64)
    some = np.flatnonzero(lengths)
    if some.size:
        starts = (np.cumsum(lengths) - lengths)[some]
        # the first weight is the length's, or else ids that end in zero bytes would be like shorter ones
        weights = _weights(1 << int(lengths.max()).bit_length())
        places = np.arange(1, data.size + 1) - np.repeat(starts, lengths[some])
        found[some] = found[some] * weights[0] + np.add.reduceat(weights[places] * data, starts)
    return found
