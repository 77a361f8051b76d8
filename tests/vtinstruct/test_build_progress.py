"""What a build shows: chunks that failed are listed at the end, on a terminal as lines, elsewhere as JSON, however it ends."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from vtinstruct.build import BuildError, Options, build
from vtinstruct.build.chunk import ChunkError
from vtinstruct.build.progress import watching
from vtinstruct.engines import WorkerDied, local


def failing(number: int, dies: bool = False):
    """An engine whose first `number` jobs fail, and that loses a worker at the end where it `dies`."""

    def run(jobs, work, workers):
        for index, job in enumerate(jobs):
            yield job, ChunkError(f"no. {index} [is] broken") if index < number else local.attempt(work, job)
        if dies:
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
