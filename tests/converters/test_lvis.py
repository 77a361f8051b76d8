"""LVIS: negatives and not-exhaustive lists, 100 real photos' annotations against the file itself, broken rows and files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from tests.converters.vision import SCENES, decoded, read, reasons, shot, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.sample.lvis import IDS
from vtinstruct.source import SourceError

NAME = "lvis"


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("v1_train", "v1_val")
    scenes = {str(shot(index).image_id): shot(index) for index in SCENES}
    for split in splits:
        records, drops = read(NAME, root, split)
        assert not drops
        for record in records:
            drawn = scenes.pop(record.id)
            assert record.photo is not None
            assert record.photo.id == f"coco:{record.id}"
            there = {thing.category for thing in drawn.scene.things}
            assert not {name.partition(" ")[0] for name in record.negatives} & there
            assert len(record.negatives) == min(3, len(IDS) - len(there))
            assert {name.partition(" ")[0] for name in record.not_exhaustive} == {
                thing.category for thing in drawn.scene.things if thing.crowd
            }
            assert not record.exhaustive
            truth = {str(drawn.annotation_id(k)): thing.mask for k, thing in drawn.singles()}
            assert {region.id: decoded(region).sum() for region in record.regions} == {
                id_: mask.sum() for id_, mask in truth.items()
            }
    vocabulary = {
        category.name: category for category in plugins.load("converters", NAME).open(root, "v1_train").vocabulary
    }
    assert vocabulary["car (automobile)"].synonyms == ("automobile",)
    assert {category.frequency for category in vocabulary.values()} <= set("rcf")


def placed(root: Path, content: dict[str, Any], name: str = "lvis_v0.5_val.json") -> Path:
    """The annotations of real photos with blank ones of their size."""
    root.mkdir(exist_ok=True)
    (root / name).write_text(json.dumps(content))
    blanks: dict[tuple[int, int], bytes] = {}
    for image in content["images"]:
        size = (image["width"], image["height"])
        path = root / "images" / "/".join(image["coco_url"].split("/")[-2:])
        path.parent.mkdir(parents=True, exist_ok=True)
        if size not in blanks:
            Image.new("L", size).save(path, "JPEG", quality=1)
            blanks[size] = path.read_bytes()
        path.write_bytes(blanks[size])
    return root


def test_real_annotations(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    content = json.loads((shared_data("lvis_val_100") / "data" / "lvis_val_100.json").read_text())
    opened = plugins.load("converters", NAME).open(placed(tmp_path, content), "v0.5_val")
    assert len(opened) == len(content["images"]) == 100
    assert len(opened.vocabulary) == len(content["categories"]) == 1230
    names = {row["id"]: row["name"].replace("_", " ") for row in content["categories"]}
    for frequency in "rcf":
        wanted = {names[row["id"]] for row in content["categories"] if row["frequency"] == frequency}
        assert {category.name for category in opened.vocabulary if category.frequency == frequency} == wanted
    drops: list[Any] = []
    records = {record.id: record for record in opened.records(0, 100, drops.append)}
    assert {drop.reason for drop in drops} <= {"box: clipped to the photo"}
    rows = {str(row["id"]): row for row in content["annotations"]}
    assert sum(len(record.regions) for record in records.values()) == len(rows) == 977
    for image in content["images"]:
        record = records[str(image["id"])]
        assert record.photo is not None
        assert record.photo.id == f"coco:{image['id']}"
        assert set(record.negatives) == {names[id_] for id_ in image["neg_category_ids"]}
        assert set(record.not_exhaustive) == {names[id_] for id_ in image["not_exhaustive_category_ids"]}
        for region in record.regions:
            row = rows[region.id]
            assert (region.category, region.area) == (names[row["category_id"]], row["area"])
            x, y, w, h = row["bbox"]
            assert np.allclose(region.box_xyxy or (), (x, y, x + w, y + h), atol=1.01)
            native = coco_mask.merge(coco_mask.frPyObjects(row["segmentation"], image["height"], image["width"]))
            assert region.mask_rle is not None
            assert region.mask_rle.counts == native["counts"]


def test_broken_rows(tmp_path: Path) -> None:
    square = [[0, 0, 4, 0, 4, 4, 0, 4]]

    def image(id_: int, **more: object) -> dict[str, object]:
        url = f"http://images.cocodataset.org/val2017/{id_:012d}.jpg"
        return {"id": id_, "width": 8, "height": 6, "coco_url": url, **more}

    def row(id_: int, **more: object) -> dict[str, object]:
        return {
            "id": id_,
            "image_id": 1,
            "category_id": 1,
            "bbox": [0, 0, 4, 4],
            "segmentation": square,
            "area": 16,
            **more,
        }

    content = {
        "images": [image(1, neg_category_ids=[2, 99]), image(1), image(2, not_exhaustive_category_ids=[1]), {"id": 3},
                   image(4, coco_url="", file_name="../../etc/passwd")],
        "categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}, {"id": 2, "name": "c"}],
        "annotations": [row(1), row(1), row(2, image_id=77), row(3, bbox=[0, 0, float("nan"), 4]), row(4, segmentation=[[1, 2, 3, 4]]),
                        row(5, category_id=9), row(6, segmentation="no")],
    }  # fmt: skip
    for id_ in (1, 2):
        tiny_photo(tmp_path / f"val2017/{id_:012d}.jpg")
    (tmp_path / "lvis_v1_val.json").write_text(json.dumps(content))
    records, drops = read(NAME, tmp_path, "v1_val")
    assert [record.id for record in records] == ["1", "2"]
    assert [region.id for region in records[0].regions] == ["1"]
    assert records[0].negatives == ("c",)
    assert records[1].not_exhaustive == ("a",)
    assert reasons(drops) == {
        "images: unreadable row": 1, "box: not 4 finite numbers": 1, "image: id twice": 1, "category: id twice": 1, "annotation: id twice": 1,
        "annotation: unknown image": 1, "neg_category_ids: unknown category": 1, "polygon: fewer than 3 points": 1,
        "category: unknown": 1, "segmentation: unreadable": 1, "photo: path leaves the root": 1,
    }  # fmt: skip


def test_a_test_set_is_photos_only(tmp_path: Path) -> None:
    images = [{"id": 5, "width": 8, "height": 6, "coco_url": "http://images.cocodataset.org/test2017/000000000005.jpg"}]
    tiny_photo(tmp_path / "test2017/000000000005.jpg")
    (tmp_path / "lvis_v1_image_info_test_dev.json").write_text(json.dumps({"images": images, "categories": []}))
    (record,), drops = read(NAME, tmp_path, "v1_test_dev")
    assert (record.regions, record.negatives, drops) == ((), (), [])


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b"\xff\xfe"])
def test_one_line_for_a_broken_file(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "lvis_v1_train.json").write_bytes(text)
    with pytest.raises(SourceError, match=r"lvis_v1_train\.json") as caught:
        plugins.load("converters", NAME).open(tmp_path, "v1_train")
    assert "\n" not in str(caught.value)


def test_one_line_when_something_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"lvis_v0\.5/lvis_v0\.5_val\.json"):
        plugins.load("converters", NAME).open(tmp_path, "v0.5_val")
