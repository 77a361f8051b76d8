"""Rows on disk: one Parquet file a suite, source and split, which alone is enough for a new summary.

Beside the rows it holds, as metadata, which suite they are of and the classes of their source, so that neither the model nor
the dataset nor the predictions are needed again. Whoever names such a file keeps its seal, the SHA-256 of its bytes, and
nothing is read from a file that has another: types and ranges do not tell a changed number from a true one.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.phrases import EXACT, Rule
from benchmarks.results import Results, SuiteResult
from benchmarks.scorer import Setting, vocabulary_of
from benchmarks.suites import SuiteError, suite_named
from vtinstruct.partial import whole
from vtinstruct.record import Category

META = b"refvlm-bench"
VERSION = 2
GROUP = 500  # rows written at once


class RowsError(Exception):
    """A file of rows that cannot be used; one line with the file, what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class Whose:
    """What a file of rows is of."""

    suite: str
    suite_version: int
    source: str
    split: str


def write_rows(path: Path, rows: pl.DataFrame, whose: Whose, categories: Mapping[int, Category]) -> str:
    """Write the file whole or not at all; its seal."""
    said = {"version": VERSION, **asdict(whose), "categories": msgspec.to_builtins(list(categories.values()))}
    schema: Any = rows.clear().to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    schema = schema.with_metadata({META: json.dumps(said, ensure_ascii=False, sort_keys=True)})
    words: Any = [f.name for f in schema if pa.types.is_large_string(f.type)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as temporary:
        # LZ4 would save a third of the file, and take two thirds of the time of writing
        with pq.ParquetWriter(
            temporary, schema, compression="none", use_dictionary=words, write_statistics=False
        ) as file:
            for start in range(0, rows.height, GROUP):
                group = rows.slice(start, GROUP).rechunk()  # where chunks end shows in the bytes
                file.write_table(group.to_arrow(compat_level=pl.CompatLevel.oldest()))
        with temporary.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def rows_of(folder: Path, result: SuiteResult) -> tuple[pl.DataFrame, Whose, dict[int, Category]]:
    """The rows of one result in a folder, with whose they are and the classes of their source. Raises `RowsError`."""
    path = folder / result.rows
    if not result.rows_sha256:
        raise RowsError(
            f"{path}: its results.json keeps no seal of it, as older versions did; score the predictions again"
        )
    rows, whose, categories = read_rows(path, result.rows_sha256)
    if (whose.suite, whose.suite_version, whose.source, whose.split) != result.key:
        raise RowsError(
            f"{path} holds rows of {whose.suite} {whose.source} {whose.split}; those of its result are right"
        )
    return rows, whose, categories


def read_rows(path: Path, seal: str) -> tuple[pl.DataFrame, Whose, dict[int, Category]]:
    """Rows, whose they are, and the classes of their source. Raises `RowsError`, also when the file's seal is another."""
    try:
        data = path.read_bytes()  # once: what is read is what was looked at
        if hashlib.sha256(data).hexdigest() != seal:
            raise RowsError(
                f"{path} was changed after it was scored (its SHA-256 is another); score the predictions again"
            )
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            said: Any = json.loads((file.schema_arrow.metadata or {}).get(META, b"null"))
            rows = cast(pl.DataFrame, pl.from_arrow(file.read()))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise RowsError(f"{path} cannot be read ({error}); rows that `refvlm-bench score` kept are right") from error
    if not isinstance(said, dict) or cast(dict[str, Any], said).get("version") != VERSION:
        raise RowsError(f"{path} holds no rows of this version; score the predictions again")
    fields = cast(dict[str, Any], said)
    try:
        categories = msgspec.convert(fields.pop("categories"), list[Category])
        whose = msgspec.convert(fields, Whose)
    except (KeyError, msgspec.ValidationError) as error:
        raise RowsError(f"{path} lacks or garbles a field ({error}); score the predictions again") from error
    _check(rows, whose, path)
    return rows, whose, {category.id: category for category in categories}


def _check(rows: pl.DataFrame, whose: Whose, path: Path) -> None:
    """Rows that are not their scorer's, but another version's."""
    try:
        suite = suite_named(whose.suite)
    except SuiteError as error:
        raise RowsError(f"{path} holds rows of suite {whose.suite!r:.60}, which this version does not have") from error
    if whose.suite_version != suite.version:
        raise RowsError(
            f"{path} is of version {whose.suite_version} of {suite.name}, this is {suite.version}; score again"
        )
    expected = pl.Schema(suite.load().schema)
    if rows.schema != expected:
        names = sorted(name for name in {*rows.schema, *expected} if rows.schema.get(name) != expected.get(name))
        raise RowsError(
            f"{path}: columns {', '.join(names) or 'in another order'} are not those of {suite.name}; score again"
        )


def setting_of(categories: Mapping[int, Category], results: Results, resamples: int, seed: int) -> Setting:
    """What a summary of kept rows may use; the engine, and the name of the rule that phrases were read by, are the result's."""
    return Setting(
        vocabulary=vocabulary_of(tuple(categories.values())), categories=categories, engine=results.engine,
        resamples=resamples, seed=seed, phrases=Rule(results.options.get("phrases", EXACT.name), EXACT.resolve),
    )  # fmt: skip


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts "coco:9" before "coco:10": official scripts order photos by number, and that order breaks ties."""
    return tuple((1, int(p), "") if p.isdigit() else (0, 0, p) for p in re.split(r"([0-9]+)", text))


def in_photo_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows by photo number, then id: whatever order they were scored or merged in."""
    parts = rows["photo"].str.extract_groups(r"^([^0-9]*)([0-9]{1,18})$").struct
    words, numbers = parts.field("1"), parts.field("2").cast(pl.Int64)
    if not numbers.null_count():  # "coco:139": what nearly all photos are called, in columns
        by = pl.DataFrame({"words": words, "number": numbers, "id": rows["id"]})
        at = by.select(pl.arg_sort_by("words", "number", "id")).to_series()
        return rows if (at == pl.int_range(rows.height, eager=True)).all() else rows[at]
    keys = [(natural_key(photo), id_) for photo, id_ in zip(rows["photo"], rows["id"], strict=True)]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return rows if order == list(range(len(keys))) else rows[order]
