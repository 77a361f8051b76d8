"""COCO-ReM: run-length masks to the pixel, photos of COCO 2017 by their identity, broken rows and files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.converters.vision import SCENES, decoded, read, reasons, shot, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.source import SourceError

NAME = "coco_rem"


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("trainrem", "valrem")
    scenes = {str(shot(index).image_id): shot(index) for index in SCENES}
    for split in splits:
        records, drops = read(NAME, root, split)
        assert not drops
        for record in records:
            drawn = scenes.pop(record.id)
            assert record.photo is not None
            assert record.photo.id == f"coco:{record.id}"
            truth = {str(drawn.annotation_id(k)): thing for k, thing in drawn.singles()}
            assert {region.id for region in record.regions} == set(truth)
            for region in record.regions:
                assert np.array_equal(decoded(region), truth[region.id].mask)
                assert region.box_xyxy == truth[region.id].box_xyxy
                assert region.area == truth[region.id].mask.sum()
    assert not scenes


def test_broken_rows(tmp_path: Path) -> None:
    def row(id_: int, **more: object) -> dict[str, object]:
        whole = {"size": [6, 8], "counts": "0`1"}  # 0 outside, 48 inside
        return {
            "id": id_,
            "image_id": 9,
            "category_id": 1,
            "bbox": [0, 0, 8, 6],
            "segmentation": whole,
            "area": 48,
            **more,
        }

    rows = [row(1), row(1), row(2, segmentation={"size": [5, 8], "counts": "0`1"}), row(3, category_id=7), row(4, image_id=5),
            row(5, segmentation={"size": [6, 8], "counts": "zzz~"}), row(6, bbox=[0, 0, -8, 6]), row(7, area="many")]  # fmt: skip
    content = {"images": [{"id": 9, "file_name": "000000000009.jpg", "width": 8, "height": 6}],
               "categories": [{"id": 1, "name": "dog"}], "annotations": rows}  # fmt: skip
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/instances_valrem.json").write_text(json.dumps(content))
    tiny_photo(tmp_path / "coco/val2017/000000000009.jpg")
    (record,), drops = read(NAME, tmp_path, "valrem")
    assert [region.id for region in record.regions] == ["1"]
    assert decoded(record.regions[0]).all()
    assert reasons(drops) == {
        "annotation: id twice": 1, "mask: another size": 1, "category: unknown": 1, "annotation: unknown image": 1,
        "mask: not a COCO RLE string": 1, "box: negative side": 1, "annotations: unreadable row": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"images": []}', b"\xff\xfe", b'{"images": 1, "annotations": []}']
)
def test_one_line_for_a_broken_file(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "instances_trainrem.json").write_bytes(text)
    with pytest.raises(SourceError, match=r"instances_trainrem\.json") as caught:
        plugins.load("converters", NAME).open(tmp_path, "trainrem")
    assert "\n" not in str(caught.value)


def test_one_line_when_something_is_missing(tmp_path: Path) -> None:
    source = plugins.load("converters", NAME)
    with pytest.raises(SourceError, match=r"coco_rem/instances_valrem\.json"):
        source.open(tmp_path, "valrem")
    root, _ = write(NAME, tmp_path, (4,))
    (root / "val2017").rename(root / "elsewhere")
    with pytest.raises(SourceError, match="coco/images/val2017/"):
        source.open(root, "valrem")
