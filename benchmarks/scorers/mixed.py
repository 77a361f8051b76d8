"""Boxes, masks and keypoints in one answer: every triplet must name its class and hold its instances.

F1 over the set at similarity .5 (box IoU, mask IoU, OKS), of instances of the same class and unit, one-to-one as in the AP
scorers; an instance where none is, or of an unknown class, is a false answer. The numbers are ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from benchmarks.intervals import interval, photo_index, ratio
from benchmarks.scorer import Answered, Metric, Row, Scorer, Setting, Summary, common
from benchmarks.scorers import ap_box, ap_keypoint, ap_mask
from vtinstruct.dialogue import Dialogue

KINDS = {"box": ap_box.SCORER, "mask": ap_mask.SCORER, "keypoint": ap_keypoint.SCORER}
PARTS = ("hits", "true", "found")
COLUMNS: dict[str, Any] = {f"{part}_{kind}": pl.Int64 for kind in KINDS for part in PARTS}
METRICS = (
    Metric("F1@.5", "F1 of all instances at similarity .5"),
    *(Metric(f"F1@.5_{kind}", f"the same of {kind} units alone") for kind in KINDS),
)


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """Hits and counts of each unit kind."""
    row: Row = {}
    for name, scorer in KINDS.items():
        one = scorer.frame([scorer.score(truth, answer, setting)]).row(0, named=True)
        row |= {f"hits_{name}": one["hits50"], f"true_{name}": one["true_count"], f"found_{name}": one["found_count"]}
    hits, total = (sum(row[f"{part}_{kind}"] for kind in KINDS for part in parts) for parts in (PARTS[:1], PARTS[1:]))
    return common(truth, answer, 2 * hits / total if total else float(answer.state != "missing")) | row


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """F1 over the set, of everything and of each unit kind."""
    sums = {name: rows[name].to_numpy().astype(np.float64) for name in COLUMNS}
    above = {kind: 2 * sums[f"hits_{kind}"] for kind in KINDS}
    below = {kind: sums[f"true_{kind}"] + sums[f"found_{kind}"] for kind in KINDS}
    whole = (np.sum(list(above.values()), axis=0), np.sum(list(below.values()), axis=0))
    numbers = {"F1@.5": _share(*whole)} | {f"F1@.5_{kind}": _share(above[kind], below[kind]) for kind in KINDS}
    index, photos = photo_index(rows["photo"].to_list())
    got = interval(ratio(*whole, index, photos), photos, setting.resamples, setting.seed, bounds=(0.0, 1.0))
    return Summary(numbers, {"F1@.5": got} if got else {}, {})


def _share(above: Any, below: Any) -> float | None:
    return float(above.sum() / below.sum()) if below.sum() else None


SCORER = Scorer("mixed", ("mixed",), METRICS, COLUMNS, score, summarize, "ours, as docs/metrics.md says")
