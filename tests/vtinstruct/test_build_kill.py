"""Kill the build anywhere, run it again: the same bytes, finished chunks not done again, nobody left behind."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.vtinstruct.builds import begin_build, wait_for_a_chunk
from vtinstruct.check import check

PROGRAM = """
import sys
from pathlib import Path
from vtinstruct.build import Options, build, choose
from vtinstruct.build.progress import JsonLines

if __name__ == "__main__":
    sample, out, workers = sys.argv[1:]
    options = Options(("caption", "rec", "depth"), chunk_slots=1)
    sources = [f"coco_captions={sample}/coco", f"refcocog={sample}/refer", f"nyuv2={sample}/nyuv2"]
    build(choose(sources), options, Path(out), JsonLines(sys.stdout), int(workers))
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("program") / "build.py"
    path.write_text(PROGRAM)
    return path


def start(program, sample, out, workers) -> subprocess.Popen:
    words = [sys.executable, str(program), str(sample), str(out), str(workers)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)


def finish(process) -> list[dict]:
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return [json.loads(line) for line in said.splitlines()]


def members(session: int) -> list[int]:
    """The living processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, _, _, its = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:4]
        except OSError:  # it has just ended
            continue
        if int(its) == session and state not in "ZX":
            found.append(int(entry.name))
    return found


def wait_until_gone(session: int) -> None:
    until = time.monotonic() + 30
    while members(session):
        assert time.monotonic() < until, "worker processes outlived the killed build"
        time.sleep(0.05)


def kill_and_resume(program, sample, tmp_path, bytes_of, workers, moments, seed):
    """Build once undisturbed; then kill builds at `moments` random moments and resume each time until one is whole."""
    began = time.monotonic()
    finish(start(program, sample, tmp_path / "whole", workers))
    length = time.monotonic() - began
    whole = bytes_of(tmp_path / "whole")
    rng, kept, kills = random.Random(seed), 0, 0
    while kills < moments:
        out = tmp_path / f"killed{kills}"
        for _ in range(rng.randint(1, 3)):  # several kills of one build, too
            process = start(program, sample, out, workers)
            if kills % 2:  # half of the kills come right after the first finished chunk, however slow the start is here
                wait_for_a_chunk(process, out)
            else:
                time.sleep(length * rng.uniform(0.1, 1.0))
            process.kill()  # which may be too late: then the build is whole already
            process.communicate()
            wait_until_gone(process.pid)
            kills += 1
            if not (out / "manifest.json").exists():
                assert not (out / "README.md").exists() or (out / ".build" / "publish").exists()
        before = len(list((out / ".build" / "chunks").glob("*.json"))) if (out / ".build" / "chunks").exists() else 0
        said = finish(start(program, sample, out, workers))
        plan = next((line for line in said if line["event"] == "plan"), None)
        if plan is not None:  # none when only the moving in was left
            assert plan["done"] == before  # one record a chunk: every finished chunk is kept
            kept += before
        assert bytes_of(out) == whole
        assert check(out).findings == ()
    return kept


def test_kills_at_random_moments(program, small_sample, tmp_path, bytes_of):
    assert kill_and_resume(program, small_sample, tmp_path, bytes_of, workers=1, moments=4, seed=1) > 0


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_thirty_kills_at_random_moments(program, small_sample, tmp_path, bytes_of, workers):
    assert kill_and_resume(program, small_sample, tmp_path, bytes_of, workers, moments=30, seed=2) > 0


def test_a_killed_worker_is_said_and_the_build_resumes(program, small_sample, tmp_path, bytes_of):
    finish(start(program, small_sample, tmp_path / "whole", 1))
    process = start(program, small_sample, tmp_path / "out", 2)
    victim = None
    until = time.monotonic() + 60
    while victim is None and time.monotonic() < until:
        # workers are the session's processes that are neither the build nor the tracker of shared resources
        for number in set(members(process.pid)) - {process.pid}:
            try:
                words = Path(f"/proc/{number}/cmdline").read_text()
            except OSError:
                continue
            if "spawn_main" in words:
                victim = number
        time.sleep(0.01)
    assert victim is not None
    os.kill(victim, signal.SIGKILL)
    process.communicate(timeout=120)
    assert process.returncode != 0
    wait_until_gone(process.pid)
    assert not (tmp_path / "out" / "manifest.json").exists()
    finish(start(program, small_sample, tmp_path / "out", 2))
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")


@pytest.mark.parametrize("workers", [1, 3])
def test_ctrl_c_is_one_line_and_the_build_resumes(tmp_path, small_sample, bytes_of, workers):
    """As a terminal does it: the signal goes to all processes at once."""
    source = f"refcocog={small_sample}/refer"

    def begin(out) -> subprocess.Popen:
        return begin_build(source, "--out", out, "--workers", workers)

    process = begin(tmp_path / "out")
    wait_for_a_chunk(process, tmp_path / "out")
    os.killpg(process.pid, signal.SIGINT)
    said, wrong = process.communicate(timeout=120)
    assert (process.returncode, said) == (130, "")
    lines = [line for line in wrong.splitlines() if not line.startswith("{")]
    assert lines == ["vtinstruct: stopped; what is done is kept"]
    wait_until_gone(process.pid)
    done = len(list((tmp_path / "out" / ".build" / "chunks").glob("*.json")))
    again = begin(tmp_path / "out")
    _, wrong = again.communicate(timeout=120)
    assert again.returncode == 0
    assert not list((tmp_path / "out").rglob("*.part"))
    assert json.loads(next(line for line in wrong.splitlines() if '"plan"' in line))["done"] == done > 0
    whole = begin(tmp_path / "whole")
    whole.communicate(timeout=120)
    assert whole.returncode == 0
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")
