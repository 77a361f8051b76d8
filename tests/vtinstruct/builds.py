"""`vtinstruct build` as a process of its own, with a chunk a record, for tests of what happens to it from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

COMMAND = """
import sys
from dataclasses import replace
from vtinstruct.build import run
from vtinstruct.cli import main

real = run.make_plan
run.make_plan = lambda chosen, options, say: real(chosen, replace(options, chunk_slots=1), say)

if __name__ == "__main__":
    main()
"""


def begin_build(*words: object, before: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    """The process, in a session of its own; `before` runs in it first."""

    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background has it ignored
        if before is not None:
            before()

    # not from a file: spawned workers would run it again, and by its name every time
    run = [sys.executable, "-c", COMMAND, "build", *map(str, words)]
    return subprocess.Popen(
        run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=prepare,
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
    )  # fmt: skip


def end(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Its exit code, and what it told people on stderr: the lines that are no JSON."""
    _, wrong = process.communicate(timeout=120)
    return process.returncode, [line for line in wrong.splitlines() if not line.startswith("{")]


def wait_for_a_chunk(process: subprocess.Popen, out: Path) -> None:
    """Until a chunk is finished, or the whole build is."""
    until = time.monotonic() + 60
    while process.poll() is None and not any((out / ".build" / "chunks").glob("*.json")):
        assert time.monotonic() < until, "no chunk was finished in a minute"
        time.sleep(0.005)
