"""OpenPSG: relations as grounded sentences, real COCO panoptic segments under a graph, broken rows and files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.converters.vision import SCENES, decoded, read_spoken, reasons, shot, write
from vtinstruct import plugins
from vtinstruct.record import Record
from vtinstruct.source import SourceError

NAME = "openpsg"


def spoken(record: Record) -> list[tuple[str, str]]:
    (text,) = record.grounded_captions
    return [(text.text[span.start : span.stop], span.region_ids[0]) for span in text.spans]


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("train", "test")
    scenes = {str(shot(index).image_id): shot(index) for index in SCENES}
    content = json.loads((root / "psg/psg.json").read_text())
    tested = set(content["test_image_ids"])
    related = {row["image_id"] for row in content["data"] if row["relations"]}
    for split in splits:
        records, drops = read_spoken(NAME, root, split)
        assert not drops
        assert {record.id for record in records} == {id_ for id_ in related if (id_ in tested) == (split == "test")}
        for record in records:
            things = scenes[record.id].scene.things
            for region, thing in zip(record.regions, things, strict=False):
                assert region.category == thing.category
                assert np.array_equal(decoded(region), thing.mask)
                assert region.box_xyxy == thing.box_xyxy
            assert all(record.region(id_).category == words for words, id_ in spoken(record))


def real(root: Path, given: Path, relations: list[list[int]], **more: object) -> tuple[Path, dict[str, Any]]:
    """COCO's own panoptic sample as a scene graph with relations of ours."""
    content = json.loads((given / "panoptic_examples.json").read_text())
    annotation = content["annotations"][0]
    image = next(row for row in content["images"] if row["id"] == annotation["image_id"])
    things = [row for row in content["categories"] if row["isthing"]]
    stuff = [row for row in content["categories"] if not row["isthing"]]
    place = {row["id"]: n for n, row in enumerate((*things, *stuff))}
    segments = [{**row, "category_id": place[row["category_id"]], "isthing": 1} for row in annotation["segments_info"]]
    row = {"image_id": "107", "file_name": f"val2017/{image['file_name']}", "height": image["height"], "width": image["width"],
           "pan_seg_file_name": f"panoptic_val2017/{annotation['file_name']}", "segments_info": segments, "annotations": [],
           "relations": relations, **more}  # fmt: skip
    psg = {"data": [row], "test_image_ids": [], "thing_classes": [row["name"] for row in things],
           "stuff_classes": [row["name"] for row in stuff], "predicate_classes": ["over", "in front of", "beside"]}  # fmt: skip
    shutil.copytree(given / "panoptic_examples", root / "coco/panoptic_val2017")
    shutil.copytree(given / "input_images", root / "coco/val2017")
    (root / "psg.json").write_text(json.dumps(psg))
    return root, annotation


def test_real_panoptic_segments(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    given = shared_data("panopticapi_sample")
    root, annotation = real(tmp_path, given, [[0, 1, 2], [1, 0, 1], [0, 1, 2]])
    (record,), drops = read_spoken(NAME, root, "train")
    assert not drops
    assert record.photo is not None
    assert record.photo.id == f"coco:{annotation['image_id']}"
    rgb = np.asarray(Image.open(given / "panoptic_examples" / annotation["file_name"])).astype(int)
    numbers = rgb @ np.asarray([1, 256, 65536])
    for region, row in zip(record.regions, annotation["segments_info"], strict=True):
        assert np.array_equal(decoded(region), numbers == row["id"])
        assert region.area == row["area"]
    first, second = record.regions[:2]
    assert [id_ for _, id_ in spoken(record)] == [first.id, second.id, second.id, first.id]  # said twice, told once
    assert " beside " in record.grounded_captions[0].text
    assert "-merged" not in record.grounded_captions[0].text
    assert len(plugins.load("converters", NAME).open(root, "train").vocabulary) == 133
    assert read_spoken(NAME, root, "test") == ([], [])


def test_broken_rows(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    root, _ = real(tmp_path, shared_data("panopticapi_sample"), [[0, 1, 0], [0, 99, 0], [-1, 0, 0], [0, 1, 9]])
    psg = json.loads((root / "psg.json").read_text())
    (good,) = psg["data"]
    lost = {**good, "image_id": 3, "pan_seg_file_name": "panoptic_val2017/none.png"}
    photoless = {**good, "image_id": 4, "file_name": "val2017/none.jpg"}
    hostile = {**good, "image_id": 5, "file_name": "../../etc/passwd"}
    resized = {**good, "image_id": 6, "height": 7}
    torn = {**good, "image_id": 7, "relations": [[0, 1]]}
    missing = [{**row} for row in good["segments_info"]]
    missing[1]["id"] = 12345
    missing[0]["category_id"] = 999
    partial = {**good, "image_id": 8, "segments_info": missing, "relations": [[0, 1, 0], [2, 3, 1]]}
    psg["data"] += [good, lost, photoless, hostile, resized, torn, partial, {**good, "image_id": 9, "relations": []}]
    (root / "psg.json").write_text(json.dumps(psg))
    records, drops = read_spoken(NAME, root, "train")
    assert [record.id for record in records] == ["107", "8"]
    assert [len(spoken(record)) for record in records] == [2, 2]
    assert reasons(drops) == {
        "relation: unknown segment": 3, "relation: unknown predicate": 1, "image: id twice": 1, "picture: missing": 1,
        "photo: missing": 1, "photo: path leaves the root": 1, "panoptic: another size": 1, "row: unreadable": 1,
        "segment: no pixel": 1, "category: unknown": 1,
    }  # fmt: skip


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"data": []}', b"\xff"])
def test_one_line_for_a_broken_file(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "psg.json").write_bytes(text)
    with pytest.raises(SourceError, match=r"psg\.json") as caught:
        plugins.load("converters", NAME).open(tmp_path, "train")
    assert "\n" not in str(caught.value)


def test_one_line_when_something_is_missing(tmp_path: Path) -> None:
    source = plugins.load("converters", NAME)
    with pytest.raises(SourceError, match=r"psg/psg\.json"):
        source.open(tmp_path, "test")
    root, _ = write(NAME, tmp_path)
    (root / "coco/panoptic_train2017").rename(root / "elsewhere")
    with pytest.raises(SourceError, match="annotations/panoptic_train2017"):
        source.open(root, "train")


def test_files_of_the_challenge(tmp_path: Path) -> None:
    """Their test photos have no relations; what psg.json calls test is val there, and psg.json goes before them."""
    root, _ = write(NAME, tmp_path)
    before = {split: read_spoken(NAME, root, split)[0] for split in ("train", "test")}
    (root / "psg/psg.json").rename(root / "psg/psg_train_val.json")
    assert plugins.load("converters", NAME).find(root) == ("train", "val")
    assert [record.id for record in read_spoken(NAME, root, "train")[0]] == [record.id for record in before["train"]]
    assert [record.grounded_captions for record in read_spoken(NAME, root, "val")[0]] == [
        record.grounded_captions for record in before["test"]
    ]
    (root / "psg/psg_train_val.json").rename(root / "psg/psg_val_test.json")
    assert plugins.load("converters", NAME).find(root) == ("val",)
    with pytest.raises(SourceError, match=r"looked for psg\.json"):
        plugins.load("converters", NAME).open(root, "test")
