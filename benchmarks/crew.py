"""Work shared by several processes: this one, and helpers that take what is next as soon as they have started.

Results stand in the order of the works, whoever did them. A helper is a Python of its own (the engines' threads do not survive
a fork) and needs half a second to import what it works with; nobody waits for it meanwhile: this process works on, and a helper
that comes when everything is taken is ended. Where what is left takes less than such a start, none is called.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import Lock
from typing import Any, Self

Do = Callable[[Any], Any]  # one work -> its result
Prepare = Callable[[Any], Do]  # what all works share -> how one is done; a function of a module: it is sent by its name

START = 1.0  # seconds that the rest must take for a helper to be worth its start
HELPER = "import sys; sys.path[:] = sys.argv[1:]; from benchmarks.crew import help_out; help_out()"


class WorkerDied(Exception):
    """A helper ended before its work was done; one line."""


class Crew:
    """This process and at most `workers - 1` helpers, which start when there is something for them."""

    def __init__(self, workers: int) -> None:
        self._most = max(0, workers - 1)
        self._helpers: list[_Helper] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for helper in self._helpers:
            helper.end()

    @property
    def workers(self) -> int:
        """How many processes there may be, this one among them."""
        return self._most + 1

    def share(
        self, prepare: Prepare, context: Any, works: Iterable[Any], count: int, own: Do | None = None, *, long: bool = False
    ) -> list[Any]:  # fmt: skip
        """The result of every one of `count` works, in order. They are drawn one by one, as somebody is free. `own` is this
        process's `prepare(context)` where it has one. Helpers are called at once where the work is `long`, else when it turns
        out to be. Raises what the first work that failed raised, or `WorkerDied`."""
        board, began = _Board(prepare, context, works), time.monotonic()
        called = long or bool(self._helpers)
        if called:
            self._call(board, count)

        def look(done: int) -> None:
            nonlocal called
            if not called and (time.monotonic() - began) / done * (count - done) > START:
                called = True
                self._call(board, count)

        board.work_off(own or prepare(context), look)
        return [result.result() for result in board.results]

    def _call(self, board: _Board, count: int) -> None:
        while len(self._helpers) < min(self._most, count - 1):
            self._helpers.append(_Helper())
        for helper in self._helpers:
            helper.join(board)


ALONE = Crew(1)


class _Board:
    """Works that nobody has taken yet, and the results of those that are taken. A work is not held here: it may be large."""

    def __init__(self, prepare: Prepare, context: Any, works: Iterable[Any]) -> None:
        self.prepare, self.context = prepare, context
        self.results: list[Future[Any]] = []
        self.over = False
        self._works, self._lock = iter(works), Lock()

    def work_off(self, do: Do, after: Callable[[int], None] | None = None) -> None:
        """Do what is next until nothing is left; `after` each, it is told how many that were. Works are taken in order, so that
        all before one that fails are taken too."""
        done = 0
        while (taken := self._take()) is not None:
            work, result = taken
            try:
                result.set_result(do(work))
            except Exception as error:  # `share` raises it
                self.over = True
                result.set_exception(error)
            del taken, work
            done += 1
            if after is not None:
                after(done)

    def refuse(self, error: Exception) -> None:
        """No more works: a helper could not even begin."""
        with self._lock:
            self._end(error)

    def _end(self, error: Exception) -> None:
        self.over = True
        self.results.append(Future())
        self.results[-1].set_exception(error)

    def _take(self) -> tuple[Any, Future[Any]] | None:
        with self._lock:
            if self.over:
                return None
            try:
                for work in self._works:
                    self.results.append(Future())
                    return work, self.results[-1]
            except Exception as error:
                self._end(error)  # `share` raises it; whoever draws next would find no more works, and say nothing
            self.over = True
            return None


class _Helper:
    """A helper as its starter sees it: a process, and a thread that hands it works and waits for results."""

    def __init__(self) -> None:
        words = [sys.executable, "-P", "-c", HELPER, *sys.path]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._thread = ThreadPoolExecutor(1)

    def join(self, board: _Board) -> None:
        """Take from the board once what was taken before is done."""
        self._thread.submit(self._work_off, board)

    def _work_off(self, board: _Board) -> None:
        if board.over:
            return
        try:
            self._ask((board.prepare, board.context))
        except WorkerDied:
            return  # it has taken nothing: others will
        except Exception as error:
            board.refuse(error)
            return
        board.work_off(lambda work: self._ask((None, work)))

    def _ask(self, question: tuple[Prepare | None, Any]) -> Any:
        asked, told = self._process.stdin, self._process.stdout
        assert asked is not None
        assert told is not None
        words = pickle.dumps(question, protocol=5)
        try:
            asked.write(words)
            asked.flush()
            done, found = pickle.load(told)  # noqa: S301  (of our own process)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise WorkerDied(
                f"a worker ended (exit code {self._process.wait()}); enough memory for all, or fewer --workers, is right"
            ) from error
        if not done:
            raise found
        return found

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        self._thread.shutdown()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # what it was not asked any more
                    pipe.close()


def as_given(do: Do) -> Do:
    """A `Prepare` for works that are done by what is sent itself."""
    return do


def help_out() -> None:
    """What a helper does: answer what stands on its standard input, until that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the starter ends it
    told = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    asked, do = sys.stdin.buffer, _nothing_yet
    while True:
        try:
            prepare, given = pickle.load(asked)  # noqa: S301  (of our own process)
        except EOFError:
            return
        try:
            if prepare is not None:
                do, found = prepare(given), None
            else:
                found = do(given)
            answer = pickle.dumps((True, found), protocol=5)
        except Exception as error:
            error.add_note(traceback.format_exc())
            answer = pickle.dumps((False, error), protocol=5)
        told.write(answer)
        told.flush()


def _nothing_yet(_: Any) -> Any:
    raise RuntimeError("a helper was given work before it was told what to do")
