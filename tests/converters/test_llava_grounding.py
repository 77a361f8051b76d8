"""LLaVA-Grounding: <seg> and <obj> to instances, marks out of the words, descriptions as captions."""

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

NAME = "llava_grounding"
IMAGES = [{"id": 9, "file_name": "COCO_train2014_000000000009.jpg", "width": 40, "height": 30}]
BOXES = [
    {"id": 100 + n, "image_id": 9, "category_id": 1, "iscrowd": 0, "area": 16, "bbox": [n, 1, 4, 4],
     "segmentation": [[n, 1, n + 4, 1, n + 4, 5, n, 5]]}
    for n in range(4)
]  # fmt: skip


def turns(*values: str) -> list[dict[str, str]]:
    return [{"from": ("human", "gpt")[n % 2], "value": value} for n, value in enumerate(values)]


GROUNDED = {
    "id": "000000000009",
    "conversations": turns(
        "<image>\nDescribe the image. (with grounding)",
        "<g_s> Two cups <g_e> <seg> stand on <g_s> a table <g_e> <seg>.",
    ),
    "gd_ls": [[100, 101], None],
}
PROMPTED = {
    "id": "000000000009",
    "conversations": turns("<image>\nIs <obj> left of <obj>?", "Yes.", "Why?", "It is."),
    "q_gd_ls": [[102, 103], None],
}


def folder(root: Path, rows: list[Any], prompted: bool = False) -> Path:
    talk = "llava_instruct_150k_visual_prompt" if prompted else "grounded_visual_chat_data"
    things = "instances_train2014_filter" if prompted else "instances_train2017_gvc"
    content = {"images": IMAGES, "annotations": BOXES, "categories": [{"id": 1, "name": "cup"}]}
    (root / f"{talk}.json").write_text(json.dumps(rows))
    (root / f"{things}.json").write_text(json.dumps(content))
    tiny_photo(root / "coco" / "train2014" / IMAGES[0]["file_name"], (40, 30))
    return root


def tied(text: GroundedText) -> list[tuple[str, tuple[str, ...]]]:
    return [(text.text[span.start : span.stop], span.region_ids) for span in text.spans]


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert facts(NAME, root, splits) == set(plugins.load("converters", NAME).offers)
    records, drops = read(NAME, root, "train")
    assert drops == []
    by_id = {int(record.id): record for record in records}
    for index in (index for index in SCENES if shot(index).split == "train" and list(shot(index).singles())):
        record = by_id[shot(index).image_id]
        things = {str(shot(index).annotation_id(k)): thing for k, thing in shot(index).singles()}
        assert {region.id for region in record.regions} == set(things)
        for words, (id_,) in tied(record.grounded_captions[0]):
            mask = record.region(id_).mask_rle
            assert mask is not None
            assert (decode_rle(mask) == things[id_].mask).all()
            assert things[id_].category in words
    assert all(len(record.chats) == 1 for record in read(NAME, root, "train_visual_prompt")[0])


def test_grounded_answer(tmp_path: Path) -> None:
    (record,), drops = read(NAME, folder(tmp_path, [GROUNDED]), "train")
    assert drops == []
    assert record.photo is not None
    assert record.photo.id == "coco:9"
    question, answer = record.chats[0].turns
    assert question.words == GroundedText("Describe the image.")
    assert answer.words.text == "Two cups stand on a table."
    assert tied(answer.words) == [("Two cups", ("100", "101"))]
    assert record.grounded_captions == (answer.words,)
    assert [region.id for region in record.regions] == ["100", "101"]


def test_visual_prompt(tmp_path: Path) -> None:
    (record,), drops = read(NAME, folder(tmp_path, [PROMPTED], prompted=True), "train_visual_prompt")
    assert drops == []
    (chat,) = record.chats
    assert chat.turns[0].words.text == "Is [region] left of [region]?"
    assert tied(chat.turns[0].words) == [("[region]", ("102",)), ("[region]", ("103",))]
    assert record.grounded_captions == ()


@pytest.mark.parametrize(
    ("change", "reason", "left"),
    [
        ({"gd_ls": [[100, 999], None]}, "grounding: unknown instance", 2),
        ({"gd_ls": [[100], None, [101]]}, "grounding: more lists than <seg>", 2),
        ({"conversations": turns("Hi?", "<g_s> a cup <seg>")}, "grounding: broken marks", 1),
        ({"conversations": turns("Hi?", "a cup <seg>")}, "grounding: broken marks", 1),
        ({"q_gd_ls": [[100], [101]]}, "grounding: lists of different length", 1),
        ({"q_gd_ls": [[100]]}, "grounding: places and instances", 1),
        ({"q_gd_ls": [[999]], "conversations": turns("<obj>?", "Yes.")}, "grounding: unknown instance", 1),
        ({"conversations": turns("Hi?")}, "conversation: empty", 1),
        ({"id": "77"}, "conversation: unknown image", 1),
        ({"id": "../9"}, "conversation: unknown image", 1),
        ({"gd_ls": [["x"]]}, "row: unreadable", 1),
    ],
)
def test_bad_rows_cost_themselves(tmp_path: Path, change: Any, reason: str, left: int) -> None:
    (record,), drops = read(NAME, folder(tmp_path, [GROUNDED, {**GROUNDED, **change}]), "train")
    assert reason in [drop.reason for drop in drops]
    assert len(record.chats) == left
    assert {drop.row for drop in drops} == {"row 1"}


def test_missing_files_are_named(tmp_path: Path) -> None:
    source = plugins.load("converters", NAME)
    with pytest.raises(SourceError, match=r"llava/annotations/grounded_visual_chat_data\.json"):
        source.open(tmp_path, "train")
    folder(tmp_path, [GROUNDED])
    (tmp_path / "instances_train2017_gvc.json").unlink()
    with pytest.raises(SourceError, match=r"instances_train2017_gvc\.json"):
        source.open(tmp_path, "train")
