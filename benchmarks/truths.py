"""The scored samples: known by id at once, read as dialogues only when somebody asks.

Most samples never become a dialogue: a scorer that can judge columns (`scorer.Columnar`) takes whole batches. So ids, tasks
and places are all that is held; the rows stay in the dataset's memory-mapped files.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false, reportAttributeAccessIssue=false
# (pyarrow ships no types)

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmarks.arrow import series
from benchmarks.dataset import Dataset
from benchmarks.suites import suites_for
from vtinstruct.dialogue import Dialogue
from vtinstruct.rows import dialogue_from_row

Which = tuple[str, str, str]  # task, source, split


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one task, source and split, of the frozen schema."""

    which: Which
    rows: Any


@dataclass(slots=True)
class Truths(Mapping[str, Dialogue]):
    """Samples by id, in stored order. `batches` hold the rows; `place` says which batch and row of it an id is."""

    batches: list[Batch] = field(default_factory=list[Batch])
    place: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])

    def add(self, which: Which, rows: pa.RecordBatch | pa.Table) -> None:
        """Append rows."""
        number = len(self.batches)
        self.batches.append(Batch(which, rows))
        self.place.update((id_, (number, row)) for row, id_ in enumerate(rows.column("id").to_pylist()))

    def which(self, id_: str) -> Which:
        """Task, source and split of a sample; `KeyError` for an unknown id."""
        return self.batches[self.place[id_][0]].which

    def sizes_wh(self, batch: int) -> NDArray[np.int64]:
        """Width and height of every photo of a batch, (N, 2), 0 where there is none."""
        image = self.batches[batch].rows.column("image")
        sides = [series(pc.struct_field(image, side)).fill_null(0).to_numpy() for side in ("width", "height")]
        return np.stack(sides, axis=1).astype(np.int64)

    def common(self, batch: int) -> pl.DataFrame:
        """The columns of `scorer.COMMON` that the samples of a batch have without an answer."""
        rows = self.batches[batch].rows
        ids = rows.column("id")
        photo = pc.coalesce(pc.struct_field(rows.column("image"), "id"), ids)
        named = {"id": ids, "task": rows.column("task"), "source": rows.column("source"), "photo": photo}
        return pl.DataFrame({name: series(column) for name, column in named.items()})

    def __getitem__(self, id_: str) -> Dialogue:
        number, row = self.place[id_]
        (found,) = self.batches[number].rows.slice(row, 1).to_pylist()
        return dialogue_from_row(found)

    def __iter__(self) -> Iterator[str]:
        return iter(self.place)

    def __len__(self) -> int:
        return len(self.place)

    def whichs(self) -> list[Which]:
        """Every task, source and split there is, sorted."""
        return sorted({batch.which for batch in self.batches})


def read_truths(dataset: Dataset, splits: Sequence[str], limit: int | None, names: Sequence[str] = ()) -> Truths:
    """The samples of the splits that the named suites (all, when none is named) score, at most `limit` a task and split.
    Raises `DatasetError`, or `SuiteError` when a suite is named that does not exist."""
    tasks = {task for split in splits for task in dataset.tasks(split)}
    suites = suites_for(sorted(tasks), names)
    found = Truths()
    for split in splits:
        for task in dataset.tasks(split):
            if any(suite.task in ("", task) for suite in suites):
                _add(found, dataset, task, split, limit)
    return found


def _add(found: Truths, dataset: Dataset, task: str, split: str, limit: int | None) -> None:
    left = limit
    for batch in dataset.batches(task, split):
        rows = batch if left is None else batch.slice(0, left)
        left = None if left is None else left - rows.num_rows
        sources = rows.column("source").dictionary_encode()
        names = sources.dictionary.to_pylist()
        if len(names) == 1:
            found.add((task, names[0], split), rows)
        else:
            for number, source in enumerate(names):
                own = (series(sources.indices) == number).to_arrow()
                found.add((task, source, split), rows.filter(own))
        if left == 0:
            return
