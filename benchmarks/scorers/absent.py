"""Asked for what may not be there: is "none" said where it is right, and only there; and are the right boxes given.

* accuracy: share of samples where "none" is said if and only if nothing is there; N-acc and T-acc are the two halves
* F1=1: share of samples answered perfectly: every box has its own annotated one at IoU >= .5 and none is left over, or
  none is said rightly (GREC's "Pr@(F1=1, IoU>=.5)"). "[script]" is as published (He et al., "GREC", 2023; gRefCOCO,
  `mdetr/datasets/refexp.py`): it compares generalised IoU, and pairs greedily. The plain number takes IoU, and the pairing
  with most pairs.

"None" is an answer without a box; a missing answer says nothing, and is wrong either way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from benchmarks.intervals import mean_interval
from benchmarks.scorer import Answered, Metric, Row, Scorer, Setting, Summary, common, true_references
from benchmarks.scorers._pairs import Floats, boxes_of, most_pairs
from vtinstruct.dialogue import Dialogue
from vtinstruct.geometry import box_area, box_iou

LEVEL = 0.5
COLUMNS: dict[str, Any] = {
    "target": pl.Boolean, "none": pl.Boolean, "perfect": pl.Boolean, "perfect_script": pl.Boolean,
}  # fmt: skip
METRICS = (
    Metric("accuracy", "share of samples where none is said if and only if nothing is there"),
    Metric("N-acc", "share of samples with nothing there where none is said"),
    Metric("T-acc", "share of samples with something there where something is said"),
    Metric("F1=1@.5", "share of samples answered perfectly at IoU .5"),
    Metric("F1=1@.5[script]", "the same as GREC's script has it: generalised IoU, greedy pairs"),
)


def generalised_iou(found: Floats, true: Floats) -> Floats:
    """IoU less the empty share of the smallest box around both, (F, T) (Rezatofighi et al., CVPR 2019)."""
    low = np.minimum(found[:, None, :2], true[None, :, :2])
    sides = np.maximum(found[:, None, 2:], true[None, :, 2:]) - low
    hull = sides[..., 0] * sides[..., 1]
    iou = box_iou(found, true)
    union = (box_area(found)[:, None] + box_area(true)[None, :]) / (1 + iou)
    return iou - np.divide(hull - union, hull, out=np.zeros_like(hull), where=hull > 0)


def greedy_pairs(similar: Floats, level: float) -> int:
    """Pairs taken best first, each box once, while the best is at least `level`."""
    similar, taken = similar.copy(), 0
    while taken < min(similar.shape):
        f, t = np.unravel_index(int(similar.argmax()), similar.shape)
        if similar[f, t] < level:
            break
        taken += 1
        similar[f, :], similar[:, t] = 0.0, 0.0
    return taken


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """What was said, and whether it was perfect. A box that was not decoded was said, and fits nothing."""
    references = answer.references("box")
    true, found = boxes_of(true_references(truth, "box")), boxes_of(references)
    said = answer.state != "missing"
    none, target = said and not references, bool(len(true))
    whole = len(references) == len(true) and said
    perfect = none if not target else whole and most_pairs(box_iou(found, true) >= LEVEL) == len(true)
    script = none if not target else whole and greedy_pairs(generalised_iou(found, true), LEVEL) == len(true)
    quality = (float(said and none != target) + float(perfect)) / 2
    return common(truth, answer, quality) | {
        "target": target, "none": none, "perfect": bool(perfect), "perfect_script": bool(script)
    }  # fmt: skip


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """Shares over all samples, and over the two halves."""
    said = (rows["state"] != "missing").to_numpy().astype(bool)
    target, none = (rows[name].to_numpy().astype(bool) for name in ("target", "none"))
    right = said & (none != target)
    numbers = {
        "accuracy": _mean(right), "N-acc": _mean(right[~target]), "T-acc": _mean(right[target]),
        "F1=1@.5": _mean(rows["perfect"].to_numpy().astype(bool)),
        "F1=1@.5[script]": _mean(rows["perfect_script"].to_numpy().astype(bool)),
    }  # fmt: skip
    photos = rows["photo"].to_list()
    shares = {
        "accuracy": right, "F1=1@.5": rows["perfect"].to_numpy(), "F1=1@.5[script]": rows["perfect_script"].to_numpy()
    }  # fmt: skip
    got = {n: mean_interval(s.astype(np.float64), photos, setting.resamples, setting.seed) for n, s in shares.items()}
    details = {"with_target": int(target.sum()), "without_target": int((~target).sum())}
    return Summary(numbers, {name: one for name, one in got.items() if one}, details)


def _mean(values: Any) -> float | None:
    return float(values.mean()) if values.size else None


SCORER = Scorer(
    "absent", ("absent", "rec"), METRICS, COLUMNS, score, summarize, "GREC (2023), mdetr/datasets/refexp.py"
)
