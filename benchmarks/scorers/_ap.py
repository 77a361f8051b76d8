"""From rows of instances to AP: the shared `summarize` of boxes, masks and poses."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (scipy ships no types)

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.columns import Instances
from benchmarks.crew import ALONE
from benchmarks.engine import BOX_NUMBERS, KEYPOINT_NUMBERS, AveragePrecision, IouType, average_precision
from benchmarks.intervals import FEW, Support, intervals, photo_index
from benchmarks.matching import Similar, pairs
from benchmarks.rows import in_photo_order
from benchmarks.scorer import Interval, Metric, Setting, Summary
from benchmarks.scorers._frames import frames
from benchmarks.scorers._instances import ignored, ordered_scores, sizes_of, unknown_words, with_words
from benchmarks.scorers._mistakes import confusion, reliability
from benchmarks.ties import tie_range, tied
from benchmarks.weighted import Conditions, Weighable, numbers, weighable

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Columns = Callable[[pl.DataFrame], tuple[Instances, Instances]]
LIGHT = 10_000_000  # steps along rankings x resamples; up to here, double precision costs nothing
LONG = 150_000_000  # the same, some two seconds: from here on another process is worth its start

TIES = (
    Metric(
        "AP_worst", "no order of answers of equal confidence gives a smaller AP; null where their order moves nothing"
    ),
    Metric(
        "AP_expected", "mean AP over random orders of answers of equal confidence; null as AP_worst, and of large sets"
    ),
    Metric(
        "AP_best", "no order of answers of equal confidence gives a larger AP; null where their order moves nothing"
    ),
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
    """Whose AP it is.

    `average` gives the official numbers of columns over classes; `names` those that the bootstrap gives too. `limits` are how
    many found instances of a class in a photo count, `most` how many of a photo, all classes together (0: any).
    `lenient(rows, truth, found)` marks found instances that do not count unless they hit (None: none); `groups` names sets of
    classes that have numbers of their own.
    """

    average: Callable[[pl.DataFrame, Setting, Sequence[int], Instances, Instances], AveragePrecision]
    names: tuple[str, ...]
    limits: tuple[int, ...] = (1, 10, 100)
    most: int = 0
    lenient: Callable[[pl.DataFrame, Instances, Instances], NDArray[np.bool_]] | None = None
    groups: Callable[[Setting], Mapping[str, set[int]]] | None = None


def coco_rules(iou_type: IouType, sigmas: Sequence[float] | None = None) -> Rules:
    """COCO's; `sigmas`: of the joints of poses, where they are not COCO's."""

    def average(
        rows: pl.DataFrame, setting: Setting, classes: Sequence[int], truth: Instances, found: Instances
    ) -> AveragePrecision:
        return average_precision(iou_type, sizes_of(rows), classes, truth, found, setting.engine, sigmas)

    if iou_type == "keypoints":
        return Rules(average, KEYPOINT_NUMBERS, (20,))
    return Rules(average, BOX_NUMBERS)


def summarize_ap(
    rows: pl.DataFrame, setting: Setting, rules: Rules, metrics: tuple[Metric, ...], sides: Columns,
    similarity: Callable[[Instances, Instances], Similar],
) -> Summary:  # fmt: skip
    """All numbers of an AP scorer. `sides` turns rows into columns, `similarity` compares within a photo."""
    rows, setting = in_photo_order(rows), with_words(setting, rows)
    truth, found = sides(rows)
    score, scored = ordered_scores(found.score)
    found = replace(found, score=score)
    classes = sorted(
        {*setting.vocabulary.values(), *np.unique(truth.category).tolist(), *np.unique(found.category).tolist()}
    )

    def run(columns: Instances) -> AveragePrecision:
        return rules.average(rows, setting, classes, truth, columns)

    result = run(found)
    said: dict[str, float | None] = {metric.name: None for metric in metrics} | result.numbers | _f1(rows)
    got: Mapping[str, Interval] = {}
    orders: dict[str, Any] = {}
    mistakes: dict[str, Any] = {}
    few: dict[str, int] = {}
    if len(truth) and (setting.resamples or not scored):
        near = pairs(truth, found, similarity(truth, found))
        conditions = conditions_of(rows, truth, found, rules, setting)
        mistakes = {
            "reliability": reliability(truth, found, near, conditions.lenient) if scored else None,
            "confusion": confusion(truth, found, similarity, conditions.lenient, scored, setting.class_name).to_json(),
        }
        equal = tied(found)
        if equal:
            ties, orders = tie_range(truth, found, near, conditions, rows.height, setting.seed, scored)
            said |= ties
            orders |= {"answers": equal}
        if setting.resamples:
            photo, photos = photo_index(rows["photo"].to_list())
            ready = weighable(truth, found, near, conditions, photo, photos)
            heavy = ready.size * setting.resamples > LIGHT
            rests = supports(ready)
            weighted = partial(numbers, ready)  # can be sent to other processes
            got = intervals(
                weighted, rests, photos, setting.resamples, setting.seed, heavy=heavy,
                crew=setting.crew if ready.size * setting.resamples > LONG else ALONE,
            )  # fmt: skip
            few = {name: one.photos for name, one in rests.items() if 0 < one.photos < FEW}
    return Summary(
        said, got,
        {
            "scored": scored, "tie_orders": orders, "classes": _per_class(result, setting), "curves": _curves(result),
            "unknown_classes": unknown_words(rows), "phrase_to_class": setting.phrases.name, "few_photos": few, **mistakes,
            **({"frames": frames(rows, found)} if "found_box" in rows and found.rles is None and found.keypoints is None else {}),
        },
    )  # fmt: skip


def supports(ready: Weighable) -> dict[str, Support]:
    """What each number rests on."""
    found: dict[str, Support] = {}
    for name in ready.names:
        part = name.partition("@")[0][2:]
        first = ready.classes * (ready.ranges.index(part) if part in ready.ranges else 0)
        own = ready.truths[first : first + ready.classes].tocoo()
        kept = ready.groups[part][own.row] if part in ready.groups else np.ones(own.nnz, dtype=np.bool_)
        classes, photos = np.unique(own.row[kept]).size, np.unique(own.col[kept]).size
        found[name] = Support(int(photos), int(classes), int(kept.sum()))
    return found


def _f1(rows: pl.DataFrame) -> dict[str, float | None]:
    total = int(rows["true_count"].sum()) + int(rows["found_count"].sum())
    if not total:
        return {"F1@.5": None, "F1@.75": None}
    return {"F1@.5": 2 * int(rows["hits50"].sum()) / total, "F1@.75": 2 * int(rows["hits75"].sum()) / total}


def conditions_of(rows: pl.DataFrame, truth: Instances, found: Instances, rules: Rules, setting: Setting) -> Conditions:
    """The rules of a benchmark, for these very instances."""
    areas = found.area if found.rles is not None else found.boxes_xywh[:, 2] * found.boxes_xywh[:, 3]
    lenient = rules.lenient(rows, truth, found) if rules.lenient else np.zeros(len(found), dtype=np.bool_)
    counts = np.ones(len(found), dtype=np.bool_) if not rules.most else _foremost(found, rules.most)
    groups: Mapping[str, set[int]] = rules.groups(setting) if rules.groups else {}
    return Conditions(rules.names, rules.limits, areas, ignored(truth), lenient, counts, groups)


def _foremost(found: Instances, most: int) -> NDArray[np.bool_]:
    """The first so many of every photo by falling score."""
    order = np.lexsort((-found.score, found.image))
    image = found.image[order]
    first = np.searchsorted(image, image, "left")
    counts = np.zeros(len(found), dtype=np.bool_)
    counts[order] = np.arange(len(found)) - first < most
    return counts


def _per_class(result: AveragePrecision, setting: Setting) -> list[dict[str, Any]]:
    """`by_class`, by name."""
    found = [
        {"class": setting.class_name(category), "id": category, "AP": ap, "AP50": ap50}
        for category, (ap, ap50) in result.by_class().items()
    ]
    return sorted(found, key=lambda entry: (cast(str, entry["class"]), entry["id"]))


def _curves(result: AveragePrecision) -> dict[str, list[float]]:
    """Precision at 101 recall levels, mean over classes, at IoU .50, .75 and over .50:.95."""
    precision = result.precision[:, :, :, 0, -1]
    present = (precision > -1).all(axis=(0, 1))
    if not present.any():
        return {}
    mean = precision[:, :, present].mean(axis=2)
    return {"0.50": mean[0].tolist(), "0.75": mean[5].tolist(), "0.50:0.95": mean.mean(axis=0).tolist()}
