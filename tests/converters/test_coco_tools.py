"""Files of COCO's form as other tools write them: what is left out, null or empty there, and other forms of polygons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.converters.coco_files import SIZE_WH, SQUARE, annotation, content, image, read, reasons, write
from vtinstruct import plugins

NAME, KIND = "coco_instances", "instances"


@pytest.mark.parametrize(
    "changes",
    [
        {"iscrowd": ...},  # mmdetection's samples
        {"iscrowd": None},
        {"iscrowd": "0"},
        {"iscrowd": False},
        {"score": 1.0, "ignore": 0, "attributes": {"occluded": False}, "track_id": 3},  # CVAT, mmdetection
        {"id": 1.0, "image_id": "7", "category_id": "18"},
        {"bbox": ["2", "2", "6", "6"]},
    ],
)
def test_nothing_is_lost_and_nothing_said(tmp_path: Path, changes: dict[str, Any]) -> None:
    write(tmp_path, KIND, content([annotation(1), annotation(2, **({"id": 2} | changes | {"id": 2}))]))
    records, drops = read(NAME, tmp_path)
    assert drops == []
    plain, other = records[0].regions
    assert (other.box_xyxy, other.mask_rle, other.area, other.crowd) == (
        plain.box_xyxy,
        plain.mask_rle,
        plain.area,
        False,
    )


@pytest.mark.parametrize("segmentation", [[], [[]], None, {}])
def test_ways_to_say_no_mask(tmp_path: Path, segmentation: Any) -> None:
    write(tmp_path, KIND, content([annotation(1, segmentation=segmentation)]))
    records, drops = read(NAME, tmp_path)
    assert drops == []
    (region,) = records[0].regions
    assert (region.box_xyxy, region.mask_rle) == ((2.0, 2.0, 8.0, 8.0), None)


@pytest.mark.parametrize(
    "segmentation",
    [
        SQUARE[0],
        [[[2, 2], [8, 2], [8, 8], [2, 8]]],
        [[str(value) for value in SQUARE[0]]],
    ],
    ids=["one list", "pairs", "text"],
)
def test_other_forms_of_polygons(tmp_path: Path, segmentation: Any) -> None:
    write(tmp_path, KIND, content([annotation(1), annotation(2, segmentation=segmentation)]))
    records, drops = read(NAME, tmp_path)
    plain, other = records[0].regions
    assert plain.mask_rle is not None
    assert other.mask_rle == plain.mask_rle
    assert reasons(drops) == {"segmentation: another form": 1}
    assert drops[0].repaired


def test_an_empty_box_list_is_no_box(tmp_path: Path) -> None:
    write(tmp_path, KIND, content([annotation(1, bbox=[]), annotation(2, bbox=[], segmentation=[])]))
    records, drops = read(NAME, tmp_path)
    assert [region.box_xyxy for region in records[0].regions] == [(2.0, 2.0, 8.0, 8.0)]
    assert reasons(drops) == {"box: missing": 1, "annotation: no geometry": 1}


@pytest.mark.parametrize("kind", ["instances", "captions"])
def test_photos_without_a_size_have_their_pictures(tmp_path: Path, kind: str) -> None:
    bare = {key: value for key, value in image(7).items() if key not in ("width", "height")}
    rows = [annotation(1)] if kind == "instances" else [{"id": 1, "image_id": 7, "caption": "A dog."}]
    write(tmp_path, kind, content(rows, [bare, image(9, width=0, height=0)]))
    records, drops = read(f"coco_{kind}", tmp_path)
    assert drops == []
    assert [record.photo.size_wh for record in records if record.photo] == [SIZE_WH, SIZE_WH]
    assert [region.box_xyxy for region in records[0].regions] == ([(2.0, 2.0, 8.0, 8.0)] if kind == "instances" else [])
    assert records[0].captions == (() if kind == "instances" else ("A dog.",))


# --- poses ----------------------------------------------------------------------------------------------------------


def test_whole_body_files_have_the_bodys_joints(tmp_path: Path) -> None:
    """COCO-WholeBody keeps COCO's rows and adds face, hands and feet to them; its splits stand beside COCO's own."""
    more = {"face_kpts": [1.0, 2.0, 0.9] * 68, "face_valid": True, "foot_kpts": [0.0] * 18, "lefthand_box": [0.0] * 4}
    plain = annotation(1, category_id=1, keypoints=[3.5, 4, 2, 0, 0, 0], num_keypoints=1)
    path = write(tmp_path, "person_keypoints", content([plain]))
    write(tmp_path, "person_keypoints", content([plain | more]), "val").rename(
        path.with_name("coco_wholebody_val_v1.0.json")
    )
    source = plugins.load("converters", "coco_keypoints")
    assert source.find(tmp_path) == ("val2017", "wholebody_val")
    ours, drops = read("coco_keypoints", tmp_path)
    theirs, more_drops = read("coco_keypoints", tmp_path, "wholebody_val")
    assert drops == more_drops == []
    assert theirs[0].regions == ours[0].regions
    assert theirs[0].regions[0].posed
    assert (ours[0].licence, theirs[0].licence) == ("CC-BY-4.0", "LicenseRef-COCO-style")


def test_poses_in_other_peoples_files(tmp_path: Path) -> None:
    """Roboflow's keypoint projects; a file of boxes is no file of poses."""
    rows = [annotation(1, category_id=1, keypoints=[3.5, 4, 2, 0, 0, 0])]
    for split, what in (
        ("train", content(rows)),
        ("valid", content([annotation(1)], categories=[{"id": 18, "name": "dog"}])),
    ):
        write(tmp_path, "instances", what, split).rename(tmp_path / split / "_annotations.coco.json")
    assert plugins.load("converters", "coco_keypoints").find(tmp_path) == ("train",)
    assert set(plugins.load("converters", NAME).find(tmp_path)) == {"train", "valid"}
    records, drops = read("coco_keypoints", tmp_path, "train")
    assert drops == []
    assert records[0].regions[0].keypoints_xyv == ((3.5, 4.0, 2), (0.0, 0.0, 0))


@pytest.mark.parametrize("folder", ["annotations_trainval2017/annotations", "annotations"])
def test_archives_unpacked_each_into_a_folder_of_its_own(tmp_path: Path, folder: str) -> None:
    path = write(tmp_path, KIND, content([annotation(1)]))
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    path.rename(tmp_path / folder / path.name)
    assert plugins.load("converters", NAME).find(tmp_path) == ("val2017",)
    records, drops = read(NAME, tmp_path)
    assert drops == []
    assert len(records[0].regions) == 1


@pytest.mark.parametrize("megabytes", ["", "0"], ids=["whole", "in windows"])
def test_ids_that_are_names(tmp_path: Path, megabytes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cityscapes' and ADE20K's panoptic files name their photos."""
    monkeypatch.setenv("VTINSTRUCT_WINDOW_MB", megabytes)
    rows = [
        annotation(1),
        annotation(2, id="second", image_id="aachen_000000_000019"),
        annotation(3, image_id="of none"),
    ]
    images = [image(7), image(9, id="aachen_000000_000019")]
    write(tmp_path, KIND, content(rows) | {"images": images})
    records, drops = read(NAME, tmp_path)
    assert reasons(drops) == {"annotation: unknown image": 1}
    assert [(record.id, [region.id for region in record.regions]) for record in records] == [
        ("7", ["1"]),
        ("aachen_000000_000019", ["second"]),
    ]
    assert records[0].regions[0].mask_rle == records[1].regions[0].mask_rle


@pytest.mark.parametrize("megabytes", ["", "0"], ids=["whole", "in windows"])
def test_an_id_twice_in_a_row(tmp_path: Path, megabytes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VTINSTRUCT_WINDOW_MB", megabytes)
    text = json.dumps(content([annotation(1), annotation(2)])).replace('{"id": 2,', '{"id": "text", "id": 2,')
    write(tmp_path, KIND, text)
    records, drops = read(NAME, tmp_path)
    assert reasons(drops) == {"annotations: unreadable row": 1}
    assert [region.id for region in records[0].regions] == ["1"]


def test_ids_of_categories_are_numbers(tmp_path: Path) -> None:
    changed = content([annotation(1), annotation(2, category_id="dog")])
    write(tmp_path, KIND, changed | {"categories": [*changed["categories"], {"id": "dog", "name": "dog"}]})
    records, drops = read(NAME, tmp_path)
    assert sorted(reasons(drops)) == ["annotations: unreadable row", "categories: unreadable row"]
    assert [region.id for region in records[0].regions] == ["1"]
