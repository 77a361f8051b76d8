"""Panoptic quality: things and stuff together, every pixel in one segment.

Source: Kirillov et al., "Panoptic Segmentation" (CVPR 2019), section 4; cocodataset/panopticapi, `evaluation.py`, to the
last bit of its single-process sum (with several processes the original adds in another order, and so to other bits).

* a match needs the same class and IoU > .5, strictly, so every segment has at most one
* pixels that nobody annotated (void) are taken out of the union; an unmatched answer more than half in void, or in the crowd
  segment of its class, does not count; crowds are never missed
* the annotated area is the annotation's own number
* PQ = sum of IoU / (TP + FP / 2 + FN / 2) by class, then the mean over classes that were annotated or answered

Answers may overlap, which the official format cannot: see `_label_maps.py`. A mask without a pixel left is no answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.confusion import Confusion, confusion_of
from benchmarks.intervals import interval, photo_index
from benchmarks.originals import panoptic_api
from benchmarks.rows import in_photo_order
from benchmarks.scorer import Answered, Interval, Metric, Row, Scorer, Setting, Summary, common
from benchmarks.scorers._instances import WORDS, unknown_words, with_words
from benchmarks.scorers._label_columns import columnar
from benchmarks.scorers._label_maps import (
    Region,
    Segment,
    called,
    found_segments,
    overlaps,
    paint,
    side_by_side,
    true_segments,
)
from benchmarks.sums import in_order
from vtinstruct.dialogue import Dialogue

COLUMNS: dict[str, Any] = {
    "tp_class": pl.List(pl.Int64), "tp_iou": pl.List(pl.Float64), "fp_class": pl.List(pl.Int64),
    "fn_class": pl.List(pl.Int64), "taken_class": pl.List(pl.Int64), "for_class": pl.List(pl.Int64), "hidden": pl.Int64,
    "unknown": pl.List(pl.String), **WORDS,
}  # fmt: skip
COUNTED = ("tp_class", "tp_iou", "fp_class", "fn_class")
GROUPS = {"": "all classes", "_th": "things", "_st": "stuff"}
METRICS = tuple(
    Metric(f"{name}{group}", f"{meaning}, {words}")
    for group, words in GROUPS.items()
    for name, meaning in (
        ("PQ", "panoptic quality"), ("SQ", "segmentation quality (mean IoU of matches)"), ("RQ", "recognition quality (F1)")
    )
)  # fmt: skip


def matches(overlap: NDArray[np.int64], true: Sequence[Region], found: Sequence[Region]) -> Row:
    """What one photo adds. `overlap` (T + 1, F + 1) pixels by true and found region, the last row and column void; rows
    between the true regions and the last are pixels of neither.

    `taken_class`, `for_class`: annotated regions that are missed, and the class of the false positive that lies over each (IoU
    above .5); no number of PQ stands on it.
    """
    areas = overlap.sum(axis=0)  # of found regions, as painted
    near = _over_half(overlap, true, areas)
    hits = [(t, f, iou) for t, f, iou in near if true[t].category == found[f].category]
    true_hit, found_hit = {t for t, _, _ in hits}, {f for _, f, _ in hits}
    excused = _excused(overlap, true, found) / np.maximum(areas[:-1], 1) > 0.5
    wrong = [f for f in np.flatnonzero((areas[:-1] > 0) & ~excused).tolist() if f not in found_hit]
    other = {t: f for t, f, _ in near if t not in true_hit and f in wrong}
    return {
        "tp_class": [true[t].category for t, _, _ in hits], "tp_iou": [iou for _, _, iou in hits],
        "fp_class": [found[f].category for f in wrong],
        "fn_class": [s.category for t, s in enumerate(true) if t not in true_hit and not s.crowd],
        "taken_class": [true[t].category for t in other], "for_class": [found[f].category for f in other.values()],
        "hidden": int((areas[:-1] == 0).sum()),
    }  # fmt: skip


def _excused(overlap: NDArray[np.int64], true: Sequence[Region], found: Sequence[Region]) -> NDArray[np.int64]:
    """(F,) pixels of found regions where nothing is judged: in void, and in the last crowd of their class."""
    crowd = {region.category: t for t, region in enumerate(true) if region.crowd}
    pixels = overlap[-1, :-1].copy()
    for f, region in enumerate(found):
        if region.category in crowd:
            pixels[f] += overlap[crowd[region.category], f]
    return pixels


def _over_half(
    overlap: NDArray[np.int64], true: Sequence[Region], areas: NDArray[np.int64]
) -> list[tuple[int, int, float]]:
    """Annotated (no crowds) and found regions with IoU above .5, void out of the union, in the annotation's order."""
    inside, own = overlap[: len(true), :-1].copy(), overlap.sum(axis=1).astype(np.float64)
    for index, region in enumerate(true):
        if region.crowd:
            inside[index] = 0
        elif region.area is not None:
            own[index] = region.area
    t, f = np.nonzero(inside)
    with np.errstate(divide="ignore"):
        iou = inside[t, f] / (areas[f] + own[t] - inside[t, f] - overlap[-1, f])
    half = iou > 0.5
    return list(zip(t[half].tolist(), f[half].tolist(), iou[half].tolist(), strict=True))


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """One photo's matches, false positives and misses by class."""
    width, height = truth.photo.size_wh if truth.photo else (0, 0)
    true, (found, unknown) = true_segments(truth, setting), found_segments(truth, answer, setting)
    row = _judge(true, found, unknown, (height, width), setting)
    return row | common(truth, answer, row["quality"])


def _judge(
    true: list[Segment], found: list[Segment], unknown: list[str], size_hw: tuple[int, int], setting: Setting
) -> Row:
    pixels, (first, second) = side_by_side(*(paint(side, size_hw, range(len(side))) for side in (true, found)))
    row = matches(overlaps(pixels, first, second, len(true), len(found)), true, found)
    total = 2 * len(row["tp_class"]) + len(row["fp_class"]) + len(row["fn_class"]) + len(unknown)
    quality = 2 * sum(row["tp_iou"]) / total if total else 1.0
    return row | {"quality": quality, "unknown": unknown, "words": called(true, found, setting)}


def sums(counted: Mapping[str, Sequence[Sequence[Any]]]) -> dict[int, tuple[float, int, int, int]]:
    """Class -> (sum of IoU, TP, FP, FN), added photo by photo in order. `counted`: a list a photo of each of `COUNTED`."""
    iou: dict[int, float] = {}
    for classes, values in zip(counted["tp_class"], counted["tp_iou"], strict=True):
        for category, value in zip(classes, values, strict=True):
            iou[category] = iou.get(category, 0.0) + value
    hit, wrong, missed = (
        Counter[int](chain.from_iterable(counted[name])) for name in ("tp_class", "fp_class", "fn_class")
    )
    return {c: (iou.get(c, 0.0), hit[c], wrong[c], missed[c]) for c in sorted({*hit, *wrong, *missed})}


def quality_of(iou: float, tp: int, fp: int, fn: int) -> tuple[float, float, float]:
    """PQ, SQ and RQ of one class that was annotated or answered."""
    whole = tp + 0.5 * fp + 0.5 * fn
    return iou / whole, iou / tp if tp else 0.0, tp / whole


def average(by_class: Mapping[int, tuple[float, int, int, int]], order: Iterable[int]) -> list[float | None]:
    """PQ, SQ and RQ: means over the classes in `order` that were annotated or answered, added in that order."""
    values = [quality_of(*by_class[category]) for category in order if category in by_class]
    if not values:
        return [None, None, None]
    return [in_order(value[k] for value in values) / len(values) for k in range(3)]


def _official(by_class: Mapping[int, tuple[float, int, int, int]], order: list[int]) -> list[float | None]:
    stat = panoptic_api().PQStat()
    for category, (iou, tp, fp, fn) in by_class.items():
        one = stat[category]
        one.iou, one.tp, one.fp, one.fn = iou, tp, fp, fn
    if not any(category in by_class for category in order):  # the original divides by zero
        return [None, None, None]
    got = stat.pq_average({category: {} for category in order}, None)[0]
    return [float(got[name]) for name in ("pq", "sq", "rq")]


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """PQ, SQ and RQ of all classes, of things and of stuff; classes in the vocabulary's order."""
    rows, setting = in_photo_order(rows), with_words(setting, rows)
    by_class = sums(rows.select(COUNTED).to_dict(as_series=False))
    order = [*setting.categories, *(category for category in by_class if category not in setting.categories)]
    things = {category: setting.categories[category].thing for category in order if category in setting.categories}
    wanted = {
        "": order,
        "_th": [c for c in order if things.get(c)],
        "_st": [c for c in order if things.get(c) is False],
    }
    averages = _official if setting.engine == "official" else average
    numbers: dict[str, float | None] = {}
    for group, classes in wanted.items():
        for name, value in zip(("PQ", "SQ", "RQ"), averages(by_class, classes), strict=True):
            numbers[f"{name}{group}"] = value
    details = {
        "by_class": [_entry(category, by_class[category], setting) for category in order if category in by_class],
        "unknown_classes": unknown_words(rows),
        "hidden_masks": int(rows["hidden"].sum()), "confusion": confusion(rows, setting).to_json(),
    }  # fmt: skip
    return Summary(numbers, _interval(rows, list(by_class), setting), details)


def confusion(rows: pl.DataFrame, setting: Setting) -> Confusion:
    """Annotated segments by answered ones: matches, those of another class over them, misses, and answers over nothing."""
    counts = Counter[tuple[int | None, int | None]]()
    for row in rows.iter_rows(named=True):
        taken = list(zip(row["taken_class"], row["for_class"], strict=True))
        counts.update((c, c) for c in row["tp_class"])
        counts.update(taken)
        missed = Counter[int](row["fn_class"]) - Counter[int](row["taken_class"])
        invented = Counter[int](row["fp_class"]) - Counter[int](row["for_class"])
        counts.update((c, None) for c in missed.elements())
        counts.update((None, c) for c in invented.elements())
    return confusion_of(counts, setting.class_name, "segments")


def _entry(category: int, values: tuple[float, int, int, int], setting: Setting) -> dict[str, Any]:
    pq, sq, rq = quality_of(*values)
    return {"class": setting.class_name(category), "id": category, "PQ": pq, "SQ": sq, "RQ": rq}


def _interval(rows: pl.DataFrame, classes: Sequence[int], setting: Setting) -> dict[str, Interval]:
    """PQ as a function of photo weights: three sums a class and photo."""
    photo, photos = photo_index(rows["photo"].to_list())
    place = {category: index for index, category in enumerate(classes)}
    iou, whole = np.zeros((photos, len(classes))), np.zeros((photos, len(classes)))
    for row, p in zip(rows.iter_rows(named=True), photo.tolist(), strict=True):
        for category, value in zip(row["tp_class"], row["tp_iou"], strict=True):
            iou[p, place[category]] += value
            whole[p, place[category]] += 1.0
        for category in (*row["fp_class"], *row["fn_class"]):
            whole[p, place[category]] += 0.5

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        below = weights @ whole
        values = np.divide(weights @ iou, below, out=np.zeros_like(below), where=below > 0)
        present = (below > 0).sum(axis=1)
        return np.divide(values.sum(axis=1), present, out=np.full(len(weights), np.nan), where=present > 0)

    got = interval(statistic, photos, setting.resamples, setting.seed, bounds=(0.0, 1.0))
    return {"PQ": got} if got else {}


SCORER = Scorer(
    "pq", ("panoptic",), METRICS, COLUMNS, score, summarize, "panopticapi evaluation.py (CVPR 2019)",
    columnar(_judge, COLUMNS),
)  # fmt: skip
