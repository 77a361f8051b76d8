"""Whoever makes the chunks, the bytes are the same: processes, Ray, parts of an array; and what they refuse."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import pytest

from tests.vtinstruct.conftest import TASKS
from vtinstruct.build import BuildError, Options, build, build_part, finish_parts
from vtinstruct.build.mix import Mix, Shares
from vtinstruct.build.order import read_order, write_order
from vtinstruct.build.progress import Silent
from vtinstruct.build.workspace import Workspace, open_workspace
from vtinstruct.engines import EngineError, local
from vtinstruct.manifest import DatasetError

OPTIONS = Options(TASKS, chunk_slots=7)


def test_three_workers(small_chosen, small_dataset, tmp_path, bytes_of):
    build(small_chosen, OPTIONS, tmp_path / "out", Silent(), 3)
    assert bytes_of(tmp_path / "out") == bytes_of(small_dataset)


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install '.[ray]'")
def test_ray(small_sample, small_chosen, tmp_path, bytes_of):
    """By the command line, in a process of its own: Ray leaves threads and open files behind."""
    names = ("coco_instances", "refcoco")
    chosen = tuple(choice for choice in small_chosen if choice.source.name in names)
    build(chosen, Options(("det", "res")), tmp_path / "one", Silent())
    words = [f"{choice.source.name}={choice.root}" for choice in chosen]
    more = ["--tasks", "det,res", "--engine", "ray", "--workers", "2", "--out", str(tmp_path / "ray")]
    run = [sys.executable, "-c", "from vtinstruct.cli import main; main()", "build"]
    done = subprocess.run([*run, *words, *more], capture_output=True, text=True, timeout=300, check=False)
    if "timed out during startup" in done.stderr:
        pytest.skip("this machine is too busy: Ray gives its own processes half a minute to start")
    assert done.returncode == 0, done.stderr
    assert bytes_of(tmp_path / "ray") == bytes_of(tmp_path / "one")


def test_ray_that_cannot_be_used_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    from vtinstruct.engines import ray

    with pytest.raises(EngineError, match="Ray is not installed; pip install"):
        list(ray.run([1], str, 1))


# --- parts -----------------------------------------------------------------------------------------------------------


def test_parts_in_any_order(small_chosen, small_dataset, tmp_path, bytes_of, listening):
    out = tmp_path / "out"
    made = [build_part(small_chosen, OPTIONS, out, listening, (number, 4)) for number in (3, 1, 4)]
    assert not (out / "manifest.json").exists()
    with pytest.raises(BuildError, match=r"chunks are not there; run --chunk 2/4 again"):
        finish_parts(out, listening)
    made.append(build_part(small_chosen, OPTIONS, out, listening, (2, 4)))
    assert sum(made) == listening.chunks
    assert build_part(small_chosen, OPTIONS, out, listening, (2, 4)) == made[-1]  # again: there is nothing left to do
    assert listening.done_before == listening.slots
    assert sum(made) == listening.chunks
    assert finish_parts(out, listening).fresh
    assert bytes_of(out) == bytes_of(small_dataset)
    assert not finish_parts(out, listening).fresh
    assert build_part(small_chosen, OPTIONS, out, listening, (1, 4)) == 0


def test_parts_of_different_numbers_are_still_the_whole(small_chosen, small_dataset, tmp_path, bytes_of):
    """A first array of two, begun again as one of three: what the first made counts, and a gap is named in the last one's words."""
    out = tmp_path / "out"
    build_part(small_chosen, OPTIONS, out, Silent(), (1, 2))
    build_part(small_chosen, OPTIONS, out, Silent(), (3, 3))
    with pytest.raises(BuildError, match=r"chunks are not there; run --chunk 2/3 again"):
        finish_parts(out, Silent())
    build_part(small_chosen, OPTIONS, out, Silent(), (2, 3))
    finish_parts(out, Silent())
    assert bytes_of(out) == bytes_of(small_dataset)


def test_more_parts_than_chunks(small_chosen, small_dataset, tmp_path, bytes_of):
    made = [build_part(small_chosen, OPTIONS, tmp_path / "out", Silent(), (number, 99)) for number in range(1, 100)]
    assert set(made) == {0, 1}
    finish_parts(tmp_path / "out", Silent())
    assert bytes_of(tmp_path / "out") == bytes_of(small_dataset)


def test_an_ordinary_build_goes_on_where_parts_stopped(small_chosen, small_dataset, tmp_path, bytes_of):
    build_part(small_chosen, OPTIONS, tmp_path / "out", Silent(), (2, 3))
    assert build(small_chosen, OPTIONS, tmp_path / "out", Silent()).reused > 0
    assert bytes_of(tmp_path / "out") == bytes_of(small_dataset)


def test_parts_share_the_folder_with_each_other_and_nobody_else(handmade, tmp_path, listening, monkeypatch):
    source = handmade.source()
    monkeypatch.setattr("vtinstruct.build.order.source_named", lambda name: source)
    handmade.add(1)
    handmade.add(2)
    options, out = Options(("rec",), chunk_slots=1), tmp_path / "out"
    build_part(handmade.chosen(), options, out, Silent(), (1, 2))
    with open_workspace(out, shared=True):  # another part is at work
        with pytest.raises(DatasetError, match="another build is at work there"):
            build(handmade.chosen(), options, out, Silent())
        with pytest.raises(DatasetError, match="another build is at work there"):
            finish_parts(out, Silent())
        with pytest.raises(DatasetError, match="others are at work there on other sources or options"):
            build_part(handmade.chosen(), replace(options, seed=1), out, listening, (2, 2))
        assert build_part(handmade.chosen(), options, out, Silent(), (2, 2)) == 1
    with open_workspace(out), pytest.raises(DatasetError, match="another build is at work there"):
        build_part(handmade.chosen(), options, out, Silent(), (2, 2))
    # alone, another plan is said and taken, as in any build
    build_part(handmade.chosen(), replace(options, seed=1), out, listening, (2, 2))
    assert "changed option: seed was 0, is 1" in listening.said


def test_a_finish_mixes_nothing(handmade, tmp_path, listening, monkeypatch):
    handmade.add(1)
    out = tmp_path / "out"
    source = handmade.source()
    monkeypatch.setattr("vtinstruct.build.order.source_named", lambda name: source)
    with pytest.raises(DatasetError, match=r"no build in parts was begun there"):
        finish_parts(out, listening)
    assert not out.exists()
    build_part(handmade.chosen(), Options(("rec",)), out, listening, (1, 1))
    (handmade.root / "ann.json").write_text('{"any": "other thing"}')
    with pytest.raises(BuildError, match="has changed; run all 1 parts again"):
        finish_parts(out, listening)
    assert "changed since the last build: handmade: ann.json" in listening.said
    build_part(handmade.chosen(), Options(("rec",)), out, listening, (1, 1))
    assert finish_parts(out, listening).fresh


def test_an_order_reads_back(small_chosen, tmp_path):
    mix = Mix("own", Shares(0.5, {"det": 0.25}), caps=Shares(0, {"rec": 2}))
    for options in (OPTIONS, replace(OPTIONS, mix=mix, exclude_images_of=("a=b",), limit=3)):
        write_order(tmp_path / "order.json", small_chosen, options, 8)
        assert read_order(tmp_path / "order.json") == (small_chosen, options, 8)
    (tmp_path / "order.json").write_text("{")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_order(tmp_path / "order.json")


def test_a_lock_dies_with_its_process(tmp_path):
    """SIGKILL leaves the file behind but no lock."""
    program = (
        "import os, signal, sys; from pathlib import Path; from vtinstruct.build.workspace import open_workspace\n"
        "with open_workspace(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "out")], check=False)
    assert done.returncode == -9
    assert (Workspace(tmp_path / "out").folder / "lock").exists()
    with open_workspace(tmp_path / "out"):
        pass


def test_an_engine_keeps_jobs_and_answers_together():
    for workers in (1, 2):
        assert dict(local.run(["1", "22", "333"], len, workers)) == {"1": 1, "22": 2, "333": 3}
