"""COCO's greedy matching of a whole set at once, for every IoU threshold and area range side by side.

The engine gives the official numbers; this gives what it keeps to itself: which answer took which truth. Intervals, tie
orders and F1 stand on it (`weighted.py`, `ties.py`, `scorers/_instances.py`), and `tests/benchmarks/test_intervals.py` holds
it to the engine's numbers. Source of the rules: cocoapi `cocoeval.py`, `evaluateImg`.

Photos and classes never touch each other, so all their first answers are matched in one step of arrays, then all second
ones, and so on: as many steps as the busiest photo and class has answers with a candidate.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (scipy ships no types)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from benchmarks.columns import Instances

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Similar = Callable[[Ints, Ints], Floats]  # similarity of found[f[i]] with truth[t[i]], pair by pair: (P,), (P,) -> (P,)

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
LARGEST = 1e5**2  # the "all" area range ends there
AREAS: dict[str, tuple[float, float]] = {
    "all": (0.0, LARGEST), "s": (0.0, 32.0**2), "m": (32.0**2, 96.0**2), "l": (96.0**2, LARGEST)
}  # fmt: skip
CHUNK = 1 << 20  # pairs compared at once; bounds memory


@dataclass(frozen=True, slots=True)
class Pairs:
    """Every found instance beside every truth of its photo and class that it resembles enough: (P,) each."""

    found: Ints
    truth: Ints
    similar: Floats


@dataclass(frozen=True, slots=True)
class Ranking:
    """The found instances of annotated classes by class, photo and falling score.

    order (D,) which found instance; group (D,) 0-based number of its photo and class, place (D,) its rank there.
    """

    order: Ints
    group: Ints
    place: Ints


def group_keys(truth: Instances, found: Instances) -> tuple[Ints, Ints]:
    """One number a class and photo, for both sides; -1 for found instances of a class that nothing is annotated with.
    Class by class, and photo by photo in a class."""
    classes = np.unique(truth.category)
    photos = max(int(truth.image.max(initial=0)), int(found.image.max(initial=0))) + 1
    true_key = np.searchsorted(classes, truth.category) * photos + truth.image
    if not classes.size:
        return true_key, np.full(len(found), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(classes, found.category), classes.size - 1)
    return true_key, np.where(classes[at] == found.category, at * photos + found.image, -1)


def pairs(truth: Instances, found: Instances, similar: Similar, lowest: float = 0.5) -> Pairs:
    """All pairs of one photo and class with at least the `lowest` similarity, in stored order of found, then truth."""
    true_key, key = group_keys(truth, found)
    true_order = np.argsort(true_key, kind="stable")
    true_key = true_key[true_order]
    some = np.flatnonzero(np.isin(key, true_key))  # most have nothing to be compared with
    low = np.searchsorted(true_key, key[some], "left")
    counts = np.searchsorted(true_key, key[some], "right") - low
    pieces = [(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))]
    for start, stop in _slices(np.cumsum(counts)):
        several = counts[start:stop]
        f = np.repeat(some[start:stop], several)
        offset = np.arange(f.size) - np.repeat(np.cumsum(several) - several, several)
        t = true_order[np.repeat(low[start:stop], several) + offset]
        value = similar(f, t)
        near = value >= lowest
        pieces.append((f[near], t[near], value[near]))
    return Pairs(*(np.concatenate(column) for column in zip(*pieces, strict=True)))


def _slices(ends: Ints) -> list[tuple[int, int]]:
    if not ends.size:
        return []
    cuts = np.searchsorted(ends, np.arange(CHUNK, int(ends[-1]) + CHUNK, CHUNK), "left") + 1
    stops = np.unique(np.minimum(cuts, ends.size)).tolist()
    return list(zip([0, *stops[:-1]], stops, strict=True))


def ranking(truth: Instances, found: Instances) -> Ranking:
    """Sort the found instances as the official script does: ties keep their stored order."""
    _, key = group_keys(truth, found)
    known = np.flatnonzero(key >= 0)
    order = known[np.lexsort((-found.score[known], key[known]))]
    sorted_key = key[order]
    first = np.ones(order.size, dtype=np.bool_)
    first[1:] = sorted_key[1:] != sorted_key[:-1]
    group = np.cumsum(first) - 1
    return Ranking(order, group, np.arange(order.size) - np.flatnonzero(first)[group])


def by_class(score: Floats, category: Ints) -> Ints:
    """The order by class (numbers from 0), then by falling score, then as they are."""
    falling = np.argsort(-score, kind="stable")
    small = category.max(initial=0) < 1 << 16  # numpy sorts short numbers by their digits, twenty times faster
    return falling[np.argsort((category.astype(np.uint16) if small else category)[falling], kind="stable")]


@dataclass(frozen=True, slots=True)
class Taken:
    """Who took whom: found (N,) the found instances with candidates, ascending; truth (N, A, K) index of the truth that each
    takes in every area range and at every threshold, -1 for none."""

    found: Ints
    truth: NDArray[np.int32]


def take(near: Pairs, rank: Ints, ignore: Bools, crowd: Bools, thresholds: Floats = IOU_THRESHOLDS) -> Taken:
    """Match. `rank` (F,) orders all found instances, better ones first; `ignore` (A, T) marks the truths that do not count in
    an area range.

    A found instance takes the free truth it fits best, at or above the threshold, counted ones before ignored ones, the
    later of equals; crowds can be taken any number of times.
    """
    those, f = np.unique(near.found, return_inverse=True)
    taken = np.full((those.size, len(ignore), thresholds.size), -1, dtype=np.int32)
    if not f.size:
        return Taken(those, taken)
    step = _steps(f, near.truth, crowd.size, rank[those])[f]
    order = np.lexsort((near.truth, near.similar, f, step))
    step, f, t, similar = step[order], f[order], near.truth[order], near.similar[order]
    opening = np.flatnonzero(np.concatenate(([True], f[1:] != f[:-1])))
    worth = (np.arange(f.size) - np.repeat(opening, np.diff(np.append(opening, f.size))) + 1).astype(np.int32)
    above = similar[:, None] >= np.minimum(thresholds, 1 - 1e-10)[None, :]
    free = np.ones((crowd.size, *taken.shape[1:]), dtype=np.bool_)
    bonus = np.where(ignore.T, np.int32(0), np.int32(int(worth.max()) + 1))  # (T, A)
    bounds = np.flatnonzero(np.concatenate(([True], step[1:] != step[:-1], [True])))
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        these = t[start:stop]
        open_ = free[these] & above[start:stop, None, :]
        value = np.where(open_, (worth[start:stop, None] + bonus[these])[:, :, None], np.int32(0))
        begins = np.flatnonzero(np.concatenate(([True], f[start + 1 : stop] != f[start : stop - 1])))
        best = np.maximum.reduceat(value, begins, axis=0)
        best = np.repeat(best, np.diff(np.append(begins, stop - start)), axis=0)
        pair, area, threshold = np.nonzero((value == best) & open_)
        taken[f[start + pair], area, threshold] = these[pair]
        once = ~crowd[these[pair]]
        free[these[pair][once], area[once], threshold[once]] = False
    return Taken(those, taken)


def components(f: Ints, t: Ints, found: int, truths: int) -> Ints:
    """Which found instances depend on each other, directly or through others: a number each, (found,)."""
    links = coo_array((np.ones(f.size, dtype=np.int8), (f, found + t)), shape=(found + truths, found + truths))
    return cast(Ints, connected_components(links.tocsr(), directed=False)[1][:found].astype(np.int64))


def _steps(f: Ints, t: Ints, truths: int, rank: Ints) -> Ints:
    """In which step each found instance is matched: its place among those that it shares truths with."""
    group = components(f, t, rank.size, truths)
    order = np.lexsort((rank, group))
    first = np.concatenate(([True], group[order][1:] != group[order][:-1]))
    step = np.zeros(rank.size, dtype=np.int64)
    step[order] = np.arange(order.size) - np.flatnonzero(first)[np.cumsum(first) - 1]
    return step
