"""AP against pycocotools run on the original JSON: the same numbers, not close ones."""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmarks.columns import Instances
from benchmarks.engine import EngineError, average_precision, class_blocks
from benchmarks.scorer import MISSING, Scorer, Setting, Summary
from tests.benchmarks.made import answered, coco_dialogues, made_coco, vocabulary_of
from tests.benchmarks.perturbed import coco_results, perturbed
from vtinstruct import plugins
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.record import Category
from vtinstruct.units import Box, UnitKind

FAMILIES = {
    "box": ("ap_box", "det", "bbox"),
    "mask": ("ap_mask", "seg", "segm"),
    "keypoint": ("ap_keypoint", "keypoints", "keypoints"),
}
FILES = {
    "box": "instances_val2017.json",
    "mask": "instances_val2017.json",
    "keypoint": "person_keypoints_val2017.json",
}


def scorer(kind: str) -> Scorer:
    return plugins.load("benchmarks.scorers", FAMILIES[kind][0])


def official(coco: dict[str, Any], kind: str, results: list[dict[str, Any]]) -> list[float]:
    """pycocotools on the original annotations, ids from 1."""
    coco = copy.deepcopy(coco)
    for number, annotation in enumerate(coco["annotations"], start=1):
        annotation["id"] = number
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = coco
        truth.createIndex()
        evaluator = COCOeval(truth, truth.loadRes(results), FAMILIES[kind][2])
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return [float(value) for value in evaluator.stats]


def both(coco: dict[str, Any], kind: str, seed: int, engine: str) -> tuple[Summary, list[float]]:
    """Our numbers from dialogues, and the official ones from the JSON, for one perturbed answer set."""
    _, task, _ = FAMILIES[kind]
    names = {category["id"]: category["name"] for category in coco["categories"]}
    ids = {name: id_ for id_, name in names.items()}
    setting = Setting(
        vocabulary=vocabulary_of(coco),
        categories={i: Category(i, name) for i, name in names.items()},
        engine=engine,
        resamples=0,
    )
    rng, rows, results = np.random.default_rng(seed), [], []
    truths = coco_dialogues(coco, task, kind)
    for truth in truths:
        found = perturbed(truth, rng, names)
        assert truth.photo is not None
        image_id = int(truth.photo.id.split(":")[1])
        results += [coco_results(image_id, ids[name], reference) for name, reference in found]
        answer = answered(*(Triplet(name, kind, (reference,)) for name, reference in found))
        rows.append(scorer(kind).score(truth, answer, setting))
    order = rng.permutation(len(rows))
    table = scorer(kind).frame([rows[i] for i in order])  # whatever order samples were scored in
    return scorer(kind).summarize(table, setting), official(coco, kind, results)


def as_list(summary: Summary, count: int) -> list[float]:
    return [-1.0 if value is None else value for value in list(summary.numbers.values())[:count]]


@pytest.mark.parametrize("kind", sorted(FAMILIES))
@pytest.mark.parametrize("engine", ["hotcoco", "official"])
@pytest.mark.parametrize("seed", [1, 2])
def test_made_annotations_give_the_official_numbers(kind: str, engine: str, seed: int) -> None:
    coco = made_coco(seed)
    summary, expected = both(coco, kind, seed, engine)
    assert as_list(summary, len(expected)) == expected
    assert 0.02 < expected[0] < 0.98  # the perturbation tells something


@pytest.mark.parametrize("kind", sorted(FAMILIES))
@pytest.mark.parametrize("size", [1, 40])
def test_classes_in_blocks_give_the_official_numbers(kind: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    coco = made_coco(6)
    whole, expected = both(coco, kind, 6, "hotcoco")
    monkeypatch.setattr("benchmarks.engine.BLOCK", size)
    blocks, _ = both(coco, kind, 6, "hotcoco")
    assert as_list(blocks, len(expected)) == expected
    assert blocks == whole


def test_blocks_of_classes_hold_every_class_once() -> None:
    found = np.repeat([2, 3, 5, 8], [100_000, 100_000, 10, 400_000])
    blocks = class_blocks([1, 2, 3, 5, 8, 9], found)
    assert [c for block in blocks for c in block] == [1, 2, 3, 5, 8, 9]
    assert len(blocks) > 1
    assert class_blocks([], np.zeros(0, dtype=np.int64)) == [[]]
    assert class_blocks([4, 7], np.zeros(0, dtype=np.int64)) == [[4, 7]]


@pytest.mark.parametrize("kind", sorted(FAMILIES))
@pytest.mark.parametrize("engine", ["hotcoco", "official"])
def test_real_annotations_give_the_official_numbers(
    tiny_coco: Callable[[str], dict[str, Any]], kind: str, engine: str
) -> None:
    summary, expected = both(tiny_coco(FILES[kind]), kind, 3, engine)
    assert as_list(summary, len(expected)) == expected
    assert 0.02 < expected[0] < 0.98


@pytest.mark.parametrize("kind", sorted(FAMILIES))
def test_truth_as_answer_is_perfect_and_silence_is_zero(kind: str) -> None:
    coco, (_, task, _) = made_coco(5), FAMILIES[kind]
    setting = Setting(vocabulary=vocabulary_of(coco), resamples=50)
    truths = coco_dialogues(coco, task, kind)
    perfect = [scorer(kind).score(t, answered(*t.turns[-1].parts), setting) for t in truths]
    silent = [scorer(kind).score(t, MISSING, setting) for t in truths]
    top = scorer(kind).summarize(scorer(kind).frame(perfect), setting).numbers
    assert top["AP"] == 1.0
    assert top["F1@.5"] == top["F1@.75"] == 1.0
    low = scorer(kind).summarize(scorer(kind).frame(silent), setting).numbers
    assert {name for name, value in low.items() if value} == set()
    assert low["AP"] == 0.0
    assert {n for n, v in low.items() if v is None} - {"AP_worst", "AP_expected", "AP_best"} == {
        n for n, v in top.items() if v is None
    } - {"AP_worst", "AP_expected", "AP_best"}


def test_silence_agrees_with_an_engine_that_finds_one_wrong_box() -> None:
    """The engines take no empty result; what is answered for them must be what one worthless box gives."""
    coco = made_coco(6)
    coco["annotations"] = [a for a in coco["annotations"] if a["area"] < 96**2]
    image = coco["images"][0]["id"]
    lone = [{"image_id": image, "category_id": 1, "bbox": [0.0, 0.0, 1.0, 1.0], "score": 0.1}]
    setting = Setting(vocabulary=vocabulary_of(coco), resamples=0)
    rows = [scorer("box").score(t, MISSING, setting) for t in coco_dialogues(coco, "det", "box")]
    summary = scorer("box").summarize(scorer("box").frame(rows), setting)
    assert as_list(summary, 12) == official(coco, "box", lone)
    assert summary.numbers["APl"] is None


def test_per_class_numbers_are_the_official_arrays() -> None:
    coco = made_coco(2)
    names = {c["id"]: c["name"] for c in coco["categories"]}
    summary, _ = both(coco, "box", 2, "hotcoco")
    slow, _ = both(coco, "box", 2, "official")
    assert summary.details["classes"] == slow.details["classes"]
    assert {entry["class"] for entry in summary.details["classes"]} <= set(names.values())
    mean = np.mean([entry["AP"] for entry in summary.details["classes"]])
    assert summary.numbers["AP"] == pytest.approx(mean, abs=1e-12)


def test_unknown_classes_are_counted_and_match_nothing() -> None:
    coco = made_coco(1)
    setting = Setting(vocabulary=vocabulary_of(coco), resamples=0)
    truths = coco_dialogues(coco, "det", "box")
    unicorn = Triplet("unicorn", "box", (Reference(Box((0, 0, 9, 9)), 0.5),))
    rows = [scorer("box").score(t, answered(unicorn), setting) for t in truths]
    summary = scorer("box").summarize(scorer("box").frame(rows), setting)
    assert summary.numbers["AP"] == 0.0
    assert summary.numbers["F1@.5"] == 0.0
    assert summary.details["unknown_classes"] == {"instances": len(truths), "phrases": {"unicorn": len(truths)}}


def test_class_names_ignore_case_space_and_underscores_only() -> None:
    coco = made_coco(1)
    setting = Setting(vocabulary=vocabulary_of(coco), resamples=0)
    truths = coco_dialogues(coco, "det", "box")
    loud = [
        answered(
            *(
                replace(p, concept=p.concept.upper().replace("_", "  "))
                for p in t.turns[-1].parts
                if isinstance(p, Triplet)
            )
        )
        for t in truths
    ]
    rows = [scorer("box").score(t, a, setting) for t, a in zip(truths, loud, strict=True)]
    assert scorer("box").summarize(scorer("box").frame(rows), setting).numbers["AP"] == 1.0


def test_without_scores_the_range_of_tie_orders_is_shown() -> None:
    coco = made_coco(4)
    setting = Setting(vocabulary=vocabulary_of(coco), resamples=0)
    rng, rows = np.random.default_rng(0), []
    names = {c["id"]: c["name"] for c in coco["categories"]}
    for truth in coco_dialogues(coco, "det", "box"):
        found = [Triplet(n, "box", (replace(r, score=None),)) for n, r in perturbed(truth, rng, names)]
        rows.append(scorer("box").score(truth, answered(*found), setting))
    summary = scorer("box").summarize(scorer("box").frame(rows), setting)
    n = summary.numbers
    assert summary.details["scored"] is False
    assert n["AP_worst"] < n["AP_expected"] < n["AP_best"]  # type: ignore[operator]
    assert n["AP_worst"] <= n["AP"] <= n["AP_best"]  # type: ignore[operator]


@pytest.mark.parametrize("kind", ["box", "mask", "keypoint"])
def test_equal_confidences_have_a_range_and_others_none(kind: UnitKind) -> None:
    """In steps of a quarter, AP stands between its worst and best order; in steps that nobody shares, there is no range. The
    official number is the same as without the range."""
    coco, rng = made_coco(4), np.random.default_rng(0)
    setting = Setting(vocabulary=vocabulary_of(coco), resamples=2)
    names = {c["id"]: c["name"] for c in coco["categories"]}
    answers: list[tuple[Any, list[Any]]] = [
        (truth, list(perturbed(truth, rng, names))) for truth in coco_dialogues(coco, FAMILIES[kind][1], kind)
    ]
    for steps, ranged in ((4, True), (1 << 40, False)):
        rows = []
        for truth, found in answers:
            said = [(n, replace(r, score=int(rng.integers(1, steps + 1)) / steps)) for n, r in found]
            rows.append(scorer(kind).score(truth, answered(*(Triplet(n, kind, (r,)) for n, r in said)), setting))
        frame = scorer(kind).frame(rows)
        summary, plain = (scorer(kind).summarize(frame, replace(setting, resamples=n)) for n in (2, 0))
        n = summary.numbers
        assert summary.details["scored"] is True
        assert n["AP"] == plain.numbers["AP"]
        assert plain.numbers["AP_worst"] is None
        if ranged:
            assert n["AP_worst"] < n["AP_expected"] < n["AP_best"]  # type: ignore[operator]
            assert n["AP_worst"] <= n["AP"] <= n["AP_best"]  # type: ignore[operator]
            assert summary.details["tie_orders"]["answers"] > 10
        else:
            assert (n["AP_worst"], n["AP_expected"], n["AP_best"]) == (None, None, None)
            assert summary.details["tie_orders"] == {}


def test_ground_truth_id_zero_does_not_cost_a_match() -> None:
    coco = made_coco(0, photos=1)
    coco["annotations"] = [coco["annotations"][0] | {"iscrowd": 0}] if coco["annotations"] else []
    coco = coco if coco["annotations"] else made_coco(3, photos=2)
    assert coco["annotations"][0]["id"] == 0
    setting = Setting(vocabulary=vocabulary_of(coco), resamples=0)
    truths = coco_dialogues(coco, "det", "box")
    rows = [scorer("box").score(t, answered(*t.turns[-1].parts), setting) for t in truths]
    for engine in ("hotcoco", "official"):
        numbers = scorer("box").summarize(scorer("box").frame(rows), replace(setting, engine=engine)).numbers
        assert numbers["AP"] == pytest.approx(1.0, abs=1e-12)  # the trap would make it far less


def test_engines_never_see_what_is_not_finite() -> None:
    one = np.ones(1, dtype=np.int64)
    truth = Instances(one, one, np.array([[0.0, 0, 9, 9]]), np.array([81.0]), np.array([False]))
    for found, words in (
        (Instances(one, one, np.array([[0.0, 0, np.nan, 9]]), score=np.ones(1)), "not finite"),
        (Instances(one, one, np.array([[0.0, 0, 9, 9]]), score=np.array([np.inf])), "not finite"),
        (Instances(one * 2, one, np.array([[0.0, 0, 9, 9]]), score=np.ones(1)), "outside 1..1"),
        (Instances(one, one * 7, np.array([[0.0, 0, 9, 9]]), score=np.ones(1)), r"classes \[7\]"),
    ):
        with pytest.raises(EngineError, match=words):
            average_precision("bbox", [(20, 20)], [1], truth, found)


@pytest.mark.parametrize("kind", sorted(FAMILIES))
def test_a_model_that_says_nothing_has_its_interval_too(kind: str) -> None:
    """AP 0, and how far from 0 it could be on other photos; so that silence can be compared with speech."""
    scorer, task = plugins.load("benchmarks.scorers", FAMILIES[kind][0]), FAMILIES[kind][1]
    coco = made_coco(7, photos=12)
    setting = Setting(vocabulary=vocabulary_of(coco), resamples=30)
    rows = [scorer.score(truth, MISSING, setting) for truth in coco_dialogues(coco, task, kind)]
    summary = scorer.summarize(scorer.frame(rows), setting)
    got = summary.intervals["AP"]
    assert summary.numbers["AP"] == got.low == 0.0
    assert 0.2 < got.high < 0.5
    assert got.method == "exact"
    assert (
        summary.details["confusion"]["annotated"]
        == sum(c["missed"] for c in summary.details["confusion"]["classes"])
        > 0
    )
