"""LVIS's rules for rows of instances: which classes a photo is judged for. Used by its two scorers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import polars as pl

from benchmarks.engine import AveragePrecision, Instances
from benchmarks.engine_lvis import NUMBERS, Federation, lvis_average_precision
from benchmarks.scorer import Metric, Row, Setting, class_key
from benchmarks.scorers._ap import TIES, Rules
from benchmarks.scorers._instances import Lenient, open_class_id, sizes_of
from vtinstruct.dialogue import Dialogue

FEDERATED: dict[str, Any] = {"negatives": pl.List(pl.Int64), "not_exhaustive": pl.List(pl.Int64)}
PARTS = {
    "50": "at IoU .50", "75": "at IoU .75", "s": "areas below 32^2", "m": "areas from 32^2 to 96^2", "l": "areas from 96^2",
    "r": "rare classes (in fewer than 10 training photos)", "c": "common classes (10 to 99 training photos)",
    "f": "frequent classes (100 training photos and more)", "": "IoU .50:.95",
}  # fmt: skip
SOURCE = "lvis-api lvis/eval.py and lvis/results.py"


def lvis_metrics(what: str) -> tuple[Metric, ...]:
    """The 13 official numbers by name, and those that need no confidences."""
    found: list[Metric] = []
    for name in NUMBERS:
        base = "average recall, at most 300 answers a photo" if name.startswith("AR") else "average precision"
        found.append(Metric(name, f"{what} {base}, {PARTS[name.removesuffix('@300')[2:]]}"))
    return (*found, *TIES)


def federation(truth: Dialogue, setting: Setting) -> Row:
    """The photo's two lists as class ids."""

    def ids(names: Sequence[str]) -> list[int]:
        return [setting.vocabulary.get(class_key(name), open_class_id(name)) for name in names]

    return {"negatives": ids(truth.evaluation.negatives), "not_exhaustive": ids(truth.evaluation.not_exhaustive)}


def lenient_by(lists: Mapping[str, Sequence[int]]) -> Lenient:
    """A class is judged leniently where nothing is known of it in the photo, or more of it may be there."""

    def of(true_classes: list[int]) -> Callable[[int], bool]:
        strict = ({*true_classes} | {*lists["negatives"]}) - {*lists["not_exhaustive"]}
        return lambda category: category not in strict

    return of


def lvis_rules(iou_type: Literal["bbox", "segm"]) -> Rules:
    """LVIS's, for `summarize_ap`. No limit a class: the 300 a photo are the engine's."""

    def average(
        rows: pl.DataFrame, setting: Setting, classes: Sequence[int], truth: Instances, found: Instances
    ) -> AveragePrecision:
        frequency = {id_: setting.categories[id_].frequency if id_ in setting.categories else "" for id_ in classes}
        known = Federation(_known(rows, "negatives", classes), _known(rows, "not_exhaustive", classes), frequency)
        return lvis_average_precision(iou_type, sizes_of(rows), known, truth, found, setting.engine)

    return Rules(average, np.iinfo(np.int64).max, _lenient)


def _known(rows: pl.DataFrame, column: str, classes: Sequence[int]) -> list[list[int]]:
    wanted = set(classes)  # a list may name classes that nobody annotated or answered
    return [[id_ for id_ in ids if id_ in wanted] for ids in rows[column].to_list()]


def _lenient(rows: pl.DataFrame) -> Callable[[int, int], bool]:
    of = [
        lenient_by({"negatives": absent, "not_exhaustive": more})(true)
        for true, absent, more in zip(
            rows["true_class"].to_list(), rows["negatives"].to_list(), rows["not_exhaustive"].to_list(), strict=True
        )
    ]
    return lambda row, category: of[row](category)
