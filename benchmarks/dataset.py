"""What the benchmark reads of a built dataset: its hash, its samples, its vocabularies. Nothing is written there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

from PIL import Image

from benchmarks.scorer import vocabulary_of
from vtinstruct import shards
from vtinstruct.dialogue import Dialogue, StoredPhoto
from vtinstruct.manifest import DatasetError, Manifest, is_training, read_manifest
from vtinstruct.photos import open_photo
from vtinstruct.record import Category
from vtinstruct.shards import read_dialogues


@dataclass(frozen=True, slots=True)
class Dataset:
    """A built dataset, open for reading."""

    root: Path
    manifest: Manifest

    @property
    def hash(self) -> str:
        """The content hash that predictions files name."""
        return self.manifest.content_hash

    def splits(self) -> tuple[str, ...]:
        """Every split that has rows, sorted."""
        return tuple(sorted({split for task in self.manifest.tasks() for split in self.manifest.splits(task)}))

    def held_out(self) -> tuple[str, ...]:
        """The splits that are not for training: the ones scored when none is named."""
        return tuple(split for split in self.splits() if not is_training(split))

    def tasks(self, split: str) -> tuple[str, ...]:
        """The tasks that have rows in a split."""
        return tuple(task for task in self.manifest.tasks() if split in self.manifest.splits(task))

    def dialogues(self, task: str, split: str, limit: int | None = None) -> Iterator[Dialogue]:
        """The samples of a task and split in stored order, at most `limit`. Raises `DatasetError`."""
        return islice(read_dialogues(self.root, task, split), limit)

    def batches(self, task: str, split: str) -> Iterator[Any]:
        """The stored rows of a task and split, as pyarrow record batches. Raises `DatasetError`."""
        return cast(Iterator[Any], cast(Any, shards).read_batches(self.root, task, split))

    def categories(self, source: str, split: str) -> tuple[Category, ...]:
        """The categories of one split of a source (two splits may have two vocabularies); none for an unknown one."""
        info = self.manifest.sources.get(source)
        return info.splits[split].vocabulary if info and split in info.splits else ()

    def vocabulary(self, source: str, split: str) -> Mapping[str, int]:
        """Class name -> category id, by `class_key`; synonyms too, where they are not another class's name."""
        return vocabulary_of(self.categories(source, split))

    def by_id(self, source: str, split: str) -> Mapping[int, Category]:
        """Category id -> the source's own entry."""
        return {category.id: category for category in self.categories(source, split)}

    def photo(self, photo: StoredPhoto) -> Image.Image:
        """The picture of a sample, RGB, as stored (not turned by EXIF). Raises `PhotoError` when it cannot be read."""
        return open_photo(self.root, photo)


def open_dataset(root: Path, splits: Sequence[str] = ()) -> tuple[Dataset, tuple[str, ...]]:
    """Open the dataset at `root`, and settle which splits are scored: those named, each of which must have rows, or every
    held-out one. Raises `DatasetError` with one line."""
    if not root.is_dir():
        what = "is a file" if root.exists() else "is not there"
        raise DatasetError(f"{root} {what}; the folder that `vtinstruct build --out` wrote is right")
    dataset = Dataset(root, read_manifest(root))
    known = dataset.splits()
    for split in splits:
        if split not in known:
            raise DatasetError(f"{root} has no rows of split {split!r}; it has: {', '.join(known) or 'none'}")
    chosen = tuple(dict.fromkeys(splits)) or dataset.held_out()
    if not chosen:
        raise DatasetError(f"{root} has no held-out split; it has: {', '.join(known) or 'none'} (--split names one)")
    return dataset, chosen
