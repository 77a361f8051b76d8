"""LVIS AP against lvis-api run on the original JSON: the same numbers, not close ones."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.columns import Instances
from benchmarks.engine_lvis import NUMBERS, Federation, lvis_average_precision
from benchmarks.originals import OriginalMissing, lvis_api, old_numpy
from benchmarks.scorer import Engine, Scorer, Setting, Summary
from tests.benchmarks.made import answered, coco_dialogues, made_coco, vocabulary_of
from tests.benchmarks.perturbed import coco_results, perturbed
from vtinstruct import plugins
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.record import Category
from vtinstruct.units import Box

FAMILIES = {"box": ("lvis_box", "det", "bbox"), "mask": ("lvis_mask", "seg", "segm")}


@pytest.fixture(scope="module")
def original() -> Any:
    try:
        return lvis_api()
    except OriginalMissing as error:
        pytest.skip(str(error))


def made_lvis(seed: int) -> dict[str, Any]:
    """A made-up LVIS file: no crowds, absent and not exhaustive classes, frequencies."""
    rng, lvis = np.random.default_rng(seed), made_coco(seed)
    lvis["annotations"] = [a for a in lvis["annotations"] if not a["iscrowd"]]
    for category, frequency in zip(lvis["categories"], "rcff", strict=True):
        category["frequency"] = frequency
    for number, annotation in enumerate(lvis["annotations"], start=1):
        annotation["id"] = number
    for image in lvis["images"]:
        there = {a["category_id"] for a in lvis["annotations"] if a["image_id"] == image["id"]}
        image["neg_category_ids"] = [c for c in (1, 2, 3, 4) if c not in there and rng.random() < 0.4]
        image["not_exhaustive_category_ids"] = [c for c in sorted(there) if rng.random() < 0.3]
    return lvis


def official(api: Any, lvis: dict[str, Any], results: list[dict[str, Any]], iou_type: str) -> dict[str, float]:
    evaluator = evaluated(api, lvis, results, iou_type)
    return {name: float(value) for name, value in evaluator.get_results().items()}


def evaluated(api: Any, lvis: dict[str, Any], results: list[dict[str, Any]], iou_type: str) -> Any:
    """lvis-api's own evaluator, run."""
    with old_numpy():
        truth = api.LVIS.__new__(api.LVIS)
        truth.logger, truth.dataset = api.eval.logging.getLogger("lvis.lvis"), copy.deepcopy(lvis)
        truth._create_index()
        evaluator = api.LVISEval(truth, copy.deepcopy(results), iou_type)
        evaluator.run()
    return evaluator


def both(api: Any, lvis: dict[str, Any], kind: str, seed: int, engine: Engine) -> tuple[Summary, dict[str, float]]:
    """Our numbers from dialogues, lvis-api's from the JSON, for one perturbed answer set with one crowded photo."""
    name, task, iou_type = FAMILIES[kind]
    scorer: Scorer = plugins.load("benchmarks.scorers", name)
    categories = {row["id"]: Category(row["id"], row["name"], frequency=row["frequency"]) for row in lvis["categories"]}
    names, ids = {i: c.name for i, c in categories.items()}, {c.name: i for i, c in categories.items()}
    setting = Setting(vocabulary=vocabulary_of(lvis), categories=categories, engine=engine, resamples=0)
    rng, rows, results = np.random.default_rng(seed), [], []
    for number, truth in enumerate(coco_dialogues(lvis, task, kind)):
        found = perturbed(truth, rng, names)
        if number == 1 and kind == "box":  # more than 300: the cap comes before the classes that are not judged go
            several = [str(rng.choice(sorted(ids))) for _ in range(350)]
            found += [(n, Reference(Box((1.0, 1.0, 60.0, 50.0)), float(np.round(rng.random(), 2)))) for n in several]
        assert truth.photo is not None
        image_id = int(truth.photo.id.split(":")[1])
        results += [coco_results(image_id, ids[n], reference) for n, reference in found]
        answer = answered(*(Triplet(n, kind, (reference,)) for n, reference in found))  # type: ignore[arg-type]
        rows.append(scorer.score(truth, answer, setting))
    table = scorer.frame([rows[i] for i in rng.permutation(len(rows))])
    return scorer.summarize(table, setting), official(api, lvis, results, iou_type)


def numbers_of(summary: Summary) -> dict[str, float]:
    values = {name: summary.numbers[name] for name in NUMBERS}
    return {name: -1.0 if value is None else value for name, value in values.items()}


@pytest.mark.parametrize("kind", sorted(FAMILIES))
@pytest.mark.parametrize("engine", ["hotcoco", "official"])
@pytest.mark.parametrize("seed", [1, 2])
def test_made_annotations_give_the_official_numbers(original: Any, kind: str, engine: Engine, seed: int) -> None:
    summary, expected = both(original, made_lvis(seed), kind, seed, engine)
    assert numbers_of(summary) == {name: expected[name] for name in NUMBERS}
    assert 0.02 < expected["AP"] < 0.98
    assert len({expected["APr"], expected["APc"], expected["APf"]}) == 3


@pytest.mark.parametrize("kind", sorted(FAMILIES))
def test_real_annotations_give_the_official_numbers(
    original: Any, shared_data: Callable[[str], Path], kind: str
) -> None:
    lvis = json.loads((shared_data("lvis_val_100") / "data" / "lvis_val_100.json").read_text())
    summary, expected = both(original, lvis, kind, 3, "hotcoco")
    assert numbers_of(summary) == {name: expected[name] for name in NUMBERS}
    assert 0.02 < expected["AP"] < 0.98


def federated(lvis: dict[str, Any], extra: str, engine: Engine = "hotcoco") -> Summary:
    """The truth, and in every photo one worthless box of another class."""
    scorer: Scorer = plugins.load("benchmarks.scorers", "lvis_box")
    categories = {row["id"]: Category(row["id"], row["name"], frequency=row["frequency"]) for row in lvis["categories"]}
    setting = Setting(vocabulary=vocabulary_of(lvis), categories=categories, engine=engine, resamples=50)
    box = Triplet(extra, "box", (Reference(Box((0.0, 0.0, 2.0, 2.0)), 1.0),))
    rows = [scorer.score(t, answered(*t.turns[-1].parts, box), setting) for t in coco_dialogues(lvis, "det", "box")]
    return scorer.summarize(scorer.frame(rows), setting)


def test_a_class_costs_only_where_it_is_judged() -> None:
    lvis = made_lvis(1)
    for image in lvis["images"]:
        image["neg_category_ids"] = []
    free = federated(lvis, "kite").numbers  # photos without a kite do not judge it; those with one do
    for image in lvis["images"]:
        image["not_exhaustive_category_ids"] = [4]
    freer = federated(lvis, "kite").numbers
    for image in lvis["images"]:
        image["neg_category_ids"], image["not_exhaustive_category_ids"] = [4], []
    strict = federated(lvis, "kite").numbers
    assert freer["AP"] == pytest.approx(1.0, abs=1e-12)
    assert strict["AP"] < free["AP"] < 1.0  # type: ignore[operator]
    assert freer["F1@.5"] == 1.0
    assert strict["F1@.5"] < free["F1@.5"] < 1.0  # type: ignore[operator]


def test_the_interval_holds_the_number() -> None:
    summary = federated(made_lvis(2), "kite")
    got, value = summary.intervals["AP"], summary.numbers["AP"]
    assert value is not None
    assert got.low <= value <= got.high


def test_classes_without_a_frequency_have_no_numbers_by_frequency() -> None:
    one = np.ones(1, dtype=np.int64)
    truth = Instances(one, one, np.array([[0.0, 0, 9, 9]]), np.array([81.0]), np.array([False]))
    found = Instances(one, one, np.array([[0.0, 0, 9, 9]]), score=np.ones(1))
    got = lvis_average_precision("bbox", [(20, 20)], Federation([[]], [[]], {1: ""}), truth, found)
    assert got.numbers["AP"] == pytest.approx(1.0)
    assert (got.numbers["APr"], got.numbers["APc"], got.numbers["APf"]) == (None, None, None)
