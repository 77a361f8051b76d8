"""OK-VQA: VQA's two files without a chosen answer; the most frequent of the ten is taught."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.converters.language import facts, read, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.source import SourceError

NAME = "okvqa"


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("train", "val")
    assert facts(NAME, root, splits) == set(plugins.load("converters", NAME).offers)
    for split in splits:
        given = json.loads((root / f"mscoco_{split}2014_annotations.json").read_text())["annotations"]
        records, drops = read(NAME, root, split)
        assert drops == []
        found = {int(q.id): q for record in records for q in record.questions}
        assert len(found) == len(given)
        for row in given:
            answers = [answer["answer"] for answer in row["answers"]]
            question = found[row["question_id"]]
            assert Counter(a.text for a in question.answers) == Counter(answers)
            assert question.answers[0].text == max(answers, key=answers.count)


def test_official_row(tmp_path: Path) -> None:
    words = ["pony tail", "pony tail", "braid", "braid", "pony tail", "pony tail", "", "hair", "hair", "pony tail"]
    rows = [
        {"answer_id": n + 1, "raw_answer": word, "answer_confidence": "yes", "answer": word}
        for n, word in enumerate(words)
    ]
    annotation = {
        "image_id": 51606, "answer_type": "other", "question_type": "four", "question_id": 516065, "answers": rows,
        "confidence": 3,
    }  # fmt: skip
    question = {"image_id": 51606, "question": "What is the hairstyle of the blond called?", "question_id": 516065}
    (tmp_path / "OpenEnded_mscoco_train2014_questions.json").write_text(json.dumps({"questions": [question]}))
    (tmp_path / "mscoco_train2014_annotations.json").write_text(json.dumps({"annotations": [annotation]}))
    tiny_photo(tmp_path / "images" / "train2014" / "COCO_train2014_000000051606.jpg")
    (record,), drops = read(NAME, tmp_path, "train")
    assert drops == []
    assert record.id == "51606"
    assert [answer.text for answer in record.questions[0].answers][:2] == ["pony tail", "pony tail"]
    assert len(record.questions[0].answers) == 9  # an empty answer is nobody's
    assert record.questions[0].kind == "four"


def test_missing_files_are_named(tmp_path: Path) -> None:
    source = plugins.load("converters", NAME)
    assert source.find(tmp_path) == ()
    with pytest.raises(SourceError, match=r"OpenEnded_mscoco_val2014_questions\.json"):
        source.open(tmp_path, "val")
    with pytest.raises(SourceError, match="no split of okvqa"):
        source.open(tmp_path, "test")
