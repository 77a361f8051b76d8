"""Visual7W pointing: box ids to regions and middles, choices in an order that tells nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.converters.language import facts, read, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.source import SourceError

NAME = "visual7w"
QA = {
    "qa_id": 1,
    "image_id": 7,
    "question": "Which is it?",
    "answer": 30,
    "multiple_choices": [10, 20, 40],
    "type": "which",
}
BOXES = [
    {"box_id": n, "image_id": 7, "name": f"thing {n}", "x": n, "y": 1, "width": 10, "height": 20}
    for n in (10, 20, 30, 40)
]


def folder(root: Path, qas: list[Any], boxes: Any = BOXES, extra: Any = ()) -> Path:
    images = [{"image_id": 7, "split": "train", "filename": "v7w_7.jpg", "qa_pairs": qas}, *extra]
    (root / "dataset_v7w_pointing.json").write_text(json.dumps({"dataset": "x", "boxes": boxes, "images": images}))
    tiny_photo(root / "images" / "v7w_7.jpg", (80, 60))
    return root


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert "train" in splits
    assert facts(NAME, root, splits) == set(plugins.load("converters", NAME).offers)
    content = json.loads((root / "dataset_v7w_pointing.json").read_text())
    boxes = {row["box_id"]: row for row in content["boxes"]}
    for split in splits:
        records, drops = read(NAME, root, split)
        assert drops == []
        found = {int(q.id): (record, q) for record in records for q in record.questions}
        asked = {qa["qa_id"]: qa for image in content["images"] if image["split"] == split for qa in image["qa_pairs"]}
        assert set(found) == set(asked)
        for id_, qa in asked.items():
            record, question = found[id_]
            (span,) = question.answers[0].spans
            box = boxes[qa["answer"]]
            edges = (box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"])
            assert record.region(span.region_ids[0]).box_xyxy == edges
            assert span.points_xy == (((edges[0] + edges[2]) / 2, (edges[1] + edges[3]) / 2),)
            assert {choice.spans[0].region_ids[0] for choice in question.choices} == {
                str(n) for n in (qa["answer"], *qa["multiple_choices"])
            }


@pytest.mark.parametrize("place", ["visual7w-pointing/dataset.json", "dataset_v7w_pointing/dataset_v7w_pointing.json"])
def test_other_places_of_the_file(tmp_path: Path, place: str) -> None:
    root = folder(tmp_path, [QA])
    official, _ = read(NAME, root, "train")
    (root / place).parent.mkdir()
    (root / "dataset_v7w_pointing.json").rename(root / place)
    records, drops = read(NAME, root, "train")
    assert (records[0].questions, drops) == (official[0].questions, [])


def test_values(tmp_path: Path) -> None:
    (record,), drops = read(NAME, folder(tmp_path, [QA]), "train")
    assert drops == []
    assert record.photo is not None
    assert record.photo.id == "vg:7"
    (question,) = record.questions
    assert [choice.text for choice in question.choices] == ["thing 10", "thing 20", "thing 30", "thing 40"]
    assert (question.answers[0].text, question.kind) == ("thing 30", "which")


@pytest.mark.parametrize(
    ("change", "boxes", "reason"),
    [
        ({"answer": 99}, BOXES, "answer: unknown box"),
        (
            {"multiple_choices": [10, 20, 50]},
            [*BOXES, {**BOXES[0], "box_id": 50, "image_id": 8}],
            "answer: unknown box",
        ),
        ({"multiple_choices": [10, 20, 50]}, [*BOXES, {**BOXES[0], "box_id": 50, "width": 0}], "box: empty"),
        ({"multiple_choices": [10, 20, 50]}, [*BOXES, {**BOXES[0], "box_id": 50, "width": -1}], "box: negative side"),
        ({"multiple_choices": [10, 20, 50]}, [*BOXES, {**BOXES[0], "box_id": 50, "x": 90}], "box: outside the photo"),
        ({"question": ""}, BOXES, "question: empty"),
        ({"qa_id": 1}, BOXES, "question: id twice"),
    ],
)
def test_bad_questions_cost_themselves(tmp_path: Path, change: Any, boxes: Any, reason: str) -> None:
    (record,), drops = read(NAME, folder(tmp_path, [QA, {**QA, "qa_id": 2, **change}], boxes), "train")
    assert [drop.reason for drop in drops] == [reason]
    assert [question.id for question in record.questions] == ["1"]


def test_bad_rows(tmp_path: Path) -> None:
    extra = [
        {"image_id": 8, "split": "trian", "filename": "v7w_8.jpg", "qa_pairs": []},
        {"image_id": 7, "split": "train", "filename": "v7w_7.jpg", "qa_pairs": []},
        {"image_id": 9, "split": "train", "filename": "v7w_9.jpg", "qa_pairs": []},
        {"image_id": 10, "split": "train", "filename": "v7w_9.jpg", "qa_pairs": [{"qa_id": 1}]},
    ]
    boxes = [*BOXES, {"box_id": 3}, {**BOXES[0], "box_id": 5, "x": float("inf")}]
    (record,), drops = read(NAME, folder(tmp_path, [QA], boxes, extra), "train")
    assert len(record.questions) == 1
    assert sorted(drop.reason for drop in drops) == [
        "image: id twice", "image: unknown split", "photo: missing", *["row: unreadable"] * 3
    ]  # fmt: skip


def test_missing_files_are_named(tmp_path: Path) -> None:
    source = plugins.load("converters", NAME)
    with pytest.raises(SourceError, match=r"dataset_v7w_pointing\.json"):
        source.open(tmp_path, "train")
    (tmp_path / "dataset_v7w_pointing.json").write_text('{"images": []}')
    with pytest.raises(SourceError, match="has no `boxes`"):
        source.open(tmp_path, "train")
