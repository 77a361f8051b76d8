"""LLaVA-Instruct: conversations gathered by photo, text-only ones kept, loose ends mended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.converters.language import facts, read, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.source import SourceError

NAME = "llava_instruct"
ASK = {"from": "human", "value": "<image>\nWhat is it?"}
TELL = {"from": "gpt", "value": "A bus."}
ROW = {"id": "000000033471", "image": "000000033471.jpg", "conversations": [ASK, TELL]}


def folder(root: Path, rows: list[Any], name: str = "llava_instruct_150k.json") -> Path:
    (root / name).write_text(json.dumps(rows))
    tiny_photo(root / "train2017" / "000000033471.jpg")
    return root


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert facts(NAME, root, splits) == set(plugins.load("converters", NAME).offers)
    rows = json.loads((root / "llava_instruct_150k.json").read_text())
    records, drops = read(NAME, root, "train")
    assert drops == []
    found = {int(chat.id): (record, chat) for record in records for chat in record.chats}
    assert sorted(found) == list(range(len(rows)))
    assert len(records) == len({row["image"] for row in rows})
    for n, row in enumerate(rows):
        record, chat = found[n]
        assert record.photo is not None
        assert record.photo.id == f"coco:{int(row['id'])}"
        values = [said["value"].replace("<image>", "").strip() for said in row["conversations"]]
        assert [turn.words.text for turn in chat.turns] == values
        assert [turn.role for turn in chat.turns] == ["user", "assistant"] * (len(values) // 2)


def test_mixture(tmp_path: Path) -> None:
    images = [
        "coco/train2017/000000000009.jpg",
        "vg/VG_100K/7.jpg",
        "gqa/images/7.jpg",
        "ocr_vqa/images/000000000009.jpg",
    ]
    rows: list[Any] = [{**ROW, "image": image} for image in images]
    text = {"id": "wgByO4Y_0", "model": "", "conversations": [{"from": "human", "value": "hi"}, TELL]}
    rows += [text, text]
    for image in images:
        tiny_photo(tmp_path / image)
    (tmp_path / "llava_v1_5_mix665k.json").write_text(json.dumps(rows))
    records, drops = read(NAME, tmp_path, "train_mix665k")
    assert drops == []
    assert [record.photo.id if record.photo else None for record in records] == [
        "coco:9", "vg:7", "vg:7", f"file:{images[3]}", None, None
    ]  # fmt: skip
    assert [record.id for record in records][3:] == ["ocr_vqa:images:000000000009.jpg", "row_4", "row_5"]


@pytest.mark.parametrize(
    ("said", "reason", "left"),
    [
        ([TELL, ASK, TELL], "conversation: loose ends", 2),
        ([ASK, TELL, ASK], "conversation: loose ends", 2),
        ([ASK, ASK, TELL], "conversation: not by turns", 0),
        ([ASK, TELL, TELL], "conversation: not by turns", 0),
        ([ASK], "conversation: empty", 0),
        ([], "conversation: empty", 0),
        ([{"from": "system", "value": "be good"}, ASK, TELL], "conversation: unknown speaker", 0),
        ([ASK, {**TELL, "value": " \n"}], "conversation: empty turn", 0),
        ([ASK, {"from": "gpt"}], "row: unreadable", 0),
        ([ASK, {"from": "gpt", "value": None}], "row: unreadable", 0),
    ],
)
def test_bad_conversations(tmp_path: Path, said: list[Any], reason: str, left: int) -> None:
    (record,), drops = read(NAME, folder(tmp_path, [ROW, {**ROW, "conversations": said}]), "train")
    assert [(drop.row, drop.reason) for drop in drops] == [("row 1", reason)]
    assert [len(chat.turns) for chat in record.chats] == ([2, left] if left else [2])


def test_a_photo_without_any_readable_conversation_is_dropped(tmp_path: Path) -> None:
    records, drops = read(NAME, folder(tmp_path, [{**ROW, "conversations": [ASK]}]), "train")
    assert records == []
    assert [drop.reason for drop in drops] == ["conversation: empty", "conversation: none"]


def test_photos_stay_inside(tmp_path: Path) -> None:
    root = folder(tmp_path, [ROW, {**ROW, "image": "../../secret.jpg"}, {**ROW, "image": "/etc/passwd"}])
    (record,), drops = read(NAME, root, "train")
    assert record.id == "000000033471.jpg"
    assert [drop.reason for drop in drops] == ["photo: path leaves the root"] * 2


def test_kinds_are_splits(tmp_path: Path) -> None:
    (record,), _ = read(NAME, folder(tmp_path, [ROW], "detail_23k.json"), "train_detail")
    assert record.chats[0].kind == "detail"


def test_missing_files_are_named(tmp_path: Path) -> None:
    source = plugins.load("converters", NAME)
    with pytest.raises(SourceError, match=r"llava_instruct_150k\.json"):
        source.open(tmp_path, "train")
    (tmp_path / "llava_instruct_150k.json").write_text(json.dumps([ROW]))
    with pytest.raises(SourceError, match=r"train2017/000000033471\.jpg"):
        source.open(tmp_path, "train")
