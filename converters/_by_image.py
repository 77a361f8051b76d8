"""Annotations grouped by image without a list for each image: one array says which row is whose.

Appending a million rows to a hundred thousand lists takes longer than parsing them; sorting a million numbers does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Row = TypeVar("Row")
Places = NDArray[np.int32]


class ByImage(Mapping[int, Sequence[Row]]):
    """The rows of every image, in file order.

    `image_ids` are the images' ids, `place(id)` the position of an id among them (below 0: none), `of` (N,) that position for
    each of N rows (below 0: of no image), `rows(places)` the rows at some places.
    """

    def __init__(
        self,
        image_ids: Sequence[int] | NDArray[np.int64],
        place: Callable[[int], int],
        of: Places,
        rows: Callable[[Places], list[Row]],
    ) -> None:
        # Image and row as one number: sorting plain numbers is several times as fast as sorting places by them.
        keys = of.astype(np.int64) * len(of) + np.arange(len(of))
        keys.sort()
        self._ids, self._place, self._rows = image_ids, place, rows
        self._bounds = np.searchsorted(keys, np.arange(len(image_ids) + 1) * len(of))
        self._order = (keys % max(len(of), 1)).astype(np.int32)

    def __getitem__(self, image_id: int) -> list[Row]:
        place = self._place(image_id)
        if place < 0:
            raise KeyError(image_id)
        return self._rows(self._order[self._bounds[place] : self._bounds[place + 1]])

    def __iter__(self) -> Iterator[int]:
        return map(int, self._ids)

    def __len__(self) -> int:
        return len(self._ids)
