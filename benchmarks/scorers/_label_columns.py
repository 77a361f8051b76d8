"""Label maps by the block: stored samples and plain answers straight to the segments of `_label_maps.py`, to the same rows."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.arrow import as_arrow
from benchmarks.plain import Block
from benchmarks.scorer import Columnar, Prepared, Row, Setting
from benchmarks.scorers._instance_columns import Units, prepare
from benchmarks.scorers._instances import class_of
from benchmarks.scorers._label_maps import Segment, confident_first, in_annotated_order
from vtinstruct.units import Rle

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
# annotated and answered segments, phrases of no class, the photo's (height, width) -> a row with `quality`
Judge = Callable[[list[Segment], list[Segment], list[str], tuple[int, int], Setting], Row]
WHOLE = ("panoptic", "seg")  # tasks that ask for everything there is; what others ask for stands in their question


def columnar(judge: Judge, columns: Mapping[str, Any]) -> Columnar:
    """The quick road of a scorer whose rows are `judge`'s, with these `columns`."""
    schema = {"quality": pl.Float64, **columns}

    def score(data: Any, picks: Ints, block: Block | None, setting: Setting) -> pl.DataFrame:
        table: pl.DataFrame = data[picks]
        sizes_hw = list(zip(table["height"].to_list(), table["width"].to_list(), strict=True))
        rows: list[Row] = []
        for size_hw, row, (found, unknown) in zip(
            sizes_hw, table.iter_rows(named=True), _found(block, sizes_hw, setting), strict=True
        ):
            rows.append(judge(_true(row, size_hw), found, unknown, size_hw, setting))
        made = pl.DataFrame(rows, schema, strict=False)
        return made if block is not None else made.with_columns(quality=pl.lit(0.0))

    return Columnar(_prepare, score)


def _prepare(rows: Any, setting: Setting) -> Prepared:
    """Samples whose phrases mean the classes of a list; without a list every sample has words of its own."""
    made = prepare(rows, setting, "mask", _have, _true_columns)
    fine = bool(setting.vocabulary) and all(task in WHOLE for task in rows.column("task").unique().to_pylist())
    return Prepared(made.plain & fine, made.data)


def _have(units: Units, ignored: bool) -> tuple[Bools, Bools]:
    mask = units.has("mask_rle") & units.of_kind("mask")  # an ignored region with a box only is no part of a label map
    return mask, np.zeros_like(mask)


def _true_columns(units: Units, ignored: bool) -> dict[str, Any]:
    return {
        "true_rle": units.rles()[0], "true_area": np.zeros(len(units)), "true_id": units.field("annotation_id"),
        "true_name": as_arrow(units.names("category" if ignored else "phrase")),
        "true_ignored": np.full(len(units), ignored),
    }  # fmt: skip


def _true(row: Row, size_hw: tuple[int, int]) -> list[Segment]:
    """A sample's annotated segments."""
    columns = (row[f"true_{name}"] for name in ("class", "rle", "name", "area", "crowd", "ignored", "id"))
    found: list[tuple[Segment, str]] = []
    ignored: list[Segment] = []
    for category, counts, name, area, crowd, aside, id_ in zip(*columns, strict=True):
        segment = Segment(category, Rle(size_hw, counts), name, area=area or None, crowd=crowd)
        if aside:
            ignored.append(segment)
        else:
            found.append((segment, id_ or ""))
    return in_annotated_order(found, ignored)


def _found(
    block: Block | None, sizes_hw: list[tuple[int, int]], setting: Setting
) -> Iterator[tuple[list[Segment], list[str]]]:
    """The answered segments of each sample, and the phrases of no class, one a mask."""
    if block is None or block.rles is None:  # not answered, or by another kind of unit
        yield from (([], []) for _ in sizes_hw)
        return
    masks, scores = block.rles.to_pylist(), block.scores.tolist()
    known: dict[str, int | None] = {}
    bounds = pairwise([0, *np.cumsum(block.counts).tolist()])
    for triplets, (start, stop), size_hw in zip(block.triplets, bounds, sizes_hw, strict=True):
        phrases = [triplet.concept for triplet in triplets for _ in range(triplet.references)]
        for phrase in set(phrases) - known.keys():
            known[phrase] = class_of(phrase, setting)
        found: list[tuple[Segment, float | None]] = []
        for phrase, counts, score in zip(phrases, masks[start:stop], scores[start:stop], strict=True):
            category = known[phrase]
            if category is not None:
                segment = Segment(category, Rle(size_hw, counts), phrase)
                found.append((segment, None if math.isnan(score) else score))
        yield confident_first(found), [phrase for phrase in phrases if known[phrase] is None]
