"""A built dataset as training sees it: photos, each with everything that is said about it by any task or source.

Shards stay memory-mapped; only the rows of the photos of a batch are read. The same photo under different names is
found by the hash of its bytes, so that it is looked at once for all its dialogues.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from refvlm.collator import Seen
from vtinstruct.dialogue import Dialogue, StoredPhoto
from vtinstruct.manifest import DatasetError, is_training, read_manifest
from vtinstruct.photos import PhotoError, open_photo, read_depth, read_inverse_depth
from vtinstruct.rows import dialogue_from_row
from vtinstruct.shards import open_batches
from vtinstruct.units import Depth

Place = tuple[int, int]  # record batch, row in it
TEXTS = 20_000  # dialogues a tokenizer is learned from


@dataclass(frozen=True, slots=True)
class Said:
    """One dialogue by its place: its task, its photo's hash ("" without photo) and where its row is."""

    task: str
    photo: str
    place: Place


class Shelf:
    """The rows of some tasks and splits of the dataset at `root`, memory-mapped, and its photos.

    `without` names sources that are left alone. Raises `DatasetError` when nothing is left.
    """

    def __init__(
        self, root: Path, choose: Callable[[str], bool], tasks: Sequence[str] = (), without: Sequence[str] = ()
    ) -> None:
        self.root, self.manifest = root, read_manifest(root)
        unknown = set(tasks) - set(self.manifest.tasks())
        if unknown:
            raise DatasetError(f"{root}: no task {sorted(unknown)[0]!r}; there are: {', '.join(self.manifest.tasks())}")
        files = [f for f in self.manifest.files if choose(f.split) and (not tasks or f.task in tasks)]
        self._batches: list[pa.RecordBatch] = []
        self.said: list[Said] = []
        for file in files:
            for batch in open_batches(root / file.path):
                self._index(batch, file.task, set(without))
        if not self.said:
            splits = sorted({f.split for f in self.manifest.files})
            raise DatasetError(
                f"{root}: no dialogues of the wanted split and tasks; its splits are: {', '.join(splits)}"
            )

    def _index(self, batch: pa.RecordBatch, task: str, without: set[str]) -> None:
        number = len(self._batches)
        self._batches.append(batch)
        sources = batch.column("source").to_pylist()
        hashes = batch.column("image").field("sha256").to_pylist()
        for row, (source, photo) in enumerate(zip(sources, hashes, strict=True)):
            if source not in without:
                self.said.append(Said(task, photo or "", (number, row)))

    def dialogue(self, place: Place) -> Dialogue:
        """The dialogue at a place."""
        batch, row = place
        return dialogue_from_row(self._batches[batch].slice(row, 1).to_pylist()[0])

    def photo(self, photo: StoredPhoto) -> NDArray[np.uint8]:
        """A photo's pixels (H, W, 3). Raises `PhotoError` with its name."""
        return np.array(open_photo(self.root, photo), np.uint8)

    def load_depth(self, depth: Depth) -> NDArray[np.float32]:
        """A depth map in metres, or a relative one as inverse depth above 0 (its shift is free); 0 where it is not known.
        Raises `PhotoError` with its name."""
        if depth.frame == "metres":
            return read_depth(self.root, depth)
        inverse, known = read_inverse_depth(self.root, depth)
        return (inverse + 1) * known

    def by_photo(self) -> list[list[Said]]:
        """The dialogues of every photo; each dialogue without a photo stands alone."""
        found: dict[str, list[Said]] = {}
        for n, said in enumerate(self.said):
            found.setdefault(said.photo or f"none/{n}", []).append(said)
        return list(found.values())


class DatasetStore:
    """A `training.feed.Store` over a built dataset: all splits whose name begins with "train", or those named.

    Decoded photos are kept in memory up to `keep_bytes`. A photo or depth map that cannot be read is reported once with
    its name, counted in `lost`, and its dialogues are left out: never a black image with wrong targets.
    """

    def __init__(
        self, root: Path, splits: Sequence[str] = (), without: Sequence[str] = (), report: Callable[[str], None] = print,
        keep_bytes: int = 1 << 30,
    ) -> None:  # fmt: skip
        self._shelf = Shelf(root, lambda split: split in splits if splits else is_training(split), (), without)
        self._photos = self._shelf.by_photo()
        self._report, self._room = report, keep_bytes
        self._kept: dict[int, NDArray[np.uint8]] = {}
        self._told: set[str] = set()
        self.lost = 0
        self.fingerprint = f"{self._shelf.manifest.content_hash} {','.join(splits)} {','.join(without)}".strip()

    def __len__(self) -> int:
        return len(self._photos)

    def texts(self) -> Iterator[str]:
        """Questions and answers of at most `TEXTS` dialogues, evenly spread over all."""
        said = self._shelf.said
        for index in range(0, len(said), max(1, len(said) // TEXTS)):
            batch, row = said[index].place
            for message in self._shelf._batches[batch].column("messages")[row].as_py():
                yield message["content"]

    def seen(self, index: int, rng: random.Random, quota: Mapping[str, float]) -> Seen | None:
        """See `training.feed.Store`."""
        by_task: dict[str, list[Said]] = {}
        for said in self._photos[index]:
            by_task.setdefault(said.task, []).append(said)
        drawn = [
            s for task, said in by_task.items() for s in rng.sample(said, how_many(quota.get(task, 1), len(said), rng))
        ]
        rng.shuffle(drawn)
        dialogues = [self._shelf.dialogue(said.place) for said in drawn]
        if not dialogues:
            return None
        stored = dialogues[0].photo
        if stored is None:
            return Seen(None, dialogues)
        try:
            return Seen(self._photo(index, stored), dialogues)
        except PhotoError as error:
            self._lose(error)
            return None

    def _photo(self, index: int, stored: StoredPhoto) -> NDArray[np.uint8]:
        if index in self._kept:
            return self._kept[index]
        pixels = self._shelf.photo(stored)
        if pixels.nbytes <= self._room:
            self._room -= pixels.nbytes
            self._kept[index] = pixels
        return pixels

    def load_depth(self, depth: Depth) -> NDArray[np.float32] | None:
        """A depth map as `Shelf.load_depth` gives it; None when it cannot be read (told once, counted)."""
        try:
            return self._shelf.load_depth(depth)
        except PhotoError as error:
            self._lose(error)
            return None

    def _lose(self, error: PhotoError) -> None:
        self.lost += 1
        if str(error) not in self._told:
            self._told.add(str(error))
            self._report(f"left out: {error}")


def how_many(quota: float, most: int, rng: random.Random) -> int:
    """How many of `most` dialogues are drawn: `quota` of them, its fraction being a chance."""
    whole = int(quota)
    return min(whole + (quota > whole and rng.random() < quota - whole), most)
