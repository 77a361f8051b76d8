"""What an earlier scoring left behind, so that scoring again touches only what changed.

Beside the rows lies the digest of every answer's line that was read without a fault. A line with the same digest, scored by
the same code against the same dataset by the same rules, has the same rows, and they are taken over unread. Faulty answers
are always read again (their faults are to be told), and so are answers with depth maps (the map lies in another file).
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
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.rows import RowsError, read_rows
from benchmarks.suites import Suite

NAME = "answers.parquet"
META = b"refvlm-bench-answers"


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


def read_kept(folder: Path, made: str) -> Kept:
    """What can be taken over from a folder of rows; nothing when it was made with something else, or is damaged."""
    path = folder / NAME
    if not path.is_file():
        return Kept()
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
    except (OSError, ValueError, pa.ArrowException):
        return Kept()
    if (table.schema.metadata or {}).get(META) != made.encode():
        return Kept()
    tables: dict[tuple[str, str, str], pl.DataFrame] = {}
    try:
        for file in sorted(folder.glob("*.parquet")):
            if file.name != NAME:
                rows, whose, _ = read_rows(file)
                if whose.made_with == made:
                    tables[whose.suite, whose.source, whose.split] = rows
    except RowsError:
        return Kept()  # a torn file: everything is scored anew
    ids: dict[bytes, str] = dict(zip(table["digest"].to_pylist(), table["id"].to_pylist(), strict=True))
    return Kept(ids, tables)


def write_kept(folder: Path, made: str, digests: Mapping[str, bytes]) -> None:
    """Write the digests, whole or not at all; after the rows, so that they never promise what is not there."""
    order = sorted(digests)
    columns = pl.DataFrame({"id": order, "digest": [digests[i] for i in order]}, {"id": pl.String, "digest": pl.Binary})
    table: Any = columns.to_arrow(compat_level=pl.CompatLevel.oldest()).replace_schema_metadata({META: made})
    temporary = folder / f".{NAME}.part"
    pq.write_table(table, temporary, compression="lz4", write_page_checksum=True)
    temporary.replace(folder / NAME)
