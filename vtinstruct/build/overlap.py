"""Which splits of a dataset share photos: by identity (`coco:57870` is one photo in train2014, train2017, RefCOCO, LVIS
and Visual Genome), and by the files' SHA-256 where the identities differ. Read off the shards themselves, so the table
says what is really in them.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

import polars as pl
import pyarrow as pa

from vtinstruct.ahead import ahead
from vtinstruct.manifest import Overlap, Shard
from vtinstruct.schema import SCHEMA
from vtinstruct.shards import open_batches


def photos_of(path: Path) -> pl.DataFrame:
    """The photos of one shard, each once: columns `where` (source/split), `id`, `sha256` ("" where photos were not
    read). Raises `DatasetError` when the shard is not whole."""
    names = ["source", "split", "image"]
    schema = pa.schema([SCHEMA.field(name) for name in names])
    image = pl.col("image").struct
    found: list[pl.DataFrame] = []
    for batch in open_batches(path):  # batch by batch: all tasks of a photo stand together, so little is left of each
        rows = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch.select(names)], schema)))
        photos = rows.select(
            pl.concat_str("source", "split", separator="/").alias("where"), image.field("id"), image.field("sha256")
        )
        found.append(photos.drop_nulls("id").unique())  # a sample may have no photo
    return (
        pl.concat(found).unique() if found else pl.DataFrame(schema=dict.fromkeys(("where", "id", "sha256"), pl.String))
    )


def overlaps(root: Path, shards: Iterable[Shard]) -> tuple[Overlap, ...]:
    """Every pair of splits that share a photo; leaks (a training and an evaluation split) first, then by name."""
    # hashes in place of texts: 20 bytes a photo and split, however many there are
    found = [
        photos.with_columns(pl.col("where").cast(pl.Categorical), pl.col("id").hash())
        .with_columns(pl.when(pl.col("sha256") != "").then(pl.col("sha256").hash()).alias("sha256"))
        for _, photos in ahead(photos_of, [root / shard.path for shard in shards])
    ]  # fmt: skip
    if not found:
        return ()
    photos = pl.concat(found).unique()
    if photos["where"].n_unique() < 2:
        return ()
    sizes = dict(photos.group_by("where").agg(pl.col("id").n_unique()).iter_rows())
    same_id = _same_id(photos)
    same_bytes = _same_bytes(photos)
    made = [
        Overlap(one, other, sizes[one], sizes[other], same_id[one, other], same_bytes[one, other])
        for one, other in same_id.keys() | same_bytes.keys()
    ]
    return tuple(sorted(made, key=lambda pair: (not pair.leaks, pair.one, pair.other)))


def _same_id(photos: pl.DataFrame) -> Counter[tuple[str, str]]:
    """Identities in both of two splits. Counted by the set of splits a photo is in: there are few such sets."""
    shared = photos.select("where", "id").unique().filter(pl.len().over("id") > 1)  # the few that are: lists are large
    sets = shared.group_by("id").agg(pl.col("where").cast(pl.String).unique().sort())
    counts: Counter[tuple[str, str]] = Counter()
    for where, count in sets.filter(pl.col("where").list.len() > 1).group_by("where").len().iter_rows():
        for pair in combinations(where, 2):
            counts[pair] += count
    return counts


def _same_bytes(photos: pl.DataFrame) -> Counter[tuple[str, str]]:
    """Files in both of two splits, under identities of which neither is in the other split."""
    known = photos.drop_nulls("sha256").with_columns(pl.col("where").cast(pl.String))
    twice = known.filter(pl.col("id").n_unique().over("sha256") > 1)
    there = twice.select("where", "id").unique()
    pairs = (
        twice.join(twice, on="sha256", suffix="_other")
        .filter((pl.col("where") < pl.col("where_other")) & (pl.col("id") != pl.col("id_other")))
        .join(there, left_on=["where", "id_other"], right_on=["where", "id"], how="anti")
        .join(there, left_on=["where_other", "id"], right_on=["where", "id"], how="anti")
    )
    counts = pairs.group_by("where", "where_other").agg(pl.col("sha256").n_unique())
    return Counter({(one, other): count for one, other, count in counts.iter_rows()})
