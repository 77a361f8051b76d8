"""Interactive segmentation: a mark on the photo, the mask of what was marked.

mIoU over all prompts and per prompt kind (point, box, scribble, mask): the union of the answered masks against the
annotated one, at the photo's own resolution, a missing answer being an empty mask. Source: Kirillov et al., "Segment
Anything" (ICCV 2023), section 7.1 (mIoU after one prompt).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from benchmarks.intervals import mean_interval
from benchmarks.scorer import Answered, Metric, Row, Scorer, Setting, Summary, common, true_references
from benchmarks.scorers._masks import overlap, union_of
from vtinstruct.dialogue import PROMPT_KINDS, Dialogue

COLUMNS: dict[str, Any] = {"prompt": pl.String, "inter": pl.Int64, "union": pl.Int64}
METRICS = (
    Metric("mIoU", "mean IoU over all prompts"),
    *(Metric(f"mIoU_{kind}", f"mean IoU over {kind} prompts") for kind in PROMPT_KINDS),
    Metric("cIoU", "sum of intersections / sum of unions"),
    Metric("IoU@.5", "share of prompts with IoU >= .5"),
)


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """Intersection and union in pixels, and the kind of the prompt."""
    kind = next((prompt.kind for _, prompt in truth.prompts()), "")
    inter, union = overlap(union_of(answer.references("mask")), union_of(true_references(truth, "mask")))
    quality = inter / union if union else float(answer.state != "missing")
    return common(truth, answer, quality) | {"prompt": kind, "inter": inter, "union": union}


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """mIoU over everything and per prompt kind."""
    inter, union = rows["inter"].to_numpy().astype(np.float64), rows["union"].to_numpy().astype(np.float64)
    iou = np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)
    kinds = rows["prompt"].to_numpy()
    total = float(union.sum())
    numbers: dict[str, float | None] = {
        "mIoU": float(iou.mean()) if iou.size else None,
        "cIoU": float(inter.sum()) / total if total else None,
        "IoU@.5": float((iou >= 0.5).mean()) if iou.size else None,
    }
    counts: dict[str, int] = {}
    for kind in PROMPT_KINDS:
        chosen = iou[kinds == kind]
        counts[kind] = int(chosen.size)
        numbers[f"mIoU_{kind}"] = float(chosen.mean()) if chosen.size else None
    got = mean_interval(iou, rows["photo"].to_list(), setting.resamples, setting.seed)
    ordered = {metric.name: numbers[metric.name] for metric in METRICS}
    return Summary(ordered, {"mIoU": got} if got else {}, {"prompts": counts})


SCORER = Scorer(
    "interactive", ("interactive_seg",), METRICS, COLUMNS, score, summarize, "Segment Anything (ICCV 2023), section 7.1"
)
