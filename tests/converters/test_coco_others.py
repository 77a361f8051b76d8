"""COCO keypoints, captions and panoptic: what each adds to the common file, and its own bad inputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.converters.coco_files import SIZE_WH, annotation, content, read, reasons, write
from vtinstruct import plugins
from vtinstruct.geometry import decode_rle
from vtinstruct.source import SourceError

# --- keypoints -------------------------------------------------------------------------------------------------------


def test_poses_and_persons_without_one(tmp_path: Path) -> None:
    rows = [
        annotation(1, category_id=1, keypoints=[3.5, 4, 2, 0, 0, 0], num_keypoints=1),
        annotation(2, category_id=1, keypoints=[0, 0, 0, 0, 0, 0], num_keypoints=0),
        annotation(3, category_id=1, keypoints=[0] * 6, iscrowd=1, segmentation={"counts": [200], "size": [10, 20]}),
        annotation(4, category_id=18),
    ]
    write(tmp_path, "person_keypoints", content(rows))
    records, drops = read("coco_keypoints", tmp_path)
    assert drops == []
    posed, bare, crowd, dog = records[0].regions
    assert posed.keypoints_xyv == ((3.5, 4.0, 2), (0.0, 0.0, 0))
    assert posed.posed
    assert bare.keypoints_xyv == ((0.0, 0.0, 0), (0.0, 0.0, 0))
    assert not bare.posed
    assert crowd.crowd
    assert dog.keypoints_xyv == ()


# --- captions --------------------------------------------------------------------------------------------------------


def test_captions_in_file_order_without_loose_blanks(tmp_path: Path) -> None:
    rows: list[Any] = [
        {"id": 3, "image_id": 9, "caption": " Second photo.\n"},
        {"id": 1, "image_id": 7, "caption": "A  dog."},
        {"id": 2, "image_id": 7, "caption": "  \n"},
        {"id": 4, "image_id": 7, "caption": None},
        {"id": 5, "image_id": 7, "caption": "A dog again."},
        {"id": 6, "image_id": 8, "caption": "Nobody's."},
    ]
    what = content(rows)
    del what["categories"]  # the official file has none
    write(tmp_path, "captions", what)
    records, drops = read("coco_captions", tmp_path)
    assert [record.captions for record in records] == [("A dog.", "A dog again."), ("Second photo.",)]
    assert reasons(drops) == {
        "caption: empty": 1,
        "annotations: unreadable row": 1,
        "annotation: unknown image": 1,
    }


# --- panoptic --------------------------------------------------------------------------------------------------------

STUFF = {"id": 187, "name": "sky", "supercategory": "sky", "isthing": 0}
NUMBER = 3 + 256 * 200 + 65536 * 17


@pytest.mark.parametrize("place", ["panoptic_val2017", "annotations/panoptic_segmentation/val2017"])
def test_id_pictures_elsewhere(tmp_path: Path, place: str) -> None:
    """Detectron2 has them beside the photos, PNG below a folder of their own."""
    panoptic(tmp_path, [segment(5), segment(NUMBER)])
    official, _ = read("coco_panoptic", tmp_path)
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / "annotations" / "panoptic_val2017").rename(tmp_path / place)
    records, drops = read("coco_panoptic", tmp_path)
    assert (records, drops) == (official, [])


def panoptic(root: Path, segments: list[dict[str, Any]], picture: np.ndarray | None = None) -> Path:
    """A file with one id picture for photo 7: segment 5 left, NUMBER right, a void column between them."""
    rows = [{"image_id": 7, "file_name": "000000000007.png", "segments_info": segments}]
    what = content(rows)
    what["categories"] = [*what["categories"], STUFF]
    path = write(root, "panoptic", what)
    folder = root / "annotations" / "panoptic_val2017"
    folder.mkdir()
    if picture is None:
        picture = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
        picture[:, :8] = (5, 0, 0)
        picture[:, 9:] = (3, 200, 17)
    Image.fromarray(picture).save(folder / "000000000007.png")
    return path


def segment(number: int, category_id: int = 187, **changes: Any) -> dict[str, Any]:
    row = {"id": number, "category_id": category_id, "area": 80, "bbox": [0, 0, 8, 10], "iscrowd": 0}
    return {key: value for key, value in (row | changes).items() if value is not ...}


def test_instances_in_panoptics_name_are_told_and_left_out(tmp_path: Path) -> None:
    """panopticapi's own converter writes `panoptic_coco_detection_format.json` beside the file it reads."""
    panoptic(tmp_path, [segment(5), segment(NUMBER)])
    alone, _ = read("coco_panoptic", tmp_path)
    other = tmp_path / "annotations" / "panoptic_coco_detection_format.json"
    other.write_text(json.dumps(content([annotation(0, category_id=187)])))
    source = plugins.load("converters", "coco_panoptic")
    assert source.find(tmp_path) == ("val2017",)
    opened = source.open(tmp_path, "val2017")
    assert list(opened.records(0, len(opened), pytest.fail)) == alone
    (fault,) = opened.faults
    assert (fault.file, fault.reason) == (f"annotations/{other.name}", "file: instances, not panoptic")
    # a panoptic file without its pictures is still an error and no instances
    (tmp_path / "annotations" / "panoptic_own.json").write_text(
        json.dumps(content([{"image_id": 7, "file_name": "7.png", "segments_info": [segment(5)]}]))
    )
    assert source.find(tmp_path) == ("val2017", "own")
    with pytest.raises(SourceError, match="no folder of id pictures"):
        source.open(tmp_path, "own")


def test_segments_have_their_pixels(tmp_path: Path) -> None:
    panoptic(tmp_path, [segment(NUMBER, 18, bbox=[9, 0, 11, 10], area=110), segment(5)])
    records, drops = read("coco_panoptic", tmp_path)
    assert drops == []
    dog, sky = records[0].regions
    assert (dog.category, dog.thing, dog.area, dog.box_xyxy) == ("dog", True, 110.0, (9.0, 0.0, 20.0, 10.0))
    assert (sky.category, sky.thing, sky.crowd) == ("sky", False, False)
    union = decode_rle(dog.mask_rle).astype(int) + decode_rle(sky.mask_rle)  # type: ignore[arg-type]
    assert union[:, 8].sum() == 0
    assert (np.delete(union, 8, axis=1) == 1).all()
    assert records[0].exhaustive
    assert records[1].regions == ()
    assert not records[1].exhaustive, "a photo without an id picture was not looked at"


BAD_SEGMENTS: list[tuple[str, list[dict[str, Any]], dict[str, int], list[str]]] = [
    # what is wrong, the rows, the reasons counted, the segments kept
    ("twice", [segment(5), segment(5, 18), segment(NUMBER)], {"segment: id twice": 1}, ["5", str(NUMBER)]),
    ("no pixel", [segment(5), segment(6), segment(NUMBER)], {"segment: no pixel": 1}, ["5", str(NUMBER)]),
    ("not listed", [segment(5)], {"segment: in the picture only": 1}, ["5"]),
    ("category", [segment(5, 99), segment(NUMBER)], {"category: unknown": 1}, [str(NUMBER)]),
    ("no box", [segment(5, bbox=...), segment(NUMBER)], {"box: missing": 1}, ["5", str(NUMBER)]),
    ("row", [segment(5, category_id="sky"), segment(NUMBER)], {"annotations: unreadable row": 1}, []),
]


@pytest.mark.parametrize(
    ("rows", "counted", "kept"), [row[1:] for row in BAD_SEGMENTS], ids=[r[0] for r in BAD_SEGMENTS]
)
def test_bad_segments(tmp_path: Path, rows: list[dict[str, Any]], counted: dict[str, int], kept: list[str]) -> None:
    panoptic(tmp_path, rows)
    records, drops = read("coco_panoptic", tmp_path)
    assert reasons(drops) == counted
    assert [region.id for region in records[0].regions] == kept


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.unlink(), "picture: missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:60]), "picture: unreadable"),
        (lambda path: path.write_bytes(b"no picture"), "picture: unreadable"),
        (lambda path: Image.new("L", SIZE_WH).save(path), "picture: no RGB"),
        (lambda path: Image.new("RGB", (5, 5)).save(path), "panoptic: another size"),
    ],
)
def test_a_bad_id_picture_costs_its_record(tmp_path: Path, spoil: Any, reason: str) -> None:
    panoptic(tmp_path, [segment(5), segment(NUMBER)])
    spoil(tmp_path / "annotations" / "panoptic_val2017" / "000000000007.png")
    records, drops = read("coco_panoptic", tmp_path)
    assert [record.id for record in records] == ["9"]
    assert reasons(drops) == {reason: 1}


def test_without_the_folder_of_id_pictures(tmp_path: Path) -> None:
    panoptic(tmp_path, [segment(5)])
    (tmp_path / "annotations" / "panoptic_val2017").rename(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match="looked for annotations/panoptic_val2017"):
        read("coco_panoptic", tmp_path)


def test_an_id_picture_may_not_lie_outside(tmp_path: Path) -> None:
    root = tmp_path / "root"
    panoptic(root, [segment(5), segment(NUMBER)])
    path = root / "annotations" / "panoptic_val2017" / "000000000007.png"
    path.rename(tmp_path / "outside.png")
    path.symlink_to(tmp_path / "outside.png")
    _, drops = read("coco_panoptic", root)
    assert reasons(drops) == {"panoptic: path leaves the root": 1}
