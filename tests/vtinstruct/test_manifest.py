"""The manifest: what is written is read, and the content hash follows the content alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from vtinstruct.manifest import (
    DatasetError,
    DropCount,
    FileDigest,
    Manifest,
    Shard,
    SourceInfo,
    SplitInfo,
    content_hash,
    manifest_from_json,
    manifest_to_json,
)
from vtinstruct.record import Category

SHARD = Shard("data/det/val/data-00000-of-00001.arrow", "ab" * 32, 100, 3, 7, "det", "val")
SOURCE = SourceInfo(
    "A title",
    "https://example.org",
    "CC0-1.0",
    "2",
    {
        "val": SplitInfo(
            (FileDigest("ann.json", "cd" * 32),),
            5,
            3,
            (Category(1, "person", True, "animal", ("human",), "f", ("nose",)), Category(9, "sky", False)),
            "ef" * 32,
        )
    },
)
VAL = SOURCE.splits["val"]
DROPS = (DropCount("s", "val", "det", "reason", True, 4),)
MANIFEST = Manifest("00" * 32, "0.1.0", 7, {"limit": 3, "tasks": ["det"]}, {"s": SOURCE}, (SHARD,), DROPS)


def test_it_is_read_as_it_was_written():
    assert manifest_from_json(manifest_to_json(MANIFEST), Path("manifest.json")) == MANIFEST


def test_shards_are_found_by_task_and_split():
    assert MANIFEST.tasks() == ("det",)
    assert MANIFEST.splits("det") == ("val",)
    assert MANIFEST.shards("det", "val") == (SHARD,)
    with pytest.raises(DatasetError, match="no rows of task 'seg', split 'val'; there are: det/val"):
        MANIFEST.shards("seg", "val")


@pytest.mark.parametrize(
    "split",
    [
        replace(VAL, vocabulary=VAL.vocabulary[::-1]),
        replace(VAL, vocabulary=(replace(VAL.vocabulary[0], synonyms=()), VAL.vocabulary[1])),
        replace(VAL, depth_sha256=""),
    ],
)
def test_the_content_hash_follows_vocabulary_and_depth(split):
    changed = replace(SOURCE, splits={"val": split})
    assert content_hash((SHARD,), {"s": changed}) != content_hash((SHARD,), {"s": SOURCE})


def test_the_content_hash_follows_the_shards_and_not_the_rest():
    base = content_hash((SHARD,), {"s": SOURCE})
    assert content_hash((replace(SHARD, sha256="00" * 32),), {"s": SOURCE}) != base
    assert content_hash((), {"s": SOURCE}) != base
    assert content_hash((SHARD,), {"s": replace(SOURCE, homepage="https://moved.example")}) == base
