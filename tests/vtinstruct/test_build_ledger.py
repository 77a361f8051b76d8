"""What a build leaves out is accounted for: reason, record, task; in the ledger, the manifest and the card."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from vtinstruct.build import BuildError, Options, build
from vtinstruct.build.progress import Silent
from vtinstruct.manifest import read_manifest
from vtinstruct.record import Drop, Photo
from vtinstruct.shards import read_dialogues


def ledger(root):
    return [json.loads(line) for line in (root / "drops.jsonl").read_text(encoding="utf-8").splitlines()]


def test_everything_left_out_is_in_the_ledger(handmade, tmp_path):
    handmade.faults.append(
        Drop("handmade", "train", "ann.json", "annotation 7", "annotation: unknown photo", "image 99")
    )
    good = handmade.add(1)
    other_size = handmade.add(2, photo=Photo("photos/2.png", (80, 60), "own:2"))
    missing = handmade.add(3, photo=Photo("photos/none.png", (8, 6), "own:3"))
    broken = handmade.add(4)
    (handmade.root / "photos/4.png").write_bytes(b"no picture")
    outside = handmade.add(5, photo=Photo("../secret.png", (8, 6), "own:5"))
    reserved = handmade.add(6, captions=("say <REF> please", "fine"))
    build(handmade.chosen(), Options(("caption",)), tmp_path / "out", Silent())
    told = [(line["row"], line["reason"], line["task"]) for line in ledger(tmp_path / "out")]
    assert told == [
        ("annotation 7", "annotation: unknown photo", ""),
        (other_size.origin.row, "photo: another size", ""),
        (missing.origin.row, "photo: missing", ""),
        (broken.origin.row, "photo: unreadable", ""),
        (outside.origin.row, "photo: path outside the source", ""),
        (reserved.origin.row, "dialogue: no TRP text", "caption"),
    ]
    manifest = read_manifest(tmp_path / "out")
    assert sum(drop.count for drop in manifest.drops) == len(told)
    assert {d.provenance.row for d in read_dialogues(tmp_path / "out", "caption", "train")} == {good.id, reserved.id}
    assert "photo: missing" in (tmp_path / "out" / "README.md").read_text()
    assert str(tmp_path) not in (tmp_path / "out" / "drops.jsonl").read_text()


def test_without_the_photo_check_no_photo_is_opened(handmade, tmp_path):
    handmade.add(1, photo=Photo("photos/none.png", (8, 6), "own:1"))
    build(handmade.chosen(), Options(("caption",), photo_check=False), tmp_path / "out", Silent())
    (sample,) = read_dialogues(tmp_path / "out", "caption", "train")
    assert sample.photo is not None
    assert (sample.photo.path, sample.photo.sha256) == ("images/handmade/photos/none.png", "")


def test_a_failing_task_is_named_and_leaves_no_dataset(handmade, tmp_path, monkeypatch, listening):
    from vtinstruct import plugins

    task = plugins.load("vtinstruct.tasks", "caption")

    def make(record, setting):
        if record.id == "2":
            raise ZeroDivisionError("oh")
        yield from task.make(record, setting)

    monkeypatch.setattr("vtinstruct.build.chunk.task_named", lambda name: replace(task, make=make))
    for number in range(4):
        handmade.add(number)
    with pytest.raises(
        BuildError, match=r"1 of 4 chunks failed.*task caption failed on handmade/train/2: ZeroDivision"
    ):
        build(handmade.chosen(), Options(("caption",), chunk_slots=1), tmp_path / "out", listening)
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert not (tmp_path / "out" / "README.md").exists()
    monkeypatch.setattr("vtinstruct.build.chunk.task_named", lambda name: task)
    built = build(handmade.chosen(), Options(("caption",), chunk_slots=1), tmp_path / "out", listening)
    assert built.reused == 3
