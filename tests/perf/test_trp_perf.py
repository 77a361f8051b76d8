"""Reading TRP: an honest answer's rate, and a megabyte of garbage beside a tenth of it (linear: ten times the time)."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.vtinstruct.test_trp import HOSTILE
from vtinstruct.trp import parse

pytestmark = [pytest.mark.perf, pytest.mark.benchmark(timer=time.process_time)]
ANSWER = (
    "A <Phrase>man</Phrase>(<Unit>mask</Unit>[0]<REF>) in a red coat walks <Phrase>two dogs</Phrase>"
    "(<Unit>box</Unit>[0]<REF>[1]<REF>) along the beach, early in the morning. "
)


def test_answers(benchmark: Any) -> None:
    text = ANSWER * 20
    found = benchmark(parse, text)
    assert not found.errors
    assert found.references == 60
    benchmark.extra_info["megabytes_per_second"] = round(len(text) / 1e6 / benchmark.stats.stats.min, 1)


@pytest.mark.parametrize("name", HOSTILE)
def test_garbage(benchmark: Any, name: str) -> None:
    text = HOSTILE[name] * (1_000_000 // len(HOSTILE[name]))
    began = time.process_time()
    for _ in range(10):
        parse(text[:100_000])
    tenths = time.process_time() - began
    benchmark.pedantic(parse, (text,), rounds=3)
    benchmark.extra_info["times_ten_tenths"] = round(benchmark.stats.stats.min / tenths, 2)
