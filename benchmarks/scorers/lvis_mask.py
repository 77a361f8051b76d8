"""LVIS average precision of masks: as `ap_mask`, by the rules of a federated annotation.

Source: lvis-dataset/lvis-api, `lvis/eval.py`, iou_type "segm"; the rules are in `benchmarks/engine_lvis.py`, whose numbers equal
lvis-api's to the last bit.
"""

from __future__ import annotations

import polars as pl

from benchmarks.scorer import Answered, Row, Scorer, Setting, Summary
from benchmarks.scorers._ap import summarize_ap
from benchmarks.scorers._instances import LATE
from benchmarks.scorers._lvis import FEDERATED, SOURCE, federated, federation, lvis_metrics, lvis_rules, with_lvis_hits
from benchmarks.scorers.ap_mask import COLUMNAR, MASK_COLUMNS, mask_similar, sides
from benchmarks.scorers.ap_mask import score as mask_row
from vtinstruct.dialogue import Dialogue


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """One sample's annotated and answered instances, and the classes it is judged for."""
    return mask_row(truth, answer, setting) | federation(truth, setting)


def finish(rows: pl.DataFrame) -> pl.DataFrame:
    """Hits and counts of every row."""
    return with_lvis_hits(rows, sides, mask_similar)


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """The 13 LVIS numbers, and what holds without confidences."""
    return summarize_ap(rows, setting, lvis_rules("segm"), METRICS, sides, mask_similar)


METRICS = lvis_metrics("mask")
SCORER = Scorer(
    "lvis_mask", ("seg", "cond_seg"), METRICS, MASK_COLUMNS | FEDERATED, score, summarize, SOURCE,
    federated(COLUMNAR), finish, LATE,
)  # fmt: skip
