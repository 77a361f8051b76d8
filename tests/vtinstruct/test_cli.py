"""The command line: what it prints, its exit codes, one line for what is wrong, and from inside a stranger's project."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vtinstruct import plugins
from vtinstruct.cli import main
from vtinstruct.manifest import read_manifest
from vtinstruct.version import VERSION


@pytest.fixture
def run(monkeypatch, capsys):
    """`run("check", folder)` -> (exit code, stdout, stderr) of this process."""

    def called(*words):
        monkeypatch.setattr(sys, "argv", ["vtinstruct", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code
        return (0 if code is None else code), said.out, said.err

    return called


def script() -> str:
    """The installed console script."""
    path = Path(sys.executable).with_name("vtinstruct")
    if not path.exists():
        pytest.skip("vtinstruct is not installed in this environment")
    return str(path)


def test_build_check_and_rebuild(run, small_sample, tmp_path):
    code, out, err = run(
        "build", small_sample, "--out", tmp_path / "out", "--tasks", "det,rec", "--limit", 3, "--seed", 4
    )
    assert code == 0
    assert "train2017" in out
    assert out.rstrip().endswith(str(tmp_path / "out"))
    events = [json.loads(line) for line in err.splitlines()]
    assert {event["event"] for event in events} >= {"note", "plan", "progress", "finishing"}
    assert events[-2]["done"] == events[-2]["records"]
    manifest = read_manifest(tmp_path / "out")
    assert manifest.tasks() == ("det", "rec")
    assert manifest.seed == 4
    code, out, err = run("check", tmp_path / "out", "--photos")
    assert (code, err) == (0, "")
    assert out.startswith("sound: ")
    code, _, err = run(
        "build", small_sample, "--out", tmp_path / "out", "--tasks", "det,rec", "--limit", 3, "--seed", 4
    )
    assert code == 0
    assert "already built" in err


def test_check_of_a_damaged_dataset_has_exit_code_1(run, small_dataset, tmp_path):
    shutil.copytree(small_dataset, tmp_path / "out", symlinks=True)
    shard = tmp_path / "out" / read_manifest(small_dataset).files[0].path
    shard.write_bytes(shard.read_bytes()[:-100])
    code, out, _ = run("check", tmp_path / "out")
    assert code == 1
    first, last = out.splitlines()
    assert "it was cut short, or is of another build" in first
    assert last.startswith("unsound: ")
    (tmp_path / "out" / "manifest.json").unlink()
    code, out, err = run("check", tmp_path / "out")
    assert (code, out) == (1, "")
    assert err.startswith("vtinstruct: ")
    assert err.endswith("the build there is not finished; run it again to resume\n")


def test_a_build_that_makes_nothing_says_so_and_has_exit_code_1(run, tmp_path):
    annotations = tmp_path / "source" / "annotations"
    annotations.mkdir(parents=True)
    image = {"id": 1, "file_name": "torn.jpg", "width": 9, "height": 9}
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 4, 4], "area": 16, "iscrowd": 0}
    whole = {"images": [image], "annotations": [box], "categories": [{"id": 1, "name": "dog"}]}
    (annotations / "instances_val2017.json").write_text(json.dumps(whole))
    (tmp_path / "source" / "val2017").mkdir()
    (tmp_path / "source" / "val2017" / "torn.jpg").write_bytes(b"no picture")
    code, out, err = run("build", f"coco_instances={tmp_path / 'source'}", "--out", tmp_path / "out")
    assert code == 1, err
    assert "1 photo: unreadable" in out
    said = err.splitlines()[-1]
    assert (
        said == f"vtinstruct: no dialogue was made; {tmp_path / 'out' / 'drops.jsonl'} says what was left out and why"
    )
    assert "torn.jpg" in (tmp_path / "out" / "drops.jsonl").read_text()


def test_sample_and_sources_with_a_root(run, tmp_path):
    code, out, _ = run("sample", tmp_path / "sample", "--scenes", 10, "--seed", 1)
    assert code == 0
    assert f"nyuv2={tmp_path / 'sample' / 'nyuv2'}" in out
    code, out, _ = run("sources", "coco_instances", "--root", tmp_path / "sample" / "coco")
    assert code == 0
    assert "val2014: not there" in out
    assert "records, 0 left out on reading" in out
    assert "annotations/" in out


def test_the_tables_name_every_source_and_task(run):
    code, out, _ = run("sources")
    assert code == 0
    assert all(name in out for name in plugins.names("converters"))
    code, out, _ = run("tasks")
    assert code == 0
    assert all(name in out for name in plugins.names("vtinstruct.tasks"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("build", "/not/there", "--out", "{tmp}/out"), "/not/there: no such folder"),
        (("build", "nonsense=/tmp", "--out", "{tmp}/out"), "no 'nonsense' in converters; known: "),
        (("build", "{tmp}", "--out", "{tmp}/out"), "no source finds its files there"),
        (("build", "{sample}", "--out", "{tmp}/out", "--tasks", "juggle"), "no 'juggle' in vtinstruct.tasks; known: "),
        (("build", "{sample}", "--out", "{tmp}/out", "--splits", "holiday"), "no source has a split named holiday"),
        (("build", "{sample}", "--out", "{sample}"), "is not empty and holds no VT-Instruct dataset"),
        (("build", "{sample}", "--out", "/proc/nothing/here"), "a folder that can be written is right"),
        (("build", "{sample}", "--out", "{tmp}/out", "--photos", "steal"), "link or copy is right"),
        (("build", "{sample}", "--out", "{tmp}/out", "--photos", "copy", "--skip-photo-check"), "reads every photo"),
        (("sources", "nonsense"), "no 'nonsense' in converters"),
        (("sources", "nyuv2", "--root", "/not/there"), "/not/there: no such folder"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(run, small_sample, tmp_path, words, message):
    code, out, err = run(*(word.format(tmp=tmp_path, sample=small_sample) for word in words))
    lines = [line for line in err.splitlines() if not line.startswith("{")]
    assert code == 2
    assert out == ""
    assert len(lines) == 1
    assert lines[0].startswith("vtinstruct: ")
    assert message in lines[0]


def test_version(run):
    assert run("--version") == (0, f"{VERSION}\n", "")


def test_help_is_there_at_once():
    """Nothing heavy is imported for it (`tests/perf/test_cli_perf.py` has its time)."""
    heavy = "{'numpy', 'pyarrow', 'PIL', 'datasets', 'scipy', 'shapely', 'polars', 'torch'}"
    program = f"import sys, vtinstruct.cli; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
    assert "build" in subprocess.run([script(), "--help"], capture_output=True, text=True, check=True).stdout


def test_from_inside_a_project_with_folders_named_like_ours(small_sample, tmp_path):
    """The stranger's `converters`, `benchmarks`, `vtinstruct` and even `random.py` must not be imported, by worker processes
    neither."""
    project = tmp_path / "project"
    for name in ("converters", "benchmarks", "vtinstruct", "refvlm"):
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text("raise SystemExit('the stranger was imported')\n")
    for name in ("random", "selectors", "datasets"):
        (project / f"{name}.py").write_text("raise SystemExit('the stranger was imported')\n")
    (project / "sample").symlink_to(small_sample)
    env = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    words = [script(), "build", "nyuv2=sample/nyuv2", "--out", "out", "--tasks", "depth", "--workers", "2"]
    done = subprocess.run(words, cwd=project, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert read_manifest(project / "out").tasks() == ("depth",)
    tables = subprocess.run([script(), "sources"], cwd=project, env=env, capture_output=True, text=True, check=False)
    assert tables.returncode == 0
    assert "coco_instances" in tables.stdout
