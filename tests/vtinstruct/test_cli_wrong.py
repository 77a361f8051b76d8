"""What is typed, pointed at or piped wrongly: one line and an exit code, whatever it is, and never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import typer

from tests.vtinstruct.test_cli import run  # noqa: F401 (a fixture)
from vtinstruct import outcome
from vtinstruct.check import check

COMMAND = [sys.executable, "-c", "from vtinstruct.cli import main; main()"]


@pytest.fixture
def captions(tmp_path):
    """A source of one caption about one photo, drawn in a moment."""
    from PIL import Image

    def write(name="source"):
        root = tmp_path / name
        (root / "annotations").mkdir(parents=True)
        (root / "val2017").mkdir()
        Image.new("RGB", (9, 7)).save(root / "val2017" / "1.jpg")
        image = {"id": 1, "file_name": "1.jpg", "width": 9, "height": 7}
        said = {"images": [image], "annotations": [{"id": 1, "image_id": 1, "caption": "A dog."}]}
        (root / "annotations" / "captions_val2017.json").write_text(json.dumps(said))
        return root

    return write


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("build",), "Missing argument 'sources'"),
        (("build", "{here}"), "Missing option '--out'"),
        (("build", "{here}", "--out", "{new}", "--workers", "0"), "'--workers': "),
        (("build", "{here}", "--out", "{new}", "--workers", "-1"), "'--workers': "),
        (("build", "{here}", "--out", "{new}", "--workers", "two"), "'--workers': "),
        (("build", "{here}", "--out", "{new}", "--limit", "-1"), "'--limit': "),
        (("build", "{here}", "--out", "{new}", "--seed", str(2**63)), "'--seed': "),
        (("build", "{here}", "--out", "{new}", "--max-drop-rate", "nan"), "'--max-drop-rate': "),
        (("build", "{here}", "--out", "{new}", "--chunk", "4/3"), "i/n with i from 1 to n is right"),
        (("build", "{here}", "--out", "{new}", "--chunk", "1/0"), "i/n with i from 1 to n is right"),
        (("build", "{here}", "--out", "{new}", "--engine", "dask"), "local or ray is right"),
        (("build", "{here}", "--out", "{new}", "--ray-address", "auto"), "belongs to --engine ray"),
        (("build", "", "--out", "{new}"), "an empty word instead of a source"),
        (("build", "{here}/ring", "--out", "{new}"), "ring: "),
        (("build", "~nobody-of-that-name/x", "--out", "{new}"), "a source's folder is right"),
        (("build", "{here}", "--out", "~nobody-of-that-name/x"), "a folder's path is right"),
        (("build", "{here}/annotations/captions_val2017.json", "--out", "{new}"), "a file and no folder"),
        (("build", "captions\0=x", "--out", "{new}"), "is right"),
        (("finish", "{here}"), "no build in parts was begun there"),
        (("finish", "{new}"), "no build in parts was begun there"),
        (("frobnicate",), "No such command 'frobnicate'"),
        (("build", "--frobnicate"), "No such option: --frobnicate"),
        (("sources", "--root", "{here}"), "--root needs the name of one source"),
        (("sample", "/proc/nothing", "--scenes", "1"), "/proc/nothing: No such file"),
    ],
)
def test_one_line(run, captions, tmp_path, words, message):  # noqa: F811
    here = captions()
    (here / "ring").symlink_to("ring")
    code, out, err = run(*(word.format(here=here, new=tmp_path / "new") for word in words))
    lines = [line for line in err.splitlines() if not line.startswith("{")]
    assert (code, out, len(lines)) == (2, "", 1)
    assert lines[0].startswith("vtinstruct: ")
    assert message in lines[0]
    assert not (tmp_path / "new").exists()


def test_pages_that_cannot_be_written(run, captions, tmp_path):  # noqa: F811
    assert run("build", captions(), "--out", tmp_path / "out")[0] == 0
    for command in ("show", "stats"):
        code, _, err = run(command, tmp_path / "out", "--out", tmp_path)
        assert (code, err) == (2, f"vtinstruct: {tmp_path}: Is a directory\n")


def test_a_dataset_of_no_rows_is_a_dataset(run, captions, tmp_path):  # noqa: F811
    root, out = captions(), tmp_path / "out"
    (root / "val2017" / "1.jpg").write_bytes(b"no picture")
    code, _, err = run("build", root, "--out", out)
    assert code == 1
    assert err.splitlines()[-1].startswith("vtinstruct: no dialogue was made; ")
    assert run("check", out)[0] == 0
    assert run("repack", out, "--out", tmp_path / "again", "--embed")[0] == 0
    assert check(tmp_path / "again").findings == ()
    for form in ("llava-json", "webdataset", "coco-json"):
        code, _, err = run("export", out, "--to", form, "--out", tmp_path / form)
        assert (code, err) == (2, "vtinstruct: the dataset has no rows; nothing to export\n")


def test_a_build_that_loses_too_much(run, captions, tmp_path):  # noqa: F811
    """One of one record lost: `build` and the `finish` of parts say it in a line, and go through where it is allowed."""
    root = captions()
    (root / "val2017" / "1.jpg").write_bytes(b"no picture")
    said = (
        "coco_captions/val2017 has lost 1 of its 1 records, more than --max-drop-rate 0.5 allows (1 photo: unreadable)"
    )
    for words in (("build", root, "--out"), ("finish",)):
        out = tmp_path / words[0]
        if words[0] == "finish":
            assert run("build", root, "--out", out, "--chunk", "1/1")[0] == 0
        code, _, err = run(*words, out, "--max-drop-rate", "0.5")
        assert code == 2
        assert said in err.splitlines()[-1]
        assert not (out / "manifest.json").exists()
        assert run(*words, out)[0] == 1  # nothing was made, as `drops.jsonl` tells
        assert (out / "manifest.json").exists()


@pytest.mark.parametrize("name", ["a b", "ü 漢", "comma,x=y:z", "two\nlines", os.fsdecode(b"no utf-8 \xff")])
def test_folders_of_any_name(run, captions, tmp_path, name):  # noqa: F811
    out = tmp_path / f"out {name}"
    assert run("build", captions(name), "--out", out, "--format", "parquet", "--embed")[0] == 0
    assert run("repack", out, "--out", tmp_path / f"arrow {name}", "--format", "arrow")[0] == 0
    for folder in (out, tmp_path / f"arrow {name}"):
        code, said, err = run("check", folder, "--photos")
        assert (code, err) == (0, "")
        assert "1 photos" in said


def test_a_terminal_that_cannot_say_a_name(captions, tmp_path):
    words = [*COMMAND, "build", str(captions("漢")), "--out", str(tmp_path / "ü")]
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(words, env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith(rb"\xfc")


def test_a_full_disk_behind_the_output(captions, tmp_path):
    with open("/dev/full", "w") as full:
        words = [*COMMAND, "build", str(captions()), "--out", str(tmp_path / "out")]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "vtinstruct: No space left on device")
    assert check(tmp_path / "out").findings == ()


def test_a_fault_of_the_program_is_one_line_too(monkeypatch, capsys):
    app = typer.Typer()

    @app.command()
    def fails() -> None:
        raise LookupError("of\ntwo lines")

    monkeypatch.setattr(sys, "argv", ["thing"])
    assert outcome.run(app, "thing", ()) == outcome.FAULT
    said = capsys.readouterr().err
    assert said.startswith("thing: a fault of the program: LookupError: of two lines (test_cli_wrong.py:")
    assert said.count("\n") == 1
    monkeypatch.setenv(outcome.TRACEBACK, "1")
    with pytest.raises(LookupError):
        outcome.run(app, "thing", ())
