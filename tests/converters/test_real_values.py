"""Real annotation files whose folders are no download of a source: every row of them, against the files read with Python's json."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.converters.coco_files import read
from vtinstruct import plugins

Shared = Callable[[str], Path]


def rows(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


# --- mmpose_keypoints ------------------------------------------------------------------------------------------------


@pytest.fixture
def people(tmp_path: Path, shared_data: Shared) -> Path:
    """The four photos, and their two files of poses under COCO's names."""
    given = shared_data("mmpose_keypoints") / "coco"
    for photo in given.glob("*.jpg"):
        shutil.copy(photo, tmp_path)
    shutil.copy(given / "test_coco.json", tmp_path / "person_keypoints_test.json")
    shutil.copy(given / "test_coco_wholebody.json", tmp_path / "person_keypoints_wholebody.json")
    return tmp_path


@pytest.mark.parametrize("split", ["test", "wholebody"])
def test_every_pose_is_the_files(people: Path, split: str) -> None:
    """Whole-body files hold COCO's 17 joints under the same key; feet, face and hands, which `keypoints` does not have, are
    left aside."""
    content = rows(people / f"person_keypoints_{split}.json")
    records, drops = read("coco_keypoints", people, split)
    assert drops == []
    assert [record.id for record in records] == ["785", "40083", "196141", "197388"]
    joints = content["categories"][0]["keypoints"]
    (category,) = (row for row in plugins.load("converters", "coco_keypoints").open(people, split).vocabulary)
    assert list(category.keypoints) == joints
    assert len(joints) == 17
    found = {region.id: (record, region) for record in records for region in record.regions}
    assert len(found) == len(content["annotations"]) == 14
    for row in content["annotations"]:
        record, region = found[str(row["id"])]
        triples = [tuple(row["keypoints"][n : n + 3]) for n in range(0, 51, 3)]
        assert record.id == str(row["image_id"])
        assert [*map(tuple, region.keypoints_xyv)] == triples
        assert sum(v > 0 for *_, v in region.keypoints_xyv) == row["num_keypoints"]
        assert region.posed == (row["num_keypoints"] > 0)
        x, y, width, height = row["bbox"]
        assert region.box_xyxy == pytest.approx((x, y, x + width, y + height), abs=1e-6)
        assert (region.area, region.crowd, region.category) == (row["area"], bool(row["iscrowd"]), "person")
    assert sum(region.posed for _, region in found.values()) == 12
    for record, image in zip(records, content["images"], strict=True):
        assert record.photo is not None
        with Image.open(people / record.photo.path) as picture:
            assert picture.size == record.photo.size_wh == (image["width"], image["height"])


# --- refcocos --------------------------------------------------------------------------------------------------------


def as_refs(given: list[dict[str, Any]], root: Path) -> None:
    """Their rows as gRefCOCO has them: a ref a sentence, an annotation a box, and blank photos of the sizes they state."""
    images: dict[int, dict[str, Any]] = {}
    annotations: list[dict[str, Any]] = []
    refs: list[dict[str, Any]] = []
    for number, row in enumerate(given, 1):
        name = Path(row["image"]).name
        image_id = int(name.removesuffix(".jpg"))
        images[image_id] = {"id": image_id, "file_name": name, "width": row["width"], "height": row["height"]}
        if row["solution"]:
            left, top, right, bottom = row["solution"]
            bbox = [left, top, right - left, bottom - top]
            annotations.append({"id": number, "image_id": image_id, "category_id": 1, "bbox": bbox, "area": 1.0})
        sentences = [{"sent_id": number, "sent": row["normal_caption"]}]
        target = {"ann_id": [number] if row["solution"] else [-1], "no_target": not row["solution"]}
        refs.append({"ref_id": number, "image_id": image_id, "split": "val", "sentences": sentences, **target})
    (root / "grefcoco").mkdir()
    (root / "grefcoco" / "grefs(unc).json").write_text(json.dumps(refs))
    content = {"images": list(images.values()), "annotations": annotations, "categories": [{"id": 1, "name": "thing"}]}
    (root / "grefcoco" / "instances.json").write_text(json.dumps(content))
    (root / "images/train2014").mkdir(parents=True)
    for row in images.values():
        Image.new("1", (row["width"], row["height"])).save(root / "images/train2014" / row["file_name"])


@pytest.mark.parametrize(
    ("name", "expressions", "photos", "without"),
    [("refcocos_test.json", 506, 460, 25), ("refcocos_test_complex.json", 412, 380, 15)],
)
def test_every_expression_has_its_box(
    tmp_path: Path, shared_data: Shared, name: str, expressions: int, photos: int, without: int
) -> None:
    given = rows(shared_data("refcocos") / "results" / name)
    as_refs(given, tmp_path)
    records, drops = read("grefcoco", tmp_path, "val")
    assert drops == []
    found = {one.id.partition(".")[0]: (record, one) for record in records for one in record.expressions}
    assert (len(found), len(records)) == (expressions, photos) == (len(given), len({row["image"] for row in given}))
    assert sum(not one.region_ids for _, one in found.values()) == without
    for number, row in enumerate(given, 1):
        record, one = found[str(number)]
        assert record.photo is not None
        assert record.photo.id == f"coco:{int(Path(row['image']).stem)}"
        assert record.photo.size_wh == (row["width"], row["height"])
        assert one.text == " ".join(row["normal_caption"].split())
        boxes = [region.box_xyxy for region in record.regions if region.id in one.region_ids]
        assert len(boxes) == (1 if row["solution"] else 0)
        for box in boxes:
            assert box == pytest.approx(tuple(row["solution"]), abs=1e-6)
            across = [value / side * 1000 for value, side in zip(box or (), 2 * record.photo.size_wh, strict=True)]
            assert across == pytest.approx(
                row["normalized_solution"], abs=1.0
            )  # the same box, by its authors' own account


# --- datumaro_format_fixtures ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["coco", "coco_instances", "mmdet_coco", "coco_roboflow", "coco_person_keypoints"])
def test_every_row_of_the_coco_fixtures(shared_data: Shared, folder: str) -> None:
    root = shared_data("datumaro_format_fixtures") / "coco_dataset" / folder
    name = "coco_keypoints" if "keypoints" in folder else "coco_instances"
    seen = 0
    for split in plugins.load("converters", name).find(root):
        opened = plugins.load("converters", name).open(root, split)
        content = rows(opened.files[0])
        records, drops = read(name, root, split)
        assert drops == []
        assert [record.id for record in records] == [str(row["id"]) for row in content["images"]]
        names = {row["id"]: row["name"] for row in content["categories"]}
        found = {region.id: (record, region) for record in records for region in record.regions}
        assert sorted(found) == sorted(str(row["id"]) for row in content["annotations"])
        for row in content["annotations"]:
            record, region = found[str(row["id"])]
            assert (record.id, region.category) == (str(row["image_id"]), names[row["category_id"]])
            x, y, width, height = row["bbox"]
            assert region.box_xyxy == pytest.approx((x, y, x + width, y + height))
            assert region.area == row.get("area")
            seen += 1
        for record in records:
            assert record.photo is not None
            with Image.open(root / record.photo.path) as picture:
                assert picture.size == record.photo.size_wh
    assert seen == 3 if folder != "coco_person_keypoints" else seen > 0
