"""`vtinstruct --help` beside a bare Python: processor time of the whole process."""

from __future__ import annotations

import resource
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest


def children_seconds() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


@pytest.mark.perf
@pytest.mark.benchmark(timer=children_seconds)
def test_help(benchmark: Any) -> None:
    command = [str(Path(sysconfig.get_path("scripts")) / "vtinstruct"), "--help"]
    began = children_seconds()
    subprocess.run([sys.executable, "-c", ""], check=True)
    bare = children_seconds() - began
    benchmark.pedantic(lambda: subprocess.run(command, check=True, capture_output=True), rounds=5)
    benchmark.extra_info["times_bare_python"] = round(benchmark.stats.stats.min / bare, 1)
