"""Nothing half-finished is ever visible; what was done is kept, what changed is noticed, foreign folders are refused."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest
from PIL import Image

from vtinstruct.build import BuildError, Options, build, choose
from vtinstruct.build.plan import make_plan
from vtinstruct.build.progress import Silent
from vtinstruct.check import check
from vtinstruct.manifest import DatasetError, read_manifest
from vtinstruct.shards import read_dialogues


def test_a_second_run_does_nothing(handmade, tmp_path, listening):
    handmade.add(1)
    build(handmade.chosen(), Options(("rec",)), tmp_path / "out", Silent())
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.arrow")}
    again = build(handmade.chosen(), Options(("rec",)), tmp_path / "out", listening)
    assert not again.fresh
    assert listening.chunks == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.arrow")} == before


@pytest.mark.parametrize("what", ["annotations", "photo", "option", "shard", "converter", "program"])
def test_a_change_is_noticed_said_and_rebuilt(handmade, tmp_path, listening, monkeypatch, what):
    handmade.add(1)
    options = Options(("rec",))
    build(handmade.chosen(), options, tmp_path / "out", Silent())
    match what:
        case "annotations":
            (handmade.root / "ann.json").write_text('{"any": "other thing"}')
            said = "changed since the last build: handmade: ann.json"
        case "photo":
            handmade.add(1)  # drawn again
            handmade.records.pop()
            os.utime(handmade.root / "photos/1.png", ns=(1, 1))
            said = "changed since the last build: photos/1.png"
        case "option":
            options = replace(options, seed=9)
            said = "changed option: seed was 0, is 9"
        case "converter":
            handmade.version = "4"
            said = "changed since the last build: handmade converter"
        case "program":
            monkeypatch.setattr("vtinstruct.build.plan.code_digest", lambda source: "other code")
            monkeypatch.setattr("vtinstruct.build.workspace.code_digest", lambda source: "other code")
            said = "changed since the last build: handmade: the program"
        case _:
            (tmp_path / "out" / read_manifest(tmp_path / "out").files[0].path).unlink()
            said = None
    again = build(handmade.chosen(), options, tmp_path / "out", listening)
    assert again.fresh
    assert listening.chunks == 1
    assert said is None or said in listening.said
    assert check(tmp_path / "out", photos=True).findings == ()


@pytest.mark.parametrize("what", ["annotations", "option", "converter", "program"])
def test_a_change_in_the_middle_is_said_and_nothing_is_mixed(
    handmade, tmp_path, listening, monkeypatch, bytes_of, what
):
    """Two of four chunks were made before the change: none of them goes into what is built after it."""
    for number in range(4):
        handmade.add(number)
    options, out = Options(("rec",), chunk_slots=1), tmp_path / "out"

    class Stops(Silent):
        left = 2

        def chunk(self, slots, receipt):
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(handmade.chosen(), options, out, Stops())
    assert len(list((out / ".build" / "chunks").glob("*.json"))) == 2
    match what:
        case "annotations":
            (handmade.root / "ann.json").write_text('{"any": "other thing"}')
        case "option":
            options = replace(options, seed=9)
        case "converter":
            handmade.version = "4"
        case _:
            monkeypatch.setattr("vtinstruct.build.plan.code_digest", lambda source: "other code")
            monkeypatch.setattr("vtinstruct.build.workspace.code_digest", lambda source: "other code")
    assert build(handmade.chosen(), options, out, listening).reused == 0
    assert any(text.startswith("changed ") for text in listening.said)
    build(handmade.chosen(), options, tmp_path / "fresh", Silent())
    assert bytes_of(out) == bytes_of(tmp_path / "fresh")


@pytest.mark.parametrize("photo_check", [True, False])
def test_photos_that_come_later_are_built(tmp_path, listening, photo_check):
    """What a converter looked for in vain is asked for again, in whichever of its folders it comes."""
    root = tmp_path / "coco"
    (root / "annotations").mkdir(parents=True)
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 9, "height": 9} for n in (1, 2)]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 4, 4], "area": 16, "iscrowd": 0} for n in (1, 2)]
    whole = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "dog"}]}
    (root / "annotations" / "instances_val2017.json").write_text(json.dumps(whole))
    (root / "val2017").mkdir()
    Image.new("RGB", (9, 9)).save(root / "val2017" / "1.jpg")
    chosen, options = choose([f"coco_instances={root}"]), Options(("det",), photo_check=photo_check)
    first = build(chosen, options, tmp_path / "out", Silent())
    assert [d.reason for d in first.manifest.drops] == ["photo: missing"]
    assert not build(chosen, options, tmp_path / "out", Silent()).fresh
    Image.new("RGB", (9, 9)).save(root / "val2017" / "2.jpg")
    again = build(chosen, options, tmp_path / "out", listening)
    assert "changed since the last build: val2017/2.jpg" in listening.said
    assert (again.manifest.drops, again.manifest.files[0].rows) == ((), 2)


def test_depth_pictures_that_come_later_are_built(tmp_path, listening):
    root = tmp_path / "tum"
    for folder, mode in (("rgb", "RGB"), ("depth", "I;16")):
        (root / folder).mkdir(parents=True)
        (root / f"{folder}.txt").write_text("".join(f"{n}.0 {folder}/{n}.png\n" for n in (1, 2)))
        for n in (1, 2):
            Image.new(mode, (9, 9), 1).save(root / folder / f"{n}.png")
    (root / "depth" / "2.png").rename(tmp_path / "aside.png")
    chosen, options = choose([f"tum_rgbd={root}"]), Options(("depth",))
    first = build(chosen, options, tmp_path / "out", Silent())
    assert [d.reason for d in first.manifest.drops] == ["file: missing"]
    (tmp_path / "aside.png").rename(root / "depth" / "2.png")
    again = build(chosen, options, tmp_path / "out", listening)
    assert "changed since the last build: depth/2.png" in listening.said
    assert (again.manifest.drops, again.manifest.files[0].rows) == ((), 2)


def test_another_build_replaces_the_first_whole(handmade, tmp_path, bytes_of):
    for number in range(3):
        handmade.add(number)
    build(handmade.chosen("train", "val"), Options(("rec", "caption")), tmp_path / "out", Silent())
    build(handmade.chosen("val"), Options(("rec",)), tmp_path / "out", Silent())
    build(handmade.chosen("val"), Options(("rec",)), tmp_path / "fresh", Silent())
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "fresh")
    assert [d.provenance.row for d in read_dialogues(tmp_path / "out", "rec", "val")] == ["0", "1", "2"]


def test_replacing_never_touches_the_linked_photos(handmade, tmp_path):
    handmade.add(1)
    before = sorted(handmade.root.rglob("*"))
    for seed in range(3):
        build(handmade.chosen(), Options(("rec",), seed=seed), tmp_path / "out", Silent())
    assert sorted(handmade.root.rglob("*")) == before
    assert os.readlink(tmp_path / "out" / "images" / "handmade") == str(handmade.root)


@pytest.mark.parametrize("step", range(6))
def test_an_interrupted_publication_goes_on(handmade, tmp_path, monkeypatch, step, bytes_of):
    """Publishing stops before its n-th move, over an older dataset: no manifest is to be seen, and the next run ends it."""
    from pathlib import Path

    from vtinstruct.build import finish

    handmade.add(1)
    build(handmade.chosen(), Options(("rec",)), tmp_path / "out", Silent())
    handmade.add(2)
    build(handmade.chosen(), Options(("rec",), seed=1), tmp_path / "whole", Silent())
    moves = iter(range(100))
    rename = Path.rename

    def failing(self, target):
        if "staging" in self.parts and target.parent == tmp_path / "out" and next(moves) == step:
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", failing)
        if step < len(finish.PUBLISHED):
            with pytest.raises(KeyboardInterrupt):
                build(handmade.chosen(), Options(("rec",), seed=1), tmp_path / "out", Silent())
            assert not (tmp_path / "out" / "manifest.json").exists()
            with pytest.raises(DatasetError, match="not finished; run it again"):
                read_manifest(tmp_path / "out")
    build(handmade.chosen(), Options(("rec",), seed=1), tmp_path / "out", Silent())
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")
    assert sorted(path.name for path in (tmp_path / "out" / ".build").iterdir()) == [
        "done.json",
        "inputs.jsonl",
        "lock",
        "plan.json",
    ]


def test_a_source_that_changes_under_the_build_is_refused(handmade, tmp_path, monkeypatch):
    handmade.add(1)
    real = make_plan

    def planned_then_changed(*args):
        plan = real(*args)
        (handmade.root / "ann.json").write_text("changed")
        return plan

    monkeypatch.setattr("vtinstruct.build.run.make_plan", planned_then_changed)
    with pytest.raises(BuildError, match=r"ann\.json: has changed since the build was planned"):
        build(handmade.chosen(), Options(("rec",)), tmp_path / "out", Silent())


def test_a_damaged_chunk_is_not_taken_over(handmade, tmp_path, monkeypatch):
    handmade.add(1)

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("vtinstruct.build.finish.stage", stop)
        with pytest.raises(KeyboardInterrupt):
            build(handmade.chosen(), Options(("rec",)), tmp_path / "out", Silent())
    (chunk,) = (tmp_path / "out" / ".build" / "chunks").glob("*.arrow")
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 1
    chunk.write_bytes(data)
    with pytest.raises(DatasetError, match="its bytes are not those of its receipt; run the build again"):
        build(handmade.chosen(), Options(("rec",)), tmp_path / "out", Silent())
    build(handmade.chosen(), Options(("rec",)), tmp_path / "out", Silent())
    assert check(tmp_path / "out").findings == ()


def test_a_foreign_folder_is_refused_and_untouched(handmade, tmp_path):
    handmade.add(1)
    out = tmp_path / "out"
    (out / "data").mkdir(parents=True)
    (out / "data" / "thesis.txt").write_text("dear to somebody")
    with pytest.raises(DatasetError, match="is not empty and holds no VT-Instruct dataset"):
        build(handmade.chosen(), Options(("rec",)), out, Silent())
    assert [path.name for path in out.rglob("*")] == ["data", "thesis.txt"]
    with pytest.raises(DatasetError, match="is a file"):
        build(handmade.chosen(), Options(("rec",)), out / "data" / "thesis.txt", Silent())
