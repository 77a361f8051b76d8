"""Visual Genome: four files joined by photo, COCO identities where the source knows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.converters.language import facts, read, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.source import SourceError

NAME = "visual_genome"
IMAGE = {"image_id": 7, "width": 80, "height": 60, "url": "https://cs.stanford.edu/VG_100K/7.jpg", "coco_id": 42}
REGION = {"region_id": 1, "x": 10, "y": 5, "width": 20, "height": 30, "phrase": "a cat sitting on a table. "}
OBJECT = {
    "object_id": 1,
    "x": 0,
    "y": 0,
    "w": 80,
    "h": 60,
    "names": ["table", "desk"],
    "attributes": ["brown", "brown"],
}
QA = {"qa_id": 3, "question": "Where is the cat?", "answer": "On the table.", "a_objects": [], "q_objects": []}


def folder(
    root: Path, regions: Any = (REGION,), objects: Any = (OBJECT,), qas: Any = (QA,), images: Any = (IMAGE,)
) -> Path:
    for name, content in (
        ("image_data", list(images)),
        ("region_descriptions", [{"id": 7, "regions": regions}]),
        ("attributes", [{"image_id": 7, "attributes": objects}]),
        ("question_answers", [{"id": 7, "qas": qas}]),
    ):
        (root / f"{name}.json").write_text(json.dumps(content))
    tiny_photo(root / "VG_100K_2" / "7.jpg", (80, 60))
    return root


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert facts(NAME, root, splits) == set(plugins.load("converters", NAME).offers)
    records, drops = read(NAME, root, "train")
    assert drops == []
    images = {row["image_id"]: row for row in json.loads((root / "image_data.json").read_text())}
    regions = {row["id"]: row["regions"] for row in json.loads((root / "region_descriptions.json").read_text())}
    objects = {row["image_id"]: row["attributes"] for row in json.loads((root / "attributes.json").read_text())}
    assert [int(record.id) for record in records] == list(images)
    for record in records:
        id_ = int(record.id)
        assert record.photo is not None
        coco = images[id_]["coco_id"]
        assert record.photo.id == (f"vg:{id_}" if coco is None else f"coco:{coco}")
        assert {(r.id, r.box_xyxy, r.captions) for r in record.regions if r.captions} == {
            (f"r{r['region_id']}", (r["x"], r["y"], r["x"] + r["width"], r["y"] + r["height"]), (r["phrase"],))
            for r in regions[id_]
        }
        assert {(r.category, r.attributes) for r in record.regions if r.category} == {
            (o["names"][0], tuple(o["attributes"])) for o in objects[id_]
        }
        assert {(e.text, e.region_ids) for e in record.expressions} == {
            (r["phrase"], (f"r{r['region_id']}",)) for r in regions[id_]
        }


def test_values(tmp_path: Path) -> None:
    (record,), drops = read(NAME, folder(tmp_path), "train")
    assert drops == []
    assert record.photo is not None
    assert (record.photo.path, record.photo.size_wh, record.photo.id) == ("VG_100K_2/7.jpg", (80, 60), "coco:42")
    described, thing = record.regions
    assert (described.id, described.box_xyxy, described.captions) == (
        "r1",
        (10, 5, 30, 35),
        ("a cat sitting on a table.",),
    )
    assert (thing.id, thing.category, thing.attributes) == ("o1", "table", ("brown",))
    assert [(q.id, q.question.text, q.answers[0].text) for q in record.questions] == [
        ("3", "Where is the cat?", "On the table.")
    ]


@pytest.mark.parametrize(
    ("part", "row", "reason"),
    [
        ("regions", {**REGION, "region_id": 2, "width": 0}, "box: empty"),
        ("regions", {**REGION, "region_id": 2, "height": -4}, "box: negative side"),
        ("regions", {**REGION, "region_id": 2, "x": 90}, "box: outside the photo"),
        ("regions", {**REGION, "region_id": 2, "phrase": " "}, "phrase: empty"),
        ("regions", REGION, "region: id twice"),
        ("regions", {**REGION, "x": "wide"}, "row: unreadable"),
        ("regions", {**REGION, "x": float("nan")}, "row: unreadable"),
        ("objects", {**OBJECT, "object_id": 2, "names": []}, "object: no name"),
        ("objects", OBJECT, "object: id twice"),
        ("qas", {**QA, "qa_id": 4, "answer": ""}, "question: no answer"),
        ("qas", {**QA, "qa_id": 4, "question": ""}, "question: empty"),
        ("qas", QA, "question: id twice"),
    ],
)
def test_bad_rows_cost_themselves(tmp_path: Path, part: str, row: dict[str, Any], reason: str) -> None:
    first = {"regions": REGION, "objects": OBJECT, "qas": QA}[part]
    (record,), drops = read(NAME, folder(tmp_path, **{part: [first, row]}), "train")
    assert [drop.reason for drop in drops] == [reason]
    assert (len(record.regions), len(record.questions)) == (2, 1)


def test_a_box_over_the_edge_is_clipped(tmp_path: Path) -> None:
    (record,), drops = read(NAME, folder(tmp_path, regions=[{**REGION, "x": 70}]), "train")
    assert record.regions[0].box_xyxy == (70, 5, 80, 35)
    assert [(drop.reason, drop.repaired) for drop in drops] == [("box: clipped to the photo", True)]


def test_rows_of_unknown_photos_and_lists_that_are_none(tmp_path: Path) -> None:
    root = folder(tmp_path, images=[IMAGE, IMAGE, {"image_id": 9}])
    rows = [{"id": 7, "regions": [REGION]}, {"id": 7, "regions": []}, {"id": 8, "regions": []}]
    (root / "region_descriptions.json").write_text(json.dumps(rows))
    (record,), drops = read(NAME, root, "train")
    assert len(record.expressions) == 1
    assert sorted(drop.reason for drop in drops) == [
        "image: id twice", "image: id twice", "image: unknown", "row: unreadable"
    ]  # fmt: skip
    root = folder(tmp_path, regions={"not": "a list"})
    records, drops = read(NAME, root, "train")
    assert records == []
    assert [drop.row for drop in drops] == ["image 7"]


def test_optional_files_may_be_away(tmp_path: Path) -> None:
    root = folder(tmp_path)
    (root / "attributes.json").unlink()
    (root / "question_answers.json").unlink()
    (record,), drops = read(NAME, root, "train")
    assert drops == []
    assert [region.id for region in record.regions] == ["r1"]
    assert record.questions == ()


def test_missing_files_are_named(tmp_path: Path) -> None:
    source = plugins.load("converters", NAME)
    with pytest.raises(SourceError, match=r"image_data\.json"):
        source.open(tmp_path, "train")
    folder(tmp_path)
    (tmp_path / "region_descriptions.json").write_text('[{"id": 7, "regi')
    with pytest.raises(SourceError, match=r"region_descriptions\.json: no JSON \(cut at byte 16\)"):
        source.open(tmp_path, "train")
    with pytest.raises(SourceError, match="no official ones"):
        source.open(tmp_path, "val")


def test_version_1_0_has_other_names(tmp_path: Path) -> None:
    """Its ids are all called `id`; attributes are rows of their own, numbered on their own, tied by box and name."""
    box = {"x": 0, "y": 0, "w": 80, "h": 60}
    region = {key: value for key, value in REGION.items() if key != "region_id"} | {"id": 1, "image": 7}
    said = [
        box | {"id": n, "object_names": ["table"], "attributes": [word]} for n, word in ((91, "brown"), (92, "old"))
    ]
    other = {"x": 1, "y": 0, "w": 9, "h": 9, "id": 93, "object_names": ["table"], "attributes": ["new"]}
    root = folder(tmp_path, regions=[region], objects=[*said, other], images=[{**IMAGE, "id": 7, "image_id": -1}])
    (root / "objects.json").write_text(json.dumps([{"id": 7, "objects": [box | {"id": 5, "names": ["table"]}]}]))
    (root / "question_answers.json").write_text(json.dumps([{"id": 7, "qas": [{**QA, "image_id": 7}]}]))
    (record,), drops = read(NAME, root, "train")
    assert drops == []
    assert record.photo is not None
    assert record.photo.id == "coco:42"
    assert [(region.id, region.category, region.attributes) for region in record.regions] == [
        ("r1", "", ()), ("o5", "table", ("brown", "old")),
    ]  # fmt: skip


def test_version_1_4_has_merged_objects_with_the_attributes_of_1_2(tmp_path: Path) -> None:
    old = [{**OBJECT, "object_id": n, "attributes": [word]} for n, word in ((1, "brown"), (2, "old"), (3, "dirty"))]
    merged = {key: value for key, value in OBJECT.items() if key != "attributes"} | {"merged_object_ids": [2]}
    root = folder(tmp_path, objects=old)
    (root / "objects.json").write_text(json.dumps([{"image_id": 7, "objects": [merged], "image_url": "x"}]))
    (record,), drops = read(NAME, root, "train")
    assert drops == []
    assert [(r.id, r.attributes) for r in record.regions if r.category] == [("o1", ("brown", "old"))]


def test_rows_without_an_id_are_said(tmp_path: Path) -> None:
    bare = [{key: value for key, value in row.items() if not key.endswith("_id")} for row in (REGION, OBJECT, QA)]
    root = folder(tmp_path, regions=[bare[0]], objects=[bare[1]], qas=[bare[2]])
    (record,), drops = read(NAME, root, "train")
    assert (record.regions, record.questions) == ((), ())
    assert sorted(drop.reason for drop in drops) == ["object: no id", "question: no id", "region: no id"]
