"""A dataset in another form is the dataset that a build of that form gives, byte for byte, and can be turned back."""

from __future__ import annotations

import os

import pytest

from vtinstruct.build import Options, build, choose
from vtinstruct.build.progress import Silent
from vtinstruct.check import check
from vtinstruct.cli import main
from vtinstruct.manifest import DatasetError, read_manifest
from vtinstruct.repack import repack

TASKS = ("depth", "rec")


@pytest.fixture(scope="module")
def chosen(small_sample):
    return choose([f"refcoco={small_sample / 'refer'}", f"nyuv2={small_sample / 'nyuv2'}"])


@pytest.fixture(scope="module")
def plain(chosen, tmp_path_factory):
    out = tmp_path_factory.mktemp("repack") / "out"
    build(chosen, Options(TASKS, chunk_slots=5), out, Silent())
    return out


def test_repacked_is_as_built(chosen, plain, tmp_path, bytes_of):
    build(chosen, Options(TASKS, chunk_slots=5, format="parquet", embed=True), tmp_path / "built", Silent())
    told = []
    done = repack(plain, tmp_path / "packed", "parquet", embed=True, progress=lambda *numbers: told.append(numbers))
    assert bytes_of(tmp_path / "packed") == bytes_of(tmp_path / "built")
    assert done == read_manifest(tmp_path / "packed")
    assert told[-1] == (len(done.files), len(done.files))
    assert not (tmp_path / "packed" / "images").exists()


def test_there_and_back(plain, tmp_path, bytes_of):
    repack(plain, tmp_path / "parquet", "parquet")
    assert check(tmp_path / "parquet", photos=True).findings == ()
    for link in (plain / "images").iterdir():
        assert os.readlink(tmp_path / "parquet" / "images" / link.name) == os.readlink(link)
    repack(tmp_path / "parquet", tmp_path / "arrow", "arrow")
    there, back = read_manifest(plain), read_manifest(tmp_path / "arrow")
    assert [(f.path, f.rows, f.units) for f in back.files] == [(f.path, f.rows, f.units) for f in there.files]
    assert check(tmp_path / "arrow").findings == ()
    repack(plain, tmp_path / "inside", "arrow", embed=True)
    repack(tmp_path / "inside", tmp_path / "moved", "parquet")  # what is inside stays inside
    assert read_manifest(tmp_path / "moved").images
    assert check(tmp_path / "moved", photos=True).findings == ()


def test_what_is_wrong_is_one_line(plain, handmade, tmp_path, monkeypatch, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    with pytest.raises(DatasetError, match="a new or empty folder is right"):
        repack(plain, tmp_path / "full", "parquet")
    handmade.add(1)
    build(handmade.chosen(), Options(("rec",)), tmp_path / "gone", Silent())
    (handmade.root / "photos/1.png").unlink()
    monkeypatch.setattr(
        "sys.argv", ["vtinstruct", "repack", str(tmp_path / "gone"), "--out", str(tmp_path / "o"), "--embed"]
    )
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "photos/1.png: photo: missing" in said
    assert said.count("\n") == 1


def test_the_command(plain, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["vtinstruct", "repack", str(plain), "--out", str(tmp_path / "out"), "--embed"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert capsys.readouterr().out.endswith(f"bytes: {tmp_path / 'out'}\n")
    assert {file.path.rpartition(".")[2] for file in read_manifest(tmp_path / "out").files} == {"parquet"}
