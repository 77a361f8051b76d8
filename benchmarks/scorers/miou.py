"""Semantic segmentation: the class of every pixel.

One confusion of pixels over the whole set (never a mean over photos). Pixels that nobody annotated (255 in label maps) do not
count, whatever is answered there, nor do crowds, which no answer has; a pixel that no answer covers is wrong. Where one class
was asked for (`cond_seg`) its mask is held against the rest of the photo.

* mIoU: mean over classes that were annotated or answered, as mmsegmentation (`IoUMetric`) and Cityscapes
  (`evalPixelLevelSemanticLabeling.py`) have it; classes in neither are named in the details
* mIoU[absent=0]: the same over the whole vocabulary, absent classes counting 0, as ADE20K's `demoEvaluation.m` has it
* aAcc: pixels of the right class / annotated pixels; mAcc: its mean over annotated classes
* fwIoU: IoU weighted by annotated pixels (Long et al., CVPR 2015, section 5)

Answers may overlap: see `_label_maps.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.confusion import Confusion, confusion_of
from benchmarks.intervals import interval, photo_index
from benchmarks.scorer import Answered, Interval, Metric, Row, Scorer, Setting, Summary, class_key, common
from benchmarks.scorers._instances import WORDS, flat, open_class_id, unknown_words, with_words
from benchmarks.scorers._label_columns import columnar
from benchmarks.scorers._label_maps import (
    NOTHING,
    LabelMap,
    Segment,
    called,
    found_segments,
    overlaps,
    paint,
    side_by_side,
    true_segments,
)  # fmt: skip
from vtinstruct.dialogue import Dialogue

REST = -2  # what is not the class that was asked for
COLUMNS: dict[str, Any] = {
    "true_class": pl.List(pl.Int64), "found_class": pl.List(pl.Int64), "pixels": pl.List(pl.Int64),
    "unknown": pl.List(pl.String), **WORDS,
}  # fmt: skip
METRICS = (
    Metric("mIoU", "mean IoU over classes that were annotated or answered"),
    Metric("mIoU[absent=0]", "mean IoU over the whole vocabulary, absent classes counting 0"),
    Metric("aAcc", "share of annotated pixels with the right class"),
    Metric("mAcc", "its mean over annotated classes"),
    Metric("fwIoU", "IoU weighted by annotated pixels"),
)
Counts = NDArray[np.float64]


def class_map(segments: Sequence[Segment], size_hw: tuple[int, int], classes: Sequence[int]) -> LabelMap:
    """The index in `classes` of every pixel's class."""
    place = {category: index for index, category in enumerate(classes)}
    return paint(segments, size_hw, [place[segment.category] for segment in segments])


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """Pixels by annotated and answered class, without those that do not count."""
    true, (found, unknown) = true_segments(truth, setting), found_segments(truth, answer, setting)
    width, height = truth.photo.size_wh if truth.photo else (0, 0)
    if truth.task == "cond_seg":
        asked = {setting.vocabulary.get(class_key(name), open_class_id(name)) for name in truth.evaluation.concepts}
        row = _asked(true, found, unknown, (height, width), setting, asked)
    else:
        row = _judge(true, found, unknown, (height, width), setting)
    return row | common(truth, answer, row["quality"])


def _judge(
    true: list[Segment], found: list[Segment], unknown: list[str], size_hw: tuple[int, int], setting: Setting
) -> Row:
    """Of a photo in which everything was asked for."""
    annotated = [segment for segment in true if not segment.crowd]
    classes = sorted({segment.category for segment in (*annotated, *found)})
    pixels, (first, second) = side_by_side(*(class_map(side, size_hw, classes) for side in (annotated, found)))
    counts = overlaps(pixels, first, second, len(classes), len(classes))[:-1]  # the last row was not annotated
    return _row(counts, [*classes, NOTHING]) | {"unknown": unknown, "words": called(annotated, found, setting)}


def _asked(
    true: list[Segment], found: list[Segment], unknown: list[str], size_hw: tuple[int, int], setting: Setting,
    asked: set[int],
) -> Row:  # fmt: skip
    """Of a photo in which some classes were asked for: of others nothing is known."""
    annotated, crowds = ([s for s in true if s.crowd is crowd] for crowd in (False, True))
    asked = asked | {segment.category for segment in annotated}
    found = [segment for segment in found if segment.category in asked]
    classes = sorted({segment.category for segment in (*annotated, *found)})
    counts = _one_class(annotated, found, crowds, size_hw, classes)
    return _row(counts, [*classes, REST, NOTHING]) | {"unknown": unknown, "words": called(annotated, found, setting)}


def _row(counts: NDArray[np.int64], names: Sequence[int]) -> Row:
    """The cells that have pixels, and the share that is right."""
    cells = [(names[t], names[f], int(counts[t, f])) for t, f in np.argwhere(counts).tolist()]
    right, total = sum(n for t, f, n in cells if t == f), sum(n for _, _, n in cells)
    return {
        "true_class": [t for t, _, _ in cells], "found_class": [f for _, f, _ in cells],
        "pixels": [n for _, _, n in cells], "quality": right / total if total else 1.0,
    }  # fmt: skip


def _one_class(
    true: Sequence[Segment],
    found: Sequence[Segment],
    crowds: Sequence[Segment],
    size_hw: tuple[int, int],
    classes: Sequence[int],
) -> NDArray[np.int64]:
    """The asked classes and the rest of the photo (last) by the same and nothing. Crowds are neither."""
    rest, n = len(classes), len(classes)
    sides = [class_map(side, size_hw, classes) for side in (true, found)]
    pixels, (whole, answered, ignored) = side_by_side(*sides, paint(crowds, size_hw, [0] * len(crowds)))
    whole = np.where(whole != NOTHING, whole, np.where(ignored == NOTHING, rest, NOTHING))
    counts = overlaps(pixels, whole, answered, n + 1, n + 1)[:-1]
    counts[rest, rest] += counts[rest, -1]  # rightly left alone
    counts[rest, -1] = 0
    return counts


def areas(rows: pl.DataFrame, classes: Sequence[int], photo: NDArray[np.int64], photos: int) -> tuple[Counts, ...]:
    """Per photo and class (P, C) each: pixels annotated and answered alike, annotated, answered, where they count."""
    place = {category: index for index, category in enumerate(classes)}
    inter, true, found = (np.zeros((photos, len(classes))) for _ in range(3))
    for row, p in zip(rows.iter_rows(named=True), photo.tolist(), strict=True):
        for t, f, pixels in zip(row["true_class"], row["found_class"], row["pixels"], strict=True):
            if t >= 0:
                true[p, place[t]] += pixels
            if f >= 0:
                found[p, place[f]] += pixels
            if t == f and t >= 0:
                inter[p, place[t]] += pixels
    return inter, true, found


def _share(above: Counts, below: Counts) -> Counts:
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """The five numbers, every class's own, and which classes are in neither truth nor answers."""
    setting = with_words(setting, rows)
    seen = {c for name in ("true_class", "found_class") for c in flat(rows[name], np.int64).tolist() if c >= 0}
    classes = [*setting.categories, *sorted(seen - set(setting.categories))]
    photo, photos = photo_index(rows["photo"].to_list())
    by_photo = areas(rows, classes, photo, photos)
    inter, true, found = (side.sum(axis=0) for side in by_photo)
    iou, accuracy = _share(inter, true + found - inter), _share(inter, true)
    total = float(true.sum())
    numbers: dict[str, float | None] = dict.fromkeys(metric.name for metric in METRICS)
    if seen:
        numbers["mIoU"] = float(np.nanmean(iou))
        numbers["mIoU[absent=0]"] = float(np.nansum(iou) / len(classes))
    if total:
        numbers["aAcc"], numbers["mAcc"] = float(inter.sum()) / total, float(np.nanmean(accuracy))
        there = true > 0
        numbers["fwIoU"] = float((iou[there] * (true / total)[there]).sum())
    details = {
        "by_class": [
            {"class": setting.class_name(c), "id": c, "IoU": float(i), "Acc": None if np.isnan(a) else float(a)}
            for c, i, a in zip(classes, iou.tolist(), accuracy.tolist(), strict=True) if not np.isnan(i)
        ],
        "absent_classes": [setting.class_name(c) for c, i in zip(classes, iou.tolist(), strict=True) if np.isnan(i)],
        "unknown_classes": unknown_words(rows),
        "confusion": confusion(rows, setting).to_json(),
    }  # fmt: skip
    return Summary(numbers, _interval(by_photo, photos, setting), details)


def confusion(rows: pl.DataFrame, setting: Setting) -> Confusion:
    """Annotated pixels by answered class; where one class was asked for, also what lies over the rest of the photo."""
    flat_ = (
        rows.select("true_class", "found_class", "pixels").explode("true_class", "found_class", "pixels").drop_nulls()
    )
    sums = flat_.group_by("true_class", "found_class").agg(pl.col("pixels").sum())
    counts = Counter[tuple[int | None, int | None]]()
    for t, f, pixels in sums.iter_rows():
        if t >= 0 or f >= 0:
            counts[t if t >= 0 else None, f if f >= 0 else None] += pixels
    return confusion_of(counts, setting.class_name, "pixels")


def _interval(by_photo: tuple[Counts, ...], photos: int, setting: Setting) -> dict[str, Interval]:
    inter, true, found = by_photo

    def statistic(weights: Counts) -> Counts:
        above = weights @ inter
        iou = _share(above, weights @ (true + found) - above)
        present = (~np.isnan(iou)).sum(axis=1)
        return np.divide(np.nansum(iou, axis=1), present, out=np.full(len(weights), np.nan), where=present > 0)

    got = interval(statistic, photos, setting.resamples, setting.seed, bounds=(0.0, 1.0))
    return {"mIoU": got} if got else {}


SCORER = Scorer(
    "miou", ("panoptic", "seg", "cond_seg"), METRICS, COLUMNS, score, summarize,
    "mmsegmentation IoUMetric; Cityscapes evalPixelLevelSemanticLabeling.py; Long et al. (CVPR 2015)",
    columnar(_judge, COLUMNS),
)  # fmt: skip
