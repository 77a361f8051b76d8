"""Generalised referring segmentation: an expression means one region, several, or nothing here.

Two readings side by side. "[script]" is what Liu et al., "GRES" (CVPR 2023) publish (ReLA, `refer_evaluation.py`):

* gIoU is the mean over all expressions; rightly saying "nothing" counts 1, wrongly 0
* cIoU = sum of intersections / sum of unions; the answer to a no-target expression adds its area to the unions
* "nothing" is said by giving no mask; a mask without a pixel says "something" (ReLA's model gives a mask even where it says
  "nothing", and that mask adds to the unions of cIoU; an answer in words has none)
* N-acc and T-acc are 0 on a set without no-target expressions, and P@t is over those with a target

The plain names correct that: a mask without a pixel says "nothing" too, and what is undefined is null. In both, a missing
answer says neither, and a masks' union is compared at the photo's own resolution.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.intervals import mean_interval
from benchmarks.scorer import Answered, Metric, Row, Scorer, Setting, Summary, common, true_references
from benchmarks.scorers._masks import overlap, union_of
from benchmarks.sums import in_order
from vtinstruct.dialogue import Dialogue
from vtinstruct.geometry import rle_area

COLUMNS: dict[str, Any] = {
    "target": pl.Boolean, "masks": pl.Int64, "found_area": pl.Int64, "inter": pl.Int64, "union": pl.Int64,
}  # fmt: skip
LEVELS = {"P@.7": 0.7, "P@.8": 0.8, "P@.9": 0.9}
MEANINGS = {
    "gIoU": "mean IoU over all expressions, 1 for rightly saying nothing",
    "cIoU": "sum of intersections / sum of unions, over all expressions",
    "N-acc": "share of no-target expressions answered by nothing",
    "T-acc": "share of expressions with a target answered by something",
    **{name: f"share of expressions with a target whose IoU is >= {level}" for name, level in LEVELS.items()},
}
METRICS = tuple(Metric(f"{name}{end}", text) for end in ("", "[script]") for name, text in MEANINGS.items())
Bools = NDArray[np.bool_]


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """Intersection and union in pixels, how many masks were given, and how many pixels they have."""
    true, references = true_references(truth, "mask"), answer.references("mask")
    found = union_of(references)
    inter, union = overlap(found, union_of(true))
    area = rle_area(found) if found else 0
    nothing = answer.state != "missing" and area == 0
    quality = (inter / union if union else 0.0) if true else float(nothing)
    return common(truth, answer, quality) | {
        "target": bool(true), "masks": len(references), "found_area": area, "inter": inter, "union": union,
    }  # fmt: skip


def ious(rows: pl.DataFrame, nothing: Bools) -> NDArray[np.float64]:
    """What each expression adds to gIoU, where `nothing` says which answers said so."""
    target = rows["target"].to_numpy().astype(bool)
    inter, union = rows["inter"].to_numpy().astype(np.float64), rows["union"].to_numpy().astype(np.float64)
    iou = np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)
    return np.where(target, np.where(nothing, 0.0, iou), nothing.astype(np.float64))


def _numbers(rows: pl.DataFrame, nothing: Bools, ending: str) -> dict[str, float | None]:
    target = rows["target"].to_numpy().astype(bool)
    inter, union = rows["inter"].to_numpy(), rows["union"].to_numpy()
    values = ious(rows, nothing)
    some, none = int(target.sum()), int((~target).sum())
    below = int(union[target | ~nothing].sum())
    found: dict[str, float | None] = {
        "gIoU": in_order(values) / len(values) if len(values) else None,
        "cIoU": int(inter[target & ~nothing].sum()) / below if below else None,
        "N-acc": float(nothing[~target].mean()) if none else None,
        "T-acc": float((~nothing)[target].mean()) if some else None,
        **{name: float((values[target] >= level).mean()) if some else None for name, level in LEVELS.items()},
    }
    if ending and len(values) and not none:
        found["N-acc"] = found["T-acc"] = 0.0
    return {f"{name}{ending}": value for name, value in found.items()}


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """Both readings."""
    said = (rows["state"] != "missing").to_numpy().astype(bool)
    corrected = said & (rows["found_area"] == 0).to_numpy().astype(bool)
    script = said & (rows["masks"] == 0).to_numpy().astype(bool)
    numbers = _numbers(rows, corrected, "") | _numbers(rows, script, "[script]")
    got = mean_interval(ious(rows, corrected), rows["photo"].to_list(), setting.resamples, setting.seed)
    target = rows["target"].to_numpy().astype(bool)
    details = {"with_target": int(target.sum()), "without_target": int((~target).sum())}
    return Summary(numbers, {"gIoU": got} if got else {}, details)


SCORER = Scorer("gres", ("res",), METRICS, COLUMNS, score, summarize, "ReLA refer_evaluation.py (GRES, CVPR 2023)")
