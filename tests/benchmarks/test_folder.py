"""Folders of results that hold something already, that two commands write at once, or that a disk is too full for."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
from pathlib import Path

import pytest

from benchmarks import folder
from benchmarks import score as scoring
from benchmarks.dataset import open_dataset
from benchmarks.page import write_page
from benchmarks.results import read_results
from benchmarks.shares import Options, read_truths
from tests.benchmarks.road import bench, edited, perfect, score
from vtinstruct.manifest import DatasetError
from vtinstruct.partial import whole
from vtinstruct.prediction import PredictionsError


def worse(lines: list[str]) -> list[str]:
    """The header of another model, and answers without their units."""
    answers = [json.dumps({"id": json.loads(line)["id"], "text": "nothing"}) for line in lines[1:]]
    return [json.dumps(json.loads(lines[0]) | {"model": "worse"}), *answers]


def test_a_stopped_scoring_leaves_no_result_and_no_rows_that_another_model_takes_over(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b").mkdir()
    good = perfect(data, tmp_path / "predictions.jsonl")
    bad = edited(perfect(data, tmp_path / "b/predictions.jsonl"), worse)
    out = tmp_path / "out"
    assert score(good, data, out).exit_code == 0
    before = (out / "results.json").read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:  # the disk is full when all rows of the second model are written
        patch.setattr(scoring, "write_kept", full)
        assert score(bad, data, out).exit_code == 2
    assert not (out / "results.json").exists()
    assert not (out / "report.html").exists()
    assert bench("leaderboard", out, "--out", tmp_path / "board").exit_code == 2
    assert score(good, data, out).exit_code == 0  # with the second model's rows it would get other numbers
    assert (out / "results.json").read_bytes() == before


def test_a_refused_file_leaves_the_result_that_is_there(data: Path, tmp_path: Path) -> None:
    predictions = perfect(data, tmp_path / "predictions.jsonl")
    assert score(predictions, data, tmp_path / "out").exit_code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert score(edited(predictions, lambda lines: [*lines, lines[1]]), data, tmp_path / "out").exit_code == 2
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


def test_one_command_at_a_time_writes_into_a_folder(data: Path, tmp_path: Path) -> None:
    predictions = perfect(data, tmp_path / "predictions.jsonl")
    out = tmp_path / "out"
    out.mkdir()
    handle = os.open(out, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)  # as another process has it
    try:
        done = score(predictions, data, out)
        ran = bench("run", "--model", "centre", "--data", data, "--out", out)
    finally:
        os.close(handle)
    for one in (done, ran):
        assert (one.exit_code, one.stderr.count("\n")) == (2, 1)
        assert "another command writes there" in one.stderr
    assert list(out.iterdir()) == []
    assert score(predictions, data, out).exit_code == 0


def test_a_disk_that_knows_no_locks_of_folders_is_written_to(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(number: int) -> None:
        def flock(*_: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", flock)

    predictions = perfect(data, tmp_path / "predictions.jsonl")
    refused(errno.EBADF)  # NFS
    assert score(predictions, data, tmp_path / "out").exit_code == 0
    refused(errno.EIO)
    assert score(predictions, data, tmp_path / "other").exit_code == 2


def test_a_file_where_a_folder_should_be_is_said_to_be_one(data: Path, tmp_path: Path) -> None:
    predictions = perfect(data, tmp_path / "predictions.jsonl")
    for out in (predictions, predictions / "deeper"):
        done = score(predictions, data, out)
        assert done.exit_code == 2
        assert f"{out}: is a file, or lies in one; a folder is right" in done.stderr


def test_parts_are_not_merged_into_one_of_them(data: Path, tmp_path: Path) -> None:
    predictions = perfect(data, tmp_path / "predictions.jsonl")
    assert score(predictions, data, tmp_path / "a").exit_code == 0
    assert score(predictions, data, tmp_path / "c").exit_code == 0
    done = bench("merge", tmp_path / "a", "--out", tmp_path / "a")
    assert done.exit_code == 2
    assert "is one of the parts" in done.stderr
    assert read_results(tmp_path / "a").suites
    assert bench("merge", tmp_path / "a", "--out", tmp_path / "c").exit_code == 0
    assert not (tmp_path / "c/report.html").exists()  # it was of what the folder held before


def test_what_cannot_be_written_whole_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("before")

    def fill() -> None:
        with whole(path) as temporary:
            temporary.write_text("half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space") as raised:
        fill()
    assert raised.value.filename == str(path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("page.html", "before")]
    with pytest.raises(OSError, match="directory") as raised:
        write_page(tmp_path, "base.html")
    assert raised.value.filename == str(tmp_path)


def test_what_a_killed_command_left_goes(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    for name in (".results.json.elsewhere.1.part", "rows/.det.coco.val.parquet.elsewhere.1.part", "rows/mine.txt"):
        (tmp_path / name).touch()
    folder.begin(tmp_path)
    assert [path.name for path in (tmp_path / "rows").iterdir()] == ["mine.txt"]


def test_what_is_no_dataset_and_no_file_is_said_to_a_library_user_too(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is a file; the folder that"):
        open_dataset(data / "manifest.json")
    with pytest.raises(DatasetError, match="is not there; the folder that"):
        open_dataset(tmp_path / "nowhere")
    dataset, splits = open_dataset(data)
    options = Options(splits)
    with pytest.raises(PredictionsError, match="no predictions file is named"):
        scoring.score_file([], dataset, tmp_path / "out", options, read_truths(dataset, options))


def test_the_documented_calls_score_as_the_command_does(data: Path, tmp_path: Path) -> None:
    """The second block of docs/benchmark.md, as it stands."""
    text = (Path(__file__).parents[2] / "docs/benchmark.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```py\n(.*?)^```$", text, flags=re.M | re.S)
    (tmp_path / "dataset").symlink_to(data, target_is_directory=True)
    perfect(data, tmp_path / "answers.jsonl")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        exec(compile(block, "benchmark.md", "exec"), {})
    done = bench(
        "score", "--predictions", tmp_path / "answers.jsonl", "--data", tmp_path / "dataset", "--out", tmp_path / "again",
        "--suite", "det", "--suite", "rec",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert (tmp_path / "results/mine/results.json").read_bytes() == (tmp_path / "again/results.json").read_bytes()
