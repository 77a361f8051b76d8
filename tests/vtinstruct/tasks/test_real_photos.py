"""Tasks on real annotations, through the real converters: what an official score needs is all there, and nothing twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random

import pytest

from vtinstruct import plugins, trp
from vtinstruct.dialogue import Dialogue
from vtinstruct.record import Category, Drop, Record
from vtinstruct.task import Setting
from vtinstruct.templates import Wordings

INSTANCE_TASKS = (
    "absent", "cond_det", "cond_seg", "count", "det", "interactive_det", "interactive_seg", "mixed", "reg_region", "seg",
)  # fmt: skip


def made(source: str, root: Path, split: str, task: str, training: bool) -> tuple[list[Dialogue], list[Drop]]:
    records, vocabulary = read(source, root, split)
    maker, words = plugins.load("vtinstruct.tasks", task), Wordings.load(task)
    drops: list[Drop] = []
    found: list[Dialogue] = []
    for record in records:
        found += maker.make(record, Setting(Random(record.id), words, vocabulary, training, 0, drops.append))
    return found, drops


@cache
def read(source: str, root: Path, split: str) -> tuple[Sequence[Record], Sequence[Category]]:
    opened = plugins.load("converters", source).open(root, split)
    return tuple(opened.records(0, len(opened), lambda drop: None)), opened.vocabulary


def annotations(root: Path, file: str) -> list[dict]:
    return json.loads((root / "annotations" / file).read_text())["annotations"]


@pytest.mark.parametrize("split", ["train2017", "val2017"])
@pytest.mark.parametrize("task", ["det", "seg"])
def test_evaluation_holds_every_annotation_of_the_file_once(shared_data, task, split):
    root = shared_data("coco_tiny")
    rows = annotations(root, f"instances_{split}.json")
    asked, drops = made("coco_instances", root, split, task, training=False)
    assert len(asked) == 50
    assert drops == []
    truth = [r for d in asked for _, _, r in d.references()]
    ignored = [r for d in asked for r in d.evaluation.ignore]
    assert Counter(r.annotation_id for r in truth) == Counter(str(row["id"]) for row in rows if not row["iscrowd"])
    assert Counter(r.annotation_id for r in ignored) == Counter(str(row["id"]) for row in rows if row["iscrowd"])
    areas = {str(row["id"]): (row["area"], row["category_id"], bool(row["iscrowd"])) for row in rows}
    assert all(areas[r.annotation_id] == (r.area, r.category_id, r.crowd) for r in truth + ignored)


@pytest.mark.parametrize("split", ["train2017", "val2017"])
def test_every_pose_is_asked_for_and_every_other_person_ignored(shared_data, split):
    root = shared_data("coco_tiny")
    rows = annotations(root, f"person_keypoints_{split}.json")
    asked, _ = made("coco_keypoints", root, split, "keypoints", training=False)
    posed = {str(row["id"]) for row in rows if row["num_keypoints"] and not row["iscrowd"]}
    assert len(asked) == 50
    assert {r.annotation_id for d in asked for _, _, r in d.references()} == posed
    ignored = {r.annotation_id: r for d in asked for r in d.evaluation.ignore}
    assert ignored.keys() == {str(row["id"]) for row in rows} - posed
    for row in rows:
        if (kept := ignored.get(str(row["id"]))) is not None:
            x, y, width, height = row["bbox"]
            assert kept.box_xyxy == pytest.approx((x, y, x + width, y + height), abs=0.011)
            assert kept.area == row["area"]


@pytest.mark.parametrize("task", INSTANCE_TASKS)
@pytest.mark.parametrize(("source", "folder"), [("coco_instances", "coco_tiny"), ("coco_panoptic", "coco128_panoptic")])
def test_every_task_about_instances_is_fed_by_real_photos(shared_data, source, folder, task):
    asked, drops = made(source, shared_data(folder), "train2017", task, training=True)
    assert len(asked) >= 40
    assert drops == []
    for dialogue in asked:
        for turn in dialogue.turns:
            assert (trp.render if turn.role == "assistant" else trp.render_question)(turn.parts)


@pytest.mark.parametrize("task", ["keypoints", "region_keypoints"])
def test_every_task_about_poses_is_fed_by_real_photos(shared_data, task):
    asked, drops = made("coco_keypoints", shared_data("coco_tiny"), "train2017", task, training=True)
    assert len(asked) >= 20
    assert drops == []
    assert all(any(True for _ in dialogue.references()) for dialogue in asked) == (task == "region_keypoints")


def test_panoptic_covers_all_segments(shared_data):
    asked, _ = made("coco_panoptic", shared_data("coco128_panoptic"), "train2017", "panoptic", training=False)
    references = sum(1 for d in asked for _ in d.references())
    assert (references, sum(len(d.evaluation.ignore) for d in asked)) == (1105, 6)
