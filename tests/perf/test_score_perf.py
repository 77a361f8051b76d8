"""Scoring speed: from a predictions file to the 12 COCO numbers, beside pycocotools on the same instances, in one run.

    pytest -m perf tests/perf/test_score_perf.py --benchmark-enable -s

The load is 5,000 photos with 100 answered boxes each (80 classes, 7 annotated boxes a photo); the other side gets its results
as the official script does, from a JSON file on disk. Equal numbers are part of the test.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.columns import Instances
from benchmarks.dataset import open_dataset
from benchmarks.engine import BOX_NUMBERS, average_precision
from benchmarks.intervals import intervals
from benchmarks.matching import pairs
from benchmarks.score import Options, read_truths, score_file
from benchmarks.scorers.ap_box import box_similar
from benchmarks.weighted import Conditions, numbers, weighable
from tests.benchmarks.made import dialogue, write_dataset
from vtinstruct.dialogue import Dialogue, Evaluation, Reference, Triplet
from vtinstruct.prediction import Header, header_to_wire
from vtinstruct.units import Box

PHOTOS, FOUND, TRUE, CLASSES = 5000, 100, 7, 80
NAMES = {f"class {i}": i for i in range(1, CLASSES + 1)}


@dataclass
class Load:
    """The same instances twice: a dataset and predictions file of ours, and COCO's two JSON files."""

    data: Path
    predictions: Path
    truth_json: Path
    results_json: Path


def boxes(rng: np.random.Generator, n: int) -> np.ndarray:
    corner, size = rng.uniform(0, 400, (n, 2)), rng.uniform(8, 220, (n, 2))
    return np.round(np.hstack([corner, size]), 2)


def truth_of(image: int, classes: np.ndarray, xywh: np.ndarray) -> Dialogue:
    groups: dict[int, list[Reference]] = {}
    for class_, (x, y, w, h) in zip(classes.tolist(), xywh.tolist(), strict=True):
        box = Box((x, y, x + w, y + h))
        groups.setdefault(class_, []).append(Reference(box, None, f"class {class_}", class_, "", w * h))
    parts = [Triplet(f"class {class_}", "box", tuple(several)) for class_, several in sorted(groups.items())]
    return dialogue(f"load/val/{image}/det/0", "det", parts, (640, 640), Evaluation(), f"load:{image}")


def answer_line(image: int, classes: np.ndarray, xywh: np.ndarray, scores: np.ndarray) -> str:
    order = np.argsort(classes, kind="stable")
    units, text = [], []
    for class_ in np.unique(classes).tolist():
        members = [i for i in order.tolist() if classes[i] == class_]
        marks = "".join(f"[{n}]<REF>" for n in range(len(members)))
        text.append(f"<Phrase>class {class_}</Phrase>(<Unit>box</Unit>{marks})")
        for i in members:
            x, y, w, h = xywh[i].tolist()
            units.append({"kind": "box", "box_xyxy": [x, y, x + w, y + h], "score": float(scores[i])})
    return json.dumps({"id": f"load/val/{image}/det/0", "text": ", ".join(text) + ".", "units": units})


def make_load(root: Path, photos: int) -> Load:
    rng = np.random.default_rng(0)
    truths, lines, annotations, results = [], [], [], []
    for image in range(1, photos + 1):
        classes, true = rng.integers(1, CLASSES + 1, TRUE), boxes(rng, TRUE)
        truths.append(truth_of(image, classes, true))
        near = np.repeat(np.arange(TRUE), 4)
        found = np.vstack([np.abs(true[near] + rng.normal(0, 9, (len(near), 4))) + 1, boxes(rng, FOUND - len(near))])
        found_classes = np.concatenate([classes[near], rng.integers(1, CLASSES + 1, FOUND - len(near))])
        scores = rng.random(FOUND)
        lines.append(answer_line(image, found_classes, found, scores))
        for class_, box in zip(classes.tolist(), true.tolist(), strict=True):
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image, "category_id": class_, "bbox": box}
                | {"area": box[2] * box[3], "iscrowd": 0}
            )
        for class_, box, score in zip(found_classes.tolist(), found.tolist(), scores.tolist(), strict=True):
            results.append({"image_id": image, "category_id": class_, "bbox": box, "score": score})
    data = write_dataset(root / "data", truths, NAMES, photos=False)
    header = Header("load", open_dataset(data)[0].hash)
    predictions = root / "predictions.jsonl"
    predictions.write_text("\n".join([json.dumps(header_to_wire(header)), *lines]) + "\n")
    images = [{"id": i, "width": 640, "height": 640} for i in range(1, photos + 1)]
    categories = [{"id": i, "name": name} for name, i in NAMES.items()]
    truth_json, results_json = root / "truth.json", root / "results.json"
    truth_json.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    results_json.write_text(json.dumps(results))
    return Load(data, predictions, truth_json, results_json)


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    return make_load(tmp_path_factory.mktemp("load"), PHOTOS)


def ours(load: Load, out: Path) -> list[float | None]:
    dataset, splits = open_dataset(load.data)
    options = Options(splits, suites=("det",), resamples=0)
    result = score_file(load.predictions, dataset, out, options, read_truths(dataset, options)).suites[0]
    return list(result.numbers.values())[:12]


def theirs(load: Load) -> list[float]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth: Any = COCO(str(load.truth_json))
        evaluator = COCOeval(truth, truth.loadRes(str(load.results_json)), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return [float(value) for value in evaluator.stats]


@pytest.mark.perf
def test_boxes_from_the_file_to_the_numbers(load: Load, tmp_path: Path, benchmark: Any) -> None:
    """Equal numbers in a fraction of pycocotools' time."""
    fresh = (tmp_path / str(n) for n in range(9))  # a folder of its own each time: nothing is taken over
    numbers = benchmark.pedantic(lambda: ours(load, next(fresh)), rounds=3, warmup_rounds=1)
    began = time.perf_counter()
    expected = theirs(load)
    slow = time.perf_counter() - began
    fast = benchmark.stats.stats.min if benchmark.stats else float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n{PHOTOS} x {FOUND}: ours {fast:.2f} s, pycocotools {slow:.2f} s, peak of both {peak:.0f} MB")
    assert numbers == expected
    if benchmark.stats:
        assert fast < slow / 3


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
        return ready, intervals(lambda w: numbers(ready, w), photos, 1000, 0, heavy=photos > 500)

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
