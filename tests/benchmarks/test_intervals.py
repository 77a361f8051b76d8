"""Intervals: the weighted AP is the engine's AP, and 95 % means about 95 %."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from benchmarks.engine import BOX_NUMBERS, KEYPOINT_NUMBERS
from benchmarks.intervals import interval, mean_interval, photo_index, ratio
from benchmarks.matching import pairs
from benchmarks.rows import in_photo_order
from benchmarks.scorer import Setting
from benchmarks.scorers import ap_box, ap_keypoint, ap_mask
from benchmarks.scorers._instances import ignored, ordered_scores
from benchmarks.weighted import Conditions, numbers, weighable
from tests.benchmarks.made import answered, coco_dialogues, made_coco, vocabulary_of
from tests.benchmarks.perturbed import perturbed
from tests.benchmarks.test_ap import FAMILIES
from vtinstruct.dialogue import Triplet

SIMILAR: dict[str, Any] = {
    "box": ap_box.box_similar,
    "mask": ap_mask.mask_similar,
    "keypoint": ap_keypoint.pose_similar,
}
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


def ready_of(kind: str, rows: Any) -> tuple[Any, int]:
    module = MODULES[kind]
    truth, found = module.sides(rows)
    found = replace(found, score=ordered_scores(found.score)[0])
    near = pairs(truth, found, SIMILAR[kind](truth, found))
    areas = found.area if kind == "mask" else found.boxes_xywh[:, 2] * found.boxes_xywh[:, 3]
    photo, photos = photo_index(rows["photo"].to_list())
    names, limits = (KEYPOINT_NUMBERS, (20,)) if kind == "keypoint" else (BOX_NUMBERS, (1, 10, 100))
    nothing = np.zeros(len(found), dtype=bool)
    rules = Conditions(names, limits, areas, ignored(truth), nothing, ~nothing, {})
    return weighable(truth, found, near, rules, photo, photos), photos


@pytest.mark.parametrize("kind", sorted(MODULES))
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_equal_weights_give_all_the_engines_numbers(kind: str, seed: int) -> None:
    rows, setting = rows_of(kind, seed)
    ready, photos = ready_of(kind, rows)
    summary = MODULES[kind].SCORER.summarize(rows, setting)
    names = KEYPOINT_NUMBERS if kind == "keypoint" else BOX_NUMBERS
    for dtype, close in ((np.float64, 1e-12), (np.float32, 1e-5)):
        got = numbers(ready, np.ones((photos, 1), dtype))
        assert tuple(got) == names
        for name in names:
            expected = summary.numbers[name]
            assert got[name][0] == pytest.approx(np.nan if expected is None else expected, abs=close, nan_ok=True)
    for name in summary.intervals:
        one = summary.intervals[name]
        assert one.low <= summary.numbers[name] <= one.high
    assert summary.intervals["AP"].low < summary.intervals["AP"].high


@pytest.mark.parametrize("kind", sorted(MODULES))
def test_weights_are_photos_drawn_again_and_again(kind: str) -> None:
    """Weighted numbers against the engine run on a set in which every photo stands as often as its weight."""
    rows, setting = rows_of(kind, 4, 15)
    rng = np.random.default_rng(9)  # copies of one answer may tie, two answers may not
    scores = [rng.random(len(one)).tolist() for one in rows["found_class"].to_list()]
    rows = rows.with_columns(pl.Series("found_score", scores, pl.List(pl.Float64)))
    ready, photos = ready_of(kind, rows)
    weights = np.random.default_rng(2).integers(0, 4, (photos, 90))
    several, alone = numbers(ready, weights.astype(np.float64)), numbers(ready, weights[:, :1].astype(np.float64))
    for name in alone:  # both ways to accumulate
        assert several[name][0] == pytest.approx(alone[name][0], abs=1e-12, nan_ok=True)
    index, _ = photo_index(rows["photo"].to_list())
    for column in range(3):
        copies = [
            rows.filter(pl.Series(weights[index, column] > n)).with_columns(pl.col("id", "photo") + f"#{n}")
            for n in range(3)
        ]
        again = MODULES[kind].SCORER.summarize(pl.concat(copies), replace(setting, resamples=0)).numbers
        for name, values in several.items():
            expected = np.nan if again[name] is None else again[name]
            assert values[column] == pytest.approx(expected, abs=1e-12, nan_ok=True)


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


def test_where_every_photo_is_right_or_wrong_there_is_doubt_all_the_same() -> None:
    """No resample differs: the interval is Clopper and Pearson's, and is wider for fewer photos."""
    for photos in (3, 20, 300):
        names = [str(n) for n in range(photos)]
        right, wrong = (mean_interval(np.full(photos, v), names, 50, 0) for v in (1.0, 0.0))
        assert right is not None
        assert wrong is not None
        assert (right.method, wrong.method) == ("exact", "exact")
        assert (right.low, right.high) == (pytest.approx(0.025 ** (1 / photos)), 1.0)
        assert (wrong.low, wrong.high) == (0.0, pytest.approx(1 - 0.025 ** (1 / photos)))
    assert mean_interval(np.full(9, 0.5), names[:9], 50, 0) is None  # nothing varies, and it is at no end
    assert mean_interval(np.zeros(9), names[:9], 50, 0, (0.0, np.inf)) is None  # a number without an end
