"""Panoptic Narrative Grounding: phrases to segments, real COCO panoptic segments under a narrative, broken rows and files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.converters.vision import SCENES, decoded, read_spoken, reasons, shot, write
from vtinstruct import plugins
from vtinstruct.record import Record
from vtinstruct.source import SourceError

NAME = "png"


def spoken(record: Record) -> list[list[tuple[str, tuple[str, ...]]]]:
    return [
        [(text.text[span.start : span.stop], span.region_ids) for span in text.spans]
        for text in record.grounded_captions
    ]


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("train2017", "val2017")
    scenes = {str(shot(index).image_id): shot(index).scene for index in SCENES}
    for split in splits:
        records, drops = read_spoken(NAME, root, split)
        assert not drops
        for record in records:
            things = scenes[record.id].things
            (phrases,) = spoken(record)
            assert len(phrases) == len(things) + (len(things) > 1)
            for (words, ids), thing in zip(phrases, things, strict=False):
                region = record.region(ids[0])
                assert thing.category in words
                assert words in region.captions
                assert np.array_equal(decoded(region), thing.mask)
            if len(things) > 1:
                assert phrases[-1] == ("things", tuple(ids[0] for _, ids in phrases[:-1]))
            assert not record.exhaustive


def real(root: Path, given: Path, rows: object) -> Path:
    """COCO's own panoptic sample with narratives of ours over it."""
    (root / "annotations/panoptic_segmentation").mkdir(parents=True)
    shutil.copy(given / "panoptic_examples.json", root / "annotations/panoptic_val2017.json")
    shutil.copytree(given / "panoptic_examples", root / "annotations/panoptic_segmentation/val2017")
    shutil.copytree(given / "input_images", root / "images/val2017")
    (root / "annotations/png_coco_val2017.json").write_text(json.dumps(rows))
    return root


def test_real_panoptic_segments(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    given = shared_data("panopticapi_sample")
    content = json.loads((given / "panoptic_examples.json").read_text())
    annotation = content["annotations"][0]
    names = {row["id"]: row["name"] for row in content["categories"]}
    ids = [row["id"] for row in annotation["segments_info"]]
    words = [names[row["category_id"]] for row in annotation["segments_info"]]
    segments = [{"utterance": "There is", "segment_ids": [], "plural": False, "noun": False}]
    segments += [
        {"utterance": word, "segment_ids": [str(id_)], "plural": False, "noun": True}
        for word, id_ in zip(words, ids, strict=True)
    ]
    rows = [
        {"image_id": str(annotation["image_id"]), "caption": "There is " + " ".join(words) + " .", "segments": segments}
    ]
    (record,), drops = read_spoken(NAME, real(tmp_path, given, rows), "val2017")
    assert not drops
    assert record.photo is not None
    assert record.photo.id == f"coco:{annotation['image_id']}"
    rgb = np.asarray(Image.open(given / "panoptic_examples" / annotation["file_name"])).astype(int)
    numbers = rgb @ np.asarray([1, 256, 65536])
    assert [region.id for region in record.regions] == [str(id_) for id_ in ids]
    for region, row in zip(record.regions, annotation["segments_info"], strict=True):
        assert np.array_equal(decoded(region), numbers == row["id"])
        assert (region.area, region.crowd) == (row["area"], bool(row["iscrowd"]))
        assert region.category == names[row["category_id"]]
    assert spoken(record) == [[(word, (str(id_),)) for word, id_ in zip(words, ids, strict=True)]]


def test_broken_narratives(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    given = shared_data("panopticapi_sample")
    annotation = json.loads((given / "panoptic_examples.json").read_text())["annotations"][0]
    a, b = (str(row["id"]) for row in annotation["segments_info"][:2])

    def row(caption: str, *segments: tuple[str, list[object], bool]) -> dict[str, object]:
        pieces = [
            {"utterance": words, "segment_ids": ids, "noun": noun, "plural": False} for words, ids, noun in segments
        ]
        return {"image_id": str(annotation["image_id"]), "caption": caption, "segments": pieces}

    rows = [
        row("A  Dog and a dog.", ("a dog", [a], True), ("and", [], False), ("a dog.", [b, b], True)),
        row("A cat.", ("a bird", [a], True), ("a cat", ["77", "x", a], True)),
        row("A verb.", ("verb", [a], False)),
        {**row("Nowhere."), "image_id": "1"},
        {**row("None."), "caption": None},
        {"image_id": annotation["image_id"], "segments": []},
    ]
    (record,), drops = read_spoken(NAME, real(tmp_path, given, rows), "val2017")
    assert spoken(record) == [[("A Dog", (a,)), ("a dog", (b,))], [("A cat", (a,))], []]
    assert record.region(a).captions == ("A Dog", "A cat")
    assert reasons(drops) == {
        "phrase: not in the caption": 1, "phrase: unknown segment": 1, "narrative: unknown image": 1, "row: unreadable": 2
    }  # fmt: skip


def test_pictures_may_lie_beside_the_panoptic_file(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)  # annotations/panoptic_<split>/, as COCO unpacks
    before, _ = read_spoken(NAME, root, splits[0])
    (root / "annotations/panoptic_segmentation").mkdir()
    (root / f"annotations/panoptic_{splits[0]}").rename(root / f"annotations/panoptic_segmentation/{splits[0]}")
    assert read_spoken(NAME, root, splits[0]) == (before, [])
    (next((root / f"annotations/panoptic_segmentation/{splits[0]}").iterdir())).write_bytes(b"\x89PNG")
    after, drops = read_spoken(NAME, root, splits[0])
    assert len(after) >= len(before) - 1
    assert len(drops) == len(before) - len(after)


@pytest.mark.parametrize("text", [b"", b"[", b"{}", b"\xff"])
def test_one_line_for_a_broken_file(tmp_path: Path, text: bytes) -> None:
    root, _ = write(NAME, tmp_path, (4,))
    (root / "annotations/png_coco_val2017.json").write_bytes(text)
    with pytest.raises(SourceError, match=r"png_coco_val2017\.json") as caught:
        plugins.load("converters", NAME).open(root, "val2017")
    assert "\n" not in str(caught.value)


def test_one_line_when_something_is_missing(tmp_path: Path) -> None:
    source = plugins.load("converters", NAME)
    with pytest.raises(SourceError, match=r"annotations/png_coco_val2017\.json"):
        source.open(tmp_path, "val2017")
    root, _ = write(NAME, tmp_path, (4,))
    (root / "annotations/panoptic_val2017").rename(root / "elsewhere")
    with pytest.raises(SourceError, match="annotations/panoptic_segmentation/val2017"):
        source.open(root, "val2017")
    (root / "annotations/panoptic_val2017.json").unlink()
    with pytest.raises(SourceError, match=r"panoptic_val2017\.json"):
        source.open(root, "val2017")
