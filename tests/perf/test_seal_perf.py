"""What the seals of kept rows cost: their share of scoring 5,000 photos x 100 boxes, and of merging two halves of it.

pytest -m perf --benchmark-enable -s tests/perf/test_seal_perf.py
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.dataset import open_dataset
from benchmarks.merge import merge
from benchmarks.results import write_results
from benchmarks.score import score_file
from benchmarks.shares import Options, read_truths
from tests.perf.score_loads import Shape, make_load

ROUNDS = 3


def seconds(work: Callable[[], Any]) -> float:
    """Processor seconds, the least of some rounds."""
    found: list[float] = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


@pytest.mark.perf
def test_the_share_of_seals_in_a_run_and_in_a_merge(tmp_path: Path, benchmark: Any) -> None:
    load = make_load(tmp_path / "load", Shape(5000, 100))
    dataset, splits = open_dataset(load.data)
    options = Options(splits, suites=("det",), resamples=0)  # with intervals the shares are smaller
    truths = read_truths(dataset, options)
    head, *lines = load.predictions.read_text().splitlines()
    folders = [tmp_path / f"scored{n}" for n in range(2)]
    for n, folder in enumerate(folders):
        half = tmp_path / f"half{n}.jsonl"
        half.write_text("\n".join([head, *lines[n::2]]) + "\n")
        write_results(folder / "results.json", score_file(half, dataset, folder, options, truths))
    rounds = iter(range(ROUNDS))
    run = seconds(
        lambda: score_file(load.predictions, dataset, tmp_path / f"run{next(rounds)}", options, truths)
    )  # fmt: skip
    merged = benchmark.pedantic(lambda: seconds(lambda: merge(folders, tmp_path / "merged")), rounds=1)
    (path,) = (tmp_path / "merged/rows").glob("*.parquet")
    parts = [part for folder in folders for part in (folder / "rows").glob("det.*")]
    own = seconds(lambda: hashlib.sha256(path.read_bytes()).hexdigest())
    theirs = seconds(lambda: [hashlib.sha256(part.read_bytes()).hexdigest() for part in parts])
    said = {
        "rows_mb": path.stat().st_size / 1e6, "seal_s": own, "run_s": run, "share_of_run": own / run,
        "merge_s": merged, "share_of_merge": (own + theirs) / merged,
    }  # fmt: skip
    benchmark.extra_info.update(said)
    print("\n" + ", ".join(f"{name} {value:.4f}" for name, value in said.items()))
    assert (tmp_path / "run0/rows" / path.name).read_bytes() == path.read_bytes()
