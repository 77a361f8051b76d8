"""Every suite at once, on a drawn dataset of all sources and tasks: answers in parts, by several workers, merged in any order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.dataset import Dataset
from benchmarks.results import Results, read_results
from benchmarks.suites import SUITES
from tests.benchmarks.everything import rough_answers
from tests.benchmarks.road import bench
from tests.benchmarks.test_parts import in_parts, rows_in
from tests.benchmarks.test_plain import spoiled
from vtinstruct import plugins
from vtinstruct.manifest import read_manifest

RESAMPLES = 3
SPLITS = ("59_val", "adversarial", "train", "train_conversation", "v1_val", "val", "val2017")
LIMIT = 8  # samples a task and split: as few as have every suite


@pytest.fixture(scope="module")
def everything(every_task_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[str]]:
    """The dataset, answers (a third of them damaged), and what else `score` is told."""
    root = tmp_path_factory.mktemp("everything")
    path = rough_answers(every_task_data, root / "answers.jsonl", 1, splits=SPLITS, limit=LIMIT)
    head, *lines = path.read_text().splitlines()
    rng = np.random.default_rng(2)
    lines = [spoiled(line, rng) if rng.random() < 0.3 else line for line in lines]
    path.write_text("\n".join([head, *lines, '{"id": "nobody", "text": ""}', "torn"]) + "\n")
    words = ["--resamples", str(RESAMPLES), "--limit", str(LIMIT)]
    return every_task_data, path, [*words, *(word for split in SPLITS for word in ("--split", split))]


def scored(data: Path, parts: list[Path], out: Path, *more: str) -> Results:
    named = [word for part in parts for word in ("--predictions", str(part))]
    done = bench("score", *named, "--data", data, "--out", out, *more)
    assert done.exit_code == 0, done.output
    return read_results(out)


def kept(folder: Path) -> dict[str, bytes]:
    """The rows, and the result file."""
    rows = rows_in(folder)
    rows.pop("answers.parquet", None)  # digests for scoring again, which a merged folder has none of
    return rows | {"results.json": (folder / "results.json").read_bytes()}


@pytest.mark.usefixtures("meteor_data")  # what hides it from tests hides it from no worker
def test_every_suite_merges_in_any_order_to_the_same_bits(
    everything: tuple[Path, Path, list[str]], tmp_path: Path
) -> None:
    data, path, more = everything
    whole = scored(data, [path], tmp_path / "whole", *more)
    assert {suite.suite for suite in whole.suites} == {suite.name for suite in SUITES}
    assert whole.intake["reasons"]["unknown id"] == whole.intake["reasons"]["not JSON"] == 1
    assert sum(suite.invalid for suite in whole.suites if suite.task) > 20
    assert sum(suite.missing for suite in whole.suites if suite.task) > 20
    scored(data, [path], tmp_path / "workers", *more, "--workers", "2")
    assert kept(tmp_path / "workers") == kept(tmp_path / "whole")

    parts = in_parts(path, path.parent, 2)  # depth maps lie there
    together = scored(data, parts, tmp_path / "together", *more)
    scored(data, parts[::-1], tmp_path / "reversed", *more)
    assert kept(tmp_path / "reversed") == kept(tmp_path / "together")
    assert together.suites == whole.suites
    assert {n: b for n, b in kept(tmp_path / "together").items() if n != "results.json"} == {
        n: b for n, b in kept(tmp_path / "whole").items() if n != "results.json"
    }

    apart = [tmp_path / f"apart{n}" for n in range(2)]
    for part, folder in zip(parts, apart, strict=True):
        scored(data, [part], folder, *more)
    for name, order in (("forward", apart), ("backward", apart[::-1])):
        assert bench("merge", *order, "--out", tmp_path / name).exit_code == 0
        assert kept(tmp_path / name) == kept(tmp_path / "together"), name


def test_every_task_has_a_suite_with_a_primary_number(everything: tuple[Path, Path, list[str]]) -> None:
    """The 25 tasks of the paper and what came later: each is taken by a suite, whatever the source, and has a primary number."""
    tasks = plugins.names("vtinstruct.tasks")
    assert len(tasks) >= 29
    data = everything[0]
    manifest = read_manifest(data)
    for task in tasks:
        taken = [suite for suite in SUITES if suite.task == task]
        assert taken, f"no suite scores {task}"
        for suite in taken:
            assert suite.metric().name == suite.primary
            assert suite.task in suite.load().tasks
    for split in Dataset(data, manifest).splits():
        for task in Dataset(data, manifest).tasks(split):
            for truth in Dataset(data, manifest).dialogues(task, split):
                assert any(suite.task and suite.takes(task, truth.source) for suite in SUITES), (task, truth.source)
