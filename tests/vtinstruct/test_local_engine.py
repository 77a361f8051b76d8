"""Jobs by processes, this one among them: each once, with its result or its error, and an early end ends everybody."""

from __future__ import annotations

import os
from collections import deque
from itertools import count, repeat
from multiprocessing import parent_process

import pytest

from vtinstruct.engines import WorkerDied, local


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_job_is_done_once_and_errors_are_results(workers: int) -> None:
    jobs = [*map(str, range(50)), "no number"]
    found = dict(local.run_here_too(jobs, int, workers))
    assert isinstance(found.pop("no number"), ValueError)
    assert found == {str(number): number for number in range(50)}
    assert list(local.run_here_too([], int, workers)) == []


def test_whoever_stops_asking_stops_the_others() -> None:
    results = local.run_here_too(count(), abs, 2)
    job, result = next(results)  # of whichever process took it
    assert job == result
    results.close()  # with jobs without end, this would never return


def _die_elsewhere(job: int) -> int:
    if parent_process() is not None:
        os._exit(1)
    return job


def test_a_lost_process_is_told() -> None:
    with pytest.raises(WorkerDied):
        deque(local.run_here_too(repeat(1), _die_elsewhere, 2), maxlen=0)  # and not when all jobs are done
