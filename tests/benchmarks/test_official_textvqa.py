"""TextVQA's annotations with the challenge's rows or LLaVA's: the numbers of its evaluator, or one clear line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.official import OfficialError, textvqa
from benchmarks.official.textvqa import evalai_answer
from tests.benchmarks.road import bench

# what `EvalAIAnswerProcessor` was seen to make of texts that were written for the purpose
SEEN = [
    ("The Red, car?", "red car"), ("1,000", "1000"), ("joe's", "joe 's"), ("Joe's diner.", "joe 's diner"), ("its", "its"),
    ("it's", "it 's"), ("dont", "don't"), ("10:30", "10:30"), ("3.5", "3.5"), ("p.m.", "pm"), ("a/b", "b"), ("stop!", "stop"),
    ("red/blue", "red blue"), ("none", "0"), ("ten", "10"), ("", ""), ("犬 ,", "犬"),
]  # fmt: skip
DATA = [
    {"question_id": 1, "image_id": "a", "question": "What is Written?", "answers": ["Stop"] * 2 + ["go"] * 8},
    {"question_id": 2, "image_id": "b", "question": "What is Written?", "answers": ["Joe's"] * 4 + ["joe s"] * 6},
    {"question_id": 3, "image_id": "b", "question": "Which number?", "answers": ["2"] * 10},
]


def files(folder: Path, data: Any, rows: Any, lines: bool = False) -> tuple[Path, Path]:
    paths = folder / "TextVQA_0.5.1_val.json", folder / "answers.json"
    paths[0].write_text(json.dumps({"data": data}))
    paths[1].write_text("\n".join(map(json.dumps, rows)) if lines else json.dumps(rows))
    return paths


@pytest.mark.parametrize(("text", "spelled"), SEEN)
def test_spelling_is_the_evaluators(text: str, spelled: str) -> None:
    assert evalai_answer(text) == spelled


def test_numbers_by_hand_in_both_layouts(tmp_path: Path) -> None:
    # two of ten said "stop": each of them has one other, the others two. "Two" is 2. The second is not answered
    expected = (2 * 1 / 3 + 8 * 2 / 3) / 10
    rows: list[dict[str, Any]] = [{"question_id": 1, "answer": "stop!"}, {"question_id": 3, "pred_answer": "Two"}]
    found = textvqa(*files(tmp_path, DATA, rows))
    assert found.numbers["accuracy"] == pytest.approx((expected + 1) / 3)
    assert found.numbers["accuracy[answered]"] == pytest.approx((expected + 1) / 2)
    assert found.notes == ("2 of 3 questions are answered; the others count 0 in `accuracy`",)
    end = "Answer the question using a single word or phrase."
    prompts = (
        (f"what is written?\n{end}", f"Which number?\n{end}"),
        (f"What is Written?\nReference OCR token: x\n{end}", f"Reference OCR token: x\nWhich number?\n{end}"),
        ("OCR tokens: x\ny. Question: What is Written? Short answer:",) * 2,
    )
    for first, second in prompts:
        images = ("a", "b") if first != second else ("a",)
        said = [
            {"question_id": image, "prompt": prompt, "text": text}
            for image, prompt, text in zip(images, (first, second), ("stop!", "Two"), strict=False)
        ]
        again = textvqa(*files(tmp_path, DATA, said, lines=True))
        if len(said) == 2:
            assert again.numbers == found.numbers
        else:
            assert again.numbers["accuracy[answered]"] == pytest.approx(expected)
    shown = bench("textvqa", *files(tmp_path, DATA, rows))
    assert f"{found.numbers['accuracy']:.6f}" in shown.stdout


def test_a_picture_may_be_asked_the_same_twice(tmp_path: Path) -> None:
    data = [DATA[0], DATA[0] | {"question_id": 9, "answers": ["stop"] * 10}]
    said = {"question_id": "a", "prompt": "What is written?\nAnswer.", "text": "stop"}
    assert textvqa(*files(tmp_path, data, [said, said])).numbers == {"accuracy": 1, "accuracy[answered]": 1}
    with pytest.raises(OfficialError, match="again; one answer a question is right"):
        textvqa(*files(tmp_path, data, [said] * 3))


def test_nothing_asked_or_answered(tmp_path: Path) -> None:
    assert textvqa(*files(tmp_path, [], [])).numbers == {"accuracy": None, "accuracy[answered]": None}
    assert textvqa(*files(tmp_path, DATA, [])).numbers == {"accuracy": 0, "accuracy[answered]": None}


@pytest.mark.parametrize(
    ("data", "rows", "words"),
    [
        (None, [], "a list of objects is right"),
        ([DATA[0] | {"answers": ["a"] * 9}], [], "10 texts are right"),
        ([DATA[0] | {"answers": [{"answer": "a"}] * 10}], [], "10 texts are right"),
        (DATA, [{"question_id": 1}], "has answer None; a text is right"),
        (DATA, [{"question_id": 7, "answer": "a"}], "question 7, which is not annotated"),
        (DATA, [{"question_id": 1, "answer": "a"}] * 2, "question 1 again; one answer a question is right"),
        (DATA, [{"question_id": "1", "answer": "a"}], "a whole number is right"),
        (DATA, [{"question_id": "a", "prompt": "What is written?", "text": "a"}], "on the first of two lines"),
        (DATA, [{"question_id": "a", "prompt": "OCR tokens: What is written?", "text": "a"}], "as LLaVA's script"),
        (DATA, [{"question_id": 1, "prompt": "What is written?\n", "text": "a"}], "as LLaVA's script"),
        ([{**DATA[0], "image_id": 1}], [{"question_id": "a", "prompt": "x\n", "text": "a"}], "no texts image_id"),
    ],
)
def test_broken_files_are_one_line(tmp_path: Path, data: Any, rows: Any, words: str) -> None:
    with pytest.raises(OfficialError, match=words) as caught:
        textvqa(*files(tmp_path, data, rows))
    assert "\n" not in str(caught.value)
