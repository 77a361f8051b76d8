"""One scoring of a worker measurement, in a process of its own: `python -m tests.perf.worker_side FOLDER SUITE WORKERS`.

From the dataset and the predictions file to the numbers with their intervals (1,000 resamples); prints one JSON line: the clock
of the work and a digest of what was found. A SUITE of "all" means every one.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.dataset import open_dataset
from benchmarks.score import score_file
from benchmarks.shares import Options, read_truths
from benchmarks.suites import suites_for

if __name__ == "__main__":
    folder, name, workers = sys.argv[1:]
    with tempfile.TemporaryDirectory() as out:
        dataset, splits = open_dataset(Path(folder) / "dataset")
        options = Options(splits, suites=() if name == "all" else (name,))
        for suite in suites_for([task for split in splits for task in dataset.tasks(split)], options.suites):
            suite.load()  # as a command has by then
        began = time.perf_counter()
        truths = read_truths(dataset, options)
        found = score_file(Path(folder) / "answers.jsonl", dataset, Path(out), options, truths, int(workers))
        clock = time.perf_counter() - began
    print(json.dumps({"clock": clock, "digest": hashlib.sha256(repr(found).encode()).hexdigest()}))
