"""COCO's greedy matching and its AP as a function of photo weights: what the bootstrap of AP needs.

The engine gives the official numbers; this module gives one of them, AP over all areas, again and again with every photo
counted 0, 1, 2, ... times. With all weights 1 it equals the engine's (`tests/benchmarks/test_intervals.py`).
Source of the rules: cocoapi `cocoeval.py`, `evaluateImg` and `accumulate`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.engine import Instances
from benchmarks.intervals import Statistic

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Similar = Callable[[Ints, Ints], Floats]  # indices of found, of true, all of one photo -> (F, T)

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
LARGEST = 1e5**2  # the "all" area range ends there


@dataclass(frozen=True, slots=True)
class Ranked:
    """One class: its found instances by falling score, what each is at every IoU threshold, and the truths a photo has.

    row (D,) 0-based photo of each; hit, ignored (10, D); truths (rows,) how many count in each photo.
    """

    row: Ints
    hit: Bools
    ignored: Bools
    truths: Floats


def match(similar: Floats, ignore: Bools, crowd: Bools) -> tuple[Bools, Bools]:
    """One photo and class: (F, G) similarity, found by falling score -> hit and ignored, (10, F) each.

    A found instance takes the free truth it fits best, at or above the threshold, counted ones before ignored ones, the
    later of equals; crowds can be taken any number of times.
    """
    order = np.argsort(ignore, kind="stable")
    similar, ignore, crowd = similar[:, order], ignore[order], crowd[order]
    hit = np.zeros((10, similar.shape[0]), dtype=np.bool_)
    ignored = np.zeros_like(hit)
    near = [np.flatnonzero(row >= IOU_THRESHOLDS[0]).tolist() for row in similar]
    for t, threshold in enumerate(np.minimum(IOU_THRESHOLDS, 1 - 1e-10).tolist()):
        taken = set[int]()
        for d, candidates in enumerate(near):
            best, chosen = threshold, -1
            for g in candidates:
                if g in taken and not crowd[g]:
                    continue
                if chosen >= 0 and not ignore[chosen] and ignore[g]:
                    break
                if similar[d, g] >= best:
                    best, chosen = similar[d, g], g
            if chosen >= 0:
                taken.add(chosen)
                hit[t, d], ignored[t, d] = not ignore[chosen], ignore[chosen]
    return hit, ignored


def rank(
    truth: Instances, found: Instances, ignore: Bools, areas: Floats, rows: int, limit: int, similar: Similar,
    lenient: Callable[[int, int], bool] | None = None,
) -> list[Ranked]:  # fmt: skip
    """Every class with counted truths, ready for weighting. `limit` is the official number of found instances of a
    class in a photo (100, poses 20); `areas` are the found instances' own, those beyond every range are ignored.
    `lenient(row, class)` says where unmatched instances do not count (LVIS)."""
    ranked: list[Ranked] = []
    true_groups, found_groups = _groups(truth), _groups(found)
    for category in sorted(set(truth.category[~ignore].tolist())):
        pieces: list[tuple[Ints, Ints, Bools, Bools]] = []
        truths = np.bincount(truth.image[(truth.category == category) & ~ignore] - 1, minlength=rows)
        for row, members in found_groups.get(category, {}).items():
            order = members[np.argsort(-found.score[members], kind="stable")][:limit]
            true = true_groups.get(category, {}).get(row, np.zeros(0, dtype=np.int64))
            if true.size:
                hit, ignored = match(similar(order, true), ignore[true], truth.crowd[true])
            else:
                hit = np.zeros((10, order.size), dtype=np.bool_)
                ignored = hit.copy()
            excused = areas[order] > LARGEST
            if lenient is not None and lenient(row, category):
                excused[:] = True
            ignored |= ~hit & ~ignored & excused[None, :]
            pieces.append((order, np.full(order.size, row), hit, ignored))
        ranked.append(_merge(pieces, found.score, truths.astype(np.float64)))
    return ranked


def _groups(instances: Instances) -> dict[int, dict[int, Ints]]:
    """Class -> photo (0-based, ascending) -> indices in stored order."""
    groups: dict[int, dict[int, Ints]] = {}
    order = np.lexsort((instances.image, instances.category))
    keys = np.column_stack([instances.category[order], instances.image[order]])
    cuts = np.flatnonzero((keys[1:] != keys[:-1]).any(axis=1)) + 1
    for members in np.split(order, cuts) if order.size else []:
        category, image = int(instances.category[members[0]]), int(instances.image[members[0]])
        groups.setdefault(category, {})[image - 1] = np.sort(members)
    return groups


def _merge(pieces: list[tuple[Ints, Ints, Bools, Bools]], score: Floats, truths: Floats) -> Ranked:
    if not pieces:
        nothing = np.zeros((10, 0), dtype=np.bool_)
        return Ranked(np.zeros(0, dtype=np.int64), nothing, nothing, truths)
    index = np.concatenate([piece[0] for piece in pieces])
    order = np.argsort(-score[index], kind="stable")
    row = np.concatenate([piece[1] for piece in pieces])[order]
    hit = np.concatenate([piece[2] for piece in pieces], axis=1)[:, order]
    ignored = np.concatenate([piece[3] for piece in pieces], axis=1)[:, order]
    return Ranked(row, hit, ignored, truths)


def weighted_ap(ranked: list[Ranked], photo: Ints, photos: int) -> Statistic:
    """AP (mean over classes and IoU .50:.95) as a function of photo weights; `photo` maps rows to photos."""
    folded = [np.bincount(photo, weights=one.truths, minlength=photos) for one in ranked]

    def statistic(weights: Floats) -> Floats:
        total, classes = np.zeros(len(weights)), np.zeros(len(weights))
        for one, truths in zip(ranked, folded, strict=True):
            counted = weights @ truths
            present = counted > 0
            values = _class_ap(one, weights[:, photo[one.row]], np.where(present, counted, 1.0))
            total += np.where(present, values, 0.0)
            classes += present
        return np.divide(total, classes, out=np.full(total.shape, np.nan), where=classes > 0)

    return statistic


def _class_ap(one: Ranked, weights: Floats, counted: Floats) -> Floats:
    """One class's AP for every row of weights (B, D).

    Precision can only peak at hits, so the found instances between those that hit at some threshold (or are ignored at
    some but not all) are summed once, and only the others are looked at per threshold.
    """
    found = np.zeros(len(weights))
    always = one.ignored.all(axis=0)
    at = np.flatnonzero(one.hit.any(axis=0) | (one.ignored.any(axis=0) & ~always))
    if not at.size:
        return found
    shown = np.where(always, 0.0, weights)[:, : at[-1] + 1]
    shown[:, at] = 0.0
    between = np.add.reduceat(shown, np.concatenate(([0], at[:-1] + 1)), axis=1)
    weights = weights[:, at]
    for t in range(10):
        hits = np.cumsum(weights * one.hit[t, at], axis=1)
        total = np.cumsum(between + weights * ~one.ignored[t, at], axis=1)
        precision = np.divide(hits, total, out=np.zeros_like(hits), where=total > 0)
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        levels = np.searchsorted(RECALLS, (hits / counted[:, None]).ravel(), side="right").reshape(hits.shape)
        found += (envelope * np.diff(levels, axis=1, prepend=0)).sum(axis=1) / RECALLS.size
    return found / 10
