"""Intervals: the weighted AP is the engine's AP, and 95 % means about 95 %."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.intervals import interval, mean_interval, photo_index, ratio
from benchmarks.matching import rank, weighted_ap
from benchmarks.scorer import Setting
from benchmarks.scorers import ap_box, ap_keypoint, ap_mask
from benchmarks.scorers._instances import in_photo_order
from tests.benchmarks.made import answered, coco_dialogues, made_coco, vocabulary_of
from tests.benchmarks.test_ap import FAMILIES, perturbed
from vtinstruct.dialogue import Triplet

MODULES: dict[str, Any] = {"box": ap_box, "mask": ap_mask, "keypoint": ap_keypoint}


def rows_of(kind: str, seed: int, photos: int = 40) -> tuple[Any, Setting]:
    coco = made_coco(seed, photos)
    setting = Setting(vocabulary=vocabulary_of(coco), resamples=200)
    names, rng = {c["id"]: c["name"] for c in coco["categories"]}, np.random.default_rng(seed)
    scorer = MODULES[kind].SCORER
    rows = []
    for truth in coco_dialogues(coco, FAMILIES[kind][1], kind):
        found = [Triplet(name, kind, (reference,)) for name, reference in perturbed(truth, rng, names)]  # type: ignore[arg-type]
        rows.append(scorer.score(truth, answered(*found), setting))
    return in_photo_order(scorer.frame(rows)), setting


@pytest.mark.parametrize("kind", sorted(MODULES))
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ap_of_equal_weights_is_the_engines(kind: str, seed: int) -> None:
    rows, setting = rows_of(kind, seed)
    module = MODULES[kind]
    truth, found = module._sides(rows)
    ignore = truth.crowd.copy()
    if truth.keypoints is not None:
        ignore |= ~(truth.keypoints[:, 2::3] > 0).any(axis=1)
    areas = found.boxes_xywh[:, 2] * found.boxes_xywh[:, 3]
    limit = 20 if kind == "keypoint" else 100
    ranked = rank(truth, found, ignore, areas, rows.height, limit, module._similar(truth, found))
    photo, photos = photo_index(rows["photo"].to_list())
    statistic = weighted_ap(ranked, photo, photos)
    summary = module.SCORER.summarize(rows, setting)
    assert statistic(np.ones((1, photos)))[0] == pytest.approx(summary.numbers["AP"], abs=1e-12)
    got = summary.intervals["AP"]
    assert got.low <= summary.numbers["AP"] <= got.high
    assert got.low < got.high


def test_a_photo_of_weight_two_is_a_photo_seen_twice() -> None:
    rows, _ = rows_of("box", 4, 12)
    index, photos = photo_index(rows["photo"].to_list())
    values = np.random.default_rng(0).random(rows.height)
    weights = np.random.default_rng(1).integers(0, 3, photos).astype(float)
    twice = np.repeat(values, weights[index].astype(int))
    assert ratio(values, np.ones_like(values), index, photos)(weights[None])[0] == pytest.approx(twice.mean())


def test_intervals_of_a_mean_cover_the_truth_about_95_times_in_100() -> None:
    rng, hits, rounds = np.random.default_rng(5), 0, 300
    for _ in range(rounds):
        photo_effect = rng.normal(0, 0.15, 40)
        values = np.repeat(photo_effect, 3) + rng.normal(0, 0.1, 120) + 0.5  # three samples a photo, not independent
        got = mean_interval(values, [f"p{n}" for n in range(40) for _ in range(3)], 300, 0, None)
        assert got is not None
        hits += got.low <= 0.5 <= got.high
    assert 0.90 <= hits / rounds <= 0.985


def test_intervals_are_repeatable_and_absent_where_nothing_can_be_said() -> None:
    values = np.array([0.0, 1.0, 1.0, 0.5])
    assert mean_interval(values, list("abcd"), 100, 3) == mean_interval(values, list("abcd"), 100, 3)
    assert mean_interval(values, list("aaaa"), 100, 3) is None
    assert mean_interval(values, list("abcd"), 0, 3) is None
    assert interval(lambda w: np.full(len(w), np.nan), 5, 10, 0) is None
    same = mean_interval(np.ones(4), list("abcd"), 50, 0)
    assert same is not None
    assert (same.low, same.high) == (1.0, 1.0)
