"""A build: the same bytes by any way, from the sources and limits that were asked for."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from dataclasses import replace

import pytest

from vtinstruct.build import Options, build, choose
from vtinstruct.build.progress import Silent
from vtinstruct.check import check
from vtinstruct.dialogue import Triplet
from vtinstruct.manifest import is_training, read_manifest
from vtinstruct.photos import open_photo, read_depth
from vtinstruct.shards import read_dialogues
from vtinstruct.source import SourceError
from vtinstruct.units import Depth


def test_two_workers_give_the_bytes_of_one(small_chosen, small_dataset, tmp_path, bytes_of):
    options = Options(("caption", "depth", "det", "keypoints", "rec", "res", "seg"), chunk_slots=7)
    built = build(small_chosen, options, tmp_path / "two", Silent(), workers=2)
    assert built.reused == 0
    assert bytes_of(tmp_path / "two") == bytes_of(small_dataset)


def test_the_folders_do_not_matter(small_sample, tmp_path, bytes_of):
    moved = tmp_path / "moved" / "deeper"
    shutil.copytree(small_sample, moved)
    for root, name in ((small_sample, "one"), (moved, "other")):
        chosen = choose([f"refcoco={root / 'refer'}", f"nyuv2={root / 'nyuv2'}"])
        build(chosen, Options(("rec", "depth")), tmp_path / name, Silent())
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "other")


def test_the_whole_sample_is_sound(small_dataset):
    found = check(small_dataset, photos=True)
    assert found.findings == ()
    assert found.rows > 200
    assert found.photos > 20


def test_vocabulary_licence_and_hashes_are_in_the_manifest(small_dataset, small_sample):
    manifest = read_manifest(small_dataset)
    instances = manifest.sources["coco_instances"]
    assert [category.name for category in instances.vocabulary][:1] == ["person"]
    assert instances.licence == "CC-BY-4.0 AND LicenseRef-COCO-style"
    (file,) = instances.splits["val2017"].files
    assert file.path == "annotations/instances_val2017.json"
    sample = next(read_dialogues(small_dataset, "det", "val2017"))
    assert sample.provenance.file == file.path
    assert sample.provenance.file_sha256 == file.sha256
    assert sample.provenance.converter_version == instances.version
    assert str(small_sample) not in (small_dataset / "manifest.json").read_text()
    assert manifest.sources["nyuv2"].splits["train"].depth_sha256


def test_photos_and_depth_open_through_the_dataset(small_dataset):
    sample = next(read_dialogues(small_dataset, "depth", "train"))
    assert sample.photo is not None
    photo = open_photo(small_dataset, sample.photo)
    ((_, _, reference),) = sample.references()
    assert isinstance(reference.unit, Depth)
    metres = read_depth(small_dataset, reference.unit, sample.photo.size_wh)
    assert metres.shape == (photo.height, photo.width)
    assert 0.1 < metres.max() < 100


def test_copied_photos_give_the_same_rows_and_stand_alone(small_sample, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(small_sample, moved)
    chosen = choose([f"refcoco={moved / 'refer'}", f"nyuv2={moved / 'nyuv2'}"])
    build(chosen, Options(("rec", "depth")), tmp_path / "link", Silent())
    build(chosen, Options(("rec", "depth"), copy_photos=True), tmp_path / "copy", Silent())
    shutil.rmtree(moved)
    one, other = (read_manifest(tmp_path / name) for name in ("link", "copy"))
    assert one.content_hash == other.content_hash
    assert check(tmp_path / "copy", photos=True).findings == ()
    assert check(tmp_path / "link", photos=True).findings != ()
    assert not any(path.is_symlink() for path in (tmp_path / "copy").rglob("*"))


def test_limit_takes_the_first_records_of_every_split(handmade, tmp_path):
    for number in range(5):
        handmade.add(number)
    build(handmade.chosen("train", "val"), Options(("rec",), limit=2), tmp_path / "out", Silent())
    for split in ("train", "val"):
        assert [d.provenance.row for d in read_dialogues(tmp_path / "out", "rec", split)] == ["0", "1"]
    info = read_manifest(tmp_path / "out").sources["handmade"].splits["val"]
    assert (info.slots, info.built) == (5, 2)


def test_train_splits_are_for_training_and_others_for_evaluation(handmade, tmp_path):
    handmade.add(1, regions=())
    build(handmade.chosen("train", "val"), Options(("det",)), tmp_path / "out", Silent())
    manifest = read_manifest(tmp_path / "out")
    assert manifest.splits("det") == ("val",)  # a photo without boxes is asked about in evaluation only
    (sample,) = read_dialogues(tmp_path / "out", "det", "val")
    assert not any(isinstance(part, Triplet) and part.references for turn in sample.turns for part in turn.parts)


def test_many_shards_hold_the_rows_in_plan_order(handmade, tmp_path, monkeypatch):
    monkeypatch.setattr("vtinstruct.build.finish.SHARD_BYTES", 2000)
    for number in range(12):
        handmade.add(number)
    build(handmade.chosen(), Options(("rec",), chunk_slots=2), tmp_path / "out", Silent())
    shards = read_manifest(tmp_path / "out").shards("rec", "train")
    assert len(shards) > 2
    assert {shard.path.rsplit("-", 1)[1] for shard in shards} == {f"{len(shards):05d}.arrow"}
    rows = [d.provenance.row for d in read_dialogues(tmp_path / "out", "rec", "train")]
    assert rows == [str(number) for number in range(12)]


@pytest.mark.parametrize(
    "split", ["train", "train2017", "training", "v1_train", "google_train", "59_train", "trainrem"]
)
def test_training_splits(split):
    assert is_training(split)


@pytest.mark.parametrize("split", ["val", "val2017", "test", "testA", "v1_val", "constrained", "popular", "minitrain2"])
def test_evaluation_splits(split):
    assert not is_training(split)


def test_a_source_folder_is_found_by_its_files(small_sample, tmp_path):
    """Without the sample's own list, by what the sources find."""
    for name in ("coco", "refer", "nyuv2"):
        shutil.copytree(small_sample / name, tmp_path / name)
    found = {choice.source.name: (choice.root, choice.splits) for choice in choose([str(tmp_path)])}
    assert found["coco_instances"] == (tmp_path / "coco", ("train2017", "val2017"))
    assert found["nyuv2"] == (tmp_path / "nyuv2", ("train", "test"))
    shutil.copytree(tmp_path / "nyuv2", tmp_path / "copy")
    assert {c.source.name: c.root for c in choose([str(tmp_path)])}["nyuv2"] == tmp_path / "nyuv2"  # it has the name
    (tmp_path / "nyuv2").rename(tmp_path / "other")
    with pytest.raises(SourceError, match=r"nyuv2 finds its files in .*copy and .*other; nyuv2=FOLDER says"):
        choose([str(tmp_path)])


def test_a_sample_says_itself_what_is_where(small_sample, tmp_path):
    found = {choice.source.name: (choice.root, choice.splits) for choice in choose([str(small_sample)])}
    assert found["coco_instances"] == (small_sample / "coco", ("train2017", "val2017"))
    (one,) = choose([f"coco_instances:val2017={small_sample / 'coco'}"])
    assert one.splits == ("val2017",)
    twice = choose([f"refcoco:val={small_sample / 'refer'}", f"refcoco:train={small_sample / 'refer'}"])
    assert [choice.splits for choice in twice] == [("val", "train")]
    only = choose([str(small_sample)], ["test"])
    assert {choice.source.name for choice in only} >= {"nyuv2", "refcocog"}
    assert {split for choice in only for split in choice.splits} == {"test"}
    for text in ("{", "[]", '{"sources": [{"name": "nyuv2", "folder": "../..", "splits": []}]}'):
        (tmp_path / "SAMPLE.json").write_text(text)
        with pytest.raises(SourceError):
            choose([str(tmp_path)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("/not/there", "no such folder"),
        ("nonsense=/tmp", "no 'nonsense' in converters; known: .*coco_instances"),
        ("coco_instances={empty}", "no split's files are below"),
        ("{empty}", "no source finds its files there"),
    ],
)
def test_what_cannot_be_a_source_is_said_in_one_line(tmp_path, text, message):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(SourceError, match=message) as caught:
        choose([text.format(empty=empty)])
    assert "\n" not in str(caught.value)


def test_two_folders_for_one_source_are_refused(small_sample, tmp_path):
    shutil.copytree(small_sample / "nyuv2", tmp_path / "other")
    with pytest.raises(SourceError, match="nyuv2 is given with two folders"):
        choose([f"nyuv2={small_sample / 'nyuv2'}", f"nyuv2={tmp_path / 'other'}"])


def test_unknown_tasks_and_nothing_to_build_are_said(handmade, tmp_path):
    handmade.add(1)
    with pytest.raises(SourceError, match=r"no 'juggle' in vtinstruct\.tasks"):
        build(handmade.chosen(), Options(("juggle",)), tmp_path / "out", Silent())
    with pytest.raises(SourceError, match="no source feeds any of the tasks"):
        build(handmade.chosen(), Options(("depth",)), tmp_path / "out", Silent())


def test_every_split_keeps_its_own_vocabulary(handmade, tmp_path, monkeypatch):
    """Pascal Context has one of 59 and one of 459 classes."""
    handmade.add(1)
    opened = handmade.open

    def open_(root, split):
        found = opened(root, split)
        if split == "val":
            found.vocabulary = (replace(found.vocabulary[0], name="cat"),)
        return found

    monkeypatch.setattr(handmade, "open", open_)
    build(handmade.chosen("train", "val"), Options(("det",)), tmp_path / "out", Silent())
    manifest = read_manifest(tmp_path / "out")
    assert [category.name for category in manifest.vocabulary("handmade", "train")] == ["dog"]
    assert [category.name for category in manifest.vocabulary("handmade", "val")] == ["cat"]
    assert [category.name for category in manifest.sources["handmade"].vocabulary] == ["dog", "cat"]
    assert manifest.vocabulary("handmade", "test") == ()


def test_every_row_leads_back_to_the_row_it_was_made_of(small_sample, small_dataset):
    """The annotation file's own bytes by their hash, and in it the image, the caption or the expression of that name."""
    manifest = read_manifest(small_dataset)
    seen: Counter[str] = Counter()
    for task in manifest.tasks():
        for split in manifest.splits(task):
            for dialogue in read_dialogues(small_dataset, task, split):
                origin, source = dialogue.provenance, manifest.sources[dialogue.source]
                root = small_dataset / "images" / dialogue.source
                assert hashlib.sha256((root / origin.file).read_bytes()).hexdigest() == origin.file_sha256
                assert origin.converter_version == source.version
                assert origin.seed == manifest.seed
                assert origin.template or not dialogue.turns[0].parts
                if dialogue.source.startswith("coco"):
                    wire = json.loads((root / origin.file).read_text())
                    word, number = origin.row.split()
                    assert word == "image"
                    (image,) = [row for row in wire["images"] if row["id"] == int(number)]
                    assert dialogue.photo.path.endswith("/" + image["file_name"])
                    assert dialogue.photo.size_wh == (image["width"], image["height"])
                assert dialogue.id.startswith(f"{dialogue.source}/{dialogue.split}/")
                seen[dialogue.source] += 1
    assert set(seen) == set(manifest.sources)
