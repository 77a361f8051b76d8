"""Which class is taken for which, and what confidences are worth: by hand, on boxes whose answers are known."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.scorer import Setting
from benchmarks.scorers.ap_box import SCORER
from tests.benchmarks.made import answered, dialogue
from vtinstruct.dialogue import Evaluation, Reference, Triplet
from vtinstruct.record import Category
from vtinstruct.units import Box

NAMES = {"cat": 1, "dog": 2, "cow": 3}
PLACES = {name: (10.0 * n, 0.0, 10.0 * n + 8, 8.0) for n, name in enumerate("abcdef")}


def details(
    truth: list[tuple[str, str]], found: list[tuple[str, str, float | None]], ignore: str = ""
) -> dict[str, Any]:
    """The details of one photo: (class, place) annotated, (class, place, confidence) answered, regions to ignore."""
    setting = Setting(
        vocabulary=NAMES, categories={id_: Category(id_, name) for name, id_ in NAMES.items()}, resamples=5
    )
    one = dialogue(
        "1", "det", [Triplet(c, "box", (Reference(Box(PLACES[p]), None, c, NAMES[c]),)) for c, p in truth],
        evaluation=Evaluation(ignore=tuple(Reference(Box(PLACES[p]), None, "cat", 1, crowd=True) for p in ignore)),
    )  # fmt: skip
    answer = answered(*(Triplet(c, "box", (Reference(Box(PLACES[p]), score),)) for c, p, score in found))
    return dict(SCORER.summarize(SCORER.frame([SCORER.score(one, answer, setting)]), setting).details)


def cells(found: dict[str, Any]) -> list[tuple[str | None, str | None, int, int | None]]:
    return [(c["annotated"], c["answered"], c["n"], c["of"]) for c in found["confusion"]["cells"]]


def test_every_kind_of_mistake_has_its_cell() -> None:
    found = details(
        [("cat", "a"), ("cat", "b"), ("dog", "c"), ("cow", "d")],
        [("cat", "a", None), ("dog", "b", None), ("cat", "c", None), ("cow", "f", None)],
    )
    assert cells(found) == [
        ("cat", "dog", 1, 2), ("cow", None, 1, 1), ("dog", "cat", 1, 1), (None, "cow", 1, None)
    ]  # fmt: skip
    assert found["confusion"]["right"] == 1
    assert found["confusion"]["annotated"] == 4
    assert found["confusion"]["unit"] == "instances"
    assert found["confusion"]["classes"][:2] == [
        {"name": "cow", "annotated": 1, "right": 0, "missed": 1, "invented": 1},
        {"name": "cat", "annotated": 2, "right": 1, "missed": 0, "invented": 0},
    ]
    assert found["reliability"] is None  # no confidences


def test_the_right_class_goes_before_a_more_confident_wrong_one() -> None:
    found = details([("cat", "a"), ("dog", "b")], [("dog", "a", 0.9), ("cat", "a", 0.5)])
    assert found["confusion"]["right"] == 1
    assert cells(found) == [("dog", None, 1, 1), (None, "dog", 1, None)]


def test_with_confidences_only_the_foremost_are_in_a_confusion() -> None:
    found = details([("cat", "a")], [("cat", "a", 0.9), ("dog", "b", 0.2), ("cow", "c", 0.1)])
    assert cells(found) == []
    assert found["confusion"]["right"] == 1


def test_answers_on_ignored_regions_count_nowhere() -> None:
    found = details([("cat", "a"), ("cat", "b")], [("cat", "e", 0.9), ("cat", "a", 0.8)], ignore="e")
    assert cells(found) == [("cat", None, 1, 2)]
    assert [one["n"] for one in found["reliability"]["bins"]] == [1]


def test_reliability_by_hand() -> None:
    found = details(
        [("cat", "a"), ("cat", "b"), ("dog", "c")],
        [("cat", "a", 0.95), ("cat", "f", 0.91), ("dog", "c", 0.5), ("cow", "b", 0.0), ("cat", "b", 1.0)],
    )["reliability"]
    assert [(one["from"], one["n"]) for one in found["bins"]] == [(0.0, 1), (0.5, 1), (0.9, 3)]
    assert [one["precision"] for one in found["bins"]] == pytest.approx([0.0, 1.0, 2 / 3])
    assert [one["confidence"] for one in found["bins"]] == pytest.approx([0.0, 0.5, 2.86 / 3])
    assert found["error"] == pytest.approx((0.0 + 0.5 + abs(2.86 - 2)) / 5)


def test_confidences_that_are_no_shares_have_no_reliability() -> None:
    found = details([("cat", "a")], [("cat", "a", 7.5)])
    assert found["reliability"] is None
    assert found["confusion"]["right"] == 1
