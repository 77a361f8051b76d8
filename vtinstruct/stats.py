"""`vtinstruct stats`: what a dataset is made of, counted shard by shard with memory that does not grow with it."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false, reportAttributeAccessIssue=false
# (pyarrow ships no types)

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vtinstruct.manifest import Manifest, read_manifest
from vtinstruct.shards import open_batches

PHRASES_KEPT = 200_000  # a corpus of free phrases has millions; the rarest are forgotten when there are more
GRID = 24  # cells a side of the map of where things are

# edges of the bins, and what they are called
COUNT_EDGES = (0, 1, 2, 4, 8, 16, 32, 64, 128)
WORD_EDGES = (0, 1, 3, 6, 11, 21, 41, 81, 161)
SIZE_EDGES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)


@dataclass(slots=True)
class Stats:
    """Counts of a whole dataset.

    `groups` has a row for each task, split and source: dialogues, questions, units, prompts, words of answers. The bins
    hold how many answers have so many units, how many questions and answers so many words, how many units so large a
    side (square root of their share of the photo). `places` (GRID, GRID) counts the centres of units, rows from top.
    """

    manifest: Manifest
    groups: pl.DataFrame
    kinds: Counter[str] = field(default_factory=Counter[str])
    prompts: Counter[str] = field(default_factory=Counter[str])
    phrases: Counter[str] = field(default_factory=Counter[str])
    units_in_answer: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(COUNT_EDGES), np.int64))
    question_words: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(WORD_EDGES), np.int64))
    answer_words: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(WORD_EDGES), np.int64))
    sides: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(SIZE_EDGES), np.int64))
    places: NDArray[np.int64] = field(default_factory=lambda: np.zeros((GRID, GRID), np.int64))
    photos: set[int] = field(default_factory=set[int])
    phrases_forgotten: bool = False

    def tasks(self) -> pl.DataFrame:
        """A row for each task, splits and sources summed up."""
        sums = self.groups.group_by("task").agg(pl.col(pl.Int64).sum(), pl.col("source").n_unique().alias("sources"))
        return sums.sort("task")

    def total(self, name: str) -> int:
        """The sum of one column of `groups`."""
        return int(self.groups[name].sum()) if self.groups.height else 0


def collect(root: Path, progress: Callable[[int, int], None] | None = None) -> Stats:
    """Count the dataset at `root`. Raises `DatasetError`."""
    manifest = read_manifest(root)
    counts = Stats(manifest, pl.DataFrame())
    parts: list[pl.DataFrame] = []
    for number, shard in enumerate(manifest.files):
        for batch in open_batches(root / shard.path):
            parts.append(_groups(batch))
            _count_batch(counts, batch)
        if progress is not None:
            progress(number + 1, len(manifest.files))
        parts = [_summed(parts)]
    counts.groups = _summed(parts)
    return counts


_KEY = ("task", "split", "source")
_SUMS = ("dialogues", "questions", "units", "prompts", "answer_words")


def _summed(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    if not parts:
        return pl.DataFrame(schema={**dict.fromkeys(_KEY, pl.String), **dict.fromkeys(_SUMS, pl.Int64)})
    return pl.concat(parts).group_by(_KEY).agg(pl.col(_SUMS).sum()).sort(_KEY)


def _groups(batch: pa.RecordBatch) -> pl.DataFrame:
    messages = batch.column("messages")
    row, role, words = _owners(messages), messages.flatten().field("role"), _words(messages.flatten().field("content"))
    asked = pc.equal(role, "user").to_numpy(zero_copy_only=False)
    rows = batch.num_rows
    frame = pl.DataFrame({name: cast(Any, pl.from_arrow(batch.column(name))) for name in _KEY})
    return (
        frame.with_columns(
            pl.lit(1, pl.Int64).alias("dialogues"),
            pl.Series("questions", np.bincount(row[asked], minlength=rows).astype(np.int64)),
            pl.Series("units", _lengths(batch.column("units"))),
            pl.Series("prompts", _lengths(batch.column("prompts"))),
            pl.Series("answer_words", np.bincount(row[~asked], words[~asked], minlength=rows).astype(np.int64)),
        )
        .group_by(_KEY)
        .agg(pl.col(_SUMS).sum())
    )


def _count_batch(counts: Stats, batch: pa.RecordBatch) -> None:
    messages, units = batch.column("messages").flatten(), batch.column("units").flatten()
    asked = pc.equal(messages.field("role"), "user").to_numpy(zero_copy_only=False)
    words = _words(messages.field("content"))
    counts.question_words += _binned(words[asked], WORD_EDGES)
    counts.answer_words += _binned(words[~asked], WORD_EDGES)
    counts.units_in_answer += _binned(_lengths(batch.column("units")), COUNT_EDGES)
    _tally(counts.kinds, units.field("kind"))
    _tally(counts.prompts, batch.column("prompts").flatten().field("kind"))
    _tally(counts.phrases, units.field("phrase"))
    if len(counts.phrases) > PHRASES_KEPT:
        counts.phrases, counts.phrases_forgotten = Counter(dict(counts.phrases.most_common(PHRASES_KEPT // 2))), True
    image = batch.column("image")
    counts.photos.update(hash(name) for name in pc.unique(image.field("id")).to_pylist() if name)
    _count_sizes(counts, batch, image)


def _count_sizes(counts: Stats, batch: pa.RecordBatch, image: pa.StructArray) -> None:
    """Sizes and places of units with a box of their own or of their annotation, and sizes of masks by their area."""
    column = batch.column("units")
    owner, units = _owners(column), column.flatten()
    width, height = (
        pc.fill_null(image.field(name), 0).to_numpy(zero_copy_only=False).astype(np.float64)[owner]
        for name in ("width", "height")
    )
    pixels = np.maximum(width * height, 1.0)
    boxes = units.field("box_xyxy")
    there = np.flatnonzero(pc.is_valid(boxes).to_numpy(zero_copy_only=False) & (width > 0))
    if len(there):
        xyxy = boxes.flatten().to_numpy(zero_copy_only=False).reshape(-1, 4)
        xyxy = xyxy[np.cumsum(_lengths(boxes) > 0)[there] - 1]
        share = (xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1]) / pixels[there]
        counts.sides += _binned(np.sqrt(share), SIZE_EDGES)
        x = (xyxy[:, 0] + xyxy[:, 2]) / 2 / width[there] * GRID
        y = (xyxy[:, 1] + xyxy[:, 3]) / 2 / height[there] * GRID
        cells = np.clip(np.stack([y, x]), 0, GRID - 1).astype(np.int64)
        np.add.at(counts.places, (cells[0], cells[1]), 1)
    area = units.field("area")
    masks = pc.is_valid(units.field("mask_rle")).to_numpy(zero_copy_only=False)
    masks &= pc.is_valid(area).to_numpy(zero_copy_only=False) & ~pc.is_valid(boxes).to_numpy(zero_copy_only=False)
    sizes = pc.fill_null(area, 0.0).to_numpy(zero_copy_only=False)
    counts.sides += _binned(np.sqrt(np.maximum(sizes[masks], 0.0) / pixels[masks]), SIZE_EDGES)


def _tally(counter: Counter[str], column: pa.Array) -> None:
    for entry in pc.value_counts(column).to_pylist():
        if entry["values"] is not None:
            counter[entry["values"]] += entry["counts"]


def _binned(values: NDArray[Any], edges: Sequence[float]) -> NDArray[np.int64]:
    """How many values lie in each bin; the last is open."""
    return np.bincount(np.searchsorted(edges, values, side="right") - 1, minlength=len(edges)).astype(np.int64)


def _words(content: pa.Array) -> NDArray[np.int64]:
    """Words of each text, marks and prompts not counted."""
    plain = pc.replace_substring_regex(content, r"</?[A-Za-z]+>|\[VPT\]|\[[0-9]+\]<REF>", " ")
    # "<Unit>box</Unit>" leaves the name of the unit
    plain = pc.replace_substring_regex(plain, r"\( (box|mask|keypoint|depth|point) ", " ")
    return pc.count_substring_regex(plain, r"\w[\w'-]*").to_numpy(zero_copy_only=False).astype(np.int64)


def _lengths(column: pa.ListArray) -> NDArray[np.int64]:
    return pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)


def _owners(column: pa.ListArray) -> NDArray[np.int64]:
    """The row of every item of a list column."""
    return np.repeat(np.arange(len(column)), _lengths(column))


def bin_names(edges: Sequence[float], percent: bool = False) -> list[str]:
    """What the bins between `edges` are called: "0", "1", "2-3", ..., "128 and more"; or "0-1 %", ..., "80 % and more"."""
    names: list[str] = []
    for low, high in zip(edges, [*edges[1:], None], strict=True):
        if percent:
            names.append(f"{low:.0%}-{high:.0%}" if high is not None else f"{low:.0%} and more")
        elif high is None:
            names.append(f"{low} and more")
        else:
            names.append(f"{low}" if high - low == 1 else f"{low}-{high - 1}")
    return names
