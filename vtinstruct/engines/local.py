"""Chunks by processes of this machine; one worker means this very process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import connection
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


class WorkerDied(Exception):
    """A worker process ended without an answer (killed, or out of memory)."""


def run(jobs: Iterable[Job], work: Callable[[Job], Result], workers: int) -> Iterator[tuple[Job, Result | Exception]]:
    """Do every job and yield it with its result, or with the exception it raised, as they finish.

    `work` and the jobs must be picklable when there are several workers. Raises `WorkerDied` when a process is lost.
    """
    if workers <= 1:
        for job in jobs:
            yield job, _attempt(work, job)
        return
    yield from _pooled(iter(jobs), work, workers)


def _attempt(work: Callable[[Job], Result], job: Job) -> Result | Exception:
    try:
        return work(job)
    except Exception as error:  # handed to the caller, who lists it
        return error


def _pooled(
    jobs: Iterator[Job], work: Callable[[Job], Result], workers: int
) -> Iterator[tuple[Job, Result | Exception]]:
    # Spawned, not forked: Arrow and Pillow keep threads and locks that a fork would copy in any state.
    context = multiprocessing.get_context("spawn")
    with _safe_path(), ProcessPoolExecutor(workers, mp_context=context, initializer=_serve) as pool:
        running: dict[Future[Result | Exception], Job] = {}
        try:
            while True:
                # twice as many as workers: nobody waits for the parent, and few are lost when it is killed
                for job in islice(jobs, 2 * workers - len(running)):
                    running[pool.submit(_attempt, work, job)] = job
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    job = running.pop(future)
                    yield job, future.result()
        except BrokenProcessPool as error:
            raise WorkerDied("a worker process was killed or ran out of memory") from error
        finally:
            for future in running:
                future.cancel()


def _serve() -> None:
    """A worker's first act: end with the parent, however that ends, and leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None  # spawned
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    # A killed parent closes nothing that a pool's worker waits for: it would wait for ever.
    connection.wait([sentinel])
    os._exit(1)


@contextmanager
def _safe_path() -> Generator[None, None, None]:
    """Keep the working directory off the workers' module path: a project of its own may have folders or files there named
    like ours or like the standard library's."""
    name = "PYTHONSAFEPATH"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
