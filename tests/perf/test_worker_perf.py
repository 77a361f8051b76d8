"""What `--workers 2` gives by the clock: quick scorers, middling ones and slow ones, several sizes. Equal results are part of the
test, times are not.

    pytest -m perf --benchmark-enable -s tests/perf/test_worker_perf.py

The rounds of one and two workers take turns, and the best of each counts: on a machine that does other things too, two
workers look worse than they are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.dataset import open_dataset
from tests.benchmarks.everything import every_task, rough_answers
from tests.benchmarks.made import dialogue, prediction_of, write_dataset, write_predictions
from tests.perf.score_loads import Shape, make_load
from tests.perf.test_meteor_perf import captions as spoken
from vtinstruct.dialogue import Evaluation

ROUNDS = int(os.environ.get("WORKER_ROUNDS", "3"))
ROOT = Path(__file__).parents[2]


def instances(shape: Shape) -> Callable[[Path], str]:
    """Boxes or masks, many a photo."""

    def write(folder: Path) -> str:
        load = make_load(folder, shape)
        load.data.rename(folder / "dataset")
        load.predictions.rename(folder / "answers.jsonl")
        return shape.suite

    return write


def captions(count: int) -> Callable[[Path], str]:
    """Captions with four references each, METEOR among the numbers."""

    def write(folder: Path) -> str:
        said, references = spoken(count)
        truths = []
        for n, several in enumerate(references):
            texts = tuple(map(" ".join, several))
            truths.append(dialogue(f"c{n}", "caption", [texts[0]], (8, 8), Evaluation(references=texts), f"made:{n}"))
        write_dataset(folder / "dataset", truths, photos=False)
        answers = [prediction_of(truth, [" ".join(words)]) for truth, words in zip(truths, said, strict=True)]
        write_predictions(folder / "answers.jsonl", open_dataset(folder / "dataset")[0].hash, answers)
        return "caption"

    return write


def drawn(scenes: int, suite: str) -> Callable[[Path], str]:
    """A drawn sample of all sources and tasks, answered by a middling model."""

    def write(folder: Path) -> str:
        rough_answers(every_task(folder, scenes), folder / "answers.jsonl")
        return suite

    return write


LOADS: dict[str, Callable[[Path], str]] = {
    "boxes, 500 photos x 100": instances(Shape(500, 100)),
    "boxes, 5,000 photos x 100": instances(Shape(5000, 100)),
    "boxes, 20,000 photos x 100": instances(Shape(20000, 100)),
    "masks, 200 photos x 100": instances(Shape(200, 100, task="seg")),
    "masks, 2,000 photos x 100": instances(Shape(2000, 100, task="seg")),
    "LVIS, 800 photos x 300": instances(Shape(800, 300, classes=1203, source="lvis")),
    "captions, 500": captions(500),
    "captions, 5,000": captions(5000),
    "panoptic, drawn": drawn(40, "panoptic"),
    "depth, drawn": drawn(40, "depth"),
    "all suites, drawn, few": drawn(6, "all"),
    "all suites, drawn": drawn(40, "all"),
}


def scored(folder: Path, suite: str, workers: int) -> dict[str, Any]:
    words = [sys.executable, "-m", "tests.perf.worker_side", str(folder), suite, str(workers)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True, env=env)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.perf
@pytest.mark.parametrize("name", LOADS)
def test_two_workers_beside_one(name: str, tmp_path: Path, benchmark: Any) -> None:
    """The same results; clocks of both."""
    suite = LOADS[name](tmp_path)
    runs: list[list[dict[str, Any]]] = benchmark.pedantic(
        lambda: [[scored(tmp_path, suite, workers) for workers in (1, 2)] for _ in range(ROUNDS)], rounds=1
    )
    assert len({run["digest"] for both in runs for run in both}) == 1
    one, two = (min(both[index]["clock"] for both in runs) for index in range(2))
    size = (tmp_path / "answers.jsonl").stat().st_size / 1e6
    benchmark.extra_info.update({"answers_mb": size, "one_s": one, "two_s": two, "times_faster": one / two})
    print(f"\n{name}: {size:.1f} MB of answers, one {one:.2f} s, two {two:.2f} s, {one / two:.2f} x")
