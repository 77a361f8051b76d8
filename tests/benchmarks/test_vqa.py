"""VQA and POPE: what the official scripts answered is kept here (`vqa_answers.json`, texts written for the purpose), the rest is
laws and lists of what models really say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scorer import MISSING, Answered, Setting
from benchmarks.scorers import pope, vqa
from benchmarks.scorers._vqa_words import CONTRACTIONS, same_answer
from benchmarks.scorers.vqa import soft_accuracy
from tests.benchmarks.made import answered, dialogue
from vtinstruct.dialogue import Dialogue, Evaluation

SEEN = json.loads((Path(__file__).parent / "vqa_answers.json").read_text("utf-8"))
NO_INTERVALS = Setting(resamples=0)


@pytest.mark.parametrize(("text", "spelled"), SEEN["spelled"])
def test_spelling_is_the_official_one(text: str, spelled: str) -> None:
    assert same_answer(text) == spelled


@pytest.mark.parametrize(("said", "answers", "expected"), SEEN["scored"])
def test_soft_accuracy_is_the_official_one(said: str, answers: list[str], expected: float) -> None:
    assert soft_accuracy(said, answers) == pytest.approx(expected, abs=1e-14)


def test_contractions_are_as_many_as_the_official_table_has() -> None:
    # of its 120 rows four spell "I" large, which no lower-cased word can be, and two change nothing
    assert len(CONTRACTIONS) == 114


@given(st.text(max_size=30), st.lists(st.text(max_size=8), min_size=4, max_size=10))
def test_laws_of_the_soft_score(said: str, answers: list[str]) -> None:
    score = soft_accuracy(said, answers)
    assert 0 <= score <= 1
    assert soft_accuracy(said, list(reversed(answers))) == pytest.approx(score)
    assert soft_accuracy(said, answers, always_respell=True) >= 0
    assert soft_accuracy(answers[0], answers[:1] * 4) == 1


def one(task: str, said: str, answers: tuple[str, ...], kind: str = "") -> vqa.Row:
    truth = dialogue("q", task, [answers[0]], evaluation=Evaluation(answers=answers, question_kind=kind))
    return vqa.SCORER.score(truth, answered(said), NO_INTERVALS)


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("B", True), ("B.", True), ("(B)", True), ("B) it sleeps", True), ("B: It sleeps.", True), ("It sleeps.", True),
        ("it sleeps", True), ("A", False), ("A: It sleeps.", False), ("(A) It sleeps.", False), ("", False),
        ("Because it is tired", False), ("B or A", False),
    ],
)  # fmt: skip
def test_choices_are_right_by_letter_or_by_words(said: str, right: bool) -> None:
    assert one("vqa_box", said, ("B", "It sleeps."))["exact"] == right


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("Two. The picture shows two cups.", True), ("Answer: 2. Explanation: there are two.", True),
        ("The answer is 2 because I see two.", True), ("2", True), ("2, and this is why: I counted.", True),
        ("Twenty. I counted.", False), ("Because there are 2.", False), ("I see 2 cups", False), ("", False),
    ],
)  # fmt: skip
def test_a_reason_may_follow_an_answer(said: str, right: bool) -> None:
    assert one("vqa_reasoning", said, ("2",))["exact"] == right


def test_every_rule_has_its_number() -> None:
    ten = ("cat",) * 6 + ("kitten",) * 4
    rows = [
        one("vqa", "The cat.", ten, "what"), one("vqa", "kitten", ten, "what"), one("vqa", "dog", ten, "what"),
        one("vqa", "Yes", ("yes",) * 10, "is"), one("vqa", "left", ("left",), "where"),
    ]  # fmt: skip
    found = vqa.SCORER.summarize(vqa.SCORER.frame(rows), NO_INTERVALS)
    assert found.numbers == {
        "exact": 3 / 5,  # the cat, Yes, left
        "accuracy": (1 + 1 + 0 + 0) / 4,  # "Yes" is wrong beside ten times "yes"; kitten: three others or more said so
        "accuracy[corrected]": 3 / 4,
        "any": 4 / 5,
        "verbatim": 1 / 5,
    }
    assert found.details["kinds"]["what"] == {"n": 3, "exact": 1 / 3, "accuracy": 2 / 3}
    assert found.details["kinds"]["where"]["accuracy"] is None


# --- POPE ------------------------------------------------------------------------------------------------------------

# what is said, as read here, as the official script reads it
ANSWERS = [
    ("Yes", "yes", "yes"), ("No", "no", "no"), ("yes, there is a dog.", "yes", "yes"), ("No, there is no dog.", "no", "no"),
    ("There is a dog.", "yes", "yes"), ("There is not a dog in it.", "no", "no"), ("The image does not show one", "no", "no"),
    ("NO", "no", "yes"),  # shouted
    ("Nope.", "no", "yes"),
    ("I can't see one.", "no", "yes"),
    ("", "", "yes"),  # silence
    ("I am unsure.", "", "yes"),
    ("Yes, but there is no cat.", "yes", "no"),  # "no" of something else
    ("Not sure. Yes?", "no", "yes"),  # only "not" in small letters is on its list; the first sentence says no
    ("no.", "no", "no"), ("Yes. No. Yes.", "yes", "yes"), ("nothing", "", "yes"), ("**Yes**", "yes", "yes"), ("\"No\"", "no", "yes"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "read", "script"), ANSWERS)
def test_answers_are_read(text: str, read: str, script: str) -> None:
    assert pope.read_answer(text) == read
    assert pope.read_as_script(text) == script


def probe(number: int, label: str) -> Dialogue:
    return dialogue(f"p{number}", "vqa", [label], evaluation=Evaluation(answers=(label,), question_kind="yes/no"))


def summed(pairs: list[tuple[str, Answered]]) -> pope.Summary:
    rows = [pope.SCORER.score(probe(n, label), answer, NO_INTERVALS) for n, (label, answer) in enumerate(pairs)]
    return pope.SCORER.summarize(pope.SCORER.frame(rows), NO_INTERVALS)


def test_numbers_by_hand() -> None:
    found = summed([("yes", answered("Yes")), ("yes", answered("No")), ("no", answered("Yes")), ("no", answered("NO"))])
    half = {"accuracy": 0.5, "precision": 0.5, "recall": 0.5, "F1": 0.5, "yes_ratio": 0.5}
    assert {name: found.numbers[name] for name in half} == half
    # shouting is a yes to the script: one hit, two false alarms
    assert found.numbers["accuracy[script]"] == 1 / 4
    assert found.numbers["precision[script]"] == pytest.approx(1 / 3)
    assert found.numbers["yes_ratio[script]"] == 3 / 4


def test_what_says_neither_is_wrong_and_counted() -> None:
    found = summed([("yes", answered("perhaps")), ("no", answered("perhaps")), ("yes", MISSING), ("no", MISSING)])
    assert found.numbers["accuracy"] == found.numbers["recall"] == found.numbers["F1"] == 0.0
    assert found.numbers["yes_ratio"] == 0.0
    assert found.details == {"yes": 2, "no": 2, "neither": 2}
    assert found.numbers["accuracy[script]"] == 1 / 4  # "perhaps" is a yes to the script; a missing answer is wrong


def test_saying_yes_to_everything_shows() -> None:
    found = summed([(label, answered("Yes.")) for label in ("yes", "no") * 5])
    assert found.numbers["yes_ratio"] == found.numbers["recall"] == 1.0
    assert found.numbers["accuracy"] == found.numbers["precision"] == 0.5
    assert found.numbers["F1"] == pytest.approx(2 / 3)


def test_real_probes_all_right(shared_data) -> None:
    lines = (shared_data("pope") / "coco/coco_pope_adversarial.json").read_text().splitlines()
    labels = [json.loads(line)["label"] for line in lines if line.strip()]
    found = summed([(label, answered(label.capitalize() + ".")) for label in labels])
    assert {name: value for name, value in found.numbers.items() if "ratio" not in name} == dict.fromkeys(
        [m.name for m in pope.METRICS if "ratio" not in m.name], 1.0
    )
    assert found.numbers["yes_ratio"] == labels.count("yes") / len(labels) == 0.5
