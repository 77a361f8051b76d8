"""AP of boxes: detection, of everything or of one class that was asked for.

Source: cocoapi `cocoeval.py`, iouType "bbox"; https://cocodataset.org/#detection-eval. A row holds its sample's boxes;
the numbers are the engine's (`benchmarks/engine.py`) and equal pycocotools' to the last bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.columns import Instances
from benchmarks.engine import BOX_NUMBERS
from benchmarks.matching import Similar
from benchmarks.plain import Block
from benchmarks.scorer import Answered, Columnar, Prepared, Row, Scorer, Setting, Summary
from benchmarks.scorers._ap import ap_metrics, coco_rules, summarize_ap
from benchmarks.scorers._instance_columns import Units, both_sides, found_columns, prepare
from benchmarks.scorers._instances import COLUMNS, LATE, Kind, columns, instance_row, with_hits
from vtinstruct.dialogue import Dialogue, Reference
from vtinstruct.units import Box, Mask, Unit

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Xywh = tuple[float, float, float, float]


def box_similar(truth: Instances, found: Instances) -> Similar:
    """Box IoU, pair by pair; a crowd's union is the found box alone. Step for step cocoapi `common/maskApi.c` (`bbIou`), so
    that the last bit agrees."""

    def similar(f: NDArray[np.int64], t: NDArray[np.int64]) -> Floats:
        a, b = found.boxes_xywh[f], truth.boxes_xywh[t]
        width = np.minimum(a[:, 2] + a[:, 0], b[:, 2] + b[:, 0]) - np.maximum(a[:, 0], b[:, 0])
        height = np.minimum(a[:, 3] + a[:, 1], b[:, 3] + b[:, 1]) - np.maximum(a[:, 1], b[:, 1])
        inter = np.where((width > 0) & (height > 0), width * height, 0.0)
        own = a[:, 2] * a[:, 3]
        union = np.where(truth.crowd[t], own, own + b[:, 2] * b[:, 3] - inter)
        return np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)

    return similar


def _value(unit: Unit | None, reference: Reference, size_wh: tuple[int, int]) -> Xywh | None:
    if isinstance(unit, Box):
        box = unit.box_xyxy
    elif reference.box_xyxy is not None and (unit is None or isinstance(unit, Mask)):
        box = reference.box_xyxy  # a crowd that an annotation gives as mask and box
    else:
        return None
    return (box[0], box[1], box[2] - box[0], box[3] - box[1])


def _area(value: Xywh) -> float:
    return value[2] * value[3]


KIND = Kind("box", _value, lambda value, _: value, _area)


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """One sample's annotated and answered boxes."""
    return instance_row(truth, answer, KIND, setting)[0]


def _have(units: Units, ignored: bool) -> tuple[Bools, Bools]:
    box = units.has("box_xyxy")
    if not ignored:
        return units.of_kind("box") & box, np.zeros_like(box)
    fine = units.of_kind("box", "mask", "")
    return box & fine, ~fine


def _true_columns(units: Units, ignored: bool) -> dict[str, Any]:
    box = _xywh(units.boxes())
    return {"true_box": box, "true_area": box[:, 2] * box[:, 3]}


def _xywh(boxes_xyxy: Floats) -> Floats:
    return np.concatenate([boxes_xyxy[:, :2], boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]], axis=1)


def _prepare(rows: Any, setting: Setting) -> Prepared:
    return prepare(rows, setting, "box", _have, _true_columns)


def _score(data: Any, picks: NDArray[np.int64], block: Block | None, setting: Setting) -> pl.DataFrame:
    true: pl.DataFrame = data[picks]
    if block is None:
        return true
    boxes = np.zeros((0, 4)) if block.boxes_xyxy is None else block.boxes_xyxy
    return both_sides(true, found_columns(block, setting, {"found_box": _xywh(boxes)}))


def sides(rows: pl.DataFrame) -> tuple[Instances, Instances]:
    """Instances of all rows as columns, annotated and found."""
    return columns(rows, "true"), columns(rows, "found")


def finish(rows: pl.DataFrame) -> pl.DataFrame:
    truth, found = sides(rows)
    return with_hits(rows, truth, found, box_similar(truth, found))


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """The 12 COCO numbers of boxes, and what holds without confidences."""
    return summarize_ap(rows, setting, coco_rules("bbox"), METRICS, sides, box_similar)


COLUMNAR = Columnar(_prepare, _score)
METRICS = ap_metrics(BOX_NUMBERS, "box")
SCORER = Scorer(
    "ap_box", ("det", "cond_det"), METRICS, COLUMNS, score, summarize,
    "cocoapi PythonAPI/pycocotools/cocoeval.py, iouType bbox", COLUMNAR, finish, LATE,
)  # fmt: skip
