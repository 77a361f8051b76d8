"""One side of a scoring measurement, in a process of its own, so that its memory is its own:

    python -m tests.perf.score_side SIDE FOLDER SUITE IOU_TYPE

prints one JSON line: processor seconds (of all threads, not of other processes) and clock of the work (imports are not part of it), the process's largest memory in
MB (VmHWM: ru_maxrss would be inherited from the starting process), and the numbers.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

Numbers = list[float | None]


def ours(folder: Path, suite: str, iou_type: str, workers: int = 1) -> Callable[[], Numbers]:
    """From the dataset and the predictions file to the official numbers, read by so many processes."""
    from benchmarks.dataset import open_dataset
    from benchmarks.engine import BOX_NUMBERS
    from benchmarks.engine_lvis import NUMBERS  # the engine, the scorer and what they need: imported beforehand
    from benchmarks.score import score_file
    from benchmarks.shares import Options, read_truths
    from benchmarks.suites import suites_for

    suites_for([suite.removesuffix("_lvis")], [suite])[0].load()

    def run() -> Numbers:
        with tempfile.TemporaryDirectory() as out:
            dataset, splits = open_dataset(folder / "data")
            options = Options(splits, suites=(suite,), resamples=0)
            truths = read_truths(dataset, options)
            results = score_file(folder / "predictions.jsonl", dataset, Path(out), options, truths, workers)
            (one,) = results.suites
            return [one.numbers[name] for name in (NUMBERS if "lvis" in suite else BOX_NUMBERS)]

    return run


def hotcoco(folder: Path, suite: str, iou_type: str) -> Callable[[], Numbers]:
    """The fast engine alone, from the official JSON files."""
    import hotcoco as engine

    def run() -> Numbers:
        truth = engine.COCO(str(folder / "truth.json"))
        found = truth.load_res(str(folder / "results.json"))
        if "lvis" in suite:
            evaluator: Any = engine.LVISeval(truth, found, iou_type)
            evaluator.run()
            got = evaluator.get_results()
            return [got[name] for name in evaluator.metric_keys()]  # in lvis-api's order
        evaluator = engine.COCOeval(truth, found, iou_type)
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
        return list(evaluator.stats)

    return run


def pycocotools(folder: Path, suite: str, iou_type: str) -> Callable[[], Numbers]:
    """The original of COCO."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def run() -> Numbers:
        truth: Any = COCO(str(folder / "truth.json"))
        evaluator = COCOeval(truth, truth.loadRes(str(folder / "results.json")), cast(Any, iou_type))
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
        return [float(value) for value in evaluator.stats]

    return run


def lvis(folder: Path, suite: str, iou_type: str) -> Callable[[], Numbers]:
    """The original of LVIS."""
    from benchmarks.originals import lvis_api, old_numpy

    api = lvis_api()

    def run() -> Numbers:
        with old_numpy():
            truth = api.LVIS(str(folder / "truth.json"))
            evaluator = api.LVISEval(truth, str(folder / "results.json"), iou_type)
            evaluator.run()
        return [float(value) for value in evaluator.get_results().values()]

    return run


SIDES: dict[str, Callable[[Path, str, str], Callable[[], Numbers]]] = {
    "ours": ours, "ours_by_two": partial(ours, workers=2), "hotcoco": hotcoco, "pycocotools": pycocotools, "lvis": lvis
}  # fmt: skip
THREADS = ("RAYON_NUM_THREADS", "POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def measured(side: str, folder: Path, suite: str, iou_type: str, cores: int = 1) -> dict[str, Any]:
    """Run a side in a process of its own, with so many threads for whatever has threads; what it printed."""
    words = [sys.executable, "-m", "tests.perf.score_side", side, str(folder), suite, iou_type]
    root = Path(__file__).parents[2]
    env = os.environ | dict.fromkeys(THREADS, str(cores)) | {"PYTHONPATH": str(root)}
    done = subprocess.run(words, cwd=root, check=True, capture_output=True, text=True, env=env)
    return json.loads(done.stdout.splitlines()[-1])


def peak_mb() -> float:
    """The largest memory this very program has held."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM: Linux is needed")


if __name__ == "__main__":
    which, place, *rest = sys.argv[1:]
    work = SIDES[which](Path(place), *rest)
    processor, clock = time.process_time(), time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        got = work()
    processor, clock = time.process_time() - processor, time.perf_counter() - clock
    print(json.dumps({"seconds": processor, "clock": clock, "peak_mb": peak_mb(), "numbers": got}))
