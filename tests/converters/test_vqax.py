"""VQA-X: explanations joined to VQAv2's files by question id, or merged rows; both forms say the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.converters.language import facts, read, write
from vtinstruct import plugins
from vtinstruct.source import SourceError

NAME = "vqax"


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("train", "val", "test")
    assert facts(NAME, root, splits) == set(plugins.load("converters", NAME).offers)
    for split in splits:
        explained = json.loads((root / "textual" / f"{split}_exp_anno.json").read_text())
        records, drops = read(NAME, root, split)
        assert drops == []
        found = {q.id: q.reason.text for record in records for q in record.questions if q.reason is not None}
        assert found == {id_: sentences[0] for id_, sentences in explained.items()}


def test_merged_form_says_the_same(tmp_path: Path) -> None:
    root, _ = write(NAME, tmp_path)
    official, _ = read(NAME, root, "val")
    asked = json.loads((root / "Questions/v2_OpenEnded_mscoco_val2014_questions.json").read_text())["questions"]
    given = json.loads((root / "Annotations/v2_mscoco_val2014_annotations.json").read_text())["annotations"]
    questions = {str(row["question_id"]): row for row in asked}
    answers = {str(row["question_id"]): row for row in given}
    merged = {
        id_: {
            "question": questions[id_]["question"],
            "image_id": questions[id_]["image_id"],
            "image_name": f"COCO_val2014_{questions[id_]['image_id']:012d}.jpg",
            "explanation": sentences,
            "answers": answers[id_]["answers"],
        }
        for id_, sentences in json.loads((root / "textual" / "val_exp_anno.json").read_text()).items()
    }
    (root / "vqaX_val.json").write_text(json.dumps(merged))
    records, drops = read(NAME, root, "val")
    assert drops == []
    assert [record.photo for record in records] == [record.photo for record in official]
    said = [[(q.id, q.question, q.reason, q.answers[0]) for q in record.questions] for record in records]
    assert said == [[(q.id, q.question, q.reason, q.answers[0]) for q in record.questions] for record in official]


@pytest.mark.parametrize("folder", ["nle_data/VQA-X", "VQA-X", "VQA-X/Annotations"])
def test_other_folders_people_have(tmp_path: Path, folder: str) -> None:
    root, _ = write(NAME, tmp_path)
    official, _ = read(NAME, root, "val")
    (root / folder).parent.mkdir(parents=True, exist_ok=True)
    (root / "textual").rename(root / folder)
    records, drops = read(NAME, root, "val")
    assert drops == []
    assert [record.questions for record in records] == [record.questions for record in official]


def test_bad_rows(tmp_path: Path) -> None:
    root, _ = write(NAME, tmp_path)
    path = root / "textual" / "val_exp_anno.json"
    explained = json.loads(path.read_text())
    first, second, *rest = explained
    explained |= {first: ["", "  "], second: "one sentence", "77": ["of nothing"], "x": ["of nothing"]}
    path.write_text(json.dumps(explained))
    records, drops = read(NAME, root, "val")
    assert sorted((drop.row, drop.reason) for drop in drops) == sorted(
        [
            (f"question {first}", "explanation: empty"),
            (second, "row: unreadable"),
            ("question 77", "explanation: unknown question"),
            ("question x", "explanation: unknown question"),
        ]
    )
    assert {q.id for record in records for q in record.questions} == set(rest)


def test_missing_files_are_named(tmp_path: Path) -> None:
    source = plugins.load("converters", NAME)
    with pytest.raises(SourceError, match=r"textual/test_exp_anno\.json"):
        source.open(tmp_path, "test")
    (tmp_path / "test_exp_anno.json").write_text('{"1": ["so"]}')
    assert source.find(tmp_path) == ("test",)
    with pytest.raises(SourceError, match="v2_OpenEnded_mscoco_val2014_questions"):
        source.open(tmp_path, "test")
