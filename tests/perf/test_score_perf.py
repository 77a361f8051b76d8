"""Scoring speed and memory: from a predictions file to the official numbers, beside the originals and the fast engine alone, on
the same instances in one run. Equal numbers are part of every test, times are not: they are in `extra_info`.

    pytest -m perf tests/perf/test_score_perf.py --benchmark-enable -s

Every side runs in a process of its own (`score_side.py`): its memory is its own, and only the work is timed, in processor
seconds of one thread, because test machines are shared. What two cores give by the clock stands beside it: the engine's
threads alone, and the file read by two workers. The originals run once, they take a minute.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.columns import Instances
from benchmarks.engine import BOX_NUMBERS, average_precision
from benchmarks.engine_lvis import NUMBERS
from benchmarks.intervals import intervals
from benchmarks.matching import pairs
from benchmarks.scorers._ap import supports
from benchmarks.scorers.ap_box import box_similar
from benchmarks.ties import tie_bounds
from benchmarks.weighted import Conditions, numbers, weighable
from tests.perf.score_loads import Shape, boxes, make_load
from tests.perf.score_side import measured

TRUE, CLASSES, FOUND = 7, 80, 100
ROUNDS = 3  # of the quick sides; the best of them counts
SHAPES = {
    "boxes": Shape(5000, FOUND), "masks": Shape(2000, FOUND, task="seg"),
    "lvis": Shape(800, 300, classes=1203, source="lvis"),
}  # fmt: skip


def best(side: str, folder: Path, shape: Shape, cores: int = 1, least: str = "seconds") -> dict[str, Any]:
    """The round of least processor time, or clock."""
    runs = [measured(side, folder, shape.suite, shape.iou_type, cores) for _ in range(ROUNDS)]
    return min(runs, key=lambda run: run[least])


@pytest.mark.perf
@pytest.mark.parametrize("name", sorted(SHAPES))
def test_from_the_file_to_the_numbers(name: str, tmp_path: Path, benchmark: Any) -> None:
    """Equal numbers in a fraction of the original's time and memory."""
    shape = SHAPES[name]
    load = make_load(tmp_path / "load", shape)
    ours = benchmark.pedantic(lambda: best("ours", load.root, shape), rounds=1)
    engine = best("hotcoco", load.root, shape)
    clocks = {
        name: best(side, load.root, shape, cores, "clock")
        for name, side, cores in (
            ("one_core", "ours", 1), ("two_cores", "ours", 2), ("two_cores_two_workers", "ours_by_two", 2),
            ("engine_alone_two_cores", "hotcoco", 2),
        )
    }  # fmt: skip
    original = measured("lvis" if shape.lvis else "pycocotools", load.root, shape.suite, shape.iou_type)
    said = {
        "ours_s": ours["seconds"], "ours_mb": ours["peak_mb"], "engine_alone_s": engine["seconds"],
        "original_s": original["seconds"], "original_mb": original["peak_mb"],
        "times_faster_than_the_original": original["seconds"] / ours["seconds"],
        "times_the_engine_alone": ours["seconds"] / engine["seconds"],
        **{f"clock_{name}_s": run["clock"] for name, run in clocks.items()},
    }  # fmt: skip
    benchmark.extra_info.update(said)
    print(f"\n{name}: " + ", ".join(f"{key} {value:.2f}" for key, value in said.items()))
    if shape.lvis:
        assert len(ours["numbers"]) == len(original["numbers"]) == len(NUMBERS)
    for run in (ours, engine, *clocks.values()):
        assert [-1.0 if value is None else value for value in run["numbers"]] == original["numbers"]


@pytest.mark.perf
def test_cost_grows_with_the_work(tmp_path: Path, benchmark: Any) -> None:
    """1, 10 and 100 times 50 photos: seconds and memory of each. Equal to the engine's own numbers each time."""
    said: dict[str, float] = {}

    def run() -> None:
        for times in (1, 10, 100):
            shape = Shape(50 * times, FOUND)
            load = make_load(tmp_path / str(times), shape)
            ours = best("ours", load.root, shape)
            engine = measured("hotcoco", load.root, shape.suite, shape.iou_type)
            assert [-1.0 if value is None else value for value in ours["numbers"]] == engine["numbers"]
            said.update({f"{times}x_s": ours["seconds"], f"{times}x_mb": ours["peak_mb"]})

    benchmark.pedantic(run, rounds=1)
    benchmark.extra_info.update(said)
    print("\n" + ", ".join(f"{key} {value:.2f}" for key, value in said.items()))


def instances(photos: int, found: int, seed: int = 0) -> tuple[Instances, Instances]:
    """Truths and answers as columns, 80 classes, four answers near every truth and the others anywhere."""
    rng = np.random.default_rng(seed)
    image = np.repeat(np.arange(1, photos + 1), TRUE)
    true, category = boxes(rng, image.size), rng.integers(1, CLASSES + 1, image.size)
    near = np.repeat(np.arange(image.size), 4)
    others = photos * (found - 4 * TRUE)
    xywh = np.vstack([np.abs(true[near] + rng.normal(0, 9, (near.size, 4))) + 1, boxes(rng, others)])
    whose = np.concatenate([image[near], np.repeat(np.arange(1, photos + 1), found - 4 * TRUE)])
    classes = np.concatenate([category[near], rng.integers(1, CLASSES + 1, others)])
    truth = Instances(image, category, true, true[:, 2] * true[:, 3], np.zeros(image.size, dtype=bool))
    order = np.argsort(whose, kind="stable")
    return truth, Instances(whose[order], classes[order], xywh[order], score=rng.random(whose.size))


@pytest.mark.perf
@pytest.mark.parametrize("photos", [50, 500, 5000])
def test_a_thousand_resamples_of_all_numbers(photos: int, benchmark: Any) -> None:
    """Matching once, then 1,000 weightings of all 12 numbers: linear in photos. The identity is the engine's."""
    truth, found = instances(photos, FOUND)
    areas, nothing = found.boxes_xywh[:, 2] * found.boxes_xywh[:, 3], np.zeros(len(found), dtype=bool)
    rules = Conditions(BOX_NUMBERS, (1, 10, 100), areas, truth.crowd, nothing, ~nothing, {})

    def run() -> Any:
        near = pairs(truth, found, box_similar(truth, found))
        ready = weighable(truth, found, near, rules, np.arange(photos), photos)
        return ready, intervals(lambda w: numbers(ready, w), supports(ready), photos, 1000, 0, heavy=photos > 500)

    began = time.process_time()
    ready, got = benchmark.pedantic(run, rounds=1)
    spent = time.process_time() - began
    began = time.process_time()
    engine = average_precision("bbox", [(640, 640)] * photos, list(range(1, CLASSES + 1)), truth, found)
    once = time.process_time() - began
    print(
        f"\n{photos} x {FOUND}: {spent:.2f} CPU s for 1,000 resamples, {1000 * once / spent:.0f} x fewer than 1,000 runs of the engine"
    )
    whole = numbers(ready, np.ones((photos, 1)))
    for name, value in engine.numbers.items():
        assert whole[name][0] == pytest.approx(value, abs=1e-12)
    assert set(got) == set(BOX_NUMBERS)


@pytest.mark.perf
@pytest.mark.parametrize("steps", [1000, 10, 1])
def test_the_range_of_equal_confidences(steps: int, benchmark: Any) -> None:
    """AP_worst and AP_best of 500,000 answers whose confidences come in so many steps."""
    truth, found = instances(5000, FOUND)
    found = replace(found, score=np.ceil(found.score * steps) / steps)
    near = pairs(truth, found, box_similar(truth, found))
    began = time.process_time()
    worst, best = benchmark.pedantic(
        lambda: tie_bounds(truth, found, near, truth.crowd, np.zeros(len(found), dtype=bool)), rounds=1
    )
    print(f"\n{steps} steps: {time.process_time() - began:.2f} CPU s, AP {100 * worst:.1f} to {100 * best:.1f}")
    engine = average_precision("bbox", [(640, 640)] * 5000, list(range(1, CLASSES + 1)), truth, found)
    assert worst < (engine.numbers["AP"] or 0.0) < best
