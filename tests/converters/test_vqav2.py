"""VQA v2.0: ten answers in the file's own count, the most common one first; broken rows cost themselves alone."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.converters.language import facts, read, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.source import SourceError

NAME = "vqav2"
QUESTION = {"question_id": 1000, "image_id": 1, "question": "What is it?"}
ANSWERS = [{"answer": word, "answer_id": n} for n, word in enumerate(["no"] * 4 + ["yes"] * 6)]
ANNOTATION = {
    "question_id": 1000, "image_id": 1, "answers": ANSWERS, "multiple_choice_answer": "yes",
    "question_type": "what is", "answer_type": "yes/no",
}  # fmt: skip


def files(root: Path, questions: Any, annotations: Any) -> Path:
    for name, content in (
        ("v2_OpenEnded_mscoco_train2014_questions.json", questions),
        ("v2_mscoco_train2014_annotations.json", annotations),
    ):
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        (root / name).write_bytes(text)
    tiny_photo(root / "train2014" / "COCO_train2014_000000000001.jpg")
    return root


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("train", "val")
    assert facts(NAME, root, splits) == set(plugins.load("converters", NAME).offers)
    for split in splits:
        year = {"train": "train2014", "val": "val2014"}[split]
        asked = json.loads((root / f"Questions/v2_OpenEnded_mscoco_{year}_questions.json").read_text())["questions"]
        given = json.loads((root / f"Annotations/v2_mscoco_{year}_annotations.json").read_text())["annotations"]
        records, drops = read(NAME, root, split)
        assert drops == []
        found = {int(q.id): (int(record.id), q) for record in records for q in record.questions}
        assert {row["question_id"]: row["image_id"] for row in asked} == {
            id_: photo for id_, (photo, _) in found.items()
        }
        for row in given:
            question = found[row["question_id"]][1]
            assert question.answers[0].text == row["multiple_choice_answer"]
            assert Counter(a.text for a in question.answers) == Counter(a["answer"] for a in row["answers"])
            assert question.kind == row["answer_type"]


@pytest.mark.parametrize("folder", ["train2014/train2014", "images/mscoco/images/train2014", "coco/train2014"])
def test_photos_where_others_have_them(tmp_path: Path, folder: str) -> None:
    root = files(tmp_path, {"questions": [QUESTION]}, {"annotations": [ANNOTATION]})
    photo = root / "train2014" / "COCO_train2014_000000000001.jpg"
    photo.rename(root / photo.name)
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / photo.name).rename(root / folder / photo.name)
    (record,), drops = read(NAME, root, "train")
    assert (record.photo.path, drops) == (f"{folder}/{photo.name}", [])


def test_an_annotation_need_not_say_its_photo(tmp_path: Path) -> None:
    bare = {key: value for key, value in ANNOTATION.items() if key != "image_id"}
    root = files(tmp_path, {"questions": [QUESTION]}, {"annotations": [bare]})
    (record,), drops = read(NAME, root, "train")
    assert drops == []
    assert [q.answers[0].text for q in record.questions] == ["yes"]


def test_test_split_has_questions_without_answers(tmp_path: Path) -> None:
    (tmp_path / "v2_OpenEnded_mscoco_test-dev2015_questions.json").write_text(json.dumps({"questions": [QUESTION]}))
    tiny_photo(tmp_path / "test2015" / "COCO_test2015_000000000001.jpg")
    (record,), drops = read(NAME, tmp_path, "test_dev")
    assert drops == []
    assert record.photo is not None
    assert record.photo.id == "coco:1"
    assert record.photo.size_wh == (8, 6)
    assert [(q.id, q.question.text, q.answers) for q in record.questions] == [("1000", "What is it?", ())]


def test_most_common_answer_where_none_says_the_chosen_one(tmp_path: Path) -> None:
    row = {**ANNOTATION, "multiple_choice_answer": "Yes!"}
    (record,), _ = read(NAME, files(tmp_path, {"questions": [QUESTION]}, {"annotations": [row]}), "train")
    assert [answer.text for answer in record.questions[0].answers] == ["yes"] + ["no"] * 4 + ["yes"] * 5


@pytest.mark.parametrize(
    ("questions", "annotations", "reason"),
    [
        ([QUESTION], [], "question: no annotation"),
        ([QUESTION], [{**ANNOTATION, "image_id": 2}], "question: another photo"),
        ([QUESTION], [{**ANNOTATION, "answers": [], "multiple_choice_answer": ""}], "question: no answer"),
        ([{**QUESTION, "question": " \n"}], [ANNOTATION], "question: empty"),
        ([QUESTION], [ANNOTATION, {**ANNOTATION, "question_id": 5}], "annotation: unknown question"),
        ([QUESTION, QUESTION], [ANNOTATION], "question: id twice"),
        ([QUESTION], [ANNOTATION, ANNOTATION], "question: id twice"),
        ([QUESTION, {"question_id": 7, "image_id": 1}], [ANNOTATION], "row: unreadable"),
        ([QUESTION, {**QUESTION, "question_id": "x"}], [ANNOTATION], "row: unreadable"),
        ([QUESTION, {**QUESTION, "question_id": float("nan")}], [ANNOTATION], "row: unreadable"),
        ([QUESTION], [ANNOTATION, {**ANNOTATION, "question_id": 8, "answers": 3}], "row: unreadable"),
        ([QUESTION, {**QUESTION, "question_id": 9, "image_id": 77}], [ANNOTATION], "photo: missing"),
    ],
)
def test_one_bad_row_is_said_and_costs_nothing_else(
    tmp_path: Path, questions: list[Any], annotations: list[Any], reason: str
) -> None:
    root = files(tmp_path, {"questions": questions}, {"annotations": annotations})
    records, drops = read(NAME, root, "train")
    assert [drop.reason for drop in drops] == [reason]
    assert [record.id for record in records] == ["1"]


def test_not_utf8_costs_one_row(tmp_path: Path) -> None:
    rows = json.dumps({"questions": [QUESTION, {**QUESTION, "question_id": 2, "question": "caf#"}]}).encode()
    root = files(tmp_path, rows.replace(b"#", b"\xe9"), {"annotations": [ANNOTATION]})
    records, drops = read(NAME, root, "train")
    assert len(records) == 1
    assert [(drop.row, drop.reason) for drop in drops] == [("questions 1", "row: unreadable")]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"questions": {}}', b'{"other": []}', b"\xff", b"[" * 99_999])
def test_a_file_of_another_kind_is_one_line(tmp_path: Path, content: bytes) -> None:
    root = files(tmp_path, content, {"annotations": [ANNOTATION]})
    with pytest.raises(SourceError, match="v2_OpenEnded_mscoco_train2014_questions") as caught:
        plugins.load("converters", NAME).open(root, "train")
    assert "\n" not in str(caught.value)


def test_missing_files_are_named(tmp_path: Path) -> None:
    source = plugins.load("converters", NAME)
    assert source.find(tmp_path / "nowhere") == ()
    with pytest.raises(SourceError, match=r"Questions/v2_OpenEnded_mscoco_val2014_questions\.json"):
        source.open(tmp_path, "val")
    with pytest.raises(SourceError, match="no split of vqav2"):
        source.open(tmp_path, "../val")
    files(tmp_path, {"questions": [QUESTION]}, {"annotations": []})
    (tmp_path / "train2014" / "COCO_train2014_000000000001.jpg").unlink()
    with pytest.raises(SourceError, match=r"COCO_train2014_000000000001\.jpg"):
        source.open(tmp_path, "train")
