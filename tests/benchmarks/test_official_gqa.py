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


def whole_question(answer: str, entailed: list[str], detailed: str = "attrs", **changes: Any) -> dict[str, Any]:
    made = question(answer) | {"entailed": entailed, "question": "what  colour is it ?"} | changes
    return made | {"types": made["types"] | {"detailed": detailed}}


STEPS = [
    {"operation": "select", "argument": "cat (3)"}, {"operation": "filter color", "argument": "red"},
    {"operation": "query", "argument": "name"}, {"operation": "exist", "argument": "?"},
]  # fmt: skip
ALL = {
    "1": whole_question("red", ["1", "2", "3", "6"], semantic=STEPS), "2": whole_question("red", ["1"]),
    "3": whole_question("blue", []), "4": whole_question("yes", ["4"]), "6": whole_question("red", ["1"], isBalanced=False),
    "7": whole_question("color", ["1", "6"], "twoCommon"),
}  # fmt: skip
SAID_ALL = {"1": "red", "2": "blue", "3": "blue", "4": "yes", "6": "red", "7": "color"}
CHOICES = {
    "1": {"valid": ["red", "blue"], "plausible": ["red"]}, "2": {"valid": ["red", "blue"], "plausible": ["red"]},
    "3": {"valid": [], "plausible": []}, "4": {"valid": ["yes"], "plausible": ["no"]},
    "7": {"valid": [], "plausible": []},
}  # fmt: skip


def with_choices(folder: Path, choices: Any = CHOICES) -> Path:
    path = folder / "val_choices.json"
    path.write_text(json.dumps(choices))
    return path


def test_validity_plausibility_consistency_and_lengths_by_hand(tmp_path: Path) -> None:
    paths = files(tmp_path, ALL, rows_of(SAID_ALL))
    found = gqa(*paths, with_choices(tmp_path), consistency=True)
    # 7 asks what two things have in common: color, material and shape are its choices, whatever the file says
    assert (found.numbers["validity"], found.numbers["plausibility"]) == (4 / 5, 2 / 5)
    # 1 is right, and of 2, 3, 6 two are; 2 is wrong; from 3 and 4 nothing (else) follows; 7 is right, and 1 and 6 are
    assert found.numbers["consistency"] == (2 / 3 + 1) / 2
    lengths = [(row["by"], row["class"], row["n"]) for row in found.classes if row["by"] in ("words", "steps")]
    assert lengths == [("steps", "2", 1), ("words", "05", 5)]
    assert "validity" not in gqa(*paths).numbers
    shown = bench("gqa", *paths, "--choices", with_choices(tmp_path), "--consistency")
    assert "consistency" in shown.stdout
    assert "0 of all 6 questions have no answer, and count as wrong for the consistency" in shown.stdout


def test_an_answer_that_is_missing_is_not_valid_and_not_consistent(tmp_path: Path) -> None:
    said = {id_: text for id_, text in SAID_ALL.items() if id_ not in ("4", "6")}
    found = gqa(*files(tmp_path, ALL, rows_of(said)), with_choices(tmp_path), consistency=True)
    assert (found.numbers["validity"], found.numbers["plausibility"]) == (3 / 5, 2 / 5)
    assert found.numbers["consistency"] == (1 / 3 + 1 / 2) / 2
    assert found.notes[1].startswith("2 of all 6 questions have no answer")


def test_nothing_to_be_consistent_with_is_null(tmp_path: Path) -> None:
    found = gqa(*files(tmp_path, {"3": ALL["3"]}, rows_of(SAID_ALL)), consistency=True)
    assert found.numbers["consistency"] is None


def test_questions_may_be_a_folder_of_files(tmp_path: Path) -> None:
    whole = gqa(*files(tmp_path, ALL, rows_of(SAID_ALL)), consistency=True)
    folder = tmp_path / "val_all_questions"
    folder.mkdir()
    for number, (id_, row) in enumerate(ALL.items()):
        (folder / f"val_all_questions_{number}.json").write_text(json.dumps({id_: row}))
    assert gqa(folder, tmp_path / "predictions.json", consistency=True).numbers == whole.numbers


@pytest.mark.parametrize(
    ("questions", "choices", "words"),
    [
        (ALL, {}, "question '1' has {}; lists named valid and plausible are right"),
        (ALL, [], "lists named valid and plausible"),
        (ALL, CHOICES | {"2": {"valid": ["red"], "plausible": "red"}}, "lists named valid and plausible"),
        (
            ALL | {"1": ALL["1"] | {"types": ALL["1"]["types"] | {"detailed": None}}},
            CHOICES,
            "no text as types.detailed",
        ),
        ({id_: row for id_, row in ALL.items() if id_ != "6"}, CHOICES, "entails '6', which is not there"),
        (ALL | {"3": question("blue")}, CHOICES, "a list of question ids is right"),
        (ALL | {"3": ALL["3"] | {"semantic": ["select"]}}, CHOICES, "steps with operation and argument are right"),
    ],
)
def test_broken_choices_and_entailments_are_one_line(tmp_path: Path, questions: Any, choices: Any, words: str) -> None:
    with pytest.raises(OfficialError, match=words) as caught:
        gqa(*files(tmp_path, questions, rows_of(SAID_ALL)), with_choices(tmp_path, choices), consistency=True)
    assert "\n" not in str(caught.value)


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
