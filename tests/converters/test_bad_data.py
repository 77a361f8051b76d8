"""Bad data as it comes: one rule and one test for each kind, held against whole sources."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.converters.coco_files import SIZE_WH, annotation, content, image, read, reasons, write
from vtinstruct.dialogue import StoredPhoto
from vtinstruct.photos import PhotoError, look, open_photo, read_depth
from vtinstruct.units import Depth

WIDTH, HEIGHT = SIZE_WH


def test_a_photo_turned_by_exif_keeps_its_stored_frame(tmp_path: Path) -> None:
    """Annotations are in stored pixels: the size is the stored one, and what is opened is not turned."""
    write(tmp_path, "instances", content([annotation(1)]))
    path = tmp_path / "val2017" / "000000000007.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # "show it turned by 90 degrees"
    Image.linear_gradient("L").resize(SIZE_WH).convert("RGB").save(path, exif=exif)
    records, drops = read("coco_instances", tmp_path)
    assert drops == []
    photo = records[0].photo
    assert photo is not None
    assert photo.size_wh == SIZE_WH == look(path).size_wh
    opened = open_photo(tmp_path, StoredPhoto(photo.path, "", photo.size_wh, photo.id))
    assert opened.size == SIZE_WH
    assert np.array_equal(np.asarray(opened), np.asarray(Image.open(path)))


@pytest.mark.parametrize(
    ("bbox", "reason"),
    [
        ([8, 2, -6, 6], "box: negative side"),  # x1, y1, x0 - x1, ...: sides swapped
        ([2, 8, 6, -6], "box: negative side"),
        ([2, 2, 0, 0], "box: empty"),
        ([-30, 2, 6, 6], "box: outside the photo"),
        ([2, 2, float("nan"), 6], "box: not 4 finite numbers"),
        ([2, 2, 6], "box: not 4 finite numbers"),
    ],
)
def test_boxes(tmp_path: Path, bbox: list[float], reason: str) -> None:
    write(tmp_path, "instances", content([annotation(1, bbox=bbox), annotation(2)]))
    records, drops = read("coco_instances", tmp_path)
    assert [region.id for region in records[0].regions] == ["2"]
    assert reasons(drops) == {reason: 1}


@pytest.mark.parametrize("part", [[5, 5], [2, 2, 8, 8]])
def test_polygons_of_2_and_4_numbers(tmp_path: Path, part: list[float]) -> None:
    """Alone they are no mask (pycocotools takes four numbers for a box); beside a sound part they are left out."""
    square = [2.0, 2.0, 8.0, 2.0, 8.0, 8.0, 2.0, 8.0]
    rows = [
        annotation(1, segmentation=[part]),
        annotation(2, segmentation=[part, square]),
        annotation(3, segmentation=[square]),
    ]
    write(tmp_path, "instances", content(rows))
    records, drops = read("coco_instances", tmp_path)
    two, three = records[0].regions
    assert two.mask_rle == three.mask_rle
    assert reasons(drops) == {"polygon: fewer than 3 points": 1, "polygon: part of fewer than 3 points": 1}


def test_0_is_an_id_like_any_other(tmp_path: Path) -> None:
    what = content(
        [annotation(0, 0, category_id=0), annotation(1, 0, category_id=0)],
        images=[image(0, file_name="000000000007.jpg"), image(9)],
        categories=[{"id": 0, "name": "dog"}],
    )
    write(tmp_path, "instances", what)
    records, drops = read("coco_instances", tmp_path)
    assert drops == []
    assert records[0].id == "0"
    assert [(region.id, region.category_id, region.category) for region in records[0].regions] == [
        ("0", 0, "dog"),
        ("1", 0, "dog"),
    ]


def test_0_in_an_id_picture_is_void(tmp_path: Path) -> None:
    row = {
        "image_id": 7,
        "file_name": "000000000007.png",
        "segments_info": [{"id": 0, "category_id": 18}, {"id": 5, "category_id": 18}],
    }
    write(tmp_path, "panoptic", content([row]))
    (tmp_path / "annotations/panoptic_val2017").mkdir()
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[2:5, 3:9, 0] = 5
    Image.fromarray(pixels).save(tmp_path / "annotations/panoptic_val2017/000000000007.png")
    records, drops = read("coco_panoptic", tmp_path)
    assert [(region.id, region.box_xyxy) for region in records[0].regions] == [("5", (3.0, 2.0, 9.0, 5.0))]
    assert reasons(drops)["segment: no pixel"] == 1


def test_instance_ids_beyond_8_bits(tmp_path: Path) -> None:
    labels = np.zeros((HEIGHT, WIDTH), np.uint16)
    labels[1:4, 1:4], labels[5:9, 10:18], labels[0] = 26_002, 33_999, 26
    stem = "frankfurt/frankfurt_000000_000294"
    for folder in ("gtFine/val/frankfurt", "leftImg8bit/val/frankfurt"):
        (tmp_path / folder).mkdir(parents=True)
    Image.fromarray(labels).save(tmp_path / f"gtFine/val/{stem}_gtFine_instanceIds.png")
    Image.new("RGB", SIZE_WH).save(tmp_path / f"leftImg8bit/val/{stem}_leftImg8bit.png")
    records, drops = read("cityscapes", tmp_path, "val")
    assert drops == []
    assert {(region.id, region.category, region.area, region.crowd) for region in records[0].regions} == {
        ("26002", "car", 9.0, False), ("33999", "bicycle", 32.0, False), ("26", "car", 20.0, True)
    }  # fmt: skip


def test_depth_0_is_missing_and_nothing_is_out_of_range_in_silence(tmp_path: Path) -> None:
    folder = tmp_path / "official_splits" / "test" / "bath"
    folder.mkdir(parents=True)
    levels = np.array([[0, 1, 65_535], [500, 0, 9_999]], np.uint16)
    Image.fromarray(levels).save(folder / "sync_depth_1.png")
    Image.new("RGB", (3, 2)).save(folder / "rgb_1.jpg")
    (record,), _ = read("nyuv2", tmp_path, "test")
    assert record.depth is not None
    metres = read_depth(tmp_path, record.depth, (3, 2))
    assert metres == pytest.approx(levels / 1000)
    assert (metres == 0).sum() == 2
    for values in ([[-1.0, 2.0]], [[np.nan, 2.0]], [[np.inf, 2.0]]):
        np.save(tmp_path / "broken.npy", np.asarray(values, np.float32))
        with pytest.raises(PhotoError, match="depth: not a depth"):
            read_depth(tmp_path, Depth("broken.npy", 1.0))


def five_channels(path: Path) -> None:
    """A TIFF of 5 samples a pixel, which Pillow does not know."""
    width, height, samples = 4, 3, 5
    pixels = bytes(width * height * samples)
    tags = [
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 8),
        (277, 3, 1, samples), (278, 3, 1, height), (279, 4, 1, len(pixels)),
    ]  # fmt: skip
    head = struct.pack("<2sHI", b"II", 42, 8 + len(pixels))
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + pixels + struct.pack("<H", len(tags)) + entries + bytes(4))


def test_five_channels_cost_one_record(tmp_path: Path) -> None:
    """As a label picture and as a photo, whose size is read from its header."""
    (tmp_path / "objectInfo150.txt").write_text("Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t0.1\t1\t1\t1\twall\n")
    for name in ("label", "photo", "sound"):
        for folder, ending in (("images", "jpg"), ("annotations", "png")):
            path = tmp_path / folder / "training" / f"{name}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (4, 3), 1).save(path)
    five_channels(tmp_path / "annotations/training/label.png")
    five_channels(tmp_path / "images/training/photo.jpg")
    records, drops = read("ade20k", tmp_path, "training")
    assert [record.id for record in records] == ["sound"]
    assert reasons(drops) == {"picture: unreadable": 1, "photo: unreadable": 1}
    with pytest.raises(PhotoError, match="unreadable"):
        look(tmp_path / "images/training/photo.jpg")


def test_palettes(tmp_path: Path) -> None:
    """Of a label picture the index is the label, whatever its colour; a photo with a palette is its colours."""
    labels = Image.new("P", (4, 3), 1)
    labels.putpalette([value for n in range(256) for value in (255 - n, n, 7)])
    labels.putpixel((0, 0), 2)
    (tmp_path / "objectInfo150.txt").write_text(
        "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t.1\t1\t1\t1\twall\n2\t.1\t1\t1\t1\tsky\n"
    )
    for folder, ending in (("images", "jpg"), ("annotations", "png")):
        path = tmp_path / folder / "training" / f"a.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        labels.save(path, "PNG")
    (record,), drops = read("ade20k", tmp_path, "training")
    assert drops == []
    assert {(region.category, region.area) for region in record.regions} == {("wall", 11.0), ("sky", 1.0)}
    assert record.photo is not None
    opened = open_photo(tmp_path, StoredPhoto(record.photo.path, "", (4, 3), record.photo.id))
    assert opened.getpixel((0, 0)) == (253, 2, 7)
