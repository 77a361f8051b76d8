"""Referring expression segmentation: one expression, the union of all masks that answer it.

cIoU ("overall IoU") = sum of intersections / sum of unions; gIoU = mean IoU; P@t = share with IoU >= t; at the photo's own
resolution, a missing answer is an empty mask. Sources: Yang et al., "LAVT" (CVPR 2022), `test.py`, for cIoU and P@t; Liu et
al., "GRES" (CVPR 2023), for gIoU and for N-acc (no-target expressions answered by an empty mask) and T-acc (expressions
with a target answered by some mask). cIoU, gIoU and P@t are over expressions with a target.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from benchmarks.intervals import interval, photo_index, ratio
from benchmarks.scorer import Answered, Metric, Row, Scorer, Setting, Summary, common, true_references
from benchmarks.scorers._masks import overlap, union_of
from vtinstruct.dialogue import Dialogue

COLUMNS: dict[str, Any] = {"target": pl.Boolean, "empty": pl.Boolean, "inter": pl.Int64, "union": pl.Int64}
LEVELS = {"P@.5": 0.5, "P@.6": 0.6, "P@.7": 0.7, "P@.8": 0.8, "P@.9": 0.9}
METRICS = (
    Metric("cIoU", "sum of intersections / sum of unions, over expressions with a target"),
    Metric("gIoU", "mean IoU, over expressions with a target"),
    *(Metric(name, f"share of expressions with a target whose IoU is >= {level}") for name, level in LEVELS.items()),
    Metric("N-acc", "share of no-target expressions answered by an empty mask"),
    Metric("T-acc", "share of expressions with a target answered by a mask that is not empty"),
)


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """Intersection and union in pixels, and whether anything was there and was said to be there."""
    references = true_references(truth, "mask")
    inter, union = overlap(union_of(answer.references("mask")), union_of(references))
    empty = overlap(union_of(answer.references("mask")), None)[1] == 0
    quality = inter / union if union else 1.0
    return common(truth, answer, quality) | {
        "target": bool(references), "empty": empty, "inter": inter, "union": union
    }  # fmt: skip


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """cIoU, gIoU and P@t over expressions with a target; N-acc over those without."""
    target, empty = rows["target"].to_numpy().astype(bool), rows["empty"].to_numpy().astype(bool)
    # a missing answer says nothing, so it does not say "none here" either
    silent = (rows["state"] == "missing").to_numpy().astype(bool)
    inter, union = rows["inter"].to_numpy().astype(np.float64), rows["union"].to_numpy().astype(np.float64)
    iou = np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)[target]
    total = float(union[target].sum())
    numbers: dict[str, float | None] = {
        "cIoU": float(inter[target].sum()) / total if total else None,
        "gIoU": float(iou.mean()) if iou.size else None,
        **{name: float((iou >= level).mean()) if iou.size else None for name, level in LEVELS.items()},
        "N-acc": float((empty & ~silent)[~target].mean()) if (~target).any() else None,
        "T-acc": float((~empty)[target].mean()) if target.any() else None,
    }
    index, photos = photo_index(rows["photo"].to_list())
    overall = ratio(np.where(target, inter, 0.0), np.where(target, union, 0.0), index, photos)
    ious = np.divide(inter, union, out=np.zeros_like(inter), where=target & (union > 0))
    mean = ratio(ious, target.astype(np.float64), index, photos)
    got = {
        name: interval(statistic, photos, setting.resamples, setting.seed, bounds=(0.0, 1.0))
        for name, statistic in (("cIoU", overall), ("gIoU", mean))
    }
    details = {"with_target": int(target.sum()), "without_target": int((~target).sum())}
    return Summary(numbers, {name: one for name, one in got.items() if one}, details)


SCORER = Scorer(
    "res", ("res",), METRICS, COLUMNS, score, summarize, "LAVT test.py (cIoU, P@t); GRES (gIoU, N-acc, T-acc)"
)
