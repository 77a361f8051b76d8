"""COCO instances: what is kept to the last digit, and every bad input with the reason that is counted for it."""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from tests.converters.coco_files import SIZE_WH, SQUARE, annotation, content, image, read, reasons, write
from vtinstruct import plugins
from vtinstruct.geometry import decode_rle
from vtinstruct.source import SourceError

NAME, KIND = "coco_instances", "instances"


def test_a_record_keeps_what_official_scores_need(tmp_path: Path) -> None:
    two_parts = [[2, 2, 5, 2, 5, 5, 2, 5], [9.5, 1.0, 14.5, 1.0, 14.5, 6.0, 9.5, 6.0]]
    rows = [
        annotation(501, bbox=[1.08, 2.5, 6.25, 5.125], area=35.250000000000014),
        annotation(900100000007, iscrowd=1, segmentation={"counts": [20, 30, 150], "size": [10, 20]}, area=30),
        annotation(503, category_id=1, segmentation=two_parts),
    ]
    write(tmp_path, KIND, content(rows))
    records, drops = read(NAME, tmp_path)
    assert drops == []
    first, empty = records
    assert (first.id, first.photo.id, first.photo.size_wh) == ("7", "coco:7", SIZE_WH)  # type: ignore[union-attr]
    assert first.photo.path == "val2017/000000000007.jpg"  # type: ignore[union-attr]
    assert first.exhaustive
    assert [region.id for region in first.regions] == ["501", "900100000007", "503"]
    plain, crowd, parts = first.regions
    assert plain.box_xyxy == (1.08, 2.5, 1.08 + 6.25, 2.5 + 5.125)
    assert plain.area == 35.250000000000014
    assert (plain.category, plain.category_id, plain.crowd) == ("dog", 18, False)
    assert crowd.crowd
    expected = np.zeros(200, bool)
    expected[20:50] = True
    assert (decode_rle(crowd.mask_rle) == expected.reshape(20, 10).T).all()  # type: ignore[arg-type]
    union = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(two_parts, 10, 20)))
    assert (decode_rle(parts.mask_rle) == union).all()  # type: ignore[arg-type]
    assert (empty.id, empty.regions) == ("9", ())  # a photo without annotations is still a photo


def test_compressed_run_lengths_and_rows_without_mask(tmp_path: Path) -> None:
    solid = np.zeros((10, 20), np.uint8, order="F")
    solid[3:6, 4:9] = 1
    counts = coco_mask.encode(solid)["counts"].decode()
    rows = [
        annotation(1, segmentation={"counts": counts, "size": [10, 20]}),
        annotation(2, segmentation=[]),
        annotation(3, segmentation=...),
        annotation(4, segmentation=None),
        annotation(5, bbox=..., segmentation={"counts": counts, "size": [10, 20]}),
    ]
    write(tmp_path, KIND, content(rows))
    records, drops = read(NAME, tmp_path)
    regions = {region.id: region for region in records[0].regions}
    assert regions["1"].mask_rle.counts == counts.encode()  # type: ignore[union-attr]
    assert all(regions[number].mask_rle is None for number in "234")
    assert regions["5"].box_xyxy == (4.0, 3.0, 9.0, 6.0)
    assert reasons(drops) == {"box: missing": 1}
    assert drops[0].repaired


BAD_ROWS: list[tuple[str, dict[str, Any], str]] = [
    # what is wrong, the change that makes it so, the reason counted
    ("vertex is NaN", {"segmentation": [[2, 2, math.nan, 2, 8, 8]]}, "segmentation: unreadable"),
    ("vertex is infinite", {"segmentation": [[2, 2, math.inf, 2, 8, 8]]}, "segmentation: unreadable"),
    ("vertex is far away", {"segmentation": [[2, 2, 1e12, 2, 8, 8]]}, "polygon: not finite"),
    ("two points", {"segmentation": [[2, 2, 8, 8]]}, "polygon: fewer than 3 points"),
    ("odd coordinates", {"segmentation": [[2, 2, 8, 2, 8, 8, 5]]}, "polygon: odd number of coordinates"),
    ("text", {"segmentation": "polygon"}, "segmentation: unreadable"),
    ("threes", {"segmentation": [[[2, 2, 2], [8, 2, 2], [8, 8, 2]]]}, "segmentation: unreadable"),
    ("RLE too short", {"segmentation": {"counts": [20, 30], "size": [10, 20]}}, "mask: RLE of wrong length"),
    ("RLE negative", {"segmentation": {"counts": [-5, 205], "size": [10, 20]}}, "mask: RLE of wrong length"),
    ("RLE of another photo", {"segmentation": {"counts": [200], "size": [20, 10]}}, "mask: another size"),
    ("RLE string too short", {"segmentation": {"counts": "0", "size": [10, 20]}}, "mask: RLE of wrong length"),
    ("RLE string cut", {"segmentation": {"counts": "P", "size": [10, 20]}}, "mask: RLE cut short"),
    ("RLE string foreign", {"segmentation": {"counts": "é~", "size": [10, 20]}}, "mask: not a COCO RLE string"),
    ("RLE huge", {"segmentation": {"counts": [1 << 70], "size": [10, 20]}}, "mask: runs are no whole numbers"),
    ("box NaN", {"bbox": [2, 2, math.nan, 6]}, "box: not 4 finite numbers"),
    ("box of 3", {"bbox": [2, 2, 6]}, "box: not 4 finite numbers"),
    ("box negative", {"bbox": [2, 2, -6, 6]}, "box: negative side"),
    ("box empty", {"bbox": [2, 2, 0, 6]}, "box: empty"),
    ("box outside", {"bbox": [50, 2, 6, 6]}, "box: outside the photo"),
    ("no geometry", {"bbox": ..., "segmentation": ...}, "annotation: no geometry"),
    ("category unknown", {"category_id": 77}, "category: unknown"),
    ("category missing", {"category_id": ...}, "annotations: unreadable row"),
    ("area negative", {"area": -3}, "area: no size"),
    ("image unknown", {"image_id": 12345}, "annotation: unknown image"),
    ("image id is a list", {"image_id": [7]}, "annotations: unreadable row"),
    ("keypoints not threes", {"category_id": 1, "keypoints": [1, 2, 2, 3]}, "keypoints: wrong number"),
    ("keypoints of another skeleton", {"category_id": 1, "keypoints": [1, 2, 2] * 17}, "keypoints: wrong number"),
    ("keypoint v is 3", {"category_id": 1, "keypoints": [1, 2, 3, 1, 2, 2]}, "keypoints: no x, y, v"),
]


@pytest.mark.parametrize(("changes", "reason"), [row[1:] for row in BAD_ROWS], ids=[row[0] for row in BAD_ROWS])
def test_a_bad_row_costs_itself_and_is_said(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    path = write(tmp_path, KIND, content([annotation(1), annotation(2, **changes), annotation(3)]))
    records, drops = read(NAME, tmp_path)
    assert [region.id for region in records[0].regions] == ["1", "3"]
    assert reasons(drops) == {reason: 1}
    drop = drops[0]
    assert (drop.source, drop.split, drop.file) == (NAME, "val2017", f"annotations/{path.name}")
    assert "2" in drop.row or drop.row == "annotations[1]"
    assert drop.detail
    assert not drop.repaired


def test_what_can_be_mended_is_kept_and_said(tmp_path: Path) -> None:
    rows = [
        annotation(1, bbox=[-3.0, 2.0, 10.0, 30.0]),
        annotation(2, segmentation=[*SQUARE, [1.0, 1.0, 2.0, 2.0]]),
        annotation(3, bbox=[13.7, 2.0, 6.300000000000001, 6.0]),  # a rounding error is no fault
    ]
    write(tmp_path, KIND, content(rows))
    records, drops = read(NAME, tmp_path)
    one, two, three = records[0].regions
    assert one.box_xyxy == (0.0, 2.0, 7.0, 10.0)
    assert (decode_rle(two.mask_rle) == decode_rle(one.mask_rle)).all()  # type: ignore[arg-type]
    assert three.box_xyxy == (13.7, 2.0, 20.0, 8.0)
    assert reasons(drops) == {"box: clipped to the photo": 1, "polygon: part of fewer than 3 points": 1}
    assert all(drop.repaired for drop in drops)


BAD_IMAGES: list[tuple[dict[str, Any], str]] = [
    ({"file_name": "../secret.jpg"}, "photo: path leaves the root"),
    ({"file_name": "/etc/hostname"}, "photo: path leaves the root"),
    ({"file_name": ".."}, "photo: missing"),
    ({"file_name": "a\0b"}, "photo: no file name"),
    ({"file_name": ""}, "photo: no file name"),
    ({"file_name": "nothing.jpg"}, "photo: missing"),
    ({"file_name": "x" * 5000}, "photo: missing"),
    ({"width": 0}, "image: no size"),
    ({"height": -4}, "image: no size"),
    ({"width": 1 << 20, "height": 1 << 20}, "image: no size"),
    ({"height": None}, "images: unreadable row"),
]


@pytest.mark.parametrize(("changes", "reason"), BAD_IMAGES)
def test_a_bad_photo_costs_its_record(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    write(tmp_path, KIND, content([annotation(1, image_id=9)], images=[image(7, **changes), image(9)]))
    records, drops = read(NAME, tmp_path)
    assert [record.id for record in records] == ["9"]
    assert reasons(drops) == {reason: 1}


def test_a_row_that_is_no_utf_8_costs_itself(tmp_path: Path) -> None:
    data = json.dumps(content([annotation(1)])).encode()
    write(tmp_path, KIND, data.replace(b"000000000009.jpg", b"00000000000\xff.jpg"))
    records, drops = read(NAME, tmp_path)
    assert [record.id for record in records] == ["7"]
    assert reasons(drops) == {"images: unreadable row": 1}


def test_ids_that_come_twice(tmp_path: Path) -> None:
    rows = [annotation(1), annotation(1, image_id=9), annotation(2, image_id=9)]
    what = content(rows, images=[image(7), image(9), image(7, width=3)])
    what["categories"] = [*what["categories"], {"id": 18, "name": "cat"}]
    write(tmp_path, KIND, what)
    records, drops = read(NAME, tmp_path)
    assert [[region.id for region in record.regions] for record in records] == [["1"], ["2"]]
    assert records[0].regions[0].category == "dog"
    assert reasons(drops) == {"image: id twice": 1, "annotation: id twice": 1, "category: id twice": 1}


@pytest.mark.parametrize("number", [2**63, 10**30])
def test_a_category_id_beyond_every_column_costs_itself(tmp_path: Path, number: int) -> None:
    what = content([annotation(1), annotation(2, category_id=number)])
    what["categories"] = [*what["categories"], {"id": number, "name": "huge"}]
    write(tmp_path, KIND, what)
    records, drops = read(NAME, tmp_path)
    assert [region.category for region in records[0].regions] == ["dog"]
    assert sum(reasons(drops).values()) == 2, drops  # the category, and the row that names it


def test_numbers_as_text_or_floats_are_read(tmp_path: Path) -> None:
    write(tmp_path, KIND, content([annotation(1), annotation(2, image_id="7", category_id=18.0, iscrowd="0")]))
    records, drops = read(NAME, tmp_path)
    assert [region.id for region in records[0].regions] == ["1", "2"]
    assert drops == []


WHOLE = json.dumps(content([annotation(1)]))
BROKEN_FILES: list[tuple[str, str | bytes, str]] = [
    ("empty", "", "byte 0"),
    ("cut", WHOLE[:200], "cut at byte 200"),
    ("garbage", "not json at all", "byte"),
    ("comma", WHOLE.replace('"annotations"', ',"annotations"'), "byte"),
    ("list", "[]", "lists `images` and `annotations`"),
    ("no images", '{"annotations": []}', "lists `images` and `annotations`"),
    ("images is a number", '{"images": 3, "annotations": []}', "lists `images` and `annotations`"),
    ("nested", "[" * 200_000, "lists `images` and `annotations`"),
    ("nested in a row", '{"images": ' + "[" * 200_000, "nested"),
    ("binary", b"\x93NUMPY\x01\x00\xff\xfe", "byte"),
]


@pytest.mark.parametrize(("data", "said"), [row[1:] for row in BROKEN_FILES], ids=[row[0] for row in BROKEN_FILES])
def test_a_broken_file_is_one_clear_line(tmp_path: Path, data: str | bytes, said: str) -> None:
    path = write(tmp_path, KIND, data)
    with pytest.raises(SourceError) as caught:
        read(NAME, tmp_path)
    message = str(caught.value)
    assert str(path) in message
    assert said in message
    assert "\n" not in message


def test_a_missing_split_names_the_places_and_what_is_there(tmp_path: Path) -> None:
    write(tmp_path, KIND, content([]))
    with pytest.raises(SourceError, match=r"looked for annotations/instances_train2017.json.*splits found: val2017"):
        read(NAME, tmp_path, "train2017")


def test_missing_photos_name_the_places(tmp_path: Path) -> None:
    write(tmp_path, KIND, content([], images=[image(1), image(2)]))
    with pytest.raises(SourceError, match=r"no photos for split 'val2017'; looked for val2017/000000000001.jpg"):
        read(NAME, tmp_path)


@pytest.mark.parametrize(
    ("annotations", "photos"),
    [
        ("annotations", "val2017"),
        ("annotations", "images/val2017"),
        ("annotations", "images"),
        ("annotations/annotations", "val2017"),
        ("annotations", "annotations"),
        ("", ""),
    ],
)
def test_everyday_layouts(tmp_path: Path, annotations: str, photos: str) -> None:
    source = tmp_path / "source"
    path = write(source, KIND, content([annotation(1)]))
    root = tmp_path / "root"
    (root / annotations).mkdir(parents=True, exist_ok=True)
    (root / photos).mkdir(parents=True, exist_ok=True)
    path.rename(root / annotations / path.name)
    for photo in (source / "val2017").iterdir():
        photo.rename(root / photos / photo.name)
    assert plugins.load("converters", NAME).find(root) == ("val2017",)
    records, drops = read(NAME, root)
    assert drops == []
    assert [record.photo.path for record in records if record.photo] == [
        f"{photos}/{number:012d}.jpg".lstrip("/") for number in (7, 9)
    ]


def test_an_annotation_file_may_not_be_a_link_out_of_the_root(tmp_path: Path) -> None:
    path = write(tmp_path / "elsewhere", KIND, content([annotation(1)]))
    root = tmp_path / "root"
    write(root, KIND, content([])).unlink()
    (root / "annotations" / path.name).symlink_to(path)
    with pytest.raises(SourceError, match="link"):
        read(NAME, root)


def test_photo_identity_is_the_same_in_every_spelling(tmp_path: Path) -> None:
    spellings = ["COCO_train2014_000000000007.jpg", "000000000007.jpg", "val2017/000000000007.jpg"]
    for name in spellings:
        folder = tmp_path / "root"
        write(folder, KIND, content([], images=[image(7, file_name=name)]))
        if not (folder / "val2017" / name).exists() and "/" not in name:
            (folder / "val2017" / "000000000007.jpg").rename(folder / "val2017" / name)
        records, _ = read(NAME, folder)
        assert records[0].photo.id == "coco:7"  # type: ignore[union-attr]


def test_changed_bytes_never_do_more_than_fail(tmp_path: Path) -> None:
    """A file with a few bytes changed reads, reads with drops, or is one SourceError."""
    crowd = annotation(2, iscrowd=1, segmentation={"counts": [20, 30, 150], "size": [10, 20]})
    whole = json.dumps(
        content([annotation(1), crowd, annotation(3, category_id=1, keypoints=[1, 2, 2, 3, 4, 1])])
    ).encode()
    rng = Random(0)
    path, read_well = write(tmp_path, KIND, whole), 0
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(len(data))] = rng.choice(b'0123456789-.e[]{},:" a\xff')
        path.write_bytes(data)
        try:
            records, drops = read(NAME, tmp_path)
        except SourceError as error:
            said = str(error)
        else:
            read_well += len(records) == 2 and not drops
            said = str(path)
        assert "instances_val2017.json" in said or "no photos" in said
    assert 20 < read_well < 380


# --- files of COCO's form that are not COCO's -------------------------------------------------------------------------

OTHERS = [
    # split, annotation file, photo folder, how the file names its photos
    ("train", "train/_annotations.coco.json", "train", "{}"),  # Roboflow
    ("valid", "valid/_annotations.coco.json", "valid", "{}"),
    ("train", "_annotations.coco.json", "", "{}"),
    ("train", "labels.json", "data", "{}"),  # FiftyOne
    ("train", "result.json", "images", "images/{}"),  # Label Studio
    ("train", "result.json", "images", "images\\{}"),  # ... on Windows
    ("default", "annotations/instances_default.json", "images/default", "{}"),  # CVAT
    ("val", "annotations/zhiyuan_objv2_val.json", "val/patch3", "images/v1/patch3/{}"),  # Objects365
    ("train", "zhiyuan_objv2_train.json", "images/train/patch3", "images/v2/patch3/{}"),
    ("test", "annotations/test.json", "test", "{}"),
    ("validation", "validation/annotations.json", "validation/images", "{}"),
    ("train", "annotations/train_annotations.json", "images", "{}"),
    ("val", "annotations_val.json", "pictures/all", "{}"),
    ("train", "annotations.json", "a/b/c", "x/y/{}"),
]


@pytest.mark.parametrize(("split", "file", "folder", "spelling"), OTHERS)
def test_other_files_of_cocos_form(tmp_path: Path, split: str, file: str, folder: str, spelling: str) -> None:
    names = {number: f"objects365_v1_{number:08d}.jpg" for number in (7, 9)}
    what = content([annotation(1)], images=[image(n, file_name=spelling.format(name)) for n, name in names.items()])
    write(tmp_path / "made", KIND, what)
    (tmp_path / "root" / folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / "root" / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "root" / file).write_text(json.dumps(what))
    (tmp_path / "root" / "README.json").write_text('{"images": "no list"}')
    for number, name in names.items():
        (tmp_path / "made/val2017" / f"{number:012d}.jpg").rename(tmp_path / "root" / folder / name)
    assert plugins.load("converters", NAME).find(tmp_path / "root") == (split,)
    records, drops = read(NAME, tmp_path / "root", split)
    assert drops == []
    assert [record.photo.path for record in records if record.photo] == [
        f"{folder}/{name}".lstrip("/") for name in names.values()
    ]
    assert records[0].photo.id == "objects365:v1_00000007"  # type: ignore[union-attr]
    assert records[0].licence == "LicenseRef-COCO-style"


def test_photos_in_the_official_zip(tmp_path: Path) -> None:
    write(tmp_path, KIND, content([annotation(1)]))
    loose, _ = read(NAME, tmp_path)
    with zipfile.ZipFile(tmp_path / "val2017.zip", "w") as archive:
        for path in sorted((tmp_path / "val2017").iterdir()):
            archive.write(path, f"val2017/{path.name}")
            path.unlink()
    zipped, drops = read(NAME, tmp_path)
    assert drops == []
    assert [record.photo.path for record in zipped if record.photo] == [
        f"val2017.zip/val2017/{number:012d}.jpg" for number in (7, 9)
    ]
    assert [record.regions for record in zipped] == [record.regions for record in loose]


def test_a_few_photos_of_many_are_found(tmp_path: Path) -> None:
    """Only the last of 300 photos is there, and its folder has a name of its own."""
    images = [image(n) for n in (*range(100, 400), 7)]
    write(tmp_path, KIND, content([annotation(1)], images=images))
    (tmp_path / "val2017").rename(tmp_path / "some")
    records, drops = read(NAME, tmp_path)
    assert [record.photo.path for record in records if record.photo] == ["some/000000000007.jpg"]
    assert reasons(drops) == {"photo: missing": 300}
