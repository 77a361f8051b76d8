"""GQA: words to objects, by quotations of the real files; scene graphs, hidden answers, bad rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.converters.language import facts, read, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.record import GroundedText
from vtinstruct.source import SourceError

NAME = "gqa"
# Question 07333408 of the real files, as public readers quote it.
WALL = {
    "question": "What is on the white wall?", "imageId": "2375429", "answer": "pipe", "isBalanced": True,
    "annotations": {"answer": {"0": "722335"}, "question": {"4:6": "722332"},
                    "fullAnswer": {"1": "722335", "5": "722332"}},
    "types": {"detailed": "relS", "semantic": "rel", "structural": "query"}, "fullAnswer": "The pipe is on the wall.",
}  # fmt: skip
BOX = {"x": 1, "y": 2, "w": 3, "h": 4, "relations": []}
GRAPH = {
    "width": 80, "height": 60, "location": "indoors",
    "objects": {
        "722332": {"name": "wall", **BOX, "attributes": ["white", "white"]},
        "722335": {"name": "pipe", **BOX, "attributes": []},
    },
}  # fmt: skip


def folder(root: Path, questions: dict[str, Any], graph: Any = GRAPH) -> Path:
    (root / "questions1.2").mkdir(parents=True, exist_ok=True)
    (root / "sceneGraphs").mkdir(exist_ok=True)
    (root / "questions1.2" / "val_balanced_questions.json").write_text(json.dumps(questions))
    (root / "sceneGraphs" / "val_sceneGraphs.json").write_text(json.dumps({"2375429": graph}))
    tiny_photo(root / "images" / "2375429.jpg", (80, 60))
    return root


def spans(text: GroundedText | None) -> list[tuple[str, tuple[str, ...]]]:
    assert text is not None
    return [(text.text[span.start : span.stop], span.region_ids) for span in text.spans]


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("train_balanced", "val_balanced")
    assert facts(NAME, root, splits) == set(plugins.load("converters", NAME).offers)
    for split in splits:
        rows = json.loads((root / "questions1.2" / f"{split}_questions.json").read_text())
        records, drops = read(NAME, root, split)
        assert drops == []
        found = {q.id: (record, q) for record in records for q in record.questions}
        assert set(found) == set(rows)
        for id_, row in rows.items():
            record, question = found[id_]
            assert record.id == row["imageId"]
            for text in (question.question, question.reason):
                for words, regions in spans(text):
                    assert words.endswith(record.region(regions[0]).category)


def test_quoted_question(tmp_path: Path) -> None:
    (record,), drops = read(NAME, folder(tmp_path, {"07333408": WALL}), "val_balanced")
    assert drops == []
    (question,) = record.questions
    assert spans(question.question) == [("white wall", ("722332",))]
    assert spans(question.answers[0]) == [("pipe", ("722335",))]
    assert spans(question.reason) == [("pipe", ("722335",)), ("wall", ("722332",))]
    assert question.evidence_ids == ("722332", "722335")
    assert (question.kind, record.photo and record.photo.id) == ("query", "vg:2375429")
    assert [(r.id, r.category, r.box_xyxy, r.attributes) for r in record.regions] == [
        ("722332", "wall", (1, 2, 4, 6), ("white",)),
        ("722335", "pipe", (1, 2, 4, 6), ()),
    ]


def test_coco_identity_where_visual_genome_tells_it(tmp_path: Path) -> None:
    root = folder(tmp_path, {"1": WALL})
    row = {"image_id": 2375429, "width": 80, "height": 60, "coco_id": 42}
    (root / "image_data.json").write_text(json.dumps([row]))
    (record,), _ = read(NAME, root, "val_balanced")
    assert record.photo is not None
    assert record.photo.id == "coco:42"


def test_hidden_answers_and_no_graph(tmp_path: Path) -> None:
    (tmp_path / "test_all_questions.json").write_text(
        json.dumps({"201": {"isBalanced": True, "question": "Is it red?", "imageId": "n161313"}})
    )
    tiny_photo(tmp_path / "images" / "n161313.jpg")
    (record,), drops = read(NAME, tmp_path, "test_all")
    assert drops == []
    assert record.photo is not None
    assert record.photo.id == "gqa:n161313"
    assert [(q.answers, q.reason) for q in record.questions] == [((), None)]


def test_train_all_comes_in_pieces(tmp_path: Path) -> None:
    pieces = tmp_path / "questions1.2" / "train_all_questions"
    pieces.mkdir(parents=True)
    for n in range(3):
        (pieces / f"train_all_questions_{n}.json").write_text(json.dumps({str(n): WALL}))
    tiny_photo(tmp_path / "images" / "2375429.jpg")
    (record,), drops = read(NAME, tmp_path, "train_all")
    assert drops == []
    assert [question.id for question in record.questions] == ["0", "1", "2"]
    assert record.questions[0].question == GroundedText("What is on the white wall?")


@pytest.mark.parametrize(
    ("ties", "reason"),
    [
        ({"9": "722332"}, "tie: no such words"),
        ({"4:9": "722332"}, "tie: no such words"),
        ({"5:4": "722332"}, "tie: no such words"),
        ({"x": "722332"}, "tie: no such words"),
        ({"4:6": "722332", "5": "722335"}, "tie: overlapping words"),
    ],
)
def test_bad_ties_cost_the_tie(tmp_path: Path, ties: dict[str, str], reason: str) -> None:
    row = {**WALL, "annotations": {"question": ties, "answer": {}, "fullAnswer": {}}}
    (record,), drops = read(NAME, folder(tmp_path, {"1": row}), "val_balanced")
    assert [(drop.row, drop.reason, drop.repaired) for drop in drops] == [("question 1, question", reason, True)]
    assert record.questions[0].question.text == WALL["question"]


def test_bad_rows_cost_themselves(tmp_path: Path) -> None:
    graph = {
        **GRAPH,
        "objects": {**GRAPH["objects"], "3": {"name": "dot", **BOX, "w": 0}, "4": {"name": "far", **BOX, "x": 99}},
    }
    rows = {
        "1": {**WALL, "annotations": {"question": {"5": "3"}, "answer": {}, "fullAnswer": {}}},
        "2": {**WALL, "question": ""},
        "3": {**WALL, "imageId": 5},
        "4": {**WALL, "imageId": "404"},
    }
    (record,), drops = read(NAME, folder(tmp_path, rows, graph), "val_balanced")
    assert len(record.regions) == 2
    assert [(q.id, q.question.spans) for q in record.questions] == [("1", ())]
    assert sorted(drop.reason for drop in drops) == [
        "box: empty", "box: outside the photo", "photo: missing", "question: empty", "row: unreadable"
    ]  # fmt: skip


def test_missing_files_are_named(tmp_path: Path) -> None:
    source = plugins.load("converters", NAME)
    with pytest.raises(SourceError, match=r"questions1\.2/val_all_questions\.json"):
        source.open(tmp_path, "val_all")
    (tmp_path / "val_all_questions.json").write_text("[]")
    with pytest.raises(SourceError, match="a JSON object of rows"):
        source.open(tmp_path, "val_all")
