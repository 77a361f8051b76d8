"""GranD: real files of an earlier level by independent reading, and the released form on the sample."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.converters.language import SCENES, facts, read, shot, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.geometry import decode_rle
from vtinstruct.source import SourceError

NAME = "grand"
RLE = {"size": [6, 8], "counts": "01_1"}


def folder(root: Path, content: Any, name: str = "sa_5") -> Path:
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    (root / "annotations" / f"{name}.json").write_bytes(text)
    tiny_photo(root / "images" / f"{name}.jpg")
    return root


def thing(id_: int = 1, **change: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "bbox": [1, 1, 4, 5],
        "labels": ["cell_phone", "phone"],
        "attributes": None,
        "score": 1,
        **change,
    }


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert facts(NAME, root, splits) == set(plugins.load("converters", NAME).offers)
    records, drops = read(NAME, root, "train")
    assert drops == []
    by_id = {record.id: record for record in records}
    for index in (index for index in SCENES if shot(index).split == "train"):
        record = by_id[f"sa_{shot(index).image_id}"]
        assert record.photo is not None
        assert record.photo.id == f"sa1b:{shot(index).image_id}"
        singles = [one for _, one in shot(index).singles()]
        for region, one in zip(record.regions, singles, strict=True):
            assert region.box_xyxy == one.box_xyxy
            assert region.mask_rle is not None
            assert (decode_rle(region.mask_rle) == one.mask).all()
        for caption in record.grounded_captions:
            assert len(caption.spans) == len(singles)
            for span in caption.spans:
                words = caption.text[span.start : span.stop]
                assert record.region(span.region_ids[0]).category in words


@pytest.mark.parametrize("level", ["level_3_dense_caption", "level_4_extra_context"])
def test_real_files(tmp_path: Path, shared_data: Callable[[str], Path], level: str) -> None:
    real = shared_data("grand_samples") / level / "in_context_examples"
    shutil.copytree(real, tmp_path / "annotations")
    contents = {path.stem: json.loads(path.read_text()) for path in real.glob("sa_*.json")}
    for name in contents:
        tiny_photo(tmp_path / "images" / f"{name}.jpg", (2250, 1500))
    records, drops = read(NAME, tmp_path, "train")
    assert [record.id for record in records] == sorted(contents) == ["sa_302406", "sa_310343"]
    assert {drop.reason for drop in drops} <= {
        "box: clipped to the photo", "box: outside the photo", "object: id twice", "phrase: overlapping"
    }  # fmt: skip
    lost = sum(drop.reason == "box: outside the photo" for drop in drops)
    # The pipeline itself looks among the objects first, and so do we.
    assert [drop.row for drop in drops if drop.reason == "object: id twice"] == ["object 384"]
    told = 0
    for record in records:
        ((_, content),) = contents[record.id].items()
        rows = {str(row["id"]): row for row in content["floating_objects"] + content["objects"]}
        told += len(rows)
        for region in record.regions:
            x0, y0, x1, y1 = rows[region.id]["bbox"]
            assert region.box_xyxy == (max(x0, 0), max(y0, 0), min(x1, 2250), min(y1, 1500))
        objects = {str(row["id"]): row for row in content["objects"]}
        assert {r.id: r.category for r in record.regions if r.category} == {
            id_: row["labels"][0].replace("_", " ") for id_, row in objects.items() if record_has(record, id_)
        }
        assert record.captions == tuple(caption.strip() for caption in content["captions"])
        assert all("istant" not in expression.text for expression in record.expressions)
        phrases = {one["phrase"]: one["object_ids"] for one in content["relationships"]["grounding"]}
        for caption in record.grounded_captions:
            for span in caption.spans:
                assert span.region_ids == (str(min(phrases[caption.text[span.start : span.stop]])),)
        assert any(caption.spans for caption in record.grounded_captions)
    assert sum(len(record.regions) for record in records) == told - lost
    first = next(region for region in records[0].regions if region.id == "1")
    assert (first.category, first.attributes) == ("awning", ("red awning over doorway",))


def record_has(record: Any, id_: str) -> bool:
    return any(region.id == id_ for region in record.regions)


def test_expressions_as_the_pipeline_chooses_them(tmp_path: Path) -> None:
    objects = [
        thing(1, attributes=["the big one", "Assistant: a cell phone", "a cell phone"]),
        thing(2, attributes="assistant something red"),
        thing(3, attributes=["first", "second"]),
    ]
    (record,), _ = read(NAME, folder(tmp_path, {"sa_5.jpg": {"objects": objects}}), "train")
    assert [(e.text, e.region_ids) for e in record.expressions] == [
        ("a cell phone", ("1",)), ("something red", ("2",)), ("first", ("3",))
    ]  # fmt: skip


def test_released_captions(tmp_path: Path) -> None:
    caption = {
        "caption": "A phone and two cups on a table.",
        "details": [
            {"phrase": "a phone", "tokens_positive": [0, 7], "id": 1},
            {"phrase": "two cups", "tokens_positive": [12, 20], "ids": [2, 3], "bbox": []},
            {"phrase": "cups", "tokens_positive": [16, 20], "ids": [2]},
            {"phrase": "a table", "tokens_positive": [90, 99], "ids": [9]},
            {"phrase": "a spoon", "tokens_positive": None, "ids": [1]},
        ],
    }
    objects = [thing(1, segmentation=RLE), thing(2)]
    content = {"objects": objects, "floating_objects": [thing(3)], "short_captions": [caption], "dense_caption": None}
    (record,), drops = read(NAME, folder(tmp_path, {"sa_5.jpg": content}), "train")
    (text,) = record.grounded_captions
    assert [(text.text[s.start : s.stop], s.region_ids) for s in text.spans] == [
        ("A phone", ("1",)), ("two cups", ("2", "3"))
    ]  # fmt: skip
    assert sorted(drop.reason for drop in drops) == [
        "phrase: not in the caption", "phrase: overlapping", "phrase: unknown object"
    ]  # fmt: skip
    assert [region.category for region in record.regions] == ["cell phone", "cell phone", ""]
    assert record.regions[0].mask_rle is not None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"bbox": [5, 1, 1, 5]}, "box: outside the photo"),
        ({"bbox": [1, 2, 3]}, "box: not 4 finite numbers"),
        ({"segmentation": {"size": [3, 3], "counts": "9"}}, "mask: another size"),
        ({"segmentation": {"size": [6, 8], "counts": "01"}}, "mask: RLE of wrong length"),
        ({"id": 1}, "object: id twice"),
    ],
)
def test_bad_objects_cost_themselves(tmp_path: Path, change: Any, reason: str) -> None:
    content = {"sa_5.jpg": {"objects": [thing(1), {**thing(2), **change}]}}
    (record,), drops = read(NAME, folder(tmp_path, content), "train")
    assert [drop.reason for drop in drops] == [reason]
    assert [region.id for region in record.regions] == ["1"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[]", b"{}", b'{"a.jpg": {}, "b.jpg": {}}', b'{"sa_5.jpg": {"objects": [NaN]}}']
)
def test_a_bad_file_costs_one_record(tmp_path: Path, content: bytes) -> None:
    folder(tmp_path, {"sa_6.jpg": {"objects": []}}, "sa_6")
    records, drops = read(NAME, folder(tmp_path, content), "train")
    assert [record.id for record in records] == ["sa_6"]
    assert [drop.row for drop in drops] == ["annotations/sa_5.json"]


def test_photos_in_parts_and_paths_inside(tmp_path: Path) -> None:
    part = tmp_path / "annotations" / "part_1"
    part.mkdir(parents=True)
    (part / "sa_7.json").write_text(json.dumps({"sa_7.jpg": {"objects": []}}))
    (part / "sa_8.json").write_text(json.dumps({"../../sa_8.jpg": {"objects": []}}))
    tiny_photo(tmp_path / "images" / "part_1" / "sa_7.jpg")
    (record,), drops = read(NAME, tmp_path, "train")
    assert record.photo is not None
    assert record.photo.path == "images/part_1/sa_7.jpg"
    assert [drop.reason for drop in drops] == ["photo: path leaves the root"]


def pack(tar: Path, files: dict[str, bytes]) -> None:
    tar.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(tar, "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def picture() -> bytes:
    found = io.BytesIO()
    Image.new("RGB", (8, 6)).save(found, "JPEG")
    return found.getvalue()


def annotation(number: int) -> bytes:
    return json.dumps({f"sa_{number}.jpg": {"objects": [thing(1)]}}).encode()


def test_parts_and_shards_as_they_are_downloaded(tmp_path: Path) -> None:
    """GranD's parts only gunzipped, SA-1B's tars as they come: with a JSON of masks beside each photo, which is not ours."""
    masks = b'{"image": {"image_id": 7}, "annotations": []}'
    pack(
        tmp_path / "annotations/part_1_1.tar",
        {"part_1_1/sa_7.json": annotation(7), "part_1_1/sa_8.json": annotation(8)},
    )
    pack(tmp_path / "annotations/part_1_2.tar", {"part_1_2/sa_9.json": annotation(9)})
    pack(tmp_path / "images/sa_000000.tar", {"./sa_7.jpg": picture(), "./sa_7.json": masks, "./sa_1.jpg": picture()})
    pack(tmp_path / "images/sa_000001.tar", {"./sa_8.jpg": picture(), "./sa_8.json": masks})
    records, drops = read(NAME, tmp_path, "train")
    assert [(record.id, record.photo.path, record.photo.id) for record in records if record.photo] == [
        ("sa_7", "images/sa_000000.tar/sa_7.jpg", "sa1b:7"), ("sa_8", "images/sa_000001.tar/sa_8.jpg", "sa1b:8"),
    ]  # fmt: skip
    assert [record.origin.file for record in records] == [
        "annotations/part_1_1.tar/part_1_1/sa_7.json", "annotations/part_1_1.tar/part_1_1/sa_8.json",
    ]  # fmt: skip
    assert [(drop.row, drop.reason) for drop in drops] == [
        ("annotations/part_1_2.tar/part_1_2/sa_9.json", "photo: missing")
    ]
    opened = plugins.load("converters", NAME).open(tmp_path, "train")
    assert [path.name for path in opened.files] == ["part_1_1.tar", "part_1_2.tar"]


def test_shards_unpacked_and_all_of_it_in_one_folder(tmp_path: Path) -> None:
    """SA-1B's own JSON lies beside its photos and is no annotation of GranD's."""
    pack(tmp_path / "part_1_1.tar", {"sa_7.json": annotation(7)})
    (tmp_path / "part_1_2").mkdir()
    (tmp_path / "part_1_2/sa_8.json").write_bytes(annotation(8))
    (tmp_path / "part_1_2/sa_7.json").write_bytes(annotation(7))  # unpacked as well: counts once
    pack(tmp_path / "sa_000000.tar", {"./sa_7.jpg": picture(), "./sa_7.json": b"{}"})
    tiny_photo(tmp_path / "images/sa_000020/sa_8.jpg")
    (tmp_path / "images/sa_000020/sa_8.json").write_text("{}")
    records, drops = read(NAME, tmp_path, "train")
    assert drops == []
    assert [(record.origin.file, record.photo.path) for record in records if record.photo] == [
        ("part_1_2/sa_7.json", "sa_000000.tar/sa_7.jpg"), ("part_1_2/sa_8.json", "images/sa_000020/sa_8.jpg"),
    ]  # fmt: skip


def test_compressed_and_broken_tars_are_one_line(tmp_path: Path) -> None:
    source = plugins.load("converters", NAME)
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/part_1_1.tar.gz").write_bytes(b"\x1f\x8b")
    assert source.find(tmp_path) == ("train",)
    with pytest.raises(SourceError, match=r"part_1_1\.tar\.gz: compressed; `gunzip` it"):
        source.open(tmp_path, "train")
    (tmp_path / "annotations/part_1_1.tar").write_bytes(b"no tar at all")
    assert source.find(tmp_path) == ("train",)
    with pytest.raises(SourceError, match=r"part_1_1\.tar: .*a whole tar"):
        source.open(tmp_path, "train")
    pack(tmp_path / "annotations/part_1_1.tar", {"sa_7.json": annotation(7)})
    pack(tmp_path / "images/sa_000000.tar", {"./sa_7.jpg": picture()})
    (tmp_path / "images/sa_000001.tar").write_bytes(b"no tar at all")
    with pytest.raises(SourceError, match=r"sa_000001\.tar: .*a whole tar"):
        source.open(tmp_path, "train")


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"annotations/\*\*/sa_\*\.json"):
        plugins.load("converters", NAME).open(tmp_path, "train")
