"""COCO's AP and AR as functions of photo weights: what the bootstrap asks again and again.

Every official number with every photo counted 0, 1, 2, ... times, many weightings at once. Matching does not depend on
weights, so it is done once (`matching.py`); what is left is cocoapi's `accumulate`, arranged so that nothing is sorted or
matched again:

* precision can only peak at hits, so found instances between those that matter at some threshold are summed as a product of
  a sparse matrix with the weights, and only the others are walked along;
* weightings stand side by side in memory, so that each step along the ranking is one vector operation.

With all weights 1 the numbers are the engine's (`tests/benchmarks/test_intervals.py`). Resamples are computed in single
precision: counts are exact below 2^24, a share is right to 1e-7, far below the bootstrap's own noise.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (scipy ships no types)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from benchmarks.columns import Instances
from benchmarks.matching import AREAS, RECALLS, Bools, Floats, Ints, Pairs, by_class, ranking, take

THRESHOLDS = 10
# Recall levels k that a recall of exactly k / 100 does not reach, because numpy's 0.01 * k lies above it.
UNREACHED = np.arange(101) / 100 < RECALLS
WHOLE = 64  # weightings from which on stepping row by row beats numpy's own accumulate

SLACK = {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 3e-5}  # above rounding, below the distance of two recalls

Numbers = NDArray[Any]  # float32 or float64, as the weights are


@dataclass(frozen=True, slots=True)
class Curve:
    """One class in one area range: the found instances that are not the same at every threshold, or hit, by falling score.

    `truths` is the class and range's row in the table of truths. photo (M,); hit (10, M) at every threshold; steady (M, photos),
    sparse: by photo, what counts at every threshold from behind the one before up to each, itself and the plain misses; sometimes
    (10, M): what counts at this threshold and not at all of them (neither: ignored).
    """

    truths: int
    photo: Ints
    hit: Bools
    steady: Any
    sometimes: Bools


@dataclass(frozen=True, slots=True)
class Weighable:
    """A set of answers ready to be weighted: `curves` by area range; truths (ranges x classes, photos) and `few` (classes x
    thresholds, photos; one for each smaller detection limit: the hits over all areas) are sparse counts; `groups` marks the
    classes (classes,) that have numbers of their own."""

    names: tuple[str, ...]
    ranges: tuple[str, ...]
    classes: int
    curves: tuple[tuple[Curve, ...], ...]
    truths: Any
    few: tuple[Any, ...]
    groups: Mapping[str, Bools]

    @property
    def size(self) -> int:
        """Steps along all rankings: the work of one weighting."""
        return sum(int(curve.hit.sum()) for several in self.curves for curve in several)


@dataclass(frozen=True, slots=True)
class Conditions:
    """The rules of one benchmark. `names` are its official numbers, `limits` the detections a photo and class may have, the
    real one last; areas (F,) the found instances' own; ignore (T,) truths that never count; lenient (F,) found instances
    that do not count unless they hit, counts (F,) those that take part at all; `groups` sets of classes that have numbers of
    their own."""

    names: tuple[str, ...]
    limits: tuple[int, ...]
    areas: Floats
    ignore: Bools
    lenient: Bools
    counts: Bools
    groups: Mapping[str, set[int]]


def weighable(
    truth: Instances, found: Instances, near: Pairs, rules: Conditions, photo: Ints, photos: int
) -> Weighable:
    """Match once. `photo` maps rows (the n-th photo of the columns) to the photos that are weighted."""
    names = tuple(a for a in AREAS if a == "all" or any(name[2:3] == a for name in rules.names))
    limits = rules.limits
    bounds = np.array([AREAS[name] for name in names])[:, :, None]
    ignored = rules.ignore | (truth.area < bounds[:, 0]) | (truth.area > bounds[:, 1])
    classes = np.unique(truth.category)
    ranked = ranking(truth, found)
    kept = (ranked.place < max(limits)) & rules.counts[ranked.order]
    order, place = ranked.order[kept], ranked.place[kept]
    rank = np.full(len(found), -1, dtype=np.int64)
    rank[order] = np.arange(order.size)
    seen = rank[near.found] >= 0
    taken = take(Pairs(near.found[seen], near.truth[seen], near.similar[seen]), rank, ignored, truth.crowd)
    spared = np.stack([ignored[a][taken.truth[:, a]] for a in range(len(names))], axis=1) & (taken.truth >= 0)
    hit = (taken.truth >= 0) & ~spared

    category = np.searchsorted(classes, found.category[order])
    by_score = by_class(found.score[order], category)
    order, category, place = order[by_score], category[by_score], place[by_score]
    touched = np.full(len(found), -1, dtype=np.int64)  # its row in `hit` and `spared`
    touched[taken.found] = np.arange(taken.found.size)
    touched, row = touched[order], photo[found.image[order] - 1]
    size = rules.areas[order]
    inside = (size >= bounds[:, 0]) & (size <= bounds[:, 1]) & ~rules.lenient[order]

    true_class, true_photo = np.searchsorted(classes, truth.category), photo[truth.image - 1]
    wherever = np.concatenate([true_class[~ignored[a]] + a * classes.size for a in range(len(names))])
    truths = _counts(wherever, np.concatenate([true_photo[~i] for i in ignored]), len(names) * classes.size, photos)
    few: list[Any] = []
    for limit in limits[:-1]:
        at = np.flatnonzero((touched >= 0) & (place < limit))
        which, threshold = np.nonzero(hit[touched[at], 0])
        rows = category[at[which]] * THRESHOLDS + threshold
        few.append(_counts(rows, row[at[which]], classes.size * THRESHOLDS, photos))
    stops = np.searchsorted(category, np.arange(classes.size + 1))
    curves: list[tuple[Curve, ...]] = []
    for a in range(len(names)):
        made: list[Curve] = []
        for c in range(classes.size):
            those = slice(int(stops[c]), int(stops[c + 1]))
            made.append(
                _curve(
                    a * classes.size + c, row[those], touched[those], inside[a, those], hit[:, a], spared[:, a], photos
                )
            )
        curves.append(tuple(made))
    groups = {name: np.isin(classes, sorted(ids)) for name, ids in rules.groups.items()}
    return Weighable(rules.names, names, classes.size, tuple(curves), truths, tuple(few), groups)


def _counts(rows: Ints, photos: Ints, height: int, width: int) -> Any:
    return csr_array((np.ones(rows.size, dtype=np.float32), (rows, photos)), shape=(height, width))


def _curve(
    truths: int, row: Ints, touched: Ints, inside: Bools, hit: Bools, spared: Bools, photos: int
) -> Curve:  # fmt: skip
    near = np.flatnonzero(touched >= 0)
    hits = hit[touched[near]]
    counted = hits | (~spared[touched[near]] & inside[near, None])
    walked = hits.any(axis=1) | (counted.any(axis=1) & ~counted.all(axis=1))
    plain = inside.copy()
    plain[near] = counted.all(axis=1)
    near, hits, counted = near[walked], hits[walked], counted[walked]
    plain[near] = False
    before = np.searchsorted(near, np.flatnonzero(plain))  # the walked one that each plain miss stands before
    misses = np.flatnonzero(plain)[before < near.size]
    always = np.logical_and.reduce(counted, axis=1)
    own = np.flatnonzero(always)
    rows = np.concatenate([before[before < near.size], own])
    steady = _counts(rows, np.concatenate([row[misses], row[near[own]]]), near.size, photos)
    sometimes = counted & ~always[:, None]
    return Curve(truths, row[near], np.ascontiguousarray(hits.T), steady, np.ascontiguousarray(sometimes.T))


def numbers(ready: Weighable, weights: Numbers) -> dict[str, Numbers]:
    """The official numbers by name, (B,) each, for photo weights (photos, B) of float32 or float64. NaN where nothing of
    that size is annotated in any weighted photo."""
    truths = ready.truths @ weights
    everything = np.ones(ready.classes, dtype=np.bool_)
    areas = {name: _over_classes(ready, a, everything, truths, weights) for a, name in enumerate(ready.ranges)}
    for name, classes in ready.groups.items():
        areas[name] = _over_classes(ready, 0, classes, truths, weights)
    found: dict[str, Numbers] = {}
    for name in ready.names:
        part = name.partition("@")[0][2:]  # AP50, ARs@300
        precision, recall = areas.get(part, areas["all"])
        chosen = precision if name.startswith("AP") else recall
        if part in ("1", "10"):
            hits = ready.few[0 if part == "1" else 1] @ weights
            found[name] = _few_recall(hits, truths[: ready.classes])
        elif part in ("50", "75"):
            found[name] = chosen[0 if part == "50" else 5]
        else:
            found[name] = chosen.mean(axis=0)
    return found


def _few_recall(hits: Numbers, truths: Numbers) -> Numbers:
    """Mean recall over classes and thresholds."""
    present = truths > 0
    shares = hits.reshape(len(truths), THRESHOLDS, -1).sum(axis=1) / np.where(present, truths, 1)
    return _mean(shares, present) / THRESHOLDS


def _mean(values: Numbers, present: Bools) -> Numbers:
    classes = present.sum(axis=0)
    total = np.where(present, values, 0).sum(axis=0)
    return np.divide(total, classes, out=np.full_like(total, np.nan), where=classes > 0)


def _over_classes(
    ready: Weighable, area: int, chosen: Bools, truths: Numbers, weights: Numbers
) -> tuple[Numbers, Numbers]:
    """Mean precision and recall over the chosen classes, (10, B) each."""
    shape = (THRESHOLDS, weights.shape[1])
    precision, recall, classes = np.zeros(shape), np.zeros(shape), np.zeros(shape[1])
    for curve in (curve for curve, wanted in zip(ready.curves[area], chosen.tolist(), strict=True) if wanted):
        counted = truths[curve.truths]
        present = counted > 0
        if present.any():
            one, share = _along(curve, weights, np.where(present, counted, 1))
            precision += np.where(present, one, 0)
            recall += np.where(present, share, 0)
            classes += present
    undefined = classes == 0
    classes[undefined] = np.nan
    return precision / classes, recall / classes


def _along(curve: Curve, weights: Numbers, truths: Numbers) -> tuple[Numbers, Numbers]:
    """One class's interpolated precision and final recall at every threshold, (10, B) each."""
    shape = (THRESHOLDS, weights.shape[1])
    precision, recall = np.zeros(shape, weights.dtype), np.zeros(shape, weights.dtype)
    if not curve.photo.size:
        return precision, recall
    own = weights[curve.photo]
    base = curve.steady @ weights
    # the official script adds the smallest step above 1 to every count; it shows where the count is 1, and here once is enough
    base[0] += np.spacing(np.ones((), weights.dtype))
    _running_sum(base)
    scale = (100 / truths).astype(weights.dtype)
    tens = np.flatnonzero(truths % 10 == 0)  # with no other number of truths is an unreached level an exact recall
    for t in range(THRESHOLDS):
        at = np.flatnonzero(curve.hit[t])
        if not at.size:
            continue
        hits = own[at]
        _running_sum(hits)
        recall[t] = hits[-1] / truths
        height = base[at]
        sometimes = np.flatnonzero(curve.sometimes[t])
        if sometimes.size:
            more = own[sometimes]
            _running_sum(more)
            until = np.searchsorted(sometimes, at, "right")
            height[until > 0] += more[until[until > 0] - 1]
        np.divide(hits, height, out=height)
        _running_best(height)
        precision[t] = np.einsum("hb,hb->b", height, _levels(hits, scale, truths, tens)) / RECALLS.size
    return precision, recall


def _running_sum(values: Numbers) -> None:
    """Cumulative sum down the rows, in place."""
    if values.shape[1] < WHOLE:
        np.cumsum(values, axis=0, out=values)
        return
    rows = list(values)
    for above, below in pairwise(rows):
        np.add(above, below, out=below)


def _running_best(values: Numbers) -> None:
    """Each entry becomes the largest from it downwards, in place."""
    if values.shape[1] < WHOLE:
        values[:] = np.maximum.accumulate(values[::-1], axis=0)[::-1]
        return
    rows = list(values)
    for above, below in zip(rows[-2::-1], rows[:0:-1], strict=True):
        np.maximum(above, below, out=above)


def _levels(hits: Numbers, scale: Numbers, truths: Numbers, tens: Ints) -> Numbers:
    """How many of the 101 recall levels are first reached at each hit (`hits` are used up). `tens` are the weightings in which
    the number of truths ends in 0."""
    percent = 100 * hits[:, tens]
    reached = np.multiply(hits, scale, out=hits)
    reached += SLACK[reached.dtype]
    np.floor(reached, out=reached)
    if tens.size:
        part = reached[:, tens]
        exact = part * truths[tens] == percent
        reached[:, tens] = part - (exact & UNREACHED[part.astype(np.int64)])
    first = np.empty_like(reached)
    np.subtract(reached[1:], reached[:-1], out=first[1:])
    np.add(reached[0], 1, out=first[0])  # level 0 is reached at once
    return first
