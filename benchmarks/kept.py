"""What an earlier scoring left behind, so that scoring again touches only what changed.

Beside the rows lies the digest of every answer's line that was read without a fault. A line with the same digest, scored by
the same code against the same dataset by the same rules, has the same rows, and they are taken over unread. Faulty answers
are always read again (their faults are to be told), and so are answers with depth maps (the map lies in another file).
The digests stand with the seals of the row files that they were written with, and have one of their own: of a file that was
changed, or that a scoring cut short left beside older digests, nothing is taken over.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.rows import RowsError, read_rows
from benchmarks.suites import Suite
from vtinstruct.partial import whole

NAME = "answers.parquet"
META = b"refvlm-bench-answers"
SCHEMA = pl.Schema({"id": pl.String, "digest": pl.Binary})


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows to take over: `ids` by digest of the line, `tables` by suite, source and split."""

    ids: Mapping[bytes, str] = field(default_factory=dict[bytes, str])
    tables: Mapping[tuple[str, str, str], pl.DataFrame] = field(
        default_factory=dict[tuple[str, str, str], pl.DataFrame]
    )


def digest_of(line: bytes) -> bytes:
    """What identifies an answer's line."""
    end = len(line)
    while end and line[end - 1] in b"\r\n":
        end -= 1
    return hashlib.sha256(memoryview(line)[:end]).digest()[:16]  # no copy of what may be a megabyte


@cache
def _code() -> str:
    """A hash of everything that decides a row: our own source files."""
    import benchmarks
    import vtinstruct

    digest = hashlib.sha256()
    for package in (benchmarks, vtinstruct):
        root = Path(str(package.__file__)).parent
        for path in sorted(root.rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def made_with(dataset: str, suites: Sequence[Suite], rules: str) -> str:
    """What rows were made with; equal strings mean equal rows for equal answers."""
    said = [_code(), dataset, [(suite.name, suite.version) for suite in suites], rules]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Said:
    """What the digests were written with: `made` as their rows, `rows` the seals of the row files by name, `seal` of it all."""

    made: str
    rows: dict[str, str]
    seal: str


def _seal(made: str, rows: Mapping[str, str], ids: Sequence[str], digests: Sequence[bytes]) -> str:
    """SHA-256 of everything in the file."""
    said = json.dumps([made, rows, ids, digests], sort_keys=True, default=bytes.hex)
    return hashlib.sha256(said.encode()).hexdigest()


def read_kept(folder: Path, made: str) -> Kept:
    """What can be taken over from a folder of rows; nothing when it was made with something else, or is damaged."""
    path = folder / NAME
    if not path.is_file():
        return Kept()
    try:
        with pq.ParquetFile(path) as file:
            said = msgspec.json.decode((file.schema_arrow.metadata or {}).get(META, b""), type=_Said)
            columns = cast(pl.DataFrame, pl.from_arrow(file.read()))
        if columns.schema != SCHEMA or said.made != made:
            return Kept()
        ids, digests = columns["id"].to_list(), columns["digest"].to_list()
        if said.seal != _seal(made, said.rows, ids, digests):
            return Kept()
        read = [read_rows(folder / name, seal) for name, seal in said.rows.items()]
    except (OSError, ValueError, pa.ArrowException, RowsError):
        return Kept()  # a torn or a changed file: everything is scored anew
    tables = {(whose.suite, whose.source, whose.split): rows for rows, whose, _ in read}
    return Kept(dict(zip(digests, ids, strict=True)), tables)


def write_kept(folder: Path, made: str, digests: Mapping[str, bytes], seals: Mapping[str, str]) -> None:
    """Write the digests, whole or not at all; after the rows, whose `seals` (by file name) they stand with."""
    order = sorted(digests)
    hashes = [digests[id_] for id_ in order]
    columns = pl.DataFrame({"id": order, "digest": hashes}, SCHEMA)
    said = msgspec.json.encode(_Said(made, dict(sorted(seals.items())), _seal(made, seals, order, hashes)))
    table: Any = columns.to_arrow(compat_level=pl.CompatLevel.oldest()).replace_schema_metadata({META: said})
    with whole(folder / NAME) as temporary:
        pq.write_table(table, temporary, compression="lz4")
