"""nocaps: captions by photo, the test split without any, broken rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.converters.language import facts, read, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.source import SourceError

NAME = "nocaps"
IMAGE = {"id": 0, "open_images_id": "0013ea2087020901", "width": 8, "height": 6, "file_name": "0013ea2087020901.jpg",
         "coco_url": "", "domain": "near-domain"}  # fmt: skip


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("val",)
    assert facts(NAME, root, splits) == set(plugins.load("converters", NAME).offers)
    content = json.loads((root / "nocaps_val_4500_captions.json").read_text())
    records, drops = read(NAME, root, "val")
    assert drops == []
    assert [record.id for record in records] == [str(image["id"]) for image in content["images"]]
    for record in records:
        said = [row["caption"] for row in content["annotations"] if row["image_id"] == int(record.id)]
        assert list(record.captions) == said
        assert len(said) == 5


def test_bad_rows(tmp_path: Path) -> None:
    captions = [
        {"image_id": 0, "id": 0, "caption": " A man. \n"}, {"image_id": 0, "id": 1, "caption": "  "},
        {"image_id": 9, "id": 2, "caption": "Nobody's."}, {"id": 3, "caption": "of nothing"},
    ]  # fmt: skip
    images = [IMAGE, IMAGE, {**IMAGE, "id": 1, "width": 0}, {**IMAGE, "id": 2, "file_name": "gone.jpg"}, {"id": "x"}]
    (tmp_path / "nocaps_val_4500_captions.json").write_text(json.dumps({"images": images, "annotations": captions}))
    tiny_photo(tmp_path / "validation" / IMAGE["file_name"])
    (record,), drops = read(NAME, tmp_path, "val")
    assert record.captions == ("A man.",)
    assert record.photo is not None
    assert record.photo.id == "openimages:0013ea2087020901"
    assert sorted(drop.reason for drop in drops) == [
        "caption: empty", "caption: unknown image", "image: id twice", "image: no size", "photo: missing",
        "row: unreadable", "row: unreadable",
    ]  # fmt: skip


def test_test_split_has_no_captions(tmp_path: Path) -> None:
    (tmp_path / "nocaps_test_image_info.json").write_text(json.dumps({"images": [IMAGE], "licenses": []}))
    tiny_photo(tmp_path / "test" / IMAGE["file_name"])
    (record,), drops = read(NAME, tmp_path, "test")
    assert (record.captions, drops) == ((), [])


def test_val_without_its_captions(tmp_path: Path) -> None:
    """The official list of photos alone; where the captions come as well, they are read."""
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/nocaps_val_image_info.json").write_text(json.dumps({"images": [IMAGE]}))
    tiny_photo(tmp_path / "val" / IMAGE["file_name"])
    assert plugins.load("converters", NAME).find(tmp_path) == ("val",)
    (record,), drops = read(NAME, tmp_path, "val")
    assert (record.captions, drops) == ((), [])
    row = {"image_id": 0, "id": 0, "caption": "A man."}
    content = {"images": [IMAGE], "annotations": [row]}
    (tmp_path / "annotations/nocaps_val_4500_captions.json").write_text(json.dumps(content))
    (record,), drops = read(NAME, tmp_path, "val")
    assert (record.captions, drops) == (("A man.",), [])


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nocaps_val_4500_captions\.json"):
        plugins.load("converters", NAME).open(tmp_path, "val")
