"""Referring expression comprehension: one expression, one box.

Acc@t is the share of samples whose *first* box has IoU >= t with the annotated one; every sample counts, a missing or
undecoded first box is wrong. Source: Kazemzadeh et al., "ReferItGame" (EMNLP 2014), section 5, and the RefCOCO practice
since Yu et al. (ECCV 2016). Expressions without a target are outside Acc and counted beside it, as N-acc: answered
rightly by no box at all. `Acc@.5[one box]` is stricter: naming several boxes is no answer to "which one".
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.intervals import interval, photo_index, ratio
from benchmarks.scorer import Answered, Metric, Row, Scorer, Setting, Summary, common, true_references
from vtinstruct.dialogue import Dialogue, Reference
from vtinstruct.geometry import box_iou
from vtinstruct.units import Box

COLUMNS: dict[str, Any] = {"target": pl.Boolean, "iou": pl.Float64, "boxes": pl.Int64}
LEVELS = {"Acc@.5": 0.5, "Acc@.75": 0.75, "Acc@.9": 0.9}
METRICS = (
    *(Metric(name, f"share of expressions whose first box has IoU >= {level}") for name, level in LEVELS.items()),
    Metric("Acc@.5[one box]", "share of expressions answered by one box alone, with IoU >= 0.5"),
    Metric("mIoU", "mean IoU of the first box"),
    Metric("N-acc", "share of no-target expressions answered without a box"),
)


def _iou(found: Reference | None, true: Reference) -> float:
    if found is None or not isinstance(found.unit, Box) or not isinstance(true.unit, Box):
        return 0.0
    return float(box_iou(np.array([found.unit.box_xyxy]), np.array([true.unit.box_xyxy]))[0, 0])


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """The IoU of the first box, or for a no-target expression how many boxes were given."""
    true, found = true_references(truth, "box"), answer.references("box")
    iou = _iou(found[0] if found else None, true[0]) if true else float(not found and answer.state != "missing")
    return common(truth, answer, iou) | {"target": bool(true), "iou": iou, "boxes": len(found)}


def accuracies(iou: NDArray[np.float64], boxes: NDArray[np.int64]) -> dict[str, float | None]:
    """The numbers of expressions with a target: the IoU of each first box, and how many boxes were answered."""
    if not iou.size:
        return dict.fromkeys((*LEVELS, "Acc@.5[one box]", "mIoU"))
    numbers: dict[str, float | None] = {name: float((iou >= level).mean()) for name, level in LEVELS.items()}
    numbers["Acc@.5[one box]"] = float(((iou >= 0.5) & (boxes == 1)).mean())
    numbers["mIoU"] = float(iou.mean())
    return numbers


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """Accuracy at three levels over expressions with a target; N-acc over those without."""
    target = rows["target"].to_numpy().astype(bool)
    iou = rows["iou"].to_numpy().astype(np.float64)
    absent = iou[~target]
    numbers = accuracies(iou[target], rows["boxes"].to_numpy()[target])
    numbers["N-acc"] = float(absent.mean()) if absent.size else None
    index, photos = photo_index(rows["photo"].to_list())
    right = ratio((target & (iou >= 0.5)).astype(np.float64), target.astype(np.float64), index, photos)
    got = interval(right, photos, setting.resamples, setting.seed, bounds=(0.0, 1.0))
    details = {"with_target": int(target.sum()), "without_target": int((~target).sum())}
    return Summary(numbers, {"Acc@.5": got} if got else {}, details)


SCORER = Scorer("rec", ("rec",), METRICS, COLUMNS, score, summarize, "RefCOCO Acc@0.5 (Yu et al., ECCV 2016)")
