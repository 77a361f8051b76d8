"""Osprey-724K: numbered regions to places in questions and words in answers, masks of all parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.converters.language import SCENES, facts, read, shot, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.geometry import decode_rle
from vtinstruct.record import GroundedText
from vtinstruct.source import SourceError

NAME = "osprey"
SQUARES = [{"segmentation": [[1, 1, 5, 1, 5, 5, 1, 5], [7, 1, 9, 1, 9, 3, 7, 3]], "bbox": [1, 1, 8, 4]},
           {"segmentation": [[10, 10, 20, 10, 20, 20, 10, 20]]}]  # fmt: skip
ROW = {"file_name": "COCO_train2014_000000000009.jpg", "height": 30, "width": 40, "annotation": SQUARES}


def turns(*values: str) -> list[dict[str, str]]:
    return [{"from": ("human", "gpt")[n % 2], "value": value} for n, value in enumerate(values)]


TALK = {
    **ROW,
    "conversations": turns("What is <region1>?", "<region1> is left of <region2>.", "And <region2>?", "A cup."),
}


def folder(root: Path, rows: list[Any], name: str = "osprey_conversation.json") -> Path:
    (root / name).write_text(json.dumps(rows))
    tiny_photo(root / "coco" / "imgs" / "000000000009.jpg", (40, 30))
    return root


def tied(text: GroundedText) -> list[tuple[str, tuple[str, ...]]]:
    return [(text.text[span.start : span.stop], span.region_ids) for span in text.spans]


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("train_conversation", "train_detail", "train_short_form")
    assert facts(NAME, root, splits) == set(plugins.load("converters", NAME).offers)
    for split in splits:
        records, drops = read(NAME, root, split)
        assert drops == []
        masks = {
            record.photo.id: [decode_rle(region.mask_rle) for region in record.regions if region.mask_rle]
            for record in records
            if record.photo
        }
        for index in (index for index in SCENES if shot(index).split == "train"):
            singles = [thing for _, thing in shot(index).singles()]
            found = masks.get(f"coco:{shot(index).image_id}", [])
            assert all((mask == thing.mask).all() for mask, thing in zip(found, singles, strict=True))


def test_conversation(tmp_path: Path) -> None:
    (record,), drops = read(NAME, folder(tmp_path, [TALK]), "train_conversation")
    assert drops == []
    assert record.photo is not None
    assert (record.photo.id, record.photo.path) == ("coco:9", "coco/imgs/000000000009.jpg")
    assert record.regions[0].box_xyxy == (1, 1, 9, 5)
    (chat,) = record.chats
    assert chat.kind == "conversation"
    assert [turn.words.text for turn in chat.turns] == [
        "What is [region1]?", "region1 is left of region2.", "And [region2]?", "A cup."
    ]  # fmt: skip
    assert tied(chat.turns[0].words) == [("[region1]", ("0_1",))]
    assert tied(chat.turns[1].words) == [("region1", ("0_1",)), ("region2", ("0_2",))]


def test_regions_that_no_question_mentions_stand_before_the_first(tmp_path: Path) -> None:
    row = {**ROW, "conversations": turns("<image>\nWhat are they?", "Cups.")}
    (record,), _ = read(NAME, folder(tmp_path, [row]), "train_conversation")
    words = record.chats[0].turns[0].words
    assert words.text == "[region1] [region2] What are they?"
    assert tied(words) == [("[region1]", ("0_1",)), ("[region2]", ("0_2",))]


def test_descriptions(tmp_path: Path) -> None:
    row = {**ROW, "description": ["<region1>: A red cup.\n", "<region3>: nobody", "no region", "<region2>: "]}
    (record,), drops = read(NAME, folder(tmp_path, [row], "osprey_detail_description.json"), "train_detail")
    assert [region.captions for region in record.regions] == [("A red cup.",), ()]
    assert [drop.reason for drop in drops] == ["description: of no region"] * 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"conversations": turns("What is <region3>?", "A cup.")}, "conversation: unknown region"),
        ({"conversations": turns("What is <region1>?")}, "conversation: empty"),
        ({"annotation": [{"segmentation": [[1, 1, 2, 2]]}]}, "polygon: fewer than 3 points"),
        ({"annotation": [{"segmentation": [[1, 1, float("nan"), 2, 3, 3]]}]}, "segmentation: unreadable"),
        ({"annotation": [{"segmentation": []}]}, "region: no mask"),
        ({"annotation": [{"segmentation": {"size": [3, 3], "counts": "9"}}]}, "mask: another size"),
        ({"width": 41}, "image: another size"),
        ({"height": None}, "row: unreadable"),
    ],
)
def test_bad_rows_cost_themselves(tmp_path: Path, change: Any, reason: str) -> None:
    (record,), drops = read(NAME, folder(tmp_path, [TALK, {**TALK, **change}]), "train_conversation")
    assert [(drop.row, drop.reason) for drop in drops] == [("row 1", reason)]
    assert (len(record.chats), len(record.regions)) == (1, 2)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"Osprey-724K/osprey_part_level\.json"):
        plugins.load("converters", NAME).open(tmp_path, "train_part_level")
