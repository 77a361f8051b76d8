"""POPE: the three official files read whole and counted against the lines themselves."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.converters.language import facts, read, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.source import SourceError

NAME = "pope"
SPLITS = ("random", "popular", "adversarial")
ROW = {"question_id": 1, "image": "COCO_val2014_000000000042.jpg", "text": "Is there a dog?", "label": "yes"}


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == SPLITS
    assert facts(NAME, root, splits) == set(plugins.load("converters", NAME).offers)
    for split in splits:
        records, drops = read(NAME, root, split)
        assert drops == []
        labels = Counter(q.answers[0].text for record in records for q in record.questions)
        assert labels["yes"] == labels["no"] > 0


@pytest.mark.parametrize("split", SPLITS)
def test_real_files(tmp_path: Path, shared_data: Callable[[str], Path], split: str) -> None:
    real = shared_data(NAME) / "coco" / f"coco_pope_{split}.json"
    lines = [json.loads(line) for line in real.read_text().splitlines()]
    shutil.copytree(real.parent, tmp_path / "coco")
    for n, name in enumerate(sorted({line["image"] for line in lines})):
        if n == 0:
            tiny_photo(tmp_path / "val2014" / name)
            first = tmp_path / "val2014" / name
        else:
            (tmp_path / "val2014" / name).hardlink_to(first)
    opened = plugins.load("converters", NAME).open(tmp_path, split)
    drops = list(opened.faults)
    records = list(opened.records(0, len(opened), drops.append))
    assert drops == []
    assert (len(records), len(lines)) == (500, 3000)
    assert Counter(q.answers[0].text for record in records for q in record.questions) == {"yes": 1500, "no": 1500}
    found = {(q.id, q.question.text, q.answers[0].text, record.id) for record in records for q in record.questions}
    assert found == {
        (str(line["question_id"]), line["text"], line["label"], str(int(line["image"][-16:-4]))) for line in lines
    }


def test_real_photos(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    joined = json.loads((shared_data("joins") / "pope_with_images.json").read_text())
    shutil.copytree(shared_data(NAME) / "coco", tmp_path / "coco")
    (tmp_path / "val2014").mkdir()
    parent = shared_data("coco_tiny").parent
    joined = [row for row in joined if (parent / row["image_path"]).is_file()]
    for row in joined:
        shutil.copy(parent / row["image_path"], tmp_path / "val2014" / row["image"])
    found = []
    for split in SPLITS:
        records, drops = _read_some(tmp_path, split)
        assert {drop.reason for drop in drops} == {"photo: missing"}
        assert len(drops) == 500 - len(records)
        found += [(split, int(q.id), q.question.text, q.answers[0].text) for r in records for q in r.questions]
    assert sorted(found) == sorted((row["setting"], row["question_id"], row["text"], row["label"]) for row in joined)
    assert len(found) == 18 * len({row["image"] for row in joined}) > 0  # not every joined photo need be there


def _read_some(root: Path, split: str) -> tuple[list, list]:
    opened = plugins.load("converters", NAME).open(root, split)
    drops = list(opened.faults)
    return list(opened.records(0, len(opened), drops.append)), drops


def test_bad_lines(tmp_path: Path) -> None:
    row = ROW
    tiny_photo(tmp_path / "val2014" / str(row["image"]))
    bad = [
        {**row, "label": "maybe"},
        {**row, "question_id": 2, "text": " "},
        row,
        {**row, "question_id": 3, "image": "../../etc/passwd.jpg"},
        {"question_id": 4},
    ]
    lines = [json.dumps(line).encode() for line in [row, *bad]] + [b"{cut", b"\xff", b""]
    (tmp_path / "coco_pope_random.json").write_bytes(b"\n".join(lines))
    (record,), drops = read(NAME, tmp_path, "random")
    assert [q.id for q in record.questions] == ["1"]
    assert record.photo is not None
    assert record.photo.id == "coco:42"
    assert sorted((drop.row, drop.reason) for drop in drops) == [
        ("../../etc/passwd.jpg", "photo: path leaves the root"),
        ("line 2", "label: neither yes nor no"),
        ("line 3", "question: empty"),
        ("line 4", "question: id twice"),
        ("line 6", "row: unreadable"),
        ("line 7", "row: unreadable"),
        ("line 8", "row: unreadable"),
    ]


def test_missing_files_are_named(tmp_path: Path) -> None:
    source = plugins.load("converters", NAME)
    with pytest.raises(SourceError, match=r"coco/coco_pope_popular\.json"):
        source.open(tmp_path, "popular")
    (tmp_path / "coco_pope_popular.json").write_text("no lines of JSON\n")
    with pytest.raises(SourceError, match="none of 1 lines"):
        source.open(tmp_path, "popular")


def test_sets_on_other_photos_are_lists(tmp_path: Path) -> None:
    """A-OKVQA's photos are COCO's; GQA's are Visual Genome's, some of which are COCO's."""
    seem = tmp_path / "output" / "seem"
    for on, names in (("aokvqa", [ROW["image"]]), ("gqa", ["2405722.jpg", "7.jpg"])):
        (seem / on).mkdir(parents=True)
        rows = [ROW | {"question_id": n, "image": name} for n, name in enumerate(names, 1)]
        (seem / on / f"{on}_pope_seem_popular.json").write_text(json.dumps(rows, indent=4))
    tiny_photo(tmp_path / "val2014" / str(ROW["image"]))
    tiny_photo(tmp_path / "gqa" / "images" / "2405722.jpg")
    tiny_photo(tmp_path / "gqa" / "images" / "7.jpg")
    (tmp_path / "image_data.json").write_text(
        json.dumps(
            [{"image_id": 7, "width": 8, "height": 6, "coco_id": 99}, {"image_id": 2405722, "width": 8, "height": 6}]
        )
    )
    assert plugins.load("converters", NAME).find(tmp_path) == ("aokvqa_popular", "gqa_popular")
    found = {}
    for split in ("aokvqa_popular", "gqa_popular"):
        records, drops = read(NAME, tmp_path, split)
        assert drops == []
        found[split] = [(record.id, record.photo.id if record.photo else "") for record in records]
    assert found == {
        "aokvqa_popular": [("42", "coco:42")],
        "gqa_popular": [("2405722", "vg:2405722"), ("7", "coco:99")],
    }
