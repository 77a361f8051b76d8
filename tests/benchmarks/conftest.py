"""Fixtures of the benchmark's tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.everything import every_task
from tests.benchmarks.made import vocabulary_of, write_dataset
from tests.benchmarks.road import COCO, samples


@pytest.fixture(scope="session")
def tiny_coco(shared_data: Callable[[str], Path]) -> Callable[[str], dict[str, Any]]:
    """The real sample's annotations by file name; skips where the folder is absent."""
    return lambda name: json.loads((shared_data("coco_tiny") / "annotations" / name).read_text())


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of `road.samples`, on disk."""
    root = tmp_path_factory.mktemp("dataset") / "made"
    return write_dataset(root, samples(root), vocabulary_of(COCO))


@pytest.fixture(scope="session")
def every_task_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of every source and every task, on disk."""
    return every_task(tmp_path_factory.mktemp("every"), scenes=5)
