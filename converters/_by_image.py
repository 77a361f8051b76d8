"""Annotations grouped by image without a list for each image: one array says which row is whose.

Appending a million rows to a hundred thousand lists takes longer than parsing them; sorting a million numbers does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Row = TypeVar("Row")


class ByImage(Mapping[int, Sequence[Row]]):
    """The rows of every image, in file order.

    `image_ids` are the images' ids, `place(id)` the position of an id among them (below 0: none), `of` (N,) that position for
    each of N rows (below 0: of no image), `row(n)` the n-th row.
    """

    def __init__(
        self,
        image_ids: Sequence[int] | NDArray[np.int64],
        place: Callable[[int], int],
        of: NDArray[np.int64],
        row: Callable[[int], Row],
    ) -> None:
        order = np.argsort(of, kind="stable")
        self._ids, self._place, self._row = image_ids, place, row
        self._bounds = np.searchsorted(of[order], np.arange(len(image_ids) + 1))
        self._order = order.astype(np.int32) if len(order) < 1 << 31 else order

    def __getitem__(self, image_id: int) -> list[Row]:
        place = self._place(image_id)
        if place < 0:
            raise KeyError(image_id)
        return [self._row(int(n)) for n in self._order[self._bounds[place] : self._bounds[place + 1]]]

    def __iter__(self) -> Iterator[int]:
        return map(int, self._ids)

    def __len__(self) -> int:
        return len(self._ids)
