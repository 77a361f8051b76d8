"""AP of masks: instance segmentation.

Source: cocoapi `cocoeval.py`, iouType "segm". Areas of found instances are their masks' (never a box's), areas of
annotated ones the annotation's own.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from hotcoco.primitives import mask_iou
from numpy.typing import NDArray

from benchmarks.arrow import as_arrow
from benchmarks.columns import Instances
from benchmarks.engine import BOX_NUMBERS
from benchmarks.matching import Similar
from benchmarks.plain import Block
from benchmarks.scorer import Answered, Columnar, Prepared, Row, Scorer, Setting, Summary
from benchmarks.scorers._ap import ap_metrics, coco_rules, summarize_ap
from benchmarks.scorers._instance_columns import Units, both_sides, found_columns, prepare
from benchmarks.scorers._instances import COLUMNS, LATE, Kind, columns, flat, instance_row, rles_of, with_hits
from vtinstruct.dialogue import Dialogue, Reference
from vtinstruct.geometry import GeometryError, polygons_to_rle, rle_area
from vtinstruct.run_lengths import read_masks, strings
from vtinstruct.units import Mask, Rle, Unit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def _value(unit: Unit | None, reference: Reference, size_wh: tuple[int, int]) -> Rle | None:
    if isinstance(unit, Mask):
        return unit.mask_rle
    if unit is None or reference.box_xyxy is None:
        return None
    x0, y0, x1, y1 = reference.box_xyxy  # an ignored region given as a box only
    try:
        return polygons_to_rle([[x0, y0, x1, y0, x1, y1, x0, y1]], size_wh)
    except GeometryError:
        return None


def _area(value: Rle) -> float:
    return float(rle_area(value))


KIND = Kind("mask", _value, None, _area)
MASK_COLUMNS: dict[str, Any] = {name: type_ for name, type_ in COLUMNS.items() if not name.endswith("_box")} | {
    "true_rle": pl.List(pl.Binary), "found_rle": pl.List(pl.Binary), "found_area": pl.List(pl.Float64)
}  # fmt: skip


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """One sample's annotated and answered masks, as run lengths of the original resolution."""
    row, true, found = instance_row(truth, answer, KIND, setting)
    return row | {
        "true_rle": [value.counts for value in true.values], "found_rle": [value.counts for value in found.values],
        "found_area": [_area(value) for value in found.values],
    }  # fmt: skip


def _have(units: Units, ignored: bool) -> tuple[Bools, Bools]:
    mask = units.has("mask_rle")
    odd = ~units.of_kind("mask", "") if ignored else np.zeros_like(mask)
    return units.of_kind("mask") & mask, odd


def _true_columns(units: Units, ignored: bool) -> dict[str, Any]:
    counts, sizes = units.rles()
    area, bare = np.zeros(len(units)), np.isnan(units.floats("area"))  # the annotation's own stands before the mask's
    area[bare] = read_masks(counts.filter(as_arrow(bare)), sizes[bare]).area_px
    return {"true_rle": counts, "true_area": area}


def _prepare(rows: Any, setting: Setting) -> Prepared:
    return prepare(rows, setting, "mask", _have, _true_columns)


def _score(data: Any, picks: Ints, block: Block | None, setting: Setting) -> pl.DataFrame:
    true: pl.DataFrame = data[picks]
    if block is None:
        return true
    areas = np.zeros(0) if block.areas_px is None else block.areas_px.astype(np.float64)
    found = {"found_rle": strings([]) if block.rles is None else block.rles, "found_area": areas}
    return both_sides(true, found_columns(block, setting, found))


def sides(rows: pl.DataFrame) -> tuple[Instances, Instances]:
    """Instances of all rows as columns, annotated and found."""
    found = _with_rles(rows, "found")
    return _with_rles(rows, "true"), replace(found, area=flat(rows["found_area"], np.float64))


def _with_rles(rows: pl.DataFrame, side: str) -> Instances:
    return replace(columns(rows, side), rles=rles_of(rows, side))


def mask_similar(truth: Instances, found: Instances) -> Similar:
    """Mask IoU, pair by pair, each photo and class at one go."""
    assert truth.rles is not None
    assert found.rles is not None
    true_rles, found_rles = truth.rles, found.rles

    def similar(f: Ints, t: Ints) -> Floats:
        group = np.unique(
            found.category[f] * (int(found.image.max(initial=0)) + 1) + found.image[f], return_inverse=True
        )[1]
        row, rows, first_row = _within(group, f)
        column, columns, first_column = _within(group, t)
        mine: Any = found_rles.some(rows)
        theirs: Any = true_rles.some(columns)
        crowd = truth.crowd[columns]
        tables: list[Floats] = []
        for (r0, r1), (c0, c1) in zip(pairwise(first_row.tolist()), pairwise(first_column.tolist()), strict=True):
            tables.append(mask_iou(mine[r0:r1], theirs[c0:c1], crowd[c0:c1]).ravel())
        width = np.diff(first_column)
        begin = np.cumsum(np.diff(first_row) * width) - np.diff(first_row) * width
        return np.concatenate([np.zeros(0), *tables])[begin[group] + row * width[group] + column]

    return similar


def _within(group: Ints, item: Ints) -> tuple[Ints, Ints, Ints]:
    """Each item's number among the different ones of its group; those, group by group; and where each group of them begins,
    with the end of the last."""
    span = int(item.max(initial=0)) + 1
    different, which = np.unique(group * span + item, return_inverse=True)
    first = np.searchsorted(different, np.arange(int(group.max(initial=-1)) + 2) * span)
    return which - first[group], different % span, first


def finish(rows: pl.DataFrame) -> pl.DataFrame:
    truth, found = sides(rows)
    return with_hits(rows, truth, found, mask_similar(truth, found))


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """The 12 COCO numbers of masks, and what holds without confidences."""
    return summarize_ap(rows, setting, coco_rules("segm"), METRICS, sides, mask_similar)


COLUMNAR = Columnar(_prepare, _score)
METRICS = ap_metrics(BOX_NUMBERS, "mask")
SCORER = Scorer(
    "ap_mask", ("seg",), METRICS, MASK_COLUMNS, score, summarize,
    "cocoapi PythonAPI/pycocotools/cocoeval.py, iouType segm", COLUMNAR, finish, LATE,
)  # fmt: skip
