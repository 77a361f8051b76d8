"""VCR: words with numbered objects to texts with places, metadata to boxes and masks, labels to answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.converters.language import SCENES, facts, read, shot, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.geometry import decode_rle
from vtinstruct.source import SourceError

NAME = "vcr"
# The line that the official reader quotes.
LINE: dict[str, Any] = {
    "movie": "3015", "objects": ["person", "person", "person", "car"], "img_fn": "lsmdc/a@0.jpg", "metadata_fn": "lsmdc/a@0.json",
    "question": ["Does", [2], "feel", "comfortable", "?"],
    "answer_choices": [["Yes", "because", "the", "person", "is", "smiling", "."], ["No", "she", "does", "not", "."],
                       ["Yes", ",", "she", "is", "."], ["Yes", ",", [0, 1], "is", "cold", "."]],
    "answer_label": 1, "rationale_label": 1, "annot_id": "train-0", "img_id": "train-0",
    "rationale_choices": [["There", "is", "snow", "."], ["She", "is", "standing", "."], ["She", "sits", "."], [[2], "is", "laying", "."]],
}  # fmt: skip
META: dict[str, Any] = {
    "boxes": [[0, 0, 20, 20, 0.9], [10, 10, 40, 50, 0.9], [40, 0, 80, 60, 0.9], [5, 5, 9, 9, 0.5]],
    "names": ["person", "person", "person", "car"], "width": 80, "height": 60,
    "segms": [[[[0, 0], [20, 0], [20, 20], [0, 20]]], [[[10, 10], [40, 10], [40, 50]], [[12, 45], [20, 45], [20, 50]]], [], []],
}  # fmt: skip


def folder(root: Path, lines: list[Any], meta: Any = META) -> Path:
    (root / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    tiny_photo(root / "vcr1images" / "lsmdc" / "a@0.jpg", (80, 60))
    text = meta if isinstance(meta, str) else json.dumps(meta)
    (root / "vcr1images" / "lsmdc" / "a@0.json").write_text(text)
    return root


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("train", "val")
    assert facts(NAME, root, splits) == set(plugins.load("converters", NAME).offers)
    masks = {}
    for split in splits:
        records, drops = read(NAME, root, split)
        assert drops == []
        for record in records:
            assert len(record.questions) == 2
            masks[record.id] = [decode_rle(region.mask_rle) for region in record.regions if region.mask_rle]
    for index in SCENES:
        singles = [thing for _, thing in shot(index).singles()]
        if len(singles) > 1:
            found = masks[f"SAMPLE_{index:05d}@0"]
            assert all((mask == thing.mask).all() for mask, thing in zip(found, singles, strict=True))


def test_quoted_line(tmp_path: Path) -> None:
    (record,), drops = read(NAME, folder(tmp_path, [LINE]), "train")
    assert drops == []
    (question,) = record.questions
    assert question.question.text == "Does [person3] feel comfortable?"
    (span,) = question.question.spans
    assert (question.question.text[span.start : span.stop], span.region_ids) == ("[person3]", ("2",))
    assert [choice.text for choice in question.choices] == [
        "Yes because the person is smiling.", "No she does not.", "Yes, she is.", "Yes, [person1, person2] is cold."
    ]  # fmt: skip
    assert question.choices[3].spans[0].region_ids == ("0", "1")
    assert [answer.text for answer in question.answers] == ["No she does not."]
    assert question.reason is not None
    assert question.reason.text == "She is standing."
    assert question.evidence_ids == ("2",)
    assert [region.category for region in record.regions] == META["names"]
    assert record.regions[1].mask_rle is not None
    assert decode_rle(record.regions[1].mask_rle)[46, 18]  # in the second part only
    assert record.regions[2].mask_rle is None


def test_hidden_labels(tmp_path: Path) -> None:
    line = {key: value for key, value in LINE.items() if not key.endswith("_label")}
    (record,), drops = read(NAME, folder(tmp_path, [line]), "train")
    assert drops == []
    assert (record.questions[0].answers, len(record.questions[0].choices)) == ((), 4)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"question": ["Does", [9], "?"]}, "text: unknown object"),
        ({"question": ["Does", [], "?"]}, "text: unknown object"),
        ({"question": []}, "text: empty"),
        ({"answer_label": 4}, "label: no such choice"),
        ({"rationale_label": -1}, "label: no such choice"),
        ({"question": "words"}, "row: unreadable"),
        ({"annot_id": "train-0"}, "question: id twice"),
    ],
)
def test_bad_lines_cost_themselves(tmp_path: Path, change: Any, reason: str) -> None:
    (record,), drops = read(NAME, folder(tmp_path, [LINE, {**LINE, "annot_id": "train-1", **change}]), "train")
    assert [(drop.row, drop.reason) for drop in drops] == [("line 2", reason)]
    assert len(record.questions) == 1


def test_bad_objects_cost_what_speaks_of_them(tmp_path: Path) -> None:
    meta = {**META, "boxes": [[0, 0, 20], META["boxes"][1], [90, 0, 99, 9, 1], [5, 5, 99, 9, 1]]}
    (record,), drops = read(NAME, folder(tmp_path, [LINE], meta), "train")
    assert [region.id for region in record.regions] == ["1", "3"]
    assert record.questions == ()
    assert [drop.reason for drop in drops] == [
        "box: not 4 finite numbers", "box: outside the photo", "box: clipped to the photo", "text: unknown object"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "meta", ["{", "", '{"boxes": []}', json.dumps({**META, "names": []}), json.dumps({**META, "width": 0})]
)
def test_bad_metadata_costs_the_still(tmp_path: Path, meta: str) -> None:
    records, drops = read(NAME, folder(tmp_path, [LINE], meta), "train")
    assert records == []
    assert [drop.row for drop in drops] == ["lsmdc/a@0.jpg"]


def test_paths_stay_inside(tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text(json.dumps(META))
    lines = [LINE, {**LINE, "img_fn": "lsmdc/b@0.jpg", "metadata_fn": "../../secret.json"}]
    (tmp_path / "root").mkdir()
    root = folder(tmp_path / "root", lines)
    tiny_photo(root / "vcr1images" / "lsmdc" / "b@0.jpg", (80, 60))
    records, drops = read(NAME, root, "train")
    assert len(records) == 1
    assert [drop.reason for drop in drops] == ["photo: path leaves the root"]


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"val\.jsonl"):
        plugins.load("converters", NAME).open(tmp_path, "val")
