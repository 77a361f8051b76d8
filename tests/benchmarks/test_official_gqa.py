"""GQA's questions and predictions in their own layout: the numbers of its `eval.py`, or one clear line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.official import OfficialError, gqa
from tests.benchmarks.road import bench


def question(
    answer: str, structural: str = "query", group: str | None = "color", balanced: bool = True
) -> dict[str, Any]:
    types = {"structural": structural, "semantic": "attr", "detailed": "attrs"}
    return {"answer": answer, "types": types, "groups": {"global": group, "local": "x"}, "isBalanced": balanced}


QUESTIONS = {
    "1": question("red"), "2": question("red"), "3": question("blue"), "4": question("yes", "verify", None),
    "5": question("no", "logical", None), "6": question("red", balanced=False),
}  # fmt: skip
SAID = {"1": "red", "2": "blue", "3": "Blue", "4": "yes", "5": "yes", "6": "green"}


def files(folder: Path, questions: Any, rows: Any) -> tuple[Path, Path]:
    paths = folder / "testdev_balanced_questions.json", folder / "predictions.json"
    for path, content in zip(paths, (questions, rows), strict=True):
        path.write_text(json.dumps(content))
    return paths


def rows_of(said: dict[str, str]) -> list[dict[str, Any]]:
    return [{"questionId": id_, "prediction": text} for id_, text in said.items()]


def test_numbers_by_hand(tmp_path: Path) -> None:
    found = gqa(*files(tmp_path, QUESTIONS, rows_of(SAID)))
    # right to the letter: 1 and 4; "Blue" in one spelling too. Question 6 is not balanced, and does not count
    assert found.numbers["accuracy"] == 0.4
    assert found.numbers["accuracy[one spelling]"] == 0.6
    assert (found.numbers["binary"], found.numbers["open"]) == (0.5, 1 / 3)
    # colours: two red and one blue are annotated, one red and one blue answered ("Blue" is nobody's answer): (1 - 2)^2 / 2 + 0
    assert found.numbers["distribution"] == 0.5 / 100
    assert [(row["class"], row["n"], row["accuracy"]) for row in found.classes if row["by"] == "structural"] == [
        ("logical", 1, 0.0), ("query", 3, 1 / 3), ("verify", 1, 1.0),
    ]  # fmt: skip


def test_what_is_not_answered_is_wrong_and_said(tmp_path: Path) -> None:
    rows = [*rows_of({"1": "red", "99": "cat"}), {"questionId": 4, "prediction": "yes"}]
    found = gqa(*files(tmp_path, QUESTIONS, rows))
    assert found.numbers["accuracy"] == 0.4
    assert found.notes[0] == "5 balanced questions; 3 have no answer, and count as wrong"
    assert found.notes[1].startswith("1 answers are to questions that are not in")
    shown = bench("gqa", *map(str, files(tmp_path, QUESTIONS, rows)), "--classes")
    assert "structural" in shown.stdout


def test_no_balanced_question_has_no_numbers(tmp_path: Path) -> None:
    assert set(gqa(*files(tmp_path, {"6": QUESTIONS["6"]}, [])).numbers.values()) == {None}


@pytest.mark.parametrize(
    ("questions", "rows", "words"),
    [
        ([], [], "an object of questions by id is right"),
        ({"1": {"answer": "red"}}, [], "types.structural and types.semantic"),
        ({"1": question("red") | {"isBalanced": "yes"}}, [], "true or false"),
        ({"1": question("red") | {"groups": {"global": 3}}}, [], "groups.global"),
        (QUESTIONS, [{"questionId": "1"}], "a text is right"),
        (QUESTIONS, [{"questionId": None, "prediction": "red"}], "a text, as where it is listed, is right"),
        (QUESTIONS, rows_of({"1": "red"}) * 2, "one answer each is right"),
    ],
)
def test_broken_files_are_one_line(tmp_path: Path, questions: Any, rows: Any, words: str) -> None:
    with pytest.raises(OfficialError, match=words) as caught:
        gqa(*files(tmp_path, questions, rows))
    assert "\n" not in str(caught.value)
