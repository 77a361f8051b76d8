"""The range of AP over tie orders, against every order there is."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from benchmarks.columns import Instances
from benchmarks.matching import IOU_THRESHOLDS, RECALLS, pairs
from benchmarks.scorers.ap_box import box_similar
from benchmarks.ties import broken, tie_bounds, tied


def ap_of(
    order: tuple[int, ...], similar: np.ndarray, crowd: np.ndarray, ignore: np.ndarray, threshold: float
) -> float:
    """COCO's greedy matching and AP of one class, written out; similar (F, T) is 0 between photos. Ignored truths (crowds and
    others) come last, and only crowds can be taken again."""
    taken: set[int] = set()
    hits, misses, precision = 0, 0, []
    for f in order:
        free = [t for t in range(similar.shape[1]) if similar[f, t] >= threshold and (crowd[t] or t not in taken)]
        chosen = max(free, key=lambda t: (not ignore[t], similar[f, t]), default=None)
        if chosen is None:
            misses += 1
            continue
        taken.add(chosen)
        if not ignore[chosen]:
            hits += 1
            precision.append(hits / (hits + misses))
    if not precision:
        return 0.0
    recall = np.arange(1, len(precision) + 1) / np.count_nonzero(~ignore)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, RECALLS, side="left")
    return float(envelope[at[at < len(precision)]].sum() / 101)


def case(seed: int, crowded: bool, levels: int = 1) -> tuple[Instances, Instances]:
    """Two photos, and as many `levels` of confidence: up to six answers that compete for up to four truths, now and then a crowd. Truths lie far apart, or so
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
    score = rng.integers(1, levels + 1, answers) / 10
    return truth, Instances(true_photo[near], one[:answers], boxes, score=score)


def of_all_orders(truth: Instances, found: Instances, ignore: np.ndarray) -> np.ndarray:
    """AP (orders, thresholds) of every order that keeps to the confidences."""
    f, t = (grid.ravel() for grid in np.meshgrid(np.arange(len(found)), np.arange(len(truth)), indexing="ij"))
    similar = box_similar(truth, found)(f, t).reshape(len(found), len(truth))
    similar[found.image[:, None] != truth.image[None, :]] = 0.0
    orders = [o for o in permutations(range(len(found))) if (np.diff(found.score[list(o)]) <= 0).all()]
    return np.array(
        [[ap_of(order, similar, truth.crowd, ignore, threshold) for threshold in IOU_THRESHOLDS] for order in orders]
    )


def bounds(truth: Instances, found: Instances, ignore: np.ndarray) -> tuple[float, float]:
    near = pairs(truth, found, box_similar(truth, found))
    return tie_bounds(truth, found, near, ignore, np.zeros(len(found), dtype=bool))


@pytest.mark.parametrize("crowded", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_worst_and_best_are_those_of_all_orders(seed: int, crowded: bool) -> None:
    truth, found = case(seed, crowded)
    values = of_all_orders(truth, found, truth.crowd)
    worst, best = bounds(truth, found, truth.crowd)
    assert best == pytest.approx(values.max(axis=0).mean(), abs=1e-12)
    lowest = values.min(axis=0).mean()
    if crowded:  # competition of several for several: no order goes below, and not far above
        assert lowest - 0.05 < worst <= lowest + 1e-12
    else:
        assert worst == pytest.approx(lowest, abs=1e-12)
    single = values.mean(axis=1)
    assert worst - 1e-12 <= single.min() <= single.max() <= best + 1e-12


@pytest.mark.parametrize("searched", [7, 0])  # 0: every group as a large one is bounded
@pytest.mark.parametrize("levels", [2, 3, 100])
@pytest.mark.parametrize("seed", range(12))
def test_equal_confidences_have_the_range_of_their_orders(
    seed: int, levels: int, searched: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exact where each truth has answers of its own; elsewhere no order goes beyond, and groups searched through are near."""
    monkeypatch.setattr("benchmarks.tie_groups.SEARCHED", searched)
    for crowded in (False, True):
        truth, found = case(seed, crowded, levels)
        values = of_all_orders(truth, found, truth.crowd)
        lowest, highest = values.min(axis=0).mean(), values.max(axis=0).mean()
        worst, best = bounds(truth, found, truth.crowd)
        if not crowded:
            assert (worst, best) == pytest.approx((lowest, highest), abs=1e-12)
        assert worst - 1e-12 <= lowest <= highest <= best + 1e-12
        if searched:
            assert lowest - worst < 0.1
            assert best - highest < 0.1
        if tied(found) == 0:
            assert worst == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("searched", [7, 0])
@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("seed", range(12))
def test_an_ignored_truth_takes_one_answer_and_the_others_miss(
    seed: int, levels: int, searched: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a person without a labelled joint does, or what LVIS says to ignore: unlike a crowd, it is soon taken."""
    monkeypatch.setattr("benchmarks.tie_groups.SEARCHED", searched)
    for crowded in (False, True):
        truth, found = case(seed, crowded, levels)
        ignore = truth.crowd | (np.random.default_rng(seed).random(len(truth)) < 0.5) & (np.arange(len(truth)) > 0)
        values = of_all_orders(truth, found, ignore)
        lowest, highest = values.min(axis=0).mean(), values.max(axis=0).mean()
        worst, best = bounds(truth, found, ignore)
        if not crowded:
            assert (worst, best) == pytest.approx((lowest, highest), abs=1e-12)
        assert worst - 1e-12 <= lowest <= highest <= best + 1e-12
        if searched:
            assert lowest - worst < 0.25
            assert best - highest < 0.25


def test_ties_are_counted_within_a_class_and_broken_at_random() -> None:
    image, box = np.ones(6, dtype=np.int64), np.ones((6, 4))
    found = Instances(image, np.array([1, 1, 1, 2, 2, 2]), box, score=np.array([0.5, 0.5, 0.4, 0.5, 0.3, 0.3]))
    assert tied(found) == 4
    rng, orders = np.random.default_rng(0), set()
    for _ in range(50):
        score = broken(found.score, rng)
        assert np.unique(score).size == 6
        order = tuple(np.argsort(-score))
        assert (np.diff(found.score[list(order)]) <= 0).all()
        orders.add(order)
    assert len(orders) == 12
