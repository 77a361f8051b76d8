"""Work that threads can do ahead of whoever takes its results: hashing, reading, decoding, which let Python run meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(work: Callable[[Item], Result], items: Iterable[Item], threads: int = 2) -> Iterator[tuple[Item, Result]]:
    """Every item and what `work` makes of it, in order, while as many of the next ones as there are threads are at work.
    What `work` raises is raised when it is the item's turn."""
    rest = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque((item, pool.submit(work, item)) for item in islice(rest, threads))
        while waiting:
            item, done = waiting.popleft()
            result = done.result()
            waiting.extend((following, pool.submit(work, following)) for following in islice(rest, 1))
            yield item, result
