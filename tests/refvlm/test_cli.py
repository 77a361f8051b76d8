"""The two commands from a built dataset to a predictions file, resumed, and what they say about bad input."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from refvlm import cli
from vtinstruct import cli as data_cli
from vtinstruct.manifest import read_manifest
from vtinstruct.photos import read_depth
from vtinstruct.prediction import read_header, read_predictions
from vtinstruct.trp import parse
from vtinstruct.units import Depth

TASKS = "det,seg,interactive_seg,depth,caption"


def run(main: object, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """A command's exit code; what it prints is left to capsys."""
    monkeypatch.setattr(sys, "argv", ["command", *arguments])
    try:
        main()  # type: ignore[operator]
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen scenes as COCO and NYUv2, built."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        assert run(data_cli.main, patch, "sample", str(folder / "sample"), "--scenes", "16", "--seed", "0") == 0
        sources = [
            f"coco_instances={folder}/sample/coco",
            f"nyuv2={folder}/sample/nyuv2",
            f"coco_captions={folder}/sample/coco",
        ]
        assert run(data_cli.main, patch, "build", *sources, "--out", str(folder / "set"), "--tasks", TASKS) == 0
    return folder / "set"


@pytest.fixture(scope="module")
def checkpoint(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two steps of the smallest recipe."""
    out = tmp_path_factory.mktemp("model") / "smoke"
    with pytest.MonkeyPatch.context() as patch:
        assert run(cli.main, patch, "train", "--recipe", "smoke", "--data", str(dataset), "--out", str(out)) == 0
    return out


def test_train_then_predict_then_resume(
    dataset: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len((checkpoint / "losses.jsonl").read_text().splitlines()) == 2
    out = tmp_path / "answers" / "predictions.jsonl"
    arguments = [
        "predict",
        "--checkpoint",
        str(checkpoint),
        "--data",
        str(dataset),
        "--split",
        "val2017",
        "--out",
        str(out),
    ]
    arguments += ["--max-new-tokens", "12"]
    assert run(cli.main, monkeypatch, *arguments, "--tasks", "det") == 0
    first = [prediction.id for prediction in read_predictions(out, pytest.fail)]
    assert run(cli.main, monkeypatch, *arguments) == 0
    assert f"{len(first)} were there" in capsys.readouterr().out
    found = list(read_predictions(out, pytest.fail))
    assert [prediction.id for prediction in found][: len(first)] == first
    assert len({(p.id, p.turn) for p in found}) == len(found)
    wanted = sum(shard.rows for shard in read_manifest(dataset).files if shard.split == "val2017")
    assert len(found) == wanted
    assert read_header(out).dataset == read_manifest(dataset).content_hash
    for prediction in found:
        assert parse(prediction.text).references == len(prediction.references)


def test_depth_maps_are_written_beside_the_file(tmp_path: Path) -> None:
    import numpy as np

    from refvlm.decoders._contract import DepthMap
    from refvlm.predict import write_depth

    for farthest in (8.0, 80.0):
        metres = np.linspace(0.5, farthest, 12, dtype=np.float32).reshape(3, 4)
        unit = write_depth(DepthMap(metres), "../any/id", tmp_path / "predictions.jsonl")
        assert isinstance(unit, Depth)
        assert np.abs(read_depth(tmp_path, unit, (4, 3)) - metres).max() <= unit.scale


def test_a_missing_photo_is_named_and_left_out(
    dataset: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "set"
    shutil.copytree(dataset, broken, symlinks=True)
    photos = broken / "images" / "coco_instances"
    real = photos.resolve()
    photos.unlink() if photos.is_symlink() else shutil.rmtree(photos)
    shutil.copytree(real, photos)
    victim = sorted((photos / "val2017").glob("*.jpg"))[0]
    victim.write_bytes(b"no picture")
    arguments = ["predict", "--checkpoint", str(checkpoint), "--data", str(broken), "--split", "val2017"]
    arguments += ["--out", str(tmp_path / "p.jsonl"), "--tasks", "det", "--max-new-tokens", "4"]
    assert run(cli.main, monkeypatch, *arguments) == 0
    said = capsys.readouterr().out
    assert victim.name in said
    assert "1 left out" in said
    for photo in (photos / "train2017").glob("*.jpg"):
        photo.write_bytes(b"no picture")
    trained = [
        "train",
        "--recipe",
        "smoke",
        "--data",
        str(broken),
        "--out",
        str(tmp_path / "m"),
        "--split",
        "train2017",
    ]
    assert run(cli.main, monkeypatch, *trained, "--set", "without=nyuv2,coco_captions") == 2
    assert "no photo" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--recipe", "huge"], "known: tiny_cpu"),
        (["train", "--recipe", "smoke", "--set", "photos=many"], "photos='many'"),
        (["train", "--recipe", "smoke", "--set", "photos"], "KEY=VALUE"),
        (["train", "--recipe", "smoke", "--split", "nowhere"], "splits are"),
        (["predict", "--split", "val2017", "--checkpoint", "nowhere"], "no config.json"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], words: str, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "out"
    assert run(cli.main, monkeypatch, *arguments, "--data", str(dataset), "--out", str(out)) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert words in said[0]


def test_a_folder_that_is_no_dataset_or_not_empty(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "--recipe", "smoke", "--out", str(tmp_path / "out")]
    assert run(cli.main, monkeypatch, *arguments, "--data", str(tmp_path / "nothing")) == 2
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text(json.dumps("keep"))
    assert run(cli.main, monkeypatch, *arguments, "--data", str(dataset)) == 2
    assert "not empty" in capsys.readouterr().err
    assert (tmp_path / "out" / "mine.txt").exists()


def test_without_torch_one_line_says_what_to_install(tmp_path: Path) -> None:
    """The dataset and the scores install without torch; the model then says so instead of a traceback."""
    code = (
        "import sys; sys.modules['torch'] = None; sys.argv = ['refvlm', 'train', '--recipe', 'tiny_cpu', '--data', 'd', '--out', 'm']; "
        "import refvlm.cli; refvlm.cli.main()"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["refvlm: torch is not installed; pip install 'vt-instruct[model]' is right"]
