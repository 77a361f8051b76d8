"""Batches from a store of photos, in an order that depends on the seed, the rank and nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from queue import Queue
from threading import Thread
from typing import Protocol

from refvlm.batch import Batch
from refvlm.collator import Collator, LoadDepth, Seen
from refvlm.recipes import Recipe


class NothingToLearn(Exception):
    """Data of which nothing can be used; one line."""


class Store(Protocol):
    """Photos and what is said about them. `load_depth` reads the file behind a `Depth`; `fingerprint` says which data it
    is, so that no run is resumed on other data."""

    load_depth: LoadDepth
    fingerprint: str

    def __len__(self) -> int:
        """The number of photos."""
        ...

    def texts(self) -> Iterator[str]:
        """Everything that is said, to learn a tokenizer from."""
        ...

    def seen(self, index: int, rng: random.Random, quota: Mapping[str, float]) -> Seen | None:
        """Photo `index` with at most `quota[task]` of its dialogues of each task (1 of a task not named; a fraction is a
        chance), drawn by `rng`; None when nothing was drawn or the photo cannot be read (counted by the store)."""
        ...


@dataclass(frozen=True)
class Fed:
    """A batch, and the place in this rank's order at which the one after it begins. Places between it and the batch before were
    passed over: no photo of them could be used."""

    batch: Batch
    place: int


def feed(
    recipe: Recipe, store: Store, collator: Collator, rank: int = 0, world: int = 1, place: int = 0
) -> Iterator[Fed]:
    """Endless batches of one rank from `place` of its order on, made in a thread while the last one is learned from.

    A photo that cannot be read is left out of its batch, and a batch of which nothing is left is passed over. Raises
    `NothingToLearn` when that was so for as many photos in a row as there are.
    """
    queue: Queue[Fed | BaseException] = Queue(maxsize=2)

    def work() -> None:
        try:
            barren = 0  # photos in a row of which nothing could be learned
            wanted = shares(len(store), recipe.photos, recipe.seed, rank, world, place)
            for number, indices in enumerate(wanted, place):
                if barren >= max(len(store), recipe.photos):
                    raise NothingToLearn(
                        "no photo of the data can be read (those left out are named above), or the quotas draw nothing"
                    )
                rng = random.Random(f"{recipe.seed}/{indices}")
                seen = [item for index in indices if (item := store.seen(index, rng, recipe.quota)) is not None]
                barren = 0 if seen else barren + len(indices)
                if seen:
                    queue.put(Fed(collator(seen), number + 1))
        except BaseException as error:  # handed to the loop, which raises it
            queue.put(error)

    Thread(target=work, daemon=True).start()
    while True:
        item = queue.get()
        if isinstance(item, BaseException):
            raise item
        yield item


def shares(photos: int, size: int, seed: int, rank: int = 0, world: int = 1, first: int = 0) -> Iterator[list[int]]:
    """One rank's lists of `size` photo numbers: every list of `orders` for the whole world is cut into the ranks' shares,
    so no two ranks see the same photo in an epoch."""
    for together in orders(photos, size * world, seed, first):
        yield together[rank * size : (rank + 1) * size]


def orders(photos: int, size: int, seed: int, first: int = 0) -> Iterator[list[int]]:
    """Endless lists of `size` photo numbers, from list number `first` on; every epoch has each photo once, in an order of
    (seed, epoch)."""
    if photos < 1:
        raise NothingToLearn("no photos to learn from")
    place, shuffled, order = first * size, -1, list[int]()
    while True:
        taken: list[int] = []
        while len(taken) < size:
            epoch, offset = divmod(place, photos)
            if epoch != shuffled:
                order, shuffled = list(range(photos)), epoch
                random.Random(f"{seed}/{epoch}").shuffle(order)
            part = order[offset : offset + size - len(taken)]
            taken, place = taken + part, place + len(part)
        yield taken
