"""The range of AP over tie orders, against every order there is."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from benchmarks.columns import Instances
from benchmarks.matching import IOU_THRESHOLDS, RECALLS, pairs
from benchmarks.scorers.ap_box import box_similar
from benchmarks.ties import tie_bounds


def ap_of(order: tuple[int, ...], similar: np.ndarray, crowd: np.ndarray, threshold: float) -> float:
    """COCO's greedy matching and AP of one class, written out; similar (F, T) is 0 between photos."""
    taken: set[int] = set()
    hits, misses, precision = 0, 0, []
    for f in order:
        free = [t for t in range(similar.shape[1]) if similar[f, t] >= threshold and (crowd[t] or t not in taken)]
        chosen = max(free, key=lambda t: (not crowd[t], similar[f, t]), default=None)
        if chosen is None:
            misses += 1
        elif not crowd[chosen]:
            taken.add(chosen)
            hits += 1
            precision.append(hits / (hits + misses))
    if not precision:
        return 0.0
    recall = np.arange(1, len(precision) + 1) / np.count_nonzero(~crowd)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, RECALLS, side="left")
    return float(envelope[at[at < len(precision)]].sum() / 101)


def case(seed: int, crowded: bool) -> tuple[Instances, Instances]:
    """Two photos: up to six answers that compete for up to four truths, now and then a crowd. Truths lie far apart, or so
    `crowded` that an answer may fit several."""
    rng = np.random.default_rng(seed)
    truths, answers = int(rng.integers(2, 5)), int(rng.integers(3, 7))
    corners = rng.uniform(0, 6, (truths, 2)) + (0 if crowded else 300 * np.arange(truths)[:, None])
    true = np.hstack([corners, rng.uniform(20, 26, (truths, 2))])
    true_photo = rng.integers(1, 3, truths)
    near = rng.integers(0, truths, answers)
    boxes = true[near] + rng.normal(0, 1.5, (answers, 4))
    boxes[rng.random(answers) < 0.2, :2] += 200
    crowd = (rng.random(truths) < 0.15) & (np.arange(truths) > 0)
    one = np.ones(8, dtype=np.int64)
    truth = Instances(true_photo, one[:truths], true, true[:, 2] * true[:, 3], crowd)
    return truth, Instances(true_photo[near], one[:answers], boxes, score=np.ones(answers))


@pytest.mark.parametrize("crowded", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_worst_and_best_are_those_of_all_orders(seed: int, crowded: bool) -> None:
    truth, found = case(seed, crowded)
    f, t = (grid.ravel() for grid in np.meshgrid(np.arange(len(found)), np.arange(len(truth)), indexing="ij"))
    similar = box_similar(truth, found)(f, t).reshape(len(found), len(truth))
    similar[found.image[:, None] != truth.image[None, :]] = 0.0
    values = np.array(
        [
            [ap_of(order, similar, truth.crowd, threshold) for threshold in IOU_THRESHOLDS]
            for order in permutations(range(len(found)))
        ]
    )
    near = pairs(truth, found, box_similar(truth, found))
    worst, best = tie_bounds(truth, found, near, truth.crowd, np.zeros(len(found), dtype=bool))
    assert best == pytest.approx(values.max(axis=0).mean(), abs=1e-12)
    lowest = values.min(axis=0).mean()
    if crowded:  # competition of several for several: no order goes below, and not far above
        assert lowest - 0.05 < worst <= lowest + 1e-12
    else:
        assert worst == pytest.approx(lowest, abs=1e-12)
    single = values.mean(axis=1)
    assert worst - 1e-12 <= single.min() <= single.max() <= best + 1e-12
