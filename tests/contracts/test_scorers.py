"""Every scorer keeps the contract of `benchmarks/scorer.py`, by its file name alone."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmarks.answers import check_answer
from benchmarks.scorer import COMMON, MISSING, Scorer, Setting
from benchmarks.suites import SUITES, Suite
from tests.benchmarks.made import answered, coco_dialogues, dialogue, made_coco, prediction_of, vocabulary_of
from vtinstruct import plugins
from vtinstruct.dialogue import Dialogue, Evaluation, Prompt, Reference, Triplet
from vtinstruct.geometry import decode_rle, encode_mask
from vtinstruct.prediction import Prediction
from vtinstruct.units import Box, Depth, Keypoints, Mask, Point, Unit

SCORERS: dict[str, Scorer] = {
    name: plugins.load("benchmarks.scorers", name) for name in plugins.names("benchmarks.scorers")
}
COCO = made_coco(7, photos=12)
KINDS = {"det": "box", "cond_det": "box", "interactive_det": "box", "seg": "mask", "keypoints": "keypoint"}
KINDS |= {
    "cond_seg": "mask",
    "panoptic": "mask",
    "region_keypoints": "keypoint",
    "rec": "box",
    "res": "mask",
    "interactive_seg": "mask",
}
CAPTIONS = ("a red car next to a dog", "the quick brown fox jumps over a lazy dog", "two people fly kites on the beach")


def samples(task: str, root: Path) -> list[Dialogue]:
    """Samples of a task with a right answer each, over several photos."""
    if task in ("det", "cond_det", "seg", "cond_seg", "panoptic", "keypoints", "region_keypoints"):
        found = coco_dialogues(COCO, task, KINDS[task])
        return [apart(one) for one in found] if KINDS[task] == "mask" else found
    if task == "mixed":
        several = [coco_dialogues(COCO, task, kind) for kind in ("box", "mask", "keypoint")]
        parts = [[part for one in trio for part in one.turns[-1].parts] for trio in zip(*several, strict=True)]
        return [dialogue(t.id, task, p, (160, 120), None, t.photo.id) for t, p in zip(several[0], parts, strict=True)]  # type: ignore[union-attr]
    if task == "grounded_vqa_point":
        points = [tuple(Reference(Point((9.0 * n, 4.0 * k))) for k in range(n)) for n in (1, 2, 3)]
        return [dialogue(f"points-{len(p)}", task, [Triplet("here", "point", p)]) for p in points]
    if task in ("absent", "count", "grounded_vqa_box"):
        found = []
        for truth in coco_dialogues(COCO, task, "box"):
            references = tuple(r for _, _, r in truth.references())
            words = [f"{len(references)} in all: ", Triplet("thing", "box", references)]
            found.append(dialogue(truth.id, task, words, (160, 120), None, truth.photo.id))  # type: ignore[union-attr]
        return found
    if task in ("rec", "res", "interactive_seg", "interactive_det"):
        found = []
        for number, truth in enumerate(coco_dialogues(COCO, task, KINDS[task])):
            for _, triplet, reference in list(truth.references())[:1]:
                one = Triplet(triplet.concept, triplet.kind, (reference,))
                mark = Prompt(("point", "box", "scribble")[number % 3], Point((3.0, 3.0)))  # type: ignore[arg-type]
                question = ("Which one?", mark) if task.startswith("interactive") else ("Which one?",)
                found.append(dialogue(truth.id, task, ["Here: ", one], (160, 120), None, truth.photo.id, question))  # type: ignore[union-attr]
        return found
    if task == "depth":
        return [depth_sample(root, number) for number in range(3)]
    if task in ("gcg_mask", "gcg_box"):
        return [
            replace(truth, evaluation=Evaluation(references=(CAPTIONS[n % 3],)))
            for n, truth in enumerate(coco_dialogues(COCO, task, task.removeprefix("gcg_")))
            if any(True for _ in truth.references())
        ]
    if task in ("vqa", "vqa_point", "vqa_box"):
        return [
            dialogue(f"{task}-{n}", task, [word], (64, 48), Evaluation(answers=(word,) * 10, question_kind="yes/no"))
            for n, word in enumerate(("yes", "no", "yes", "no"))
        ]
    return [
        dialogue(
            f"{task}-{n}",
            task,
            [words],
            (64, 48),
            Evaluation(references=(words, "a photo of something"), answers=(words,)),
        )
        for n, words in enumerate(CAPTIONS)
    ]


def apart(truth: Dialogue) -> Dialogue:
    """The same sample with masks that do not overlap, as panoptic and semantic annotation has them."""
    free = np.ones((120, 160), dtype=bool)

    def cut(reference: Reference) -> Reference | None:
        assert isinstance(reference.unit, Mask)
        inside = decode_rle(reference.unit.mask_rle) & free
        free[inside] = False
        return replace(reference, unit=Mask(encode_mask(inside)), area=float(inside.sum())) if inside.any() else None

    def cuts(references: tuple[Reference, ...]) -> tuple[Reference, ...]:
        return tuple(one for one in map(cut, references) if one)

    ignore = cuts(truth.evaluation.ignore)
    parts = [replace(p, references=cuts(p.references)) if isinstance(p, Triplet) else p for p in truth.turns[-1].parts]
    turns = (truth.turns[0], replace(truth.turns[-1], parts=tuple(parts)))
    return replace(truth, turns=turns, evaluation=replace(truth.evaluation, ignore=ignore))


def depth_sample(root: Path, number: int) -> Dialogue:
    metres = np.random.default_rng(number).uniform(0.5, 9, (48, 64))
    metres[:4] = 0  # missing
    Image.fromarray((metres * 1000).astype(np.uint16)).save(root / f"{number}.png")
    reference = Reference(Depth(f"{number}.png", 0.001))
    return dialogue(f"depth-{number}", "depth", [Triplet("depth", "depth", (reference,))], (64, 48))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("depth")


def tasks_of(scorer: Scorer) -> tuple[str, ...]:
    return scorer.tasks or ("det", "res", "caption")


def setting_of(root: Path, resamples: int = 60) -> Setting:
    return Setting(root, root, vocabulary_of(COCO), resamples=resamples)


PAIRS = [(name, task) for name, scorer in SCORERS.items() for task in tasks_of(scorer)]


def test_the_table_of_suites_fits_the_scorers() -> None:
    for suite in SUITES:
        scorer = suite.load()
        assert suite.metric().name == suite.primary
        assert (suite.task in scorer.tasks) if suite.task else not scorer.tasks
    assert len({suite.name for suite in SUITES}) == len(SUITES)


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_a_scorer_says_what_it_is(name: str) -> None:
    scorer = SCORERS[name]
    assert scorer.name == name
    assert scorer.source
    assert scorer.metrics
    assert len({metric.name for metric in scorer.metrics}) == len(scorer.metrics)
    assert not set(scorer.columns) & set(COMMON)
    tasks = set(plugins.names("vtinstruct.tasks"))
    assert not scorer.tasks or set(scorer.tasks) & tasks, f"{name} judges no task that exists"


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_truth_is_best_and_silence_is_worst(name: str, task: str, root: Path) -> None:
    scorer, setting, truths = SCORERS[name], setting_of(root), samples(task, root)
    right = scorer.summarize(
        scorer.frame([scorer.score(t, answered(*t.turns[-1].parts), setting) for t in truths]), setting
    )
    missing = scorer.frame([scorer.score(t, MISSING, setting) for t in truths])
    assert set(missing["quality"]) == {0.0}
    silent = scorer.summarize(missing, setting)
    percent = {metric.name: metric for metric in scorer.metrics}
    primary = scorer.metrics[0].name
    for metric_name, value in right.numbers.items():
        worst, metric = silent.numbers[metric_name], percent[metric_name]
        if value is None or worst is None or metric_name == "invalid_share":  # a missing answer is not an invalid one
            continue
        assert value >= worst if metric.higher_is_better else value <= worst, metric_name
    top, low = right.numbers[primary], silent.numbers[primary]
    assert top is not None
    assert low is not None
    if name == "depth":
        assert top < 1e-9 < low
    else:
        assert top == pytest.approx(10.0 if name == "captions" else 1.0, rel=0.7 if name == "captions" else 1e-9)
        assert low == 0.0


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_numbers_are_named_ordered_and_do_not_depend_on_row_order(name: str, task: str, root: Path) -> None:
    scorer, setting, truths = SCORERS[name], setting_of(root), samples(task, root)
    answers = [answered(*t.turns[-1].parts) if n % 2 else MISSING for n, t in enumerate(truths)]
    rows = [scorer.score(t, a, setting) for t, a in zip(truths, answers, strict=True)]
    table = scorer.frame(rows)
    assert table.columns == [*COMMON, *scorer.columns]
    assert table["state"].to_list() == ["ok" if n % 2 else "missing" for n in range(len(truths))]
    assert all(0.0 <= q <= 1.0 for q in table["quality"])
    forward = scorer.summarize(table, setting)
    backward = scorer.summarize(pl.concat([scorer.frame([row]) for row in reversed(rows)]), setting)
    assert list(forward.numbers) == [metric.name for metric in scorer.metrics]
    json.dumps(asdict(forward), allow_nan=False)
    for number, value in forward.numbers.items():
        other = backward.numbers[number]
        assert value is other is None or value == pytest.approx(other, rel=1e-12)
    for number, got in forward.intervals.items():
        value = forward.numbers[number]
        assert value is not None
        assert got.low <= got.high
        assert got.photos == len({row["photo"] for row in rows})


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_every_primary_number_has_an_interval(suite: Suite, root: Path) -> None:
    """Answers that are right in half of the photos: the number has a 95 % interval around it, of some width."""
    scorer, task = suite.load(), suite.task or "det"
    truths = samples(task, root)
    answers = [answered(*t.turns[-1].parts) if n % 2 else MISSING for n, t in enumerate(truths)]
    rows = [scorer.score(t, a, setting_of(root)) for t, a in zip(truths, answers, strict=True)]
    summary = scorer.summarize(scorer.frame(rows), setting_of(root))
    value, got = summary.numbers[suite.primary], summary.intervals[suite.primary]
    assert value is not None
    assert got.low <= value <= got.high
    assert got.low < got.high
    assert got.resamples > 0
    assert got.method in ("bca", "student")
    assert got.photos == len({row["photo"] for row in rows})


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_no_rows_give_no_numbers_and_rows_survive_parquet(name: str, root: Path, tmp_path: Path) -> None:
    scorer, setting = SCORERS[name], setting_of(root)
    assert set(scorer.summarize(scorer.frame([]), setting).numbers.values()) == {None}
    truths = samples(tasks_of(scorer)[0], root)
    table = scorer.frame([scorer.score(t, answered(*t.turns[-1].parts), setting) for t in truths])
    table.write_parquet(tmp_path / "rows.parquet")
    again = pl.read_parquet(tmp_path / "rows.parquet")
    assert scorer.summarize(again, setting).numbers == scorer.summarize(table, setting).numbers


numbers = st.floats(-2e6, 2e6, allow_nan=False)
units: st.SearchStrategy[Unit | None] = st.one_of(
    st.none(),
    st.tuples(numbers, numbers, numbers, numbers).map(
        lambda b: Box((min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3])))
    ),
    st.tuples(numbers, numbers).map(Point),
    st.lists(st.tuples(numbers, numbers, st.integers(0, 2)), max_size=20).map(lambda p: Keypoints(tuple(p))),
    st.binary(max_size=12).map(lambda counts: Mask(type(MASK.mask_rle)((120, 160), counts))),
    st.sampled_from(["0.png", "none.png", "../x.png", "/etc/hostname"]).map(lambda path: Depth(path, 0.001)),
)
MASK = next(
    r.unit for t in coco_dialogues(COCO, "seg", "mask") for _, _, r in t.references() if isinstance(r.unit, Mask)
)
pieces = st.sampled_from(
    ["<Phrase>dog</Phrase>", "<Unit>box</Unit>", "<Unit>mask</Unit>", "(", ")", "[0]<REF>", "[1]<REF>", "<Task>", "word ",
     "<Phrase>person</Phrase>(<Unit>keypoint</Unit>[0]<REF>)", "<Phrase>depth</Phrase>(<Unit>depth</Unit>[0]<REF>)",
     "<Phrase>dog</Phrase>(<Unit>mask</Unit>[0]<REF>)", "<Phrase>unicorn</Phrase>(<Unit>box</Unit>[0]<REF>[1]<REF>)"]
)  # fmt: skip


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_no_answer_breaks_a_scorer(name: str, task: str, root: Path) -> None:
    scorer, setting, truths = SCORERS[name], setting_of(root, 0), samples(task, root)

    @given(
        st.lists(pieces, max_size=8).map("".join), st.lists(st.tuples(units, st.none() | st.floats(0, 1)), max_size=4)
    )
    def try_it(text: str, found: list[tuple[Unit | None, float | None]]) -> None:
        references = tuple(Reference(unit, score) for unit, score in found)
        answer = check_answer(Prediction(truths[0].id, text, references), truths[0], root, [])
        rows = [scorer.score(truths[0], answer, setting), scorer.score(truths[-1], MISSING, setting)]
        summary = scorer.summarize(scorer.frame(rows), setting)
        assert all(value is None or math.isfinite(value) for value in summary.numbers.values())

    try_it()


def test_a_prediction_of_the_truth_is_read_back_as_the_truth(root: Path) -> None:
    for truth in samples("seg", root):
        answer = check_answer(prediction_of(truth, truth.turns[-1].parts), truth, root, [])
        assert answer.state == "ok", answer.faults
        assert [t.concept for t in answer.triplets("mask")] == [t.concept for _, t in truth.triplets()]
