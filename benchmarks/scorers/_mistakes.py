"""How an AP scorer's answers go wrong: which class is taken for which, and whether confidences mean what they say.

Both at similarity .5 and for people to read; no official number stands on them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.columns import Instances
from benchmarks.confusion import Confusion, confusion_of
from benchmarks.matching import Pairs, Similar, pairs, take
from benchmarks.scorers._instances import ignored

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
AT = np.array([0.5])
BINS = 10


def reliability(truth: Instances, found: Instances, near: Pairs, lenient: Bools) -> dict[str, Any] | None:
    """Precision by confidence: ten bins of 0 to 1, each with how many answers it holds, their mean confidence, and the share
    that hit an annotated instance of their class. Answers that do not count (on ignored regions, `lenient` ones that
    miss) are left out. `error` is the mean distance of the two, weighted by answers (expected calibration error).

    None where confidences are no shares: below 0 or above 1.
    """
    if not len(found) or found.score.min() < 0 or found.score.max() > 1:
        return None
    hit, excused = _outcome(_taken(near, found.score, truth), ignored(truth), lenient)
    score, hit = found.score[~excused], hit[~excused]
    place = np.minimum((score * BINS).astype(np.int64), BINS - 1)
    n = np.bincount(place, minlength=BINS)
    sums, hits = (np.bincount(place, weights=values, minlength=BINS) for values in (score, hit.astype(np.float64)))
    bins = [
        {"from": i / BINS, "n": int(n[i]), "confidence": float(sums[i] / n[i]), "precision": float(hits[i] / n[i])}
        for i in np.flatnonzero(n).tolist()
    ]
    error = float(np.abs(sums - hits).sum() / score.size) if score.size else None
    return {"bins": bins, "error": error}


def confusion(
    truth: Instances, found: Instances, similarity: Callable[[Instances, Instances], Similar], lenient: Bools,
    scored: bool, name: Callable[[int], str],
) -> Confusion:  # fmt: skip
    """Annotated class by answered class. Answers take truths of their own class first, best confidence first, then what
    is left takes what is left whatever its class.

    With confidences, only each photo's most confident answers are in it, as many as the photo has counted instances: the
    tail that AP ranks low would bury the rest. Without, all are.
    """
    ignore = ignored(truth)
    if scored:
        kept = _foremost(truth.image[~ignore], found)
        found, lenient = found.at(kept), lenient[kept]
    near = pairs(_classless(truth), _classless(found), similarity(truth, found))
    same = truth.category[near.truth] == found.category[near.found]
    taken = _taken(_only(near, same), found.score, truth)
    open_truth = np.ones(len(truth), dtype=np.bool_)
    open_truth[taken[taken >= 0]] = False
    open_truth |= truth.crowd
    rest = _taken(_only(near, (taken[near.found] < 0) & open_truth[near.truth]), found.score, truth)
    taken = np.where(taken >= 0, taken, rest)
    hit, excused = _outcome(taken, ignore, lenient)
    missed = ~ignore
    missed[taken[hit]] = False
    counts = Counter[tuple[int | None, int | None]]()
    counts.update(zip(truth.category[taken[hit]].tolist(), found.category[hit].tolist(), strict=True))
    counts.update((category, None) for category in truth.category[missed].tolist())
    counts.update((None, category) for category in found.category[~hit & ~excused].tolist())
    return confusion_of(counts, name, "instances")


def _taken(near: Pairs, score: Floats, truth: Instances) -> Ints:
    """The truth that each found instance takes at similarity .5: (F,), -1 for none."""
    rank = np.empty(score.size, dtype=np.int64)
    rank[np.argsort(-score, kind="stable")] = np.arange(score.size)
    matched = take(near, rank, ignored(truth)[None, :], truth.crowd, AT)
    taken = np.full(score.size, -1, dtype=np.int64)
    taken[matched.found] = matched.truth[:, 0, 0]
    return taken


def _outcome(taken: Ints, ignore: Bools, lenient: Bools) -> tuple[Bools, Bools]:
    """Which found instances hit a counted truth, and which do not count."""
    some = taken >= 0
    on_ignored = np.zeros_like(some)
    on_ignored[some] = ignore[taken[some]]
    return some & ~on_ignored, on_ignored | (~some & lenient)


def _foremost(image: Ints, found: Instances) -> Ints:
    """Of every photo the most confident found instances, as many as `image` names it: indices, ascending."""
    order = np.lexsort((-found.score, found.image))
    own = found.image[order]
    room = np.bincount(image, minlength=int(own.max(initial=0)) + 1)
    return np.sort(order[np.arange(own.size) - np.searchsorted(own, own, "left") < room[own]])


def _classless(side: Instances) -> Instances:
    return replace(side, category=np.zeros_like(side.category))


def _only(near: Pairs, mask: Bools) -> Pairs:
    return Pairs(near.found[mask], near.truth[mask], near.similar[mask])
