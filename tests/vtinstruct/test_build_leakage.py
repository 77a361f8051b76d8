"""Evaluation photos stay out of training, by identity and by content, and what splits share is said."""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter
from dataclasses import replace

import pytest
from rich.console import Console

from vtinstruct.build import Options, build, choose
from vtinstruct.build.exclude import REASON
from vtinstruct.build.overlap import overlaps
from vtinstruct.build.progress import Silent, leak_table
from vtinstruct.check import check
from vtinstruct.cli import main
from vtinstruct.manifest import DatasetError, DropCount, Overlap, read_manifest
from vtinstruct.sample import write_sample
from vtinstruct.shards import read_dialogues
from vtinstruct.source import SourceError

TASKS = ("det", "res")


@pytest.fixture(scope="module")
def leaking(tmp_path_factory):
    """COCO and RefCOCO as they are: every photo of RefCOCO, testA's too, is a COCO train photo."""
    root = tmp_path_factory.mktemp("leaking") / "sample"
    write_sample(root, 40, 5, only=("coco_instances", "refcoco"))
    (root / "SAMPLE.json").unlink()  # nothing but files as users have them
    coco = root / "coco"
    train, val = (coco / "annotations" / f"instances_{split}2017.json" for split in ("train", "val"))
    one, other = json.loads(train.read_text()), json.loads(val.read_text())
    for key in ("images", "annotations"):
        one[key] += other[key]
    train.write_text(json.dumps(one))
    val.unlink()
    for photo in (coco / "val2017").iterdir():
        photo.rename(coco / "train2017" / photo.name)
    return root


@pytest.fixture(scope="module")
def sources(leaking):
    return choose([f"coco_instances:train2017={leaking / 'coco'}", f"refcoco:testA={leaking / 'refer'}"])


def photos(root, task, split):
    return {d.photo.id for d in read_dialogues(root, task, split) if d.photo is not None}


def shown(manifest) -> str:
    table = leak_table(manifest)
    console = Console(width=160, record=True, file=io.StringIO())
    console.print("" if table is None else table)
    return console.export_text()


@pytest.fixture(scope="module")
def before(sources, tmp_path_factory):
    out = tmp_path_factory.mktemp("before") / "out"
    build(sources, Options(TASKS), out, Silent())
    return out


def test_the_table_names_splits_that_share_photos(before):
    train, test = photos(before, "det", "train2017"), photos(before, "res", "testA")
    assert test
    assert test < train
    manifest = read_manifest(before)
    pair = Overlap("coco_instances/train2017", "refcoco/testA", len(train), len(test), len(test), 0)
    assert manifest.overlaps == (pair,)
    assert pair.leaks
    assert "coco_instances/train2017" in shown(manifest)
    line = f"| coco_instances/train2017 | {len(train)} | refcoco/testA | {len(test)} | {len(test)} | 0 | yes |"
    assert line in (before / "README.md").read_text()


def test_refcoco_test_photos_leave_a_coco_train_build(before, sources, leaking, tmp_path, bytes_of):
    spec = f"refcoco:testA={leaking / 'refer'}"
    options = Options(TASKS, exclude_images_of=(spec,), chunk_slots=5)
    build(sources, options, tmp_path / "out", Silent())
    manifest = read_manifest(tmp_path / "out")
    test = photos(before, "res", "testA")
    assert photos(tmp_path / "out", "det", "train2017") == photos(before, "det", "train2017") - test
    assert photos(tmp_path / "out", "res", "testA") == test
    assert DropCount("coco_instances", "train2017", "", REASON, False, len(test)) in manifest.drops
    assert manifest.overlaps == ()
    assert shown(manifest).strip() == ""
    drops = [json.loads(line) for line in (tmp_path / "out" / "drops.jsonl").read_text().splitlines()]
    ours = [drop for drop in drops if drop["reason"] == REASON]
    assert {drop["detail"] for drop in ours} == {f"{identity} is in refcoco/testA" for identity in test}
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"those of refcoco/testA ({len(test)})" in card
    assert f"| {REASON} | dropped | {len(test)} |" in card
    assert str(leaking) not in (tmp_path / "out" / "manifest.json").read_text()
    assert check(tmp_path / "out", photos=True).findings == ()
    build(sources, options, tmp_path / "two", Silent(), workers=2)
    assert bytes_of(tmp_path / "two") == bytes_of(tmp_path / "out")


def test_a_built_dataset_a_split_of_it_and_a_bare_root_say_the_same(before, sources, leaking, tmp_path, bytes_of):
    """`before` holds RefCOCO testA and nothing else for evaluation."""
    for number, spec in enumerate((f"refcoco:testA={leaking / 'refer'}", before, before / "data" / "res" / "testA")):
        build(sources, Options(TASKS, exclude_images_of=(str(spec),)), tmp_path / str(number), Silent())
    assert bytes_of(tmp_path / "0") == bytes_of(tmp_path / "1") == bytes_of(tmp_path / "2")
    build(sources, Options(TASKS, exclude_images_of=(str(leaking),)), tmp_path / "bare", Silent())
    said = read_manifest(tmp_path / "bare").options["exclude_images_of"]
    assert set(said["splits"]) == {"refcoco/val", "refcoco/testA", "refcoco/testB"}  # no training split


def test_the_order_of_asking_does_not_matter(sources, leaking, tmp_path, bytes_of):
    specs = [f"refcoco:{split}={leaking / 'refer'}" for split in ("testA", "val")]
    both = f"refcoco:val,testA={leaking / 'refer'}"
    for name, asked in (("one", specs), ("other", specs[::-1]), ("both", [both])):
        build(sources, Options(TASKS, exclude_images_of=tuple(asked)), tmp_path / name, Silent())
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "other") == bytes_of(tmp_path / "both")


def test_the_same_bytes_under_another_identity(handmade, tmp_path):
    """Hand-made photos 1 and 256 are one grey picture."""
    handmade.add(1)
    build(handmade.chosen("val"), Options(("det",)), tmp_path / "val", Silent())
    handmade.records.clear()
    handmade.add(256)
    handmade.add(2)
    options = Options(("det",), exclude_images_of=(str(tmp_path / "val"),))
    build(handmade.chosen("train"), options, tmp_path / "out", Silent())
    assert photos(tmp_path / "out", "det", "train") == {"own:2"}
    (drop,) = [json.loads(line) for line in (tmp_path / "out" / "drops.jsonl").read_text().splitlines()]
    assert drop["detail"] == "own:256 has the bytes of a photo in handmade/val"
    # nothing is kept out of evaluation
    build(handmade.chosen("val"), options, tmp_path / "other", Silent())
    assert photos(tmp_path / "other", "det", "val") == {"own:256", "own:2"}


def test_the_table_tells_identities_from_bytes(handmade, tmp_path, monkeypatch):
    for number in (1, 2, 3, 256, 257):  # 1 and 256, 2 and 257 are the same pictures
        handmade.add(number)
    source = handmade.source()
    per_split = {"train": ("1", "2", "3"), "val": ("256", "2", "3"), "test": ("257",), "other_train": ("3",)}

    def opened(root, split):
        found = handmade.open(root, split)
        found.found = [record for record in found.found if record.id in per_split[split]]
        return found

    split_source = replace(source, open=opened)
    monkeypatch.setattr(handmade, "source", lambda: split_source)
    build(handmade.chosen(*per_split), Options(("det",)), tmp_path / "out", Silent())
    table = {
        (pair.one, pair.other): (pair.same_id, pair.same_bytes, pair.leaks)
        for pair in read_manifest(tmp_path / "out").overlaps
    }
    assert table == {
        ("handmade/other_train", "handmade/val"): (1, 0, True),
        ("handmade/test", "handmade/train"): (0, 1, True),
        ("handmade/train", "handmade/val"): (2, 1, True),
        ("handmade/other_train", "handmade/train"): (1, 0, False),
        ("handmade/test", "handmade/val"): (0, 1, False),
    }
    assert [pair.leaks for pair in read_manifest(tmp_path / "out").overlaps] == [True, True, True, False, False]
    assert shown(read_manifest(tmp_path / "out")).count("handmade/val") == 2  # leaks only
    whole = read_manifest(tmp_path / "out")
    for parts in (1, 2):
        monkeypatch.setattr("vtinstruct.build.overlap.PARTS", parts)
        assert overlaps(tmp_path / "out", whole.files) == whole.overlaps


def test_a_changed_exclusion_is_noticed(handmade, tmp_path, listening):
    handmade.add(1)
    build(handmade.chosen("val"), Options(("det",)), tmp_path / "val", Silent())
    handmade.add(2)
    options, out = Options(("det",)), tmp_path / "out"
    chosen = handmade.chosen("train", "val")
    build(chosen, options, out, Silent())
    excluding = replace(options, exclude_images_of=(str(tmp_path / "val"),))
    assert build(chosen, excluding, out, listening).fresh
    assert photos(out, "det", "train") == {"own:2"}
    assert any(
        said.startswith("changed option: excluded photos was None, is '1 of handmade/val") for said in listening.said
    )
    assert not build(chosen, excluding, out, Silent()).fresh
    # the same words, and other photos behind them
    handmade.records.pop(0)
    build(handmade.chosen("val"), Options(("det",)), tmp_path / "new", Silent())
    shutil.rmtree(tmp_path / "val")
    (tmp_path / "new").rename(tmp_path / "val")
    handmade.add(1)
    assert build(chosen, excluding, out, Silent()).fresh
    assert photos(out, "det", "train") == {"own:1"}
    assert [path.name for path in (out / ".build").glob("excluded*")] == []


def test_without_reading_photos_identities_still_count(sources, leaking, tmp_path, listening):
    options = Options(TASKS, photo_check=False, exclude_images_of=(f"refcoco:testA={leaking / 'refer'}",))
    build(sources, options, tmp_path / "out", listening)
    assert read_manifest(tmp_path / "out").overlaps == ()
    assert Counter(drop.reason for drop in read_manifest(tmp_path / "out").drops)[REASON] == 1
    assert "photos are not read: evaluation photos are kept out by identity only" in listening.said


@pytest.mark.parametrize("damage", ["broken", "gone"])
def test_what_cannot_be_read_of_an_evaluation_split_is_said(sources, leaking, before, tmp_path, listening, damage):
    root = tmp_path / "refer"
    shutil.copytree(leaking / "refer", root)
    test = photos(before, "res", "testA")
    hit = min(test)
    (photo,) = root.rglob(f"*{int(hit.removeprefix('coco:')):012d}.jpg")
    photo.write_bytes(b"no picture") if damage == "broken" else photo.unlink()
    build(sources, Options(TASKS, exclude_images_of=(f"refcoco:testA={root}",)), tmp_path / "out", listening)
    kept, said = (
        photos(tmp_path / "out", "det", "train2017"),
        read_manifest(tmp_path / "out").options["exclude_images_of"],
    )
    card = (tmp_path / "out" / "README.md").read_text()
    if damage == "broken":  # the annotations still say whose photo it is
        assert not kept & test
        assert said["unread"] == {}
        text = f"refcoco/testA: 1 of {len(test)} photos cannot be read; they are kept out by identity only"
    else:  # the source gives no record without its photo, so the leak stays, and nobody can overlook it
        assert kept & test == {hit}
        assert said["unread"] == {"refcoco/testA": 1}
        assert "whose photos are not kept out: refcoco/testA (1)." in card
        assert read_manifest(tmp_path / "out").overlaps[0].same_id == 1
        text = f"refcoco/testA: 1 of {len(test)} records cannot be read, their photos are NOT kept out, first "
    assert any(line.startswith(text) for line in listening.said)


@pytest.mark.parametrize(
    "spec", ["refcoco:nowhere={root}/refer", "coco_instances={root}/coco", "nothing={root}", "{root}/none"]
)
def test_what_names_no_evaluation_photos_is_one_line(sources, leaking, tmp_path, spec):
    with pytest.raises((SourceError, DatasetError)) as caught:
        build(sources, Options(TASKS, exclude_images_of=(spec.format(root=leaking),)), tmp_path / "out", Silent())
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_the_command_line(leaking, tmp_path, monkeypatch, capsys):
    coco, refer = f"coco_instances={leaking / 'coco'}", f"refcoco={leaking / 'refer'}"
    words = [
        "vtinstruct",
        "build",
        coco,
        refer,
        "--out",
        str(tmp_path / "out"),
        "--tasks",
        "det,res",
        "--mix",
        "stage2",
    ]

    def run(*more: str) -> str:
        monkeypatch.setattr("sys.argv", [*words, *more])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return capsys.readouterr().out

    first = run()
    assert "sampled out" in first
    assert "training and evaluation share photos" in first
    second = run(
        "--exclude-images-of",
        f"refcoco:val={leaking / 'refer'}",
        "--exclude-images-of",
        f"refcoco:testA,testB={leaking / 'refer'}",
    )
    assert "training and evaluation share photos" not in second
    assert read_manifest(tmp_path / "out").options["mix"]["name"] == "stage2"
