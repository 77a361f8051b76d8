"""Work that processes share: the results of one process, whoever did what, and no silence when one ends."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.crew import ALONE, Crew, WorkerDied, as_given
from benchmarks.engine import BOX_NUMBERS
from benchmarks.intervals import NARROW, intervals
from benchmarks.matching import pairs
from benchmarks.scorers._ap import supports
from benchmarks.scorers.ap_box import box_similar
from benchmarks.shares import LEAST, stretches
from benchmarks.weighted import Conditions, numbers, weighable
from tests.perf.test_score_perf import instances

PATIENCE = 120  # seconds, for a helper to do anything on a busy machine


def until(there: Any) -> None:
    """Wait for a helper."""
    late = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < late, "no helper came"
        time.sleep(0.01)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_stand_in_the_order_of_the_works(workers: int) -> None:
    with Crew(workers) as crew:
        for long in (False, True, False):
            assert crew.share(as_given, partial(pow, 2), range(40), 40, long=long) == [2**n for n in range(40)]
        assert crew.share(as_given, partial(pow, 2), [], 0) == []


def test_helpers_are_called_when_the_rest_takes_longer_than_their_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.crew.START", float("inf"))
    with Crew(2) as crew:
        crew.share(as_given, abs, range(1000), 1000)
        assert not crew._helpers  # pyright: ignore[reportPrivateUsage]
        monkeypatch.setattr("benchmarks.crew.START", 0.0)
        assert crew.share(as_given, abs, range(1000), 1000) == list(range(1000))
        assert len(crew._helpers) == 1  # pyright: ignore[reportPrivateUsage]


def test_two_processes_work_at_once(tmp_path: Path) -> None:
    """Each work waits for the other to be done: alone nobody would end."""
    paths = [tmp_path / "0", tmp_path / "1"]

    def here(path: Path) -> int:
        until(paths[1 - paths.index(path)].exists)
        return 0

    with Crew(2) as crew:
        assert sorted(crew.share(as_given, partial(Path.write_text, data="done"), paths, 2, here, long=True)) == [0, 4]


@pytest.mark.parametrize("workers", [1, 3])
def test_the_first_work_that_fails_is_told(workers: int) -> None:
    with Crew(workers) as crew, pytest.raises(ValueError, match="'first'"):
        crew.share(as_given, int, ["1", "2", "first", "3", "second"], 5)


def test_works_that_cannot_be_drawn_are_told_whoever_draws_them() -> None:
    """A helper's thread draws the second one, and nobody looks at what that thread raises."""
    drawn: list[int] = []

    def works() -> Iterator[int]:
        yield 1
        drawn.append(2)
        raise MemoryError("no room for the second")

    with Crew(2) as crew, pytest.raises(MemoryError, match="no room for the second"):
        crew.share(as_given, abs, works(), 3, lambda _: until(lambda: drawn), long=True)


def test_a_worker_that_ends_is_told() -> None:
    with Crew(2) as crew:

        def here(_: int) -> None:
            (helper,) = crew._helpers  # pyright: ignore[reportPrivateUsage]
            until(lambda: helper._process.poll() is not None)  # pyright: ignore[reportPrivateUsage]

        with pytest.raises(WorkerDied, match=r"exit code 3\); enough memory for all, or fewer --workers"):
            crew.share(as_given, os._exit, [3, 3], 2, here, long=True)
        assert crew.share(as_given, abs, [-1, -2, -3], 3) == [1, 2, 3]  # whoever is left does it


def test_a_worker_that_cannot_begin_is_told() -> None:
    works = range(100 * PATIENCE)  # until it is told
    with Crew(2) as crew, pytest.raises(ValueError, match="invalid literal"):
        # `int` makes nothing of what works share, and is known to a helper, which these tests are not
        crew.share(int, "no number", works, len(works), lambda _: time.sleep(0.01), long=True)


def test_resamples_shared_are_the_same_bits() -> None:
    truth, found = instances(60, 40)
    areas, nothing = found.boxes_xywh[:, 2] * found.boxes_xywh[:, 3], np.zeros(len(found), dtype=bool)
    rules = Conditions(BOX_NUMBERS, (1, 10, 100), areas, truth.crowd, nothing, ~nothing, {})
    near = pairs(truth, found, box_similar(truth, found))
    ready = weighable(truth, found, near, rules, np.arange(60), 60)
    given = (partial(numbers, ready), supports(ready), 60, 5 * NARROW, 0)
    alone = intervals(*given, heavy=True)
    for workers in (2, 3, 5):
        with Crew(workers) as crew:
            shared = intervals(*given, heavy=True, crew=crew)
        assert shared == alone
        for name, one in alone.items():
            assert np.array_equal(one.values, shared[name].values, equal_nan=True)
            assert np.array_equal(one.left_out, shared[name].left_out, equal_nan=True)
    assert ALONE.workers == 1


def test_small_files_are_not_cut_and_large_ones_are(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"x" * 99 + b"\n")
    large.write_bytes((b"y" * 99 + b"\n") * (LEAST // 20))
    assert [piece.path for piece in stretches([small], 2)] == [small]
    pieces = stretches([small, large], 2)
    assert [piece.path for piece in pieces] == [small, *[large] * 5]
    assert all(piece.stop == following.start for piece, following in pairwise(pieces[1:]))
    assert pieces[-1].stop == large.stat().st_size
    assert [piece.first for piece in pieces[1:3]] == [1, 1 + (pieces[1].stop or 0) // 100]
    assert len(stretches([small, large], 1)) == 2
