"""Interactive segmentation and detection: a mark on the photo, the mask or box of what was marked.

mIoU over all prompts and per prompt kind (point, box, scribble, mask), after one prompt, at the photo's own resolution: the
union of the answered masks (the first answered box) against the annotated one; a missing answer is an empty mask. IoU@1 of
clicks is `mIoU_point`; numbers of clicks (NoC) need a model that answers click by click: `benchmarks/clicks.py`. Source:
Kirillov et al., "Segment Anything" (ICCV 2023), section 7.1 (mIoU after one prompt).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from benchmarks.intervals import mean_interval
from benchmarks.scorer import Answered, Metric, Row, Scorer, Setting, Summary, common, true_references
from benchmarks.scorers._masks import overlap, union_of
from benchmarks.scorers._pairs import boxes_of
from vtinstruct.dialogue import PROMPT_KINDS, Dialogue, Reference
from vtinstruct.geometry import box_area, box_iou

COLUMNS: dict[str, Any] = {"prompt": pl.String, "inter": pl.Float64, "union": pl.Float64}
METRICS = (
    Metric("mIoU", "mean IoU over all prompts"),
    *(Metric(f"mIoU_{kind}", f"mean IoU over {kind} prompts") for kind in PROMPT_KINDS),
    Metric("cIoU", "sum of intersections / sum of unions"),
    Metric("IoU@.5", "share of prompts with IoU >= .5"),
    Metric("IoU@.75", "share of prompts with IoU >= .75"),
)


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """Intersection and union in pixels, and the kind of the prompt."""
    kind = next((prompt.kind for _, prompt in truth.prompts()), "")
    if truth.task == "interactive_det":
        inter, union = _boxes(answer.references("box")[:1], true_references(truth, "box"))
    else:
        inter, union = overlap(union_of(answer.references("mask")), union_of(true_references(truth, "mask")))
    quality = inter / union if union else 1.0
    return common(truth, answer, quality) | {"prompt": kind, "inter": float(inter), "union": float(union)}


def _boxes(found: Sequence[Reference], true: Sequence[Reference]) -> tuple[float, float]:
    """Intersection and union of one box with one, in square pixels."""
    first, second = boxes_of(found), boxes_of(true)
    areas = float(box_area(first).sum() + box_area(second).sum())
    iou = float(box_iou(first, second)[0, 0]) if len(first) and len(second) else 0.0
    return areas * iou / (1 + iou), areas / (1 + iou)


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
        "IoU@.75": float((iou >= 0.75).mean()) if iou.size else None,
    }
    counts: dict[str, int] = {}
    for kind in PROMPT_KINDS:
        chosen = iou[kinds == kind]
        counts[kind] = int(chosen.size)
        numbers[f"mIoU_{kind}"] = float(chosen.mean()) if chosen.size else None
    means = {"mIoU": iou, "IoU@.5": (iou >= 0.5).astype(np.float64)}
    photos = rows["photo"].to_list()
    got = {name: mean_interval(values, photos, setting.resamples, setting.seed) for name, values in means.items()}
    ordered = {metric.name: numbers[metric.name] for metric in METRICS}
    return Summary(ordered, {name: one for name, one in got.items() if one}, {"prompts": counts})


SCORER = Scorer(
    "interactive", ("interactive_seg", "interactive_det"), METRICS, COLUMNS, score, summarize,
    "Segment Anything (ICCV 2023), section 7.1",
)  # fmt: skip
