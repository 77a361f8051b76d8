"""Chunks by processes of this machine; one worker means this very process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from multiprocessing import connection, resource_tracker
from multiprocessing.context import SpawnContext
from typing import Any, TypeVar

from vtinstruct.engines import WorkerDied

Job = TypeVar("Job")
Result = TypeVar("Result")


def run(jobs: Iterable[Job], work: Callable[[Job], Result], workers: int) -> Iterator[tuple[Job, Result | Exception]]:
    """Do every job and yield it with its result, or with the exception it raised, as they finish.

    `work` and the jobs must be picklable when there are several workers. Raises `WorkerDied` when a process is lost.
    """
    if workers <= 1:
        for job in jobs:
            yield job, attempt(work, job)
        return
    yield from _pooled(iter(jobs), work, workers)


def run_here_too(
    jobs: Iterable[Job], work: Callable[[Job], Result], workers: int
) -> Generator[tuple[Job, Result | Exception], None, None]:
    """As `run`, but this process is one of the workers: where jobs are so few and short that it would be done with many of
    them before another process has started."""
    if workers <= 1:
        yield from run(jobs, work, 1)
        return
    shared = _Shared(iter(jobs))
    with ThreadPoolExecutor(1) as pool:
        others = pool.submit(lambda: list(_pooled(shared, work, workers - 1)))
        others.add_done_callback(lambda _: shared.end())  # when one is lost, there is no use in going on
        try:
            for job in shared:
                yield job, attempt(work, job)
            yield from others.result()
        finally:
            shared.end()


class _Shared(Iterator[Job]):
    """Jobs that several threads take, each once."""

    def __init__(self, jobs: Iterator[Job]) -> None:
        self._jobs, self._lock, self._ended = jobs, threading.Lock(), False

    def __next__(self) -> Job:
        with self._lock:
            if self._ended:
                raise StopIteration
            return next(self._jobs)

    def end(self) -> None:
        """There are no more."""
        self._ended = True


def attempt(work: Callable[[Job], Result], job: Job) -> Result | Exception:
    """The job's result, or the exception it raised."""
    try:
        return work(job)
    except Exception as error:  # handed to the caller, who lists it
        return error


def _pooled(
    jobs: Iterator[Job], work: Callable[[Job], Result], workers: int
) -> Iterator[tuple[Job, Result | Exception]]:
    # Spawned, not forked: Arrow and Pillow keep threads and locks that a fork would copy in any state. Every worker has a
    # pipe of its own: the standard pools share one queue, and a worker killed with its lock in hand stops them for ever.
    context = multiprocessing.get_context("spawn")
    crew: list[_Worker] = []
    try:
        with safe_path(), ctrl_c_waits():
            crew.extend(_Worker(context, work) for _ in range(workers))
        for worker in crew:
            worker.give(islice(jobs, IN_HAND))
        while busy := {worker.pipe: worker for worker in crew if worker.jobs}:
            for pipe in connection.wait(list(busy)):
                worker = next(worker for worker in busy.values() if worker.pipe is pipe)
                result: Result | Exception = worker.pipe.recv()
                job = worker.jobs.popleft()
                worker.give(islice(jobs, 1))
                yield job, result
    except (EOFError, ConnectionError) as error:
        raise WorkerDied("a worker process was killed or ran out of memory") from error
    finally:
        for worker in crew:
            worker.end()


IN_HAND = 2  # jobs a worker has: it never waits for the parent, and few are lost when it is killed


class _Worker:
    """A process, the pipe to it, and the jobs it has been given, oldest first."""

    def __init__(self, context: SpawnContext, work: Callable[[Any], Any]) -> None:
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, work), daemon=True)
        self.jobs: deque[Any] = deque()
        try:
            self.process.start()
        finally:
            theirs.close()  # with the worker's own copy the only one left, its death is the end of the pipe

    def give(self, jobs: Iterable[Any]) -> None:
        for job in jobs:
            self.pipe.send(job)
            self.jobs.append(job)

    def end(self) -> None:
        """Let an idle worker go; one that is still busy is of no use to anybody."""
        self.pipe.close()
        if self.jobs:
            self.process.kill()
        self.process.join()


def _serve(pipe: connection.Connection, work: Callable[[Any], Any]) -> None:
    """A worker's life: one job after the other until the pipe ends. It ends with its parent."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # spawned
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    while True:
        try:
            pipe.send(attempt(work, pipe.recv()))
        except (EOFError, ConnectionError):  # nobody wants more, or this one
            os._exit(0)  # the parent waits for it, and to take Arrow and all else down takes 0.15 s


def _end_with(sentinel: int) -> None:
    # A killed parent cannot tell its workers to stop, and one in the middle of a long chunk would go on writing.
    connection.wait([sentinel])
    os._exit(1)


@contextmanager
def ctrl_c_waits() -> Generator[None, None, None]:
    """Keep Ctrl-C back for this block. Processes started in it never hear of it: they would show where it met them."""
    resource_tracker.ensure_running()  # a process that is started later starts it, and it ends the keeping back
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def safe_path() -> Generator[None, None, None]:
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
