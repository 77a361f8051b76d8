"""Flickr30k Entities: chains to boxes, brackets to spans; the real quotation of photo 1000092795 value by value."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.converters.language import SCENES, facts, read, shot, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.source import SourceError

NAME = "flickr30k_entities"
XML = "<annotation><size><width>{w}</width><height>{h}</height></size>{objects}</annotation>"
BOX = "<object>{names}<bndbox><xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox></object>"


def folder(root: Path, sentences: str | bytes, xml: str, size_wh: tuple[int, int] = (333, 500)) -> Path:
    (root / "Sentences").mkdir(parents=True)
    (root / "Annotations").mkdir()
    (root / "Sentences" / "7.txt").write_bytes(sentences if isinstance(sentences, bytes) else sentences.encode())
    (root / "Annotations" / "7.xml").write_text(xml)
    (root / "train.txt").write_text("7\n")
    tiny_photo(root / "flickr30k-images" / "7.jpg", size_wh)
    return root


def box(names: str, *edges: object) -> str:
    return BOX.format(*edges, names="".join(f"<name>{name}</name>" for name in names.split()))


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("train", "val", "test")
    found = {split: read(NAME, root, split)[0] for split in splits}
    assert sum(map(len, found.values())) == len(SCENES)
    assert facts(NAME, root, splits) == set(plugins.load("converters", NAME).offers)
    by_id = {record.id: record for records in found.values() for record in records}
    for index in SCENES:
        record = by_id[str(shot(index).image_id)]
        assert record.photo is not None
        assert record.photo.id == f"flickr30k:{shot(index).image_id}"
        boxes = {tuple(thing.box_xyxy) for _, thing in shot(index).singles()}
        assert {region.box_xyxy for region in record.regions} == boxes
        tied = [span for span in record.grounded_captions[0].spans if span.region_ids]
        assert len(tied) == len(boxes)  # the place is a scene: no box, no span


def test_real_quotation(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    quoted = (shared_data(NAME) / "format_example.md").read_text()
    lines = [line for line in quoted.splitlines() if "[/EN#" in line]
    edges = re.findall(r"(\d+) (\d+) (\d+) (\d+)(?= \||$)", quoted, re.M)
    objects = box("1", *edges[0]) + box("4", *edges[1]) + box("4", *edges[2]) + box("1 6", *edges[3])
    objects += "<object><name>10</name><scene>0</scene><nobndbox>1</nobndbox></object>"
    root = folder(tmp_path, "\n".join(lines) + "\n", XML.format(w=333, h=500, objects=objects))
    (record,), drops = read(NAME, root, "train")
    assert drops == []
    assert [region.box_xyxy for region in record.regions] == [
        (158, 124, 219, 335), (0, 219, 211, 473), (275, 214, 332, 337), (196, 109, 261, 373)
    ]  # fmt: skip
    assert record.captions[0] == ("Two young guys with shaggy hair look at their hands while hanging out in the yard .")
    spans = [
        [(text.text[span.start : span.stop], span.region_ids) for span in text.spans]
        for text in record.grounded_captions
    ]
    assert spans[0] == [("Two young guys", ("0", "3"))]
    assert spans[1] == [("Two young , White males", ("0", "3")), ("many bushes", ("1", "2"))]
    assert spans[3] == [("A man", ("3",))]
    assert spans[4] == [("Two friends", ("0", "3"))]


def test_real_split_lists(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    for split in ("val", "test"):
        lines = (shared_data(NAME) / f"{split}.txt").read_text().split()
        assert len(lines) == 1000
        (tmp_path / f"{split}.txt").write_text("\n".join(lines))
        for name in ("Sentences", "Annotations"):
            (tmp_path / name).mkdir(exist_ok=True)
        tiny_photo(tmp_path / "images" / f"{lines[0]}.jpg")
        opened = plugins.load("converters", NAME).open(tmp_path, split)
        assert opened.slots == lines
        drops = []
        assert list(opened.records(0, 3, drops.append)) == []
        assert [(drop.row, drop.reason) for drop in drops] == [(id_, "file: missing") for id_ in lines[:3]]


def test_real_unrelated_captions(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    text = (shared_data(NAME) / "UNRELATED_CAPTIONS").read_text()
    id_, number = text.splitlines()[1].split()
    root = folder(tmp_path, "one .\n" * int(number) + "last .\n", XML.format(w=333, h=500, objects=""))
    (root / "UNRELATED_CAPTIONS").write_text(text)
    (root / "train.txt").write_text(f"{id_}\n")
    for path in (*root.glob("*/7.txt"), *root.glob("*/7.xml"), *root.glob("*/7.jpg")):
        path.rename(path.with_stem(id_))
    (record,), drops = read(NAME, root, "train")
    assert len(record.captions) == int(number)
    assert record.captions[-1] == "last ."
    assert [(drop.row, drop.reason) for drop in drops] == [(f"line {number}", "caption: of another photo")]


@pytest.mark.parametrize(
    ("objects", "reason", "left"),
    [
        (box("1", 1, 1, 400, 600), "box: clipped to the photo", 1),
        (box("1", 30, 1, 10, 20), "box: outside the photo", 0),  # swapped sides
        (box("1", "NaN", 1, 10, 20), "xml: no number", 0),
        ("<object><name>1</name><bndbox/></object>", "xml: no number", 0),
        (box("1", 400, 1, 420, 20), "box: outside the photo", 0),
    ],
)
def test_bad_boxes_cost_one_object(tmp_path: Path, objects: str, reason: str, left: int) -> None:
    root = folder(tmp_path, "[/EN#1/people A man] .", XML.format(w=333, h=500, objects=objects))
    (record,), drops = read(NAME, root, "train")
    assert len(record.regions) == left
    assert record.captions == ("A man .",)
    assert [(drop.file, drop.row, drop.reason) for drop in drops] == [("Annotations/7.xml", "object 0", reason)]


@pytest.mark.parametrize(
    "xml",
    [
        "<annotation><size>",
        "",
        "<annotation/>",
        '<!DOCTYPE a [<!ENTITY x "boo">]><annotation><size><width>&x;</width></size></annotation>',
        XML.format(w=0, h=500, objects=""),
        XML.format(w=333, h=500, objects="").replace("333", "\x00"),
    ],
)
def test_bad_xml_costs_one_record(tmp_path: Path, xml: str) -> None:
    records, drops = read(NAME, folder(tmp_path, "A man .", xml), "train")
    assert records == []
    assert [drop.row for drop in drops] == ["7"]


def test_bad_sentences(tmp_path: Path) -> None:
    root = folder(tmp_path / "a", b"caf\xe9 .", XML.format(w=333, h=500, objects=""))
    records, drops = read(NAME, root, "train")
    assert [record.captions for record in records] == [("café .",)]
    assert [(drop.reason, drop.repaired) for drop in drops] == [("text: not UTF-8", True)]
    root = folder(
        tmp_path / "b", "[/EN#1/people A man eats .\n", XML.format(w=333, h=500, objects=box("1", 1, 1, 9, 9))
    )
    (record,), drops = read(NAME, root, "train")
    assert record.captions == ("A man eats .",)
    assert [drop.reason for drop in drops] == ["caption: broken brackets"]


def test_missing_files_are_named(tmp_path: Path) -> None:
    source = plugins.load("converters", NAME)
    assert source.find(tmp_path / "nowhere") == ()
    with pytest.raises(SourceError, match=r"train\.txt"):
        source.open(tmp_path, "train")
    (tmp_path / "train.txt").write_text("7\n")
    with pytest.raises(SourceError, match=r"annotations\.zip"):
        source.open(tmp_path, "train")
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Sentences").mkdir()
    with pytest.raises(SourceError, match=r"flickr30k-images/7\.jpg"):
        source.open(tmp_path, "train")


@pytest.mark.parametrize("base", ["annotations", "flickr30k_entities"])
@pytest.mark.parametrize("beside", [True, False], ids=["lists beside", "lists above"])
def test_annotations_in_a_folder_of_their_own(tmp_path: Path, base: str, beside: bool) -> None:
    root = folder(tmp_path, "[/EN#1/people A man] .", XML.format(w=333, h=500, objects=box("1", 1, 1, 10, 20)))
    (root / base).mkdir()
    for name in ("Annotations", "Sentences", *(["train.txt"] if beside else [])):
        (root / name).rename(root / base / name)
    assert plugins.load("converters", NAME).find(root) == ("train",)
    (record,), drops = read(NAME, root, "train")
    assert drops == []
    assert record.origin.file == f"{base}/Annotations/7.xml"
    assert [span.region_ids for span in record.grounded_captions[0].spans] == [("0",)]
