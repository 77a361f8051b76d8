"""PointQA: one question for every point, words that point tied to it, lists of splits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.converters.language import facts, read, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.source import SourceError

NAME = "pointqa"
OBJECT = {"x": 10, "y": 10, "w": 20, "h": 20, "names": ["shirt"], "attributes": ["red"], "object_id": 5}
LOCAL = {
    "question": "What color is this shirt?", "all_ans": ["red", "blue"], "id": 7,
    "all_objs": [OBJECT, {**OBJECT, "x": 40}],
    "points": [{"x": 20, "y": 20, "ans": "red"}, {"x": 50, "y": 20, "ans": "blue"}],
}  # fmt: skip
TWICE = {
    "obj_question": "How many of these sheep are there?", "super_question": "How many of these animals are there?",
    "general_question": "How many of these are there?", "ans": 3, "bbox": OBJECT, "point": {"x": 20, "y": 20},
    "obj_type": "sheep", "supercategory": "animal", "id": 7,
}  # fmt: skip


def folder(root: Path, rows: list[Any], stem: str = "LocalQA/localqa", ids: Any = ("7",)) -> Path:
    (root / stem).parent.mkdir(parents=True, exist_ok=True)
    (root / f"{stem}_dataset.json").write_text(json.dumps({"7": rows, "8": []}))
    (root / f"{stem}_train_imgs.json").write_text(json.dumps(list(ids)))
    tiny_photo(root / "VG_100K" / "7.jpg", (80, 60))
    return root


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert {"train_local", "train_twice"} <= set(splits)
    assert facts(NAME, root, splits) == set(plugins.load("converters", NAME).offers)
    local = json.loads((root / "LocalQA/localqa_dataset.json").read_text())
    for split in splits:
        records, drops = read(NAME, root, split)
        assert drops == []
        for record in records if split.endswith("local") else []:
            wanted = [(row["question"], point["ans"]) for row in local[record.id] for point in row["points"]]
            assert [(q.question.text, q.answers[0].text) for q in record.questions] == wanted


def test_local_is_asked_once_for_each_point(tmp_path: Path) -> None:
    (record,), drops = read(NAME, folder(tmp_path, [LOCAL]), "train_local")
    assert drops == []
    first, second = record.questions
    assert [(q.id, q.answers[0].text) for q in (first, second)] == [("0_0", "red"), ("0_1", "blue")]
    (span,) = second.question.spans
    assert second.question.text[span.start : span.stop] == "this shirt"
    assert span.points_xy == ((50.0, 20.0),)
    assert record.region(span.region_ids[0]).box_xyxy == (40, 10, 60, 30)
    assert record.region(span.region_ids[0]).category == "shirt"


@pytest.mark.parametrize("every", [["blue", "red"], ["red"], []])
def test_each_point_has_its_own_answer(tmp_path: Path, every: list[str]) -> None:
    """The original's `all_ans` is the set of answers: of another order, and shorter where two points agree."""
    (record,), drops = read(NAME, folder(tmp_path, [{**LOCAL, "all_ans": every}]), "train_local")
    assert drops == []
    assert [q.answers[0].text for q in record.questions] == ["red", "blue"]


def test_points_without_answers_take_those_of_their_place(tmp_path: Path) -> None:
    bare = {**LOCAL, "points": [{"x": 20, "y": 20}, {"x": 50, "y": 20}]}
    (record,), drops = read(NAME, folder(tmp_path, [bare, {**bare, "all_ans": ["red"]}]), "train_local")
    assert [q.answers[0].text for q in record.questions] == ["red", "blue"]
    assert [drop.reason for drop in drops] == ["question: lists of different length"]


def test_look_twice_has_three_wordings(tmp_path: Path) -> None:
    root = folder(tmp_path / "Datasets", [TWICE], "LookTwiceQA/looktwiceqa", [7])
    (root / "VG_100K").rename(tmp_path / "VG_100K")
    (record,), drops = read(NAME, tmp_path, "train_twice")
    assert drops == []
    assert len(record.regions) == 1
    words = [q.question.text[q.question.spans[0].start : q.question.spans[0].stop] for q in record.questions]
    assert words == ["these sheep", "these animals", "these"]
    assert [(q.kind, q.answers[0].text) for q in record.questions] == [
        ("object", "3"), ("supercategory", "3"), ("general", "3")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"all_objs": [OBJECT]}, "question: lists of different length"),
        ({"points": [{"x": 20, "y": 20, "ans": " "}, {"x": 50, "y": 20, "ans": "blue"}]}, "question: no answer"),
        ({"points": [{"x": 20, "y": 20}, {"x": 50, "y": 20, "ans": "blue"}]}, "question: no answer"),
        ({"points": [{"x": 20, "y": 20}, {"x": 81, "y": 20}]}, "point: outside the photo"),
        ({"points": [{"x": 20, "y": 20}, {"x": float("nan"), "y": 20}]}, "row: unreadable"),
        ({"all_objs": [OBJECT, {**OBJECT, "w": 0}]}, "box: empty"),
        ({"question": "?!"[:0]}, "question: empty"),
        ({"points": None}, "row: unreadable"),
    ],
)
def test_bad_rows_cost_themselves(tmp_path: Path, change: Any, reason: str) -> None:
    (record,), drops = read(NAME, folder(tmp_path, [LOCAL, {**LOCAL, **change}]), "train_local")
    assert [drop.reason for drop in drops] == [reason]
    assert [q.id for q in record.questions] == ["0_0", "0_1"]


def test_lists_name_known_photos_once(tmp_path: Path) -> None:
    records, drops = read(NAME, folder(tmp_path, [LOCAL], ids=["7", 7, "99", "8", None]), "train_local")
    assert [record.id for record in records] == ["7"]
    assert sorted(drop.reason for drop in drops) == [
        "list: id twice", "list: no questions", "photo: missing", "row: unreadable"
    ]  # fmt: skip


@pytest.mark.parametrize("place", ["VG_100K/VG_100K", "vg/VG_100K_2", "visual_genome/images"])
def test_visual_genomes_photos_where_others_have_them(tmp_path: Path, place: str) -> None:
    root = folder(tmp_path, [LOCAL])
    (root / "VG_100K").rename(root / "away")
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / "away").rename(root / place)
    (record,), drops = read(NAME, root, "train_local")
    assert (record.photo.path, drops) == (f"{place}/7.jpg", [])


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"LocalQA/localqa_dataset\.json"):
        plugins.load("converters", NAME).open(tmp_path, "val_local")
