"""AP of answers without confidences: how far the order of equal scores carries it.

AP ranks answers. Without confidences every order is as good as any other, and the number that an official script prints is
that of the order in the file. So three numbers stand beside it:

* AP_best, AP_worst: the largest and the smallest AP that orders of the set's answers give, for every class and IoU threshold
  on its own, and the mean of those. No order goes beyond them; one order need not reach them for all thresholds at once.
* AP_expected: the mean over random orders.

Best: in a suitable order, answers taken in turn reach a matching of the largest size (serial dictatorships reach every
Pareto-optimal matching; Abraham et al., "Pareto Optimality in House Allocation Problems", ISAAC 2004), so all its hits come
first. Worst: misses that compete for nothing come first; then, hit by hit, as many misses as the hits so far allow. Answers
that compete with each other, directly or through others, form small groups: a lone truth with its rivals is plain, groups of
up to `SEARCHED` answers are searched through, larger ones are bounded (the smallest matching of this kind is at least half the
largest). So AP_best is exact; AP_worst is where no answer fits several truths, and elsewhere a bound from below.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (scipy ships no types)

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from benchmarks.columns import Instances
from benchmarks.matching import IOU_THRESHOLDS, RECALLS, Bools, Floats, Ints, Pairs, components

SEARCHED = 7  # answers in a group that is searched through

Preferences = tuple[tuple[int, ...], ...]  # of every answer of a group: its truths, best first


def tie_bounds(truth: Instances, found: Instances, near: Pairs, ignore: Bools, lenient: Bools) -> tuple[float, float]:
    """(AP_worst, AP_best), means over the annotated classes and IoU .50:.95. `ignore` (T,) marks truths that do not count,
    `lenient` (F,) found instances that do not count unless they hit."""
    classes, counts = np.unique(truth.category[~ignore], return_counts=True)
    if not classes.size:
        return float("nan"), float("nan")
    place = np.minimum(np.searchsorted(classes, found.category), classes.size - 1)
    known = classes[place] == found.category
    worst, best = np.zeros(classes.size), np.zeros(classes.size)
    for threshold in IOU_THRESHOLDS:
        close = near.similar >= threshold
        spared = lenient.copy()  # never a miss: it would go to an ignored region
        spared[near.found[close & ignore[near.truth]]] = True
        close &= ~ignore[near.truth]
        f, t, similar = near.found[close], near.truth[close], near.similar[close]
        alone = known & ~spared
        alone[f] = False
        misses = np.bincount(place[alone], minlength=classes.size)
        hits, matched = _most_hits(f, t, len(found), len(truth))
        groups = _groups(f, t, similar, spared, matched, place)
        for index in range(classes.size):
            number = int(counts[index])
            own = groups.get(index, [])
            most = int(np.count_nonzero(place[hits] == index))
            best[index] += _area(np.ones(most), number)
            worst[index] += _area(_least(own, int(misses[index])), number)
    total = classes.size * IOU_THRESHOLDS.size
    return float(worst.sum() / total), float(best.sum() / total)


def _area(precision: Floats, truths: int) -> float:
    """Interpolated AP of the precision at every hit."""
    if not precision.size:
        return 0.0
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(np.arange(1, precision.size + 1) / truths, RECALLS, side="left")
    return float(envelope[at[at < precision.size]].sum() / RECALLS.size)


def _most_hits(f: Ints, t: Ints, found: int, truths: int) -> tuple[Ints, Bools]:
    """The found instances of a largest matching, and the same as a mask."""
    matched = np.zeros(found, dtype=np.bool_)
    if f.size:
        graph = coo_array((np.ones(f.size, dtype=np.int8), (f, t)), shape=(found, truths)).tocsr()
        partner: Any = maximum_bipartite_matching(graph, perm_type="column")
        matched = cast(NDArray[np.int32], partner) >= 0
    return np.flatnonzero(matched), matched


# One group of competing answers: how many hits its worst order has, and how many misses may stand before each next hit: the
# steps of the least concave curve above that, first to last.
Group = tuple[int, tuple[float, ...]]


def _groups(f: Ints, t: Ints, similar: Floats, spared: Bools, matched: Bools, place: Ints) -> dict[int, list[Group]]:
    """The groups of every class."""
    found: dict[int, list[Group]] = {}
    if not f.size:
        return found
    members, local = np.unique(f, return_inverse=True)
    label = components(local, t, members.size, int(t.max()) + 1)[local]
    order = np.lexsort((f, label))
    f, t, similar, label = f[order], t[order], similar[order], label[order]
    cuts = [0, *(np.flatnonzero(label[1:] != label[:-1]) + 1).tolist(), label.size]
    searched: dict[tuple[Preferences, tuple[bool, ...]], Group] = {}
    for start, stop in pairwise(cuts):
        own, truths = f[start:stop], t[start:stop]
        answers = np.unique(own)
        may_miss = ~spared[answers]
        if answers.size == 1:
            group: Group = (1, ())
        elif np.unique(truths).size == 1:
            rivals = int(may_miss.sum()) - (1 if may_miss.all() else 0)
            group = (1, (float(rivals),))
        elif answers.size <= SEARCHED:
            key = (_preferences(own, truths, similar[start:stop]), tuple(may_miss.tolist()))
            if key not in searched:
                searched[key] = _search(*key)
            group = searched[key]
        else:
            least = (int(matched[answers].sum()) + 1) // 2
            group = (least, (float(min(answers.size - 1, int(may_miss.sum()))), *([0.0] * (least - 1))))
        found.setdefault(int(place[answers[0]]), []).append(group)
    return found


def _preferences(own: Ints, truths: Ints, similar: Floats) -> Preferences:
    """Each answer's truths, best first, numbered from 0 as they come up, so that alike groups are searched once."""
    number: dict[int, int] = {}
    found: list[tuple[int, ...]] = []
    for answer in np.unique(own).tolist():
        at = np.flatnonzero(own == answer)
        ranked = sorted(at.tolist(), key=lambda i: (-similar[i], -truths[i]))
        found.append(tuple(number.setdefault(int(truths[i]), len(number)) for i in ranked))
    return tuple(found)


def _search(preferences: Preferences, may_miss: tuple[bool, ...]) -> Group:
    """All orders of a small group: the fewest hits, and the most misses after so many hits."""
    misses: dict[int, int] = {}
    fewest = len(preferences)
    states = {(frozenset[int](), frozenset[int]())}  # who has hit, what is taken
    for hits in range(len(preferences) + 1):
        following: set[tuple[frozenset[int], frozenset[int]]] = set()
        for hit, taken in states:
            free = 0
            for answer, wanted in enumerate(preferences):
                if answer in hit:
                    continue
                choice = next((truth for truth in wanted if truth not in taken), None)
                if choice is None:
                    free += may_miss[answer]
                else:
                    following.add((hit | {answer}, taken | {choice}))
            misses[hits] = max(misses.get(hits, 0), free)
            if all(a in hit or set(wanted) <= taken for a, wanted in enumerate(preferences)):
                fewest = min(fewest, hits)
        states = following
        if not states:
            break
    return fewest, _concave([misses.get(hits, 0) for hits in range(fewest + 1)])


def _concave(values: list[int]) -> tuple[float, ...]:
    """Steps of the least concave curve through 0 above the values."""
    steps: list[float] = []
    at = 0
    while at < len(values) - 1:
        slopes = [(values[end] - values[at]) / (end - at) for end in range(at + 1, len(values))]
        end = at + 1 + int(np.argmax(slopes))
        steps += [max(slopes)] * (end - at)
        at = end
    return tuple(steps)


def _least(groups: list[Group], misses: int) -> Floats:
    """The smallest precision at every hit: before each, as many misses as the hits so far allow."""
    hits = sum(group[0] for group in groups)
    steps = np.sort(np.array([step for group in groups for step in group[1]], dtype=np.float64))[::-1]
    padded = np.concatenate([np.zeros(1), np.cumsum(steps), np.full(max(0, hits - steps.size), float(steps.sum()))])
    number = np.arange(1, hits + 1)
    return number / (number + misses + padded[:hits])
