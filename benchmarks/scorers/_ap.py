"""From rows of instances to AP: the shared `summarize` of boxes, masks and poses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.engine import (
    AveragePrecision,
    Instances,
    IouType,
    average_precision,
)
from benchmarks.intervals import interval, photo_index
from benchmarks.matching import Similar, rank, weighted_ap
from benchmarks.scorer import Interval, Metric, Setting, Summary
from benchmarks.scorers._instances import in_photo_order, scores_of, sizes_of

Floats = NDArray[np.float64]
Columns = Callable[[pl.DataFrame], tuple[Instances, Instances]]
ORDERS = 20  # random tie orders behind AP_expected
WORK = 2_000_000_000  # found instances x thresholds x resamples; more would take minutes

TIES = (
    Metric("AP_worst", "AP if ties were broken against the model; null where the model gives confidences"),
    Metric("AP_expected", f"mean AP over {ORDERS} random tie orders; null where the model gives confidences"),
    Metric("AP_best", "AP if ties were broken for the model; null where the model gives confidences"),
    Metric("F1@.5", "harmonic mean of precision and recall of the set of answers at similarity .5, no confidence used"),
    Metric("F1@.75", "the same at .75"),
)
AREA = {"s": "areas below 32^2", "m": "areas from 32^2 to 96^2", "l": "areas from 96^2"}


def ap_metrics(names: tuple[str, ...], what: str) -> tuple[Metric, ...]:
    """The official numbers by name, and those that need no confidences."""
    found: list[Metric] = []
    for name in names:
        base = "average recall" if name.startswith("AR") else "average precision"
        where = AREA.get(name[-1], "IoU .50:.95" if name in ("AP", "AR") else "")
        at = f"IoU .{name[2:]}" if name[2:] in ("50", "75") else ""
        most = f"at most {name[2:]} a photo" if name[2:] in ("1", "10", "100") else ""
        found.append(Metric(name, f"{what} {base}, {where or at or most}"))
    return (*found, *TIES)


@dataclass(frozen=True, slots=True)
class Rules:
    """Whose AP it is: `average` gives the official numbers of columns over classes, `limit` is how many found instances of
    a class in a photo count, `lenient(rows)` where unmatched ones do not (None: nowhere)."""

    average: Callable[[pl.DataFrame, Setting, Sequence[int], Instances, Instances], AveragePrecision]
    limit: int = 100
    lenient: Callable[[pl.DataFrame], Callable[[int, int], bool]] | None = None


def coco_rules(iou_type: IouType) -> Rules:
    """COCO's."""

    def average(
        rows: pl.DataFrame, setting: Setting, classes: Sequence[int], truth: Instances, found: Instances
    ) -> AveragePrecision:
        return average_precision(iou_type, sizes_of(rows), classes, truth, found, setting.engine)

    return Rules(average, 20 if iou_type == "keypoints" else 100)


def summarize_ap(
    rows: pl.DataFrame, setting: Setting, rules: Rules, metrics: tuple[Metric, ...], sides: Columns,
    similar: Callable[[Instances, Instances], Similar],
) -> Summary:  # fmt: skip
    """All numbers of an AP scorer. `sides` turns rows into columns, `similar` gives similarities within a photo."""
    rows = in_photo_order(rows)
    truth, found = sides(rows)
    classes = sorted({*setting.vocabulary.values(), *truth.category.tolist(), *found.category.tolist()})
    scored = scores_of(rows)[1]

    def run(columns: Instances) -> AveragePrecision:
        return rules.average(rows, setting, classes, truth, columns)

    result = run(found)
    numbers: dict[str, float | None] = {metric.name: None for metric in metrics} | result.numbers
    if not scored and len(found) and len(truth):
        numbers |= _tie_orders(run, found, _nearness(truth, found, similar(truth, found)), setting.seed)
    numbers |= _f1(rows)
    return Summary(
        numbers, _ap_interval(rows, truth, found, rules, similar(truth, found), setting),
        {
            "scored": scored, "classes": _per_class(result, setting), "curves": _curves(result),
            "unknown_classes": _unknown(rows), "phrase_to_class": "exact (case and white space ignored)",
        },
    )  # fmt: skip


def _nearness(truth: Instances, found: Instances, similar: Similar) -> Floats:
    """Each found instance's best similarity to a truth of its class and photo: the order that ties could hide."""
    near = np.zeros(len(found))
    counted = np.flatnonzero(~truth.crowd)
    by_photo: dict[int, list[int]] = {}
    for t in counted.tolist():
        by_photo.setdefault(int(truth.image[t]), []).append(t)
    for image in np.unique(found.image).tolist():
        f, t = np.flatnonzero(found.image == image), np.array(by_photo.get(image, []), dtype=np.int64)
        if t.size:
            same = found.category[f][:, None] == truth.category[t][None, :]
            near[f] = np.where(same, similar(f, t), 0.0).max(axis=1)
    return near


def _tie_orders(
    run: Callable[[Instances], AveragePrecision], found: Instances, near: Floats, seed: int
) -> dict[str, float | None]:
    rng = np.random.default_rng(seed)
    values = [run(replace(found, score=rng.random(len(found)))).numbers["AP"] for _ in range(ORDERS)]
    known = [value for value in values if value is not None]
    return {
        "AP_worst": run(replace(found, score=-near)).numbers["AP"],
        "AP_expected": float(np.mean(known)) if known else None,
        "AP_best": run(replace(found, score=near)).numbers["AP"],
    }


def _f1(rows: pl.DataFrame) -> dict[str, float | None]:
    total = int(rows["true_count"].sum()) + int(rows["found_count"].sum())
    if not total:
        return {"F1@.5": None, "F1@.75": None}
    return {"F1@.5": 2 * int(rows["hits50"].sum()) / total, "F1@.75": 2 * int(rows["hits75"].sum()) / total}


def _ap_interval(
    rows: pl.DataFrame, truth: Instances, found: Instances, rules: Rules, similar: Similar, setting: Setting
) -> Mapping[str, Interval]:
    if not setting.resamples or not len(truth) or not len(found):
        return {}
    ignore = truth.crowd.copy()
    areas = found.boxes_xywh[:, 2] * found.boxes_xywh[:, 3]
    if truth.keypoints is not None:
        ignore |= ~(truth.keypoints[:, 2::3] > 0).any(axis=1)
    lenient = rules.lenient(rows) if rules.lenient else None
    ranked = rank(truth, found, ignore, areas, rows.height, rules.limit, similar, lenient)
    photo, photos = photo_index(rows["photo"].to_list())
    resamples = int(np.clip(WORK / (10 * max(len(found), 1)), min(200, setting.resamples), setting.resamples))
    statistic = weighted_ap(ranked, photo, photos)
    # basic, not BCa: a leave-one-out pass costs as much as all resamples together
    got = interval(statistic, photos, resamples, setting.seed, accelerate=False, bounds=(0.0, 1.0))
    return {"AP": got} if got else {}


def _per_class(result: AveragePrecision, setting: Setting) -> list[dict[str, Any]]:
    """AP of every class with ground truth, by name: mean over thresholds and recall levels, all areas, most answers."""
    found: list[dict[str, Any]] = []
    for index, category in enumerate(result.categories):
        values = result.precision[:, :, index, 0, -1]
        if values.size and float(values.max()) > -1:
            ap, ap50 = float(values[values > -1].mean()), float(values[0].mean())
            found.append({"class": setting.class_name(category), "id": category, "AP": ap, "AP50": ap50})
    return sorted(found, key=lambda entry: (cast(str, entry["class"]), entry["id"]))


def _curves(result: AveragePrecision) -> dict[str, list[float]]:
    """Precision at 101 recall levels, mean over classes, at IoU .50, .75 and over .50:.95."""
    precision = result.precision[:, :, :, 0, -1]
    present = (precision > -1).all(axis=(0, 1))
    if not present.any():
        return {}
    mean = precision[:, :, present].mean(axis=2)
    return {"0.50": mean[0].tolist(), "0.75": mean[5].tolist(), "0.50:0.95": mean.mean(axis=0).tolist()}


def _unknown(rows: pl.DataFrame) -> dict[str, Any]:
    """Instances whose phrase is no class of the source: they match nothing, and are counted here by phrase."""
    counts = Counter(name for names in rows["unknown"].to_list() for name in names)
    return {
        "instances": sum(counts.values()),
        "phrases": dict(sorted(counts.items(), key=lambda c: (-c[1], c[0]))[:20]),
    }
