"""AP of boxes: detection, of everything or of one class that was asked for.

Source: cocoapi `cocoeval.py`, iouType "bbox"; https://cocodataset.org/#detection-eval. A row holds its sample's boxes;
the numbers are the engine's (`benchmarks/engine.py`) and equal pycocotools' to the last bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from benchmarks.engine import BOX_NUMBERS, Instances
from benchmarks.matching import Similar
from benchmarks.scorer import Answered, Row, Scorer, Setting, Summary
from benchmarks.scorers._ap import ap_metrics, coco_rules, summarize_ap
from benchmarks.scorers._instances import COLUMNS, Kind, columns, instance_row
from vtinstruct.dialogue import Dialogue, Reference
from vtinstruct.units import Box, Mask, Unit

Floats = NDArray[np.float64]
Xywh = tuple[float, float, float, float]


def box_iou(found: Any, true: Any, crowd: Any) -> Floats:
    """Box IoU of x, y, width, height rows (F, 4), (T, 4); a crowd's union is the found box alone (COCO's rule)."""
    found, true = np.asarray(found, dtype=np.float64).reshape(-1, 4), np.asarray(true, dtype=np.float64).reshape(-1, 4)
    return np.asarray(coco_mask.iou(found, true, [int(c) for c in crowd])).reshape(len(found), len(true))


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


KIND = Kind("box", _value, lambda value, _: value, _area, box_iou)


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """One sample's annotated and answered boxes."""
    return instance_row(truth, answer, KIND, setting)[0]


def sides(rows: pl.DataFrame) -> tuple[Instances, Instances]:
    """Boxes of all rows as columns, annotated and found."""
    return columns(rows, "true"), columns(rows, "found")


def similar_of(truth: Instances, found: Instances) -> Similar:
    """IoU of boxes within a photo."""
    return lambda f, t: box_iou(found.boxes_xywh[f], truth.boxes_xywh[t], truth.crowd[t])


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """The 12 COCO numbers of boxes, and what holds without confidences."""
    return summarize_ap(rows, setting, coco_rules("bbox"), METRICS, sides, similar_of)


METRICS = ap_metrics(BOX_NUMBERS, "box")
SCORER = Scorer(
    "ap_box", ("det", "cond_det", "interactive_det"), METRICS, COLUMNS, score, summarize,
    "cocoapi PythonAPI/pycocotools/cocoeval.py, iouType bbox",
)  # fmt: skip
