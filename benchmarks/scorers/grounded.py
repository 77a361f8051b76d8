"""Answers that point: does an answer to a question rest on the right boxes or points, whatever it calls them.

Over the whole set, one-to-one with the most pairs: a box fits an annotated one at IoU >= .5, a point lies within a twentieth of
the photo's diagonal of an annotated one (sources give positions, not regions). The words are another scorer's. All numbers
are ours; GQA's "grounding" (Hudson & Manning, CVPR 2019, section 4.4) needs attention maps.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl

from benchmarks.intervals import interval, photo_index, ratio
from benchmarks.scorer import Answered, Metric, Row, Scorer, Setting, Summary, common, true_references
from benchmarks.scorers._pairs import Floats, boxes_of, f1, most_pairs, points_of
from vtinstruct.dialogue import Dialogue
from vtinstruct.geometry import box_iou

REACH = 0.05  # of the photo's diagonal
COLUMNS: dict[str, Any] = {"true_count": pl.Int64, "found_count": pl.Int64, "hits": pl.Int64}
METRICS = (
    Metric("F1", "F1 of boxes at IoU .5, of points within .05 of the diagonal"),
    Metric("precision", "share of the answered ones that fit"),
    Metric("recall", "share of the annotated ones that were answered"),
    Metric("whole", "share of samples whose boxes or points all fit, with none left over"),
)


def _near(found: Floats, true: Floats, truth: Dialogue) -> Any:
    diagonal = math.hypot(*truth.photo.size_wh) if truth.photo else 0.0
    return np.linalg.norm(found[:, None] - true[None, :], axis=2) <= REACH * diagonal


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """How many there are, how many were given, how many fit."""
    true_boxes, true_points = boxes_of(true_references(truth, "box")), points_of(true_references(truth, "point"))
    boxes, points = answer.references("box"), answer.references("point")
    hits = most_pairs(box_iou(boxes_of(boxes), true_boxes) >= 0.5)
    hits += most_pairs(_near(points_of(points), true_points, truth))
    true, found = len(true_boxes) + len(true_points), len(boxes) + len(points)
    quality = f1(hits, found, true)
    return common(truth, answer, quality) | {"true_count": true, "found_count": found, "hits": hits}


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """Sums over the set."""
    true, found, hits = (rows[name].to_numpy().astype(np.float64) for name in COLUMNS)
    said = (rows["state"] != "missing").to_numpy().astype(bool)
    both = float(true.sum() + found.sum())
    numbers: dict[str, float | None] = {
        "F1": 2 * float(hits.sum()) / both if both else None,
        "precision": float(hits.sum() / found.sum()) if found.any() else None,
        "recall": float(hits.sum() / true.sum()) if true.any() else None,
        "whole": float((said & (hits == true) & (hits == found)).mean()) if hits.size else None,
    }
    index, photos = photo_index(rows["photo"].to_list())
    share = ratio(2 * hits, true + found, index, photos)
    got = interval(share, photos, setting.resamples, setting.seed, bounds=(0.0, 1.0))
    return Summary(numbers, {"F1": got} if got else {}, {})


SCORER = Scorer(
    "grounded",
    ("grounded_vqa_box", "grounded_vqa_point"),
    METRICS,
    COLUMNS,
    score,
    summarize,
    "ours, as docs/metrics.md says",
)
