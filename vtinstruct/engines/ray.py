"""Chunks by Ray core tasks: on this machine, or on every node of a cluster that sees the same folders.

Core tasks and not Ray Data, which may reorder rows: a task is one job, and only its small answer travels. A task whose
process is lost is done again elsewhere by Ray.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from vtinstruct.engines import EngineError, WorkerDied
from vtinstruct.engines.local import IN_HAND, attempt, safe_path

Job = TypeVar("Job")
Result = TypeVar("Result")

STORE_BYTES = 100_000_000  # of a local Ray: receipts are small, and by itself it would take a third of the memory


def run(
    jobs: Iterable[Job], work: Callable[[Job], Result], workers: int, address: str = ""
) -> Iterator[tuple[Job, Result | Exception]]:
    """Do every job and yield it with its result, or with the exception it raised, as they finish.

    `address` is a cluster's ("auto", `host:6379`, `ray://host:10001`); without one RAY_ADDRESS is taken, or else a Ray of
    this machine is started with `workers` processes (0: one a core) and ended afterwards. On a cluster `workers` bounds the
    tasks at work (0: all it has CPUs for). Raises `EngineError` when Ray is not installed or not reached, `WorkerDied` when
    a task was lost again and again.
    """
    ray = _ray()
    with _connected(ray, workers, address or os.environ.get("RAY_ADDRESS", "")):
        task: Any = ray.remote(num_cpus=1)(attempt)
        room = IN_HAND * (workers or max(int(ray.cluster_resources().get("CPU", 1)), 1))
        rest, waiting = iter(jobs), dict[Any, Job]()
        try:
            waiting |= {task.remote(work, job): job for job in islice(rest, room)}
            while waiting:
                for done in ray.wait(list(waiting), num_returns=1)[0]:
                    job, result = waiting.pop(done), ray.get(done)
                    waiting |= {task.remote(work, job): job for job in islice(rest, 1)}
                    yield job, result
        except ray.exceptions.RayError as error:
            raise WorkerDied(f"Ray lost a task: {str(error).strip().splitlines()[-1]}") from error
        finally:
            for left in waiting:
                ray.cancel(left, force=True)


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise EngineError("--engine ray: Ray is not installed; pip install 'vt-instruct[ray]' is right") from error
    return ray


@contextmanager
def _connected(ray: Any, workers: int, address: str) -> Generator[None, None, None]:
    """A connection to Ray, ended afterwards unless the caller's program has one already."""
    if ray.is_initialized():
        yield
        return
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    if address and address != "local":
        _start(ray, {"address": address, **quiet})
    else:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        own = {"num_cpus": workers or os.cpu_count(), "object_store_memory": STORE_BYTES, "include_dashboard": False}
        with safe_path():
            _start(ray, {"address": "local", **own, **quiet}, attempts=3)
    try:
        yield
    finally:
        ray.shutdown()


def _start(ray: Any, options: dict[str, Any], attempts: int = 1) -> None:
    # A busy machine can need more than the half minute that Ray gives its own processes to start; then once more.
    for left in reversed(range(attempts)):
        try:
            ray.init(**options)
        except Exception as error:  # Ray raises bare ones too
            ray.shutdown()
            if not left:
                said = " ".join(str(error).split())[:200]
                raise EngineError(f"Ray at {options['address']} cannot be reached or started: {said}") from error
        else:
            return
