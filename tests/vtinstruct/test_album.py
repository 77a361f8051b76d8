"""Embedded photos and Parquet: the same rows and the same pictures as with files beside, from one folder that can be moved."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace

import datasets
import numpy as np
import pytest
from PIL import Image

from tests.vtinstruct.signing import sign
from vtinstruct import album
from vtinstruct.build import Options, build, choose
from vtinstruct.build.progress import Silent
from vtinstruct.check import check
from vtinstruct.cli import main
from vtinstruct.manifest import DatasetError, read_manifest
from vtinstruct.photos import PhotoError, open_photo, photo_transform, read_depth
from vtinstruct.shards import dialogue_from_row, read_dialogues
from vtinstruct.streams import FORMATS, StreamWriter, read_stream

TASKS = ("depth", "det", "rec", "caption")


@pytest.fixture(scope="module")
def chosen(small_sample):
    folders = {"coco_captions": "coco", "coco_instances": "coco", "refcoco": "refer", "nyuv2": "nyuv2"}
    return choose([f"{name}={small_sample / folder}" for name, folder in folders.items()])


@pytest.fixture(scope="module")
def plain(chosen, tmp_path_factory):
    out = tmp_path_factory.mktemp("plain") / "out"
    build(chosen, Options(TASKS), out, Silent())
    return out


@pytest.fixture(scope="module", params=FORMATS)
def portable(request, chosen, tmp_path_factory):
    """A dataset with its photos in it, moved to where nothing of its sources is."""
    out = tmp_path_factory.mktemp("embedded") / "out"
    build(chosen, Options(TASKS, chunk_slots=5, format=request.param, embed=True), out, Silent())
    moved = out.with_name("moved")
    shutil.move(out, moved)
    return moved


def everything(root):
    manifest = read_manifest(root)
    return {(t, s): list(read_dialogues(root, t, s)) for t in manifest.tasks() for s in manifest.splits(t)}


def test_the_same_rows_and_pictures(portable, plain):
    rows = everything(plain)
    assert everything(portable) == rows
    assert not (portable / "images").exists()
    for dialogues in rows.values():
        for dialogue in dialogues:
            if dialogue.photo is not None:
                assert open_photo(portable, dialogue.photo) == open_photo(plain, dialogue.photo)
            for _, _, reference in dialogue.references():
                if dialogue.task == "depth":
                    np.testing.assert_array_equal(
                        read_depth(portable, reference.unit), read_depth(plain, reference.unit)
                    )
    assert check(portable, photos=True).findings == ()


def test_each_file_is_there_once_under_all_its_names(portable):
    rows = [
        row
        for file in read_manifest(portable).images
        for b in read_stream(portable / file.path, album.SCHEMA)
        for row in b.to_pylist()
    ]
    assert len({row["sha256"] for row in rows}) == len(rows)
    assert {row["kind"] for row in rows} == {"photo", "depth"}
    paths = [path for row in rows for path in row["paths"]]
    assert len(set(paths)) == len(paths) > len(rows)  # COCO's photos are RefCOCO's
    for row in rows:
        assert hashlib.sha256(row["bytes"]).hexdigest() == row["sha256"]


def test_datasets_loads_rows_and_images_and_the_transform_opens_them(portable, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    datasets.disable_progress_bars()

    def load(*words, **more):
        return datasets.load_dataset(str(portable), *words, cache_dir=str(tmp_path / "cache"), **more)

    rows = load("rec", split="val")
    assert [dialogue_from_row(row) for row in rows] == list(read_dialogues(portable, "rec", "val"))
    assert [dialogue_from_row(row) for row in load("rec", split="val", streaming=True)] == list(
        read_dialogues(portable, "rec", "val")
    )
    shown = rows.with_transform(photo_transform(portable))[0]
    assert shown["photo"].size == (shown["image"]["width"], shown["image"]["height"])
    images = load("images")
    assert list(images) == ["photos"]
    assert images["photos"].num_rows == sum(file.rows for file in read_manifest(portable).images)
    (streamed,) = load("images", split="photos", streaming=True).take(1)
    assert streamed == images["photos"][0]


def test_built_again_it_has_the_same_bytes(chosen, portable, tmp_path, bytes_of):
    form = "parquet" if read_manifest(portable).files[0].path.endswith("parquet") else "arrow"
    build(chosen, Options(TASKS, chunk_slots=5, format=form, embed=True), tmp_path / "again", Silent())
    assert bytes_of(tmp_path / "again") == bytes_of(portable)


def test_damage_is_found(portable, tmp_path):
    def damaged(change):
        root = tmp_path / "copy"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(portable, root)
        change(root / read_manifest(root).images[0].path)
        return [str(finding) for finding in check(root).findings]

    def flip(path):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 4
        path.write_bytes(content)

    def lose_a_row(path):
        batches = list(read_stream(path, album.SCHEMA))
        with StreamWriter(path, album.SCHEMA) as writer:
            writer.write_batch(batches[0].slice(1))
        sign(tmp_path / "copy")

    assert any("SHA-256 differs" in text for text in damaged(flip))
    assert any("cut short" in text for text in damaged(lambda path: path.write_bytes(path.read_bytes()[:500])))
    assert any("No such file" in text for text in damaged(lambda path: path.unlink()))
    found = damaged(lose_a_row)
    assert any("the manifest says" in text for text in found)
    assert any("is not among the embedded photos" in text for text in found)
    foreign = damaged(lambda path: shutil.copy(path, path.with_stem("data-00007-of-00009")))
    assert any("data-00007-of-00009" in text and "is in no manifest" in text for text in foreign)


def test_a_rebuild_without_and_with_is_what_it_says(handmade, tmp_path):
    for number in range(3):
        handmade.add(number)
    out = tmp_path / "out"
    for options, linked in (
        (Options(("rec",)), True),
        (Options(("rec",), embed=True), False),
        (Options(("rec",)), True),
    ):
        build(handmade.chosen(), options, out, Silent())
        assert (out / "images").exists() == linked
        assert (out / "data" / "images").exists() != linked
        (first, *_) = read_dialogues(out, "rec", "train")
        assert open_photo(out, first.photo).size == (8, 6)
        assert check(out, photos=True).findings == ()


def test_many_files_make_several_shards_in_order(handmade, tmp_path, monkeypatch):
    monkeypatch.setattr("vtinstruct.album.FILE_BYTES", 1)
    monkeypatch.setattr("vtinstruct.album.BATCH_ROWS", 2)
    for number in range(5):
        handmade.add(number)
    build(handmade.chosen(), Options(("rec",), embed=True, format="parquet"), tmp_path / "out", Silent())
    files = read_manifest(tmp_path / "out").images
    assert [(file.path.rsplit("/", 1)[1], file.rows) for file in files] == [
        (f"data-0000{n}-of-00003.parquet", rows) for n, rows in enumerate((2, 2, 1))
    ]
    assert check(tmp_path / "out", photos=True).findings == ()
    for dialogue in read_dialogues(tmp_path / "out", "rec", "train"):
        number = int(dialogue.photo.id.removeprefix("own:"))
        assert open_photo(tmp_path / "out", dialogue.photo).getpixel((0, 0)) == (number,) * 3


def test_a_photo_that_changes_while_it_is_taken_in(handmade, tmp_path, monkeypatch):
    handmade.add(1)
    from vtinstruct.build import finish

    named = finish.named_by

    def too_late(shards):
        Image.new("L", (8, 6), 77).save(handmade.root / "photos/1.png")
        return named(shards)

    monkeypatch.setattr(finish, "named_by", too_late)
    with pytest.raises(DatasetError, match=r"photos/1\.png: has changed since its rows were made"):
        build(handmade.chosen(), Options(("rec",), embed=True), tmp_path / "out", Silent())


def test_a_path_that_no_row_names_is_missing(portable):
    photo = next(d.photo for d in read_dialogues(portable, "rec", "val"))
    with pytest.raises(PhotoError, match="photo: missing"):
        open_photo(portable, replace(photo, path="images/refcoco/nowhere.jpg"))
    with pytest.raises(PhotoError, match="path outside the dataset"):
        open_photo(portable, replace(photo, path="../nowhere.jpg"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--embed", "--photos", "copy"), "two ways of taking photos along"),
        (("--embed", "--skip-photo-check"), "--embed reads every photo"),
        (("--format", "csv"), "--format csv: arrow or parquet is right"),
    ],
)
def test_options_that_do_not_go_together(small_sample, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.setattr("sys.argv", ["vtinstruct", "build", str(small_sample), "--out", str(tmp_path / "out"), *words])
    with pytest.raises(SystemExit):
        main()
    assert message in capsys.readouterr().err


def test_the_manifest_says_how(portable):
    options = json.loads((portable / "manifest.json").read_text())["options"]
    assert options["embed"] is True
