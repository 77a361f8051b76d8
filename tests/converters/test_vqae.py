"""VQA-E: rows without ids, explanations with a confidence behind them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.converters.language import facts, read, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.source import SourceError

NAME = "vqae"
ROW: dict[str, Any] = {
    "img_id": 9, "question": "What is the green stuff?", "multiple_choice_answer": "broccoli",
    "explanation": ["Closeup of bins of food that include broccoli and bread.", 0.6791],
    "answers": ["broccoli"] * 9 + ["food"], "answer_type": "other", "question_type": "what is the",
}  # fmt: skip


def folder(root: Path, rows: list[Any]) -> Path:
    (root / "VQA-E_train_set.json").write_text(json.dumps(rows))
    tiny_photo(root / "train2014" / "COCO_train2014_000000000009.jpg")
    return root


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("train", "val")
    assert facts(NAME, root, splits) == set(plugins.load("converters", NAME).offers)
    for split in splits:
        rows = json.loads((root / f"VQA-E_{split}_set.json").read_text())
        records, drops = read(NAME, root, split)
        assert drops == []
        found = {int(q.id): q for record in records for q in record.questions}
        assert sorted(found) == list(range(len(rows)))
        for n, row in enumerate(rows):
            reason = found[n].reason
            assert reason is not None
            assert (found[n].question.text, reason.text) == (row["question"], row["explanation"][0])


def test_quoted_row(tmp_path: Path) -> None:
    (record,), drops = read(NAME, folder(tmp_path, [ROW]), "train")
    assert drops == []
    (question,) = record.questions
    assert (record.id, question.id, question.kind) == ("9", "0", "other")
    assert question.reason is not None
    assert question.reason.text == ROW["explanation"][0]
    assert [answer.text for answer in question.answers] == ["broccoli"] * 9 + ["food"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"explanation": []}, "explanation: empty"),
        ({"explanation": [0.5, "swapped"]}, "explanation: empty"),
        ({"explanation": "words"}, "row: unreadable"),
        ({"answers": [], "multiple_choice_answer": ""}, "question: no answer"),
        ({"question": ""}, "question: empty"),
        ({"img_id": None}, "row: unreadable"),
    ],
)
def test_bad_rows(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    (record,), drops = read(NAME, folder(tmp_path, [ROW, {**ROW, **change}]), "train")
    assert len(record.questions) == 1
    assert [(drop.row, drop.reason) for drop in drops] == [("row 1", reason)]


def test_missing_files_are_named(tmp_path: Path) -> None:
    source = plugins.load("converters", NAME)
    with pytest.raises(SourceError, match=r"VQA-E_val_set\.json"):
        source.open(tmp_path, "val")
    (tmp_path / "VQA-E_val_set.json").write_text('{"img_id": 1}')
    with pytest.raises(SourceError, match="a JSON list of rows"):
        source.open(tmp_path, "val")


def test_either_name_of_the_photos_id(tmp_path: Path) -> None:
    """The README says `image_id`, the files have `img_id`."""
    bare = {key: value for key, value in ROW.items() if key != "img_id"}
    (record,), drops = read(NAME, folder(tmp_path, [ROW, bare | {"image_id": 9}, bare]), "train")
    assert [question.id for question in record.questions] == ["0", "1"]
    assert [(drop.row, drop.reason) for drop in drops] == [("row 2", "row: no photo")]
