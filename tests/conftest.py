"""What all tests share: the folder of real data (when it is there), and how hypothesis runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: machines that run tests are shared and noisy. The same examples every time: a red run can be repeated.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

SHARED_DATA = Path(os.environ.get("VTINSTRUCT_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """`shared_data("coco_tiny")`: that folder of real annotation files; the test is skipped where it is not there."""

    def find(name: str) -> Path:
        folder = SHARED_DATA / name
        if not folder.is_dir():
            pytest.skip(f"real data {name!r} is not on this machine (VTINSTRUCT_SHARED_DATA names its folder)")
        return folder

    return find
