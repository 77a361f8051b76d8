"""How far the order of equal confidences carries AP: of answers without any, and of those that share a few.

AP ranks answers. Where confidences are equal, every order is as good as any other, and the number that an official script
prints is that of the order in the file. So three numbers stand beside it:

* AP_best, AP_worst: the largest and the smallest AP that orders of equal answers give, for every class and IoU threshold
  on its own, and the mean of those. No order goes beyond them; one order need not reach them for all thresholds at once.
* AP_expected: the mean over random orders.

Answers that compete for the same truths, directly or through others, form small groups, and what is a hit in one does not
hang on the others. Best: in a suitable order, answers taken in turn reach a matching of the largest size (serial
dictatorships reach every Pareto-optimal matching; Abraham et al., "Pareto Optimality in House Allocation Problems", ISAAC
2004), so all hits of one confidence come first. Worst: misses that compete for nothing come first; then, hit by hit, as many
misses as the hits so far allow. A lone truth with its rivals is plain, and so is a group without equal confidences. Of the
others, small ones are searched through, larger ones are bounded (the smallest matching of this kind is at least half the
largest; `tie_groups.py`). Without confidences AP_best is exact, and AP_worst is where no answer fits several truths, else a
bound from below. With confidences both are exact where every group is plain, else bounds from outside: what a group's hits
and misses can be down to each confidence is taken for each on its own.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (numpy's own types are wider than ours)

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.columns import Instances
from benchmarks.matching import AREAS, IOU_THRESHOLDS, RECALLS, Bools, Floats, Ints, Pairs, by_class, ranking, take
from benchmarks.tie_groups import Events, Rivals, compete
from benchmarks.weighted import Conditions, numbers, weighable

ORDERS, WORK = (20, 400), 400_000  # random orders behind AP_expected: fewer where each costs more
UNMOVED = 1e-9  # of AP: rounding


def tie_range(
    truth: Instances, found: Instances, near: Pairs, rules: Conditions, photos: int, seed: int, scored: bool
) -> tuple[dict[str, float], dict[str, Any]]:  # fmt: skip
    """The three numbers of answers with equal confidences, and how the middle one was found; none where the order of equal ones
    moves nothing. `scored`: there are confidences; without any, AP_expected is taken of large sets too."""
    worst, best = tie_bounds(*_counted(truth, found, near, rules))
    if np.isnan(worst) or (scored and not best - worst > UNMOVED):
        return {}, {}
    shown = {"AP_worst": worst, "AP_best": best}
    if scored and len(found) > WORK // ORDERS[0]:  # each order is a matching of its own
        return shown, {}
    alone = replace(rules, names=("AP",))
    orders = ORDERS[0] if scored else int(np.clip(WORK // max(len(found), 1), *ORDERS))
    rng, one = np.random.default_rng(seed), np.ones((1, 1))
    values: list[float] = []
    for _ in range(orders):
        shuffled = replace(found, score=broken(found.score, rng))
        ready = weighable(truth, shuffled, near, alone, np.zeros(photos, dtype=np.int64), 1)
        values.append(float(numbers(ready, one)["AP"][0]))
    mean, spread = float(np.mean(values)), float(np.std(values))
    said = {"orders": orders, "AP_expected_standard_error": spread / np.sqrt(orders)}
    return {"AP_worst": worst, "AP_expected": mean, "AP_best": best}, said


def _counted(
    truth: Instances, found: Instances, near: Pairs, rules: Conditions
) -> tuple[Instances, Instances, Pairs, Bools, Bools]:
    """What bounds are asked of: without the answers that are beyond the limits of a photo. What is larger than anything that
    counts is ignored, as the official scripts do."""
    ranked = ranking(truth, found)
    kept = np.zeros(len(found), dtype=np.bool_)
    kept[ranked.order[ranked.place < max(rules.limits)]] = True
    kept &= rules.counts
    there = kept[near.found]
    number = np.cumsum(kept) - 1
    near = Pairs(number[near.found[there]], near.truth[there], near.similar[there])
    least, most = AREAS["all"]
    ignore = rules.ignore | (truth.area < least) | (truth.area > most)
    lenient = rules.lenient | (rules.areas < least) | (rules.areas > most)
    return truth, found.at(np.flatnonzero(kept)), near, ignore, lenient[kept]


def tie_bounds(truth: Instances, found: Instances, near: Pairs, ignore: Bools, lenient: Bools) -> tuple[float, float]:
    """(AP_worst, AP_best), means over the annotated classes and IoU .50:.95. `ignore` (T,) marks truths that do not count,
    `lenient` (F,) found instances that do not count unless they hit."""
    classes, counts = np.unique(truth.category[~ignore], return_counts=True)
    if not classes.size:
        return float("nan"), float("nan")
    place = np.minimum(np.searchsorted(classes, found.category), classes.size - 1)
    known = classes[place] == found.category
    levels, level = np.unique(-found.score, return_inverse=True)
    width = max(levels.size, 1)
    key = place * width + level
    taken = take(near, _rank(found.score), ignore[None], truth.crowd)
    totals = np.zeros(2)
    for number, threshold in enumerate(IOU_THRESHOLDS):
        close = near.similar >= threshold
        spared = lenient.copy()  # never a miss: it would go to a crowd
        spared[near.found[close & truth.crowd[near.truth]]] = True
        close &= ~truth.crowd[near.truth]
        f, t, similar = near.found[close], near.truth[close], near.similar[close]
        whose = taken.truth[:, 0, number]
        hit, gone = np.zeros((2, len(found)), dtype=np.bool_)
        hit[taken.found] = (whose >= 0) & ~ignore[whose]
        gone[taken.found] = (whose >= 0) & ignore[whose]  # one answer each: what else fits misses
        alone = known & ~spared
        alone[f] = False
        events = Events()
        events.sure(key[:0], key[alone])
        compete(events, Rivals(f, t, similar, ignore[t]), spared, hit, gone, key)
        totals += _areas(events, counts, width)
    worst, best = totals / (classes.size * IOU_THRESHOLDS.size)
    return float(worst), float(best)


def tied(found: Instances) -> int:
    """How many answers share their class and confidence with others."""
    order = by_class(found.score, np.unique(found.category, return_inverse=True)[1])
    category, score = found.category[order], found.score[order]
    same = (category[1:] == category[:-1]) & (score[1:] == score[:-1])
    return int(np.count_nonzero(np.append(same, False) | np.insert(same, 0, False))) if len(found) else 0


def broken(score: Floats, rng: np.random.Generator) -> Floats:
    """Confidences without ties: equal ones in random order, others as they are."""
    order = np.lexsort((rng.random(score.size), score))
    found = np.empty(score.size)
    found[order] = np.arange(score.size)
    return found


def _rank(score: Floats) -> Ints:
    rank = np.empty(score.size, dtype=np.int64)
    rank[np.argsort(-score, kind="stable")] = np.arange(score.size)
    return rank


def _areas(events: Events, counts: Ints, width: int) -> Floats:
    """Sums over classes of the worst and the best AP."""
    empty = np.zeros(0, dtype=np.int64)
    sorted_: list[Ints] = [
        np.sort(np.concatenate([empty, *several]))
        for several in (events.worst_hits, events.worst_misses, events.best_hits, events.best_misses)
    ]
    worst_hits, worst_misses, best_hits, best_misses = sorted_
    steps = np.array(sorted(events.steps, key=lambda step: (step[0], -step[1])), dtype=np.float64).reshape(-1, 2)
    until = np.concatenate([np.zeros(1), np.cumsum(steps[:, 1])])
    first, last = (np.searchsorted(steps[:, 0], worst_hits, side) for side in ("left", "right"))
    nth = np.arange(worst_hits.size) - np.searchsorted(worst_hits, worst_hits, "left")
    behind = until[np.minimum(first + nth, last)]
    before = [
        np.searchsorted(worst_misses, worst_hits, "right") + behind,
        np.searchsorted(best_misses, best_hits, "left").astype(np.float64),
    ]
    found = np.zeros(2)
    edges = np.arange(counts.size + 1) * width
    for side, (hits, misses) in enumerate(((worst_hits, worst_misses), (best_hits, best_misses))):
        cuts = np.searchsorted(hits, edges)
        earlier = np.searchsorted(misses, edges[:-1]).astype(np.float64)
        if side == 0:
            earlier += until[np.searchsorted(steps[:, 0], edges[:-1])]
        for index in np.flatnonzero(np.diff(cuts)).tolist():
            number = np.arange(1, cuts[index + 1] - cuts[index] + 1)
            wrong = before[side][cuts[index] : cuts[index + 1]] - earlier[index]
            found[side] += _area(number / (number + wrong), int(counts[index]))
    return found


def _area(precision: Floats, truths: int) -> float:
    """Interpolated AP of the precision at every hit."""
    if not precision.size:
        return 0.0
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(np.arange(1, precision.size + 1) / truths, RECALLS, side="left")
    return float(envelope[at[at < precision.size]].sum() / RECALLS.size)
