"""Trivial baselines answer with what was asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.dataset import open_dataset
from benchmarks.model import Model, Request
from tests.benchmarks.made import dialogue, vocabulary_of, write_dataset
from tests.benchmarks.road import COCO
from vtinstruct import plugins
from vtinstruct.dialogue import Dialogue, Evaluation, Reference, Triplet
from vtinstruct.prediction import read_predictions
from vtinstruct.units import Box, Point


def pointing(number: int, xy: tuple[float, float], train: bool) -> Dialogue:
    """A question that a point in a photo of 100 x 50 answers."""
    answer = Triplet("mug", "point", (Reference(Point(xy)),))
    made = dialogue(f"p{number}", "grounded_vqa_point", [answer], (100, 50), Evaluation(concepts=("mug",)))
    return replace(made, id=f"train/p{number}", split="train") if train else made


def boxed(train: bool) -> Dialogue:
    answer = Triplet("mug", "box", (Reference(Box((10.0, 10.0, 30.0, 40.0))),))
    made = dialogue("b", "rec", [answer], (100, 50), Evaluation(concepts=("mug",)))
    return replace(made, id="train/b", split="train") if train else made


@pytest.mark.parametrize(
    ("name", "point", "box"),
    [("centre", (50.0, 25.0), (25.0, 12.5, 75.0, 37.5)), ("prior", (40.0, 20.0), (10.0, 10.0, 30.0, 40.0))],
)
def test_a_point_is_answered_with_a_point(
    name: str, point: tuple[float, float], box: tuple[float, ...], tmp_path: Path
) -> None:
    samples = [pointing(1, (30.0, 10.0), True), pointing(2, (50.0, 30.0), True), pointing(3, (9.0, 9.0), False)]
    root = write_dataset(tmp_path / "data", [*samples, boxed(True), boxed(False)], vocabulary_of(COCO))
    dataset, splits = open_dataset(root)
    model: Model = plugins.load("benchmarks.models", name)
    out = tmp_path / "answers.jsonl"
    model.answer(Request(dataset, splits, out, ("grounded_vqa_point", "rec")))
    answers = {answer.id: answer.references for answer in read_predictions(out, lambda fault: pytest.fail(str(fault)))}
    units = {id_: [reference.unit for reference in references] for id_, references in answers.items()}
    assert units["p3"] == [Point(pytest.approx(point))]  # type: ignore[arg-type]
    assert units["b"] == [Box(pytest.approx(box))]  # type: ignore[arg-type]
