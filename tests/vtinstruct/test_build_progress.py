"""What a build shows: chunks that failed are listed at the end, on a terminal as lines, elsewhere as JSON, however it ends."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from vtinstruct.build import BuildError, Options, build
from vtinstruct.build.chunk import ChunkError
from vtinstruct.build.progress import JsonLines, Silent, watching
from vtinstruct.engines import WorkerDied, local


def failing(number: int, dies: bool = False):
    """An engine whose first `number` jobs fail, and that loses a worker at the end where it `dies`."""

    def run(jobs, work, workers):
        for index, job in enumerate(jobs):
            yield job, ChunkError(f"no. {index} [is] broken") if index < number else local.attempt(work, job)
        if dies:
            raise WorkerDied("a worker process was killed")

    return run


def failing_after(number: int):
    """An engine that makes so many chunks and then loses its worker."""

    def run(jobs, work, workers):
        for job in jobs[:number]:
            yield job, local.attempt(work, job)
        raise WorkerDied("a worker process was killed")

    return run


def shown(handmade, out, engine, terminal: bool) -> tuple[str, str]:
    """What a failing build of five records wrote, and its error."""
    for number in range(5):
        handmade.add(number)
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=200)
    with pytest.raises(BuildError) as caught, watching(console) as watcher:
        build(handmade.chosen(), Options(("caption",), chunk_slots=1), out, watcher, engine=engine)
    return file.getvalue(), str(caught.value)


def test_as_json_lines(handmade, tmp_path):
    text, error = shown(handmade, tmp_path / "out", failing(2), terminal=False)
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines[-2:] == [
        {"event": "failed", "chunk": "handmade/train 0..1", "reason": "no. 0 [is] broken"},
        {"event": "failed", "chunk": "handmade/train 1..2", "reason": "no. 1 [is] broken"},
    ]
    assert [line["event"] for line in lines].count("failed") == 2
    assert next(line for line in lines if line["event"] == "plan")["chunks"] == 5
    assert {"done", "records", "dialogues", "per_second", "seconds_left"} < next(
        line for line in lines if line["event"] == "progress"
    ).keys()
    assert error == "2 of 5 chunks failed, first handmade/train 0..1: no. 0 [is] broken"


def test_on_a_terminal(handmade, tmp_path):
    text, _ = shown(handmade, tmp_path / "out", failing(2), terminal=True)
    assert "failed: handmade/train 0..1: no. 0 [is] broken" in text
    assert "failed: handmade/train 1..2: no. 1 [is] broken" in text
    assert "dialogues/s" in text


@pytest.mark.parametrize("terminal", [True, False])
def test_also_when_something_else_ends_the_build(handmade, tmp_path, terminal):
    text, error = shown(handmade, tmp_path / "out", failing(1, dies=True), terminal)
    assert "no. 0 [is] broken" in text
    assert error == "a worker process was killed; run the build again to go on from here"


def test_rate_and_time_left_are_what_the_clock_says(handmade, tmp_path, monkeypatch):
    """Four records of two dialogues each, a chunk every two seconds, after one that an earlier run had made."""
    for number in range(5):
        handmade.add(number)
    options, out = Options(("caption", "rec"), chunk_slots=1), tmp_path / "out"
    with pytest.raises(BuildError):
        build(handmade.chosen(), options, out, Silent(), engine=failing_after(1))
    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr("vtinstruct.build.progress.time.monotonic", lambda: float(next(clock)))
    file = io.StringIO()
    build(handmade.chosen(), options, out, JsonLines(file))
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    plan = next(line for line in lines if line["event"] == "plan")
    assert plan == {"event": "plan", "records": 5, "done": 1, "chunks": 5}
    progress = [line for line in lines if line["event"] == "progress"]
    assert [line["done"] for line in progress] == [2, 3, 4, 5]
    assert [line["dialogues"] for line in progress] == [2, 4, 6, 8]
    assert {line["per_second"] for line in progress} == {1.0}
    assert [line["seconds_left"] for line in progress] == [6.0, 4.0, 2.0, 0.0]
    assert lines[-1] == {"event": "finishing", "records": 5}


def test_no_more_than_a_line_a_second(handmade, tmp_path, monkeypatch):
    for number in range(30):
        handmade.add(number)
    clock = iter(range(10_000))
    monkeypatch.setattr("vtinstruct.build.progress.time.monotonic", lambda: next(clock) / 10)
    file = io.StringIO()
    build(handmade.chosen(), Options(("caption",), chunk_slots=1), tmp_path / "out", JsonLines(file))
    done = [line["done"] for line in map(json.loads, file.getvalue().splitlines()) if line["event"] == "progress"]
    assert done[-1] == 30
    assert 3 <= len(done) <= 5
