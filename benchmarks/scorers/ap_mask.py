"""AP of masks: instance segmentation.

Source: cocoapi `cocoeval.py`, iouType "segm". Areas of found instances are their masks' (never a box's), areas of
annotated ones the annotation's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.engine import BOX_NUMBERS, Instances
from benchmarks.matching import Similar
from benchmarks.scorer import Answered, Row, Scorer, Setting, Summary
from benchmarks.scorers._ap import ap_metrics, coco_rules, summarize_ap
from benchmarks.scorers._instances import COLUMNS, Kind, Lenient, columns, instance_row
from vtinstruct.dialogue import Dialogue, Reference
from vtinstruct.geometry import GeometryError, polygons_to_rle, rle_area, rle_box, rle_iou
from vtinstruct.units import Mask, Rle, Unit

Floats = NDArray[np.float64]


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


def _box(value: Rle, reference: Reference) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = reference.box_xyxy or rle_box(value)
    return (x0, y0, x1 - x0, y1 - y0)


def _area(value: Rle) -> float:
    return float(rle_area(value))


KIND = Kind("mask", _value, _box, _area, rle_iou)
MASK_COLUMNS: dict[str, Any] = {"true_rle": pl.List(pl.Binary), "found_rle": pl.List(pl.Binary)}


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """One sample's annotated and answered masks, as run lengths of the original resolution."""
    return mask_row(truth, answer, setting)


def mask_row(truth: Dialogue, answer: Answered, setting: Setting, lenient: Lenient | None = None) -> Row:
    """`score`, where unmatched answers of lenient classes do not count."""
    row, true, found = instance_row(truth, answer, KIND, setting, lenient)
    return row | {
        "true_rle": [value.counts for value in true.values], "found_rle": [value.counts for value in found.values]
    }  # fmt: skip


def sides(rows: pl.DataFrame) -> tuple[Instances, Instances]:
    """Masks of all rows as columns, annotated and found."""
    return _with_rles(rows, "true"), _with_rles(rows, "found")


def _with_rles(rows: pl.DataFrame, side: str) -> Instances:
    plain = columns(rows, side)
    rles: list[dict[str, Any]] = []
    for height, width, masks in zip(rows["height"], rows["width"], rows[f"{side}_rle"].to_list(), strict=True):
        rles += [{"size": [height, width], "counts": counts} for counts in masks]
    return Instances(plain.image, plain.category, plain.boxes_xywh, plain.area, plain.crowd, plain.score, rles=rles)


def _plain(side: Instances) -> list[Rle]:
    rles: Sequence[dict[str, Any]] = side.rles or ()
    return [Rle((rle["size"][0], rle["size"][1]), rle["counts"]) for rle in rles]


def similar_of(truth: Instances, found: Instances) -> Similar:
    """IoU of masks within a photo."""
    true_rles, found_rles = _plain(truth), _plain(found)

    def similar(f: NDArray[np.int64], t: NDArray[np.int64]) -> Floats:
        return rle_iou(
            [found_rles[int(i)] for i in f], [true_rles[int(i)] for i in t], [bool(c) for c in truth.crowd[t]]
        )

    return similar


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """The 12 COCO numbers of masks, and what holds without confidences."""
    return summarize_ap(rows, setting, coco_rules("segm"), METRICS, sides, similar_of)


METRICS = ap_metrics(BOX_NUMBERS, "mask")
SCORER = Scorer(
    "ap_mask", ("seg",), METRICS, COLUMNS | MASK_COLUMNS, score, summarize,
    "cocoapi PythonAPI/pycocotools/cocoeval.py, iouType segm",
)  # fmt: skip
