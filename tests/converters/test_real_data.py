"""Real annotation files, read in place: counts and values against an independent reading with Python's json."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from tests.converters.coco_files import read, reasons
from vtinstruct import plugins
from vtinstruct.geometry import decode_rle
from vtinstruct.record import Record, Region

Shared = Callable[[str], Path]


def rows(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def regions(records: list[Record]) -> list[Region]:
    return [region for record in records for region in record.regions]


def test_coco_tiny_instances_to_the_last_digit(shared_data: Shared) -> None:
    root = shared_data("coco_tiny")
    photos = instances = crowds = 0
    for split in ("train2017", "val2017"):
        content = rows(root / "annotations" / f"instances_{split}.json")
        records, drops = read("coco_instances", root, split)
        assert drops == []
        assert [record.id for record in records] == [str(row["id"]) for row in content["images"]]
        found = {region.id: (record, region) for record in records for region in record.regions}
        assert len(found) == len(content["annotations"])
        names = {row["id"]: row["name"] for row in content["categories"]}
        for row in content["annotations"]:
            record, region = found[str(row["id"])]
            assert record.id == str(row["image_id"])
            assert (region.category_id, region.category) == (row["category_id"], names[row["category_id"]])
            assert region.area == row["area"]
            assert region.crowd == bool(row["iscrowd"])
            x, y, width, height = row["bbox"]
            assert region.box_xyxy == pytest.approx((x, y, x + width, y + height), abs=1e-6)
            assert record.photo is not None
            photo_width, photo_height = record.photo.size_wh
            native = coco_mask.frPyObjects(row["segmentation"], photo_height, photo_width)
            native = coco_mask.merge(native) if isinstance(native, list) else native
            assert region.mask_rle is not None
            assert region.mask_rle.counts == native["counts"]
        photos, instances = photos + len(records), instances + len(found)
        crowds += sum(region.crowd for region in regions(records))
    assert (photos, instances, crowds) == (100, 852, 10)


def test_coco_tiny_keypoints_and_captions(shared_data: Shared) -> None:
    root = shared_data("coco_tiny")
    posed = captions = 0
    for split in ("train2017", "val2017"):
        content = rows(root / "annotations" / f"person_keypoints_{split}.json")
        records, drops = read("coco_keypoints", root, split)
        assert drops == []
        found = {region.id: region for region in regions(records)}
        assert len(found) == len(content["annotations"])
        for row in content["annotations"]:
            assert [value for triple in found[str(row["id"])].keypoints_xyv for value in triple] == row["keypoints"]
            assert found[str(row["id"])].posed == (row["num_keypoints"] > 0)
        posed += sum(region.posed for region in found.values())
        content = rows(root / "annotations" / f"captions_{split}.json")
        records, drops = read("coco_captions", root, split)
        assert drops == []
        for record in records:
            said = [row["caption"] for row in content["annotations"] if str(row["image_id"]) == record.id]
            assert list(record.captions) == [" ".join(caption.split()) for caption in said]
            captions += len(said)
    assert (posed, captions) == (103, 500)


def test_coco128_panoptic_agrees_with_its_own_areas(shared_data: Shared) -> None:
    root = shared_data("coco128_panoptic")
    records, drops = read("coco_panoptic", root, "train2017")
    assert drops == []
    content = rows(root / "annotations" / "panoptic_train2017.json")
    listed = {
        (str(row["image_id"]), str(segment["id"])): segment
        for row in content["annotations"]
        for segment in row["segments_info"]
    }
    assert (len(records), len(regions(records)), len(listed)) == (100, 1111, 1111)
    assert sum(region.crowd for region in regions(records)) == 6
    for record in records:
        for region in record.regions:
            segment = listed[record.id, region.id]
            mask = decode_rle(region.mask_rle)  # type: ignore[arg-type]
            assert int(mask.sum()) == segment["area"] == region.area
            rows_in, columns_in = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            tight = (columns_in[0], rows_in[0], columns_in[-1] + 1, rows_in[-1] + 1)
            assert tuple(map(float, tight)) == region.box_xyxy


def test_clarifai_coco_under_another_split_name(shared_data: Shared) -> None:
    root = shared_data("clarifai_formats") / "coco"
    assert plugins.load("converters", "coco_instances").find(root) == ("val2017_subset",)
    records, drops = read("coco_instances", root, "val2017_subset")
    assert (len(records), len(regions(records)), drops) == (10, 77, [])


@pytest.mark.parametrize(
    ("folder", "name", "expected"),
    [
        ("coco", "coco_instances", {"train": 1, "val": 2}),
        ("coco_instances", "coco_instances", {"train": 1, "val": 2}),
        ("mmdet_coco", "coco_instances", {"train": 1, "val": 2}),
        ("coco_roboflow", "coco_instances", {"train": 1, "val": 2}),
        ("coco", "coco_keypoints", {"train": 1, "val": 2}),
        ("coco_person_keypoints", "coco_keypoints", {"train": 1, "val": 2}),
        ("coco_panoptic", "coco_panoptic", {"train": 0, "val": 2}),
    ],
)
def test_datumaro_fixtures(shared_data: Shared, folder: str, name: str, expected: dict[str, int]) -> None:
    root = shared_data("datumaro_format_fixtures") / "coco_dataset" / folder
    assert plugins.load("converters", name).find(root) == ("train", "val")
    for split, count in expected.items():
        records, drops = read(name, root, split)
        assert len(regions(records)) == count
        # One id picture of the fixture is 5 x 5 for a photo of 10 x 5.
        assert reasons(drops) == ({"panoptic: another size": 1} if count == 0 else {})


def test_datumaro_captions(shared_data: Shared) -> None:
    root = shared_data("datumaro_format_fixtures") / "coco_dataset" / "coco_captions"
    found = [record.captions for split in ("train", "val") for record in read("coco_captions", root, split)[0]]
    assert found == [("hello",), ("world", "text")]


def test_mmpose_keypoints_beside_their_photos(shared_data: Shared, tmp_path: Path) -> None:
    """The folder has its own file names; under the official name everything else is found beside the photos."""
    source = shared_data("mmpose_keypoints") / "coco"
    for photo in source.glob("*.jpg"):
        shutil.copy(photo, tmp_path)
    shutil.copy(source / "test_coco.json", tmp_path / "person_keypoints_test.json")
    records, drops = read("coco_keypoints", tmp_path, "test")
    assert drops == []
    assert len(regions(records)) == 14
    assert sum(region.posed for region in regions(records)) == 12


def test_mmseg_nyu_depth(shared_data: Shared) -> None:
    root = shared_data("mmseg_samples") / "pseudo_nyu_dataset"
    records, drops = read("nyuv2", root, "whole")
    assert drops == []
    (record,) = records
    assert record.depth is not None
    assert record.photo is not None
    with Image.open(root / record.depth.path) as picture:
        metres = np.asarray(picture) * record.depth.scale
    assert record.photo.size_wh == (160, 120)
    assert metres.max() == pytest.approx(10.0)
    assert (metres == 0).mean() == pytest.approx(0.34, abs=0.01)


def test_real_expressions_on_real_photos(shared_data: Shared, tmp_path: Path) -> None:
    """Expressions people wrote for COCO photos, put as refs beside the official instances of these photos."""
    coco = shared_data("coco_tiny")
    joined = rows(shared_data("joins") / "refcocos_with_images.json")
    content = rows(coco / "annotations" / "instances_val2017.json")
    (tmp_path / "grefcoco").mkdir()
    shutil.copytree(coco / "val2017", tmp_path / "images" / "train2014")
    refs: list[dict[str, Any]] = []
    for number, row in enumerate(joined):  # type: ignore[arg-type]
        if "coco_tiny/val2017" not in row["image"]:
            continue
        targets = [
            found["id"]
            for found in content["annotations"]
            if found["image_id"] == row["image_id"] and row["bbox_xyxy"] and _same_box(found["bbox"], row["bbox_xyxy"])
        ]
        if targets or row["empty_case"]:
            sentences = [{"sent_id": number, "sent": row["expression"]}]
            ids = {"ref_id": number, "image_id": row["image_id"], "ann_id": targets or [-1], "no_target": not targets}
            refs.append({**ids, "split": "val", "sentences": sentences})
    (tmp_path / "grefcoco" / "grefs(unc).json").write_text(json.dumps(refs))
    shutil.copy(coco / "annotations" / "instances_val2017.json", tmp_path / "grefcoco" / "instances.json")
    records, drops = read("grefcoco", tmp_path, "val")
    assert drops == []
    assert refs
    assert sum(len(record.expressions) for record in records) == len(refs)


def _same_box(bbox: list[float], box_xyxy: list[float]) -> bool:
    x, y, width, height = bbox
    return np.allclose((x, y, x + width, y + height), box_xyxy, atol=1.0)


def test_panopticapi_sample_in_place(shared_data: Shared) -> None:
    """Ids, categories, areas and boxes of the panoptic file; masks equal to the detection file made by its own authors."""
    root = shared_data("panopticapi_sample")
    records, drops = read("coco_panoptic", root, "examples")
    assert [drop.file for drop in drops] == ["panoptic_coco_detection_format.json"]  # told and left out
    content = rows(root / "panoptic_examples.json")
    assert [record.photo.path for record in records if record.photo] == [
        f"input_images/{row['file_name']}" for row in content["images"]
    ]
    names = {row["id"]: (row["name"], bool(row["isthing"])) for row in content["categories"]}
    expected = rows(root / "panoptic_coco_detection_format.json")["annotations"]
    for record in records:
        (given,) = (row for row in content["annotations"] if str(row["image_id"]) == record.id)
        for region, segment in zip(record.regions, given["segments_info"], strict=True):
            assert (region.id, region.area, region.crowd) == (
                str(segment["id"]),
                segment["area"],
                bool(segment["iscrowd"]),
            )
            assert (region.category, region.thing) == names[segment["category_id"]]
        theirs = [row for row in expected if str(row["image_id"]) == record.id]
        ours = sorted(
            (region.category_id, region.mask_rle.counts.decode()) for region in record.regions if region.mask_rle
        )
        assert ours == sorted((row["category_id"], row["segmentation"]["counts"]) for row in theirs)
    assert sum(len(record.regions) for record in records) == len(expected) == 50
