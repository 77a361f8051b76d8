"""Which splits of a dataset share photos: by identity (`coco:57870` is one photo in train2014, train2017, RefCOCO, LVIS
and Visual Genome), and by the files' SHA-256 where the identities differ. Read off the shards themselves, so the table
says what is really in them.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

import polars as pl
import pyarrow as pa

from vtinstruct.manifest import Overlap, Shard
from vtinstruct.schema import SCHEMA
from vtinstruct.shards import open_batches

PARTS = 32  # of the photos, compared one after the other


def photos_of(path: Path) -> pl.DataFrame:
    """The photos of one shard, each once: columns `where` (source/split), `id`, `sha256` ("" where photos were not
    read). Raises `DatasetError` when the shard is not whole."""
    return _joined(list(_photos(path)), pl.String)


def _photos(path: Path) -> Iterator[pl.DataFrame]:
    """`photos_of` batch by batch: all tasks of a photo stand together, so little is left of each."""
    names = ["source", "split", "image"]
    schema = pa.schema([SCHEMA.field(name) for name in names])
    image = pl.col("image").struct
    for batch in open_batches(path):
        rows = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch.select(names)], schema)))
        photos = rows.select(
            pl.concat_str("source", "split", separator="/").alias("where"), image.field("id"), image.field("sha256")
        )
        yield photos.drop_nulls("id").unique()  # a sample may have no photo


def _hashed(path: Path) -> pl.DataFrame:
    """`photos_of` with hashes in place of texts (null where there is none): 20 bytes a photo and split, however many."""
    sha256 = pl.when(pl.col("sha256") != "").then(pl.col("sha256").hash()).alias("sha256")
    found = [
        photos.with_columns(pl.col("where").cast(pl.Categorical), pl.col("id").hash(), sha256)
        for photos in _photos(path)
    ]
    return _joined(found, pl.UInt64)


def _joined(photos: Sequence[pl.DataFrame], kind: type[pl.DataType]) -> pl.DataFrame:
    if not photos:
        return pl.DataFrame(schema={"where": pl.String, "id": kind, "sha256": kind})
    return pl.concat(photos).unique()


def overlaps(root: Path, shards: Iterable[Shard]) -> tuple[Overlap, ...]:
    """Every pair of splits that share a photo; leaks (a training and an evaluation split) first, then by name."""
    found = [_hashed(root / shard.path) for shard in shards]
    if len({where for photos in found for where in photos["where"].unique()}) < 2:
        return ()
    sizes, same_id = Counter[str](), Counter[tuple[str, str]]()
    for photos in _parts(found, "id"):
        sizes.update(dict(photos.group_by("where").agg(pl.col("id").n_unique()).iter_rows()))
        same_id.update(_same_id(photos))
    twice = pl.concat(list(map(_twice, _parts(found, "sha256"))))
    same_bytes = _same_bytes(twice.with_columns(pl.col("where").cast(pl.String)))
    made = [
        Overlap(one, other, sizes[one], sizes[other], same_id[one, other], same_bytes[one, other])
        for one, other in same_id.keys() | same_bytes.keys()
    ]
    return tuple(sorted(made, key=lambda pair: (not pair.leaks, pair.one, pair.other)))


def _parts(found: Sequence[pl.DataFrame], name: str) -> Iterator[pl.DataFrame]:
    """All photos that have a hash of that name, each once, a few at a time: those of one hash together. Comparing takes many
    times the memory of the table."""
    for part in range(PARTS):
        yield pl.concat([photos.filter(pl.col(name) % PARTS == part) for photos in found]).unique()


def _same_id(photos: pl.DataFrame) -> Counter[tuple[str, str]]:
    """Identities in both of two splits. Counted by the set of splits a photo is in: there are few such sets."""
    shared = photos.select("where", "id").unique().filter(pl.len().over("id") > 1)  # the few that are: lists are large
    sets = shared.group_by("id").agg(pl.col("where").cast(pl.String).unique().sort())
    counts: Counter[tuple[str, str]] = Counter()
    for where, count in sets.filter(pl.col("where").list.len() > 1).group_by("where").len().iter_rows():
        for pair in combinations(where, 2):
            counts[pair] += count
    return counts


def _twice(photos: pl.DataFrame) -> pl.DataFrame:
    """Photos whose file stands under several identities."""
    return photos.filter(pl.col("id").n_unique().over("sha256") > 1)


def _same_bytes(twice: pl.DataFrame) -> Counter[tuple[str, str]]:
    """Files in both of two splits, under identities of which neither is in the other split; of photos whose file stands under
    several."""
    there = twice.select("where", "id").unique()
    pairs = (
        twice.join(twice, on="sha256", suffix="_other")
        .filter((pl.col("where") < pl.col("where_other")) & (pl.col("id") != pl.col("id_other")))
        .join(there, left_on=["where", "id_other"], right_on=["where", "id"], how="anti")
        .join(there, left_on=["where_other", "id"], right_on=["where", "id"], how="anti")
    )
    counts = pairs.group_by("where", "where_other").agg(pl.col("sha256").n_unique())
    return Counter({(one, other): count for one, other, count in counts.iter_rows()})
