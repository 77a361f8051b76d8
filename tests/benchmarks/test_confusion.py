"""Confusions of segments and pixels: by hand, and against the counts that the numbers themselves are made of; and classes of
sources without a list of them, by their words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from benchmarks.confusion import Confusion
from benchmarks.dataset import open_dataset
from benchmarks.results import read_results
from benchmarks.score import rescore
from benchmarks.scorer import MISSING, Setting
from benchmarks.scorers import miou, pq
from tests.benchmarks.made import answered, dialogue, prediction_of, write_dataset, write_predictions
from tests.benchmarks.road import bench, score
from tests.benchmarks.test_panoptic import answer_to, made_panoptic, scored, setting_of
from vtinstruct.dialogue import Dialogue, Evaluation, Reference, Triplet
from vtinstruct.geometry import encode_mask
from vtinstruct.record import Category
from vtinstruct.units import Mask

NAMES = {"cat": 1, "dog": 2, "sky": 3, "sea": 4}
SETTING = Setting(vocabulary=NAMES, categories={i: Category(i, name) for name, i in NAMES.items()})


def strip(begin: int, end: int, name: str = "", number: int = -1) -> Reference:
    """Columns of a photo of 8 rows and 20 columns."""
    mask = np.zeros((8, 20), dtype=bool)
    mask[:, begin:end] = True
    return Reference(Mask(encode_mask(mask)), None, name, number, str(begin))


def photo(task: str, *strips: tuple[str, int, int], numbers: dict[str, int] = NAMES, id_: str = "1") -> Dialogue:
    parts = [Triplet(name, "mask", (strip(a, b, name, numbers.get(name, -1)),)) for name, a, b in strips]
    return dialogue(
        id_, task, parts, (20, 8), Evaluation(concepts=tuple(n for n, _, _ in strips) if task == "cond_seg" else ())
    )


def confusion(module: Any, truth: Dialogue, *found: tuple[str, int, int]) -> Confusion:
    answer = answered(*(Triplet(name, "mask", (strip(a, b),)) for name, a, b in found)) if found else MISSING
    rows = module.SCORER.frame([module.SCORER.score(truth, answer, SETTING)])
    return msgspec.convert(module.SCORER.summarize(rows, SETTING).details["confusion"], Confusion)


def cells(found: Confusion) -> list[tuple[str | None, str | None, int, int | None]]:
    return [(c.annotated, c.answered, c.n, c.of) for c in found.cells]


def test_segments_by_hand() -> None:
    truth = photo("panoptic", ("cat", 0, 5), ("dog", 5, 10), ("sky", 10, 15), ("sea", 15, 20))
    found = confusion(pq, truth, ("cat", 0, 5), ("sky", 5, 9), ("sea", 11, 12), ("sea", 15, 20))
    assert (found.unit, found.annotated, found.right) == ("segments", 4, 2)
    assert cells(found) == [("dog", "sky", 1, 1), ("sky", None, 1, 1), (None, "sea", 1, None)]
    by_name = {one.name: (one.annotated, one.right, one.missed, one.invented) for one in found.classes}
    assert by_name == {"cat": (1, 1, 0, 0), "dog": (1, 0, 0, 0), "sky": (1, 0, 1, 0), "sea": (1, 1, 0, 1)}
    silent = confusion(pq, truth)
    assert (silent.annotated, silent.right, len(silent.cells)) == (4, 0, 4)


def test_pixels_by_hand() -> None:
    truth = photo("panoptic", ("cat", 0, 10), ("dog", 10, 15))  # 15 to 20: void, whatever is answered there
    found = confusion(miou, truth, ("cat", 0, 7), ("dog", 7, 12), ("sky", 14, 20))
    assert (found.unit, found.annotated, found.right) == ("pixels", 120, 56 + 16)
    assert cells(found) == [("cat", "dog", 24, 80), ("dog", None, 16, 40), ("dog", "sky", 8, 40)]


def test_pixels_of_one_asked_class_have_a_rest_of_the_photo() -> None:
    found = confusion(miou, photo("cond_seg", ("cat", 0, 10)), ("cat", 5, 12))
    assert (found.annotated, found.right) == (80, 40)
    assert cells(found) == [("cat", None, 40, 80), (None, "cat", 16, None)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_confusion_holds_the_very_counts_of_the_numbers(seed: int) -> None:
    truth, maps = made_panoptic(seed)
    found, found_maps = answer_to(truth, maps, seed)
    setting = setting_of(truth)
    for name, key in (("pq", "segments"), ("miou", "pixels")):
        summary = scored(name, truth, maps, found, found_maps, setting)
        got = msgspec.convert(summary.details["confusion"], Confusion)
        assert got.unit == key
        assert got.more_cells == 0
        own = {entry["class"]: entry for entry in summary.details["by_class"]}
        answered_with = dict.fromkeys(own, 0)
        for cell in got.cells:
            if cell.answered is not None:
                answered_with[cell.answered] += cell.n
        assert sum(one.annotated for one in got.classes) == got.annotated
        assert sum(one.right for one in got.classes) == got.right
        for one in got.classes:
            missed = sum(c.n for c in got.cells if c.annotated == one.name)
            assert one.right + missed == one.annotated
            if name == "miou":
                union = one.annotated + answered_with[one.name]
                assert own[one.name]["IoU"] == pytest.approx(one.right / union)
            else:
                whole = one.right + 0.5 * missed + 0.5 * answered_with[one.name]
                assert own[one.name]["RQ"] == pytest.approx(one.right / whole)


def test_classes_without_a_list_have_their_words_in_results_rows_and_pages(tmp_path: Path) -> None:
    """No vocabulary; one class has a number, the others their names alone; "unicorn" is in answers only."""
    numbers = {"cat": 313}
    truths = [
        photo(task, ("cat", 0, 8), ("dog", 8, 14), numbers=numbers, id_=f"{task}{n}")
        for task in ("panoptic", "seg", "cond_seg")
        for n in range(3)
    ]
    data = write_dataset(tmp_path / "data", truths)
    said = [Triplet("Dog", "mask", (strip(0, 8),)), Triplet("unicorn", "mask", (strip(8, 14),))]
    right = [Triplet("cat", "mask", (strip(0, 8),)), Triplet("dog", "mask", (strip(8, 14),))]
    path = tmp_path / "answers.jsonl"
    write_predictions(path, open_dataset(data)[0].hash, [
        prediction_of(truth, said if n % 2 else right) for n, truth in enumerate(truths)
    ])  # fmt: skip
    assert score(path, data, tmp_path / "out").exit_code == 0
    results = read_results(tmp_path / "out")
    assert {suite.suite for suite in results.suites} >= {"panoptic", "panoptic_sem", "seg", "cond_seg"}
    for suite in results.suites:
        named = [one["class"] for key in ("classes", "by_class") for one in suite.details.get(key, [])]
        found = suite.details.get("confusion", {"classes": [], "cells": []})
        named += [one["name"] for one in found["classes"]]
        assert not any(name.isdigit() for name in named), suite
        if suite.suite == "panoptic":
            assert {(c["annotated"], c["answered"]) for c in found["cells"]} == {("cat", "dog"), ("dog", None)}
            assert suite.details["unknown_classes"] == {"instances": 1, "phrases": {"unicorn": 1}}
        if suite.suite == "seg":
            assert {(c["annotated"], c["answered"]) for c in found["cells"]} == {("cat", "dog"), ("dog", "unicorn")}
    assert rescore(results, tmp_path / "out") == results
    assert bench("merge", tmp_path / "out", "--out", tmp_path / "merged").exit_code == 0
    assert read_results(tmp_path / "merged") == results
    page = (tmp_path / "out/report.html").read_text()
    assert "313" not in page.replace("13131", "")
    assert "unicorn" in page
