"""Metric definitions on small cases worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.depth import errors
from benchmarks.scorer import MISSING, Scorer, Setting, Summary
from benchmarks.scorers.ap_keypoint import oks
from benchmarks.scorers.depth import PROTOCOLS
from tests.benchmarks.made import answered, dialogue
from vtinstruct import plugins
from vtinstruct.dialogue import Dialogue, Prompt, Reference, Triplet
from vtinstruct.geometry import encode_mask
from vtinstruct.units import Box, Depth, Mask, Point

NONE = Setting(resamples=0)
SIZE = (20, 10)


def summary(name: str, pairs: list[tuple[Dialogue, Any]], setting: Setting = NONE) -> Summary:
    scorer: Scorer = plugins.load("benchmarks.scorers", name)
    return scorer.summarize(scorer.frame([scorer.score(truth, answer, setting) for truth, answer in pairs]), setting)


def box(*edges: float) -> Reference:
    return Reference(Box(edges))  # type: ignore[arg-type]


def mask(x0: int, x1: int) -> Reference:
    """Columns x0..x1 of a 20 x 10 photo, whole height: 10 pixels a column."""
    plane = np.zeros((10, 20), dtype=bool)
    plane[:, x0:x1] = True
    return Reference(Mask(encode_mask(plane)))


def expression(task: str, kind: Any, *references: Reference, id_: str = "a") -> Dialogue:
    return dialogue(id_, task, [Triplet("it", kind, references)], SIZE)


def test_rec_takes_the_first_box_and_counts_every_sample() -> None:
    truth = [expression("rec", "box", box(0, 0, 10, 10), id_=str(n)) for n in range(5)]
    answers = [
        answered(Triplet("it", "box", (box(0, 0, 10, 10), box(5, 5, 6, 6)))),  # right first
        answered(Triplet("it", "box", (box(5, 5, 6, 6), box(0, 0, 10, 10)))),  # right second: wrong
        answered(Triplet("it", "box", (Reference(None), box(0, 0, 10, 10)))),  # first undecoded: wrong
        answered(Triplet("it", "box", (box(0, 0, 10, 5),))),  # IoU exactly .5 counts
        MISSING,
    ]
    found = summary("rec", list(zip(truth, answers, strict=True))).numbers
    assert found == {
        "Acc@.5": 0.4,
        "Acc@.75": 0.2,
        "Acc@.9": 0.2,
        "Acc@.5[one box]": 0.2,
        "mIoU": pytest.approx((1 + 0.01 + 0 + 0.5) / 5),
        "N-acc": None,
    }


def test_rec_without_a_target_is_beside_the_accuracy() -> None:
    nothing = expression("rec", "box", id_="none")
    pairs = [
        (nothing, answered("No.")),
        (nothing, answered(Triplet("it", "box", (box(0, 0, 1, 1),)))),
        (nothing, MISSING),
    ]
    found = summary("rec", pairs)
    assert found.numbers["Acc@.5"] is None
    assert found.numbers["N-acc"] == pytest.approx(1 / 3)
    assert found.details == {"with_target": 0, "without_target": 3}


def test_res_sums_for_ciou_and_means_for_giou() -> None:
    pairs = [
        (
            expression("res", "mask", mask(0, 10), id_="1"),
            answered(Triplet("it", "mask", (mask(0, 4), mask(2, 8)))),
        ),  # union: 8/10
        (expression("res", "mask", mask(0, 2), id_="2"), answered(Triplet("it", "mask", (mask(1, 3),)))),  # 1/3
        (expression("res", "mask", mask(0, 2), id_="3"), MISSING),  # 0/2
        (expression("res", "mask", id_="4"), answered("Nothing.")),
        (expression("res", "mask", id_="5"), answered(Triplet("it", "mask", (mask(0, 1),)))),
        (expression("res", "mask", id_="6"), MISSING),  # says nothing, not "none"
    ]
    found = summary("res", pairs).numbers
    assert found["cIoU"] == pytest.approx((80 + 10) / (100 + 30 + 20))
    assert found["gIoU"] == pytest.approx((0.8 + 1 / 3 + 0) / 3)
    assert (found["P@.5"], found["P@.7"], found["P@.9"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3), 0.0)
    assert found["N-acc"] == pytest.approx(1 / 3)
    assert found["T-acc"] == pytest.approx(2 / 3)


def test_interactive_numbers_are_apart_by_prompt() -> None:
    def asked(id_: str, kind: Any) -> Dialogue:
        parts = [Triplet("it", "mask", (mask(0, 10),))]
        return dialogue(id_, "interactive_seg", parts, SIZE, question=("This?", Prompt(kind, Point((1.0, 1.0)))))

    pairs = [
        (asked("1", "point"), answered(Triplet("it", "mask", (mask(0, 10),)))),
        (asked("2", "point"), MISSING),
        (asked("3", "box"), answered(Triplet("it", "mask", (mask(5, 10),)))),
    ]
    found = summary("interactive", pairs)
    assert found.numbers["mIoU"] == pytest.approx(0.5)
    assert (found.numbers["mIoU_point"], found.numbers["mIoU_box"], found.numbers["mIoU_scribble"]) == (0.5, 0.5, None)
    assert found.details["prompts"] == {"point": 2, "box": 1, "scribble": 0, "mask": 0}


def test_depth_errors_by_hand() -> None:
    true, found = np.array([[1.0, 2.0, 4.0, 0.0]]), np.array([[1.1, 2.0, 8.0, 5.0]])
    got = errors(true, found, PROTOCOLS[0])
    assert got is not None
    assert got["AbsRel"] == pytest.approx((0.1 + 0 + 1) / 3)
    assert got["SqRel"] == pytest.approx((0.01 + 0 + 4) / 3)
    assert got["RMSE"] == pytest.approx(np.sqrt((0.01 + 0 + 16) / 3))
    logs = np.array([np.log(1.1), 0.0, np.log(2.0)])
    assert got["RMSElog"] == pytest.approx(np.sqrt((logs**2).mean()))
    assert got["SILog"] == pytest.approx(100 * np.sqrt((logs**2).mean() - logs.mean() ** 2))
    assert (got["d1"], got["d2"], got["d3"]) == (pytest.approx(2 / 3),) * 3
    aligned = errors(true, 3 * true, PROTOCOLS[1])
    assert aligned is not None
    assert aligned["AbsRel"] == pytest.approx(0.0, abs=1e-12)


def test_depth_an_unfilled_pixel_is_an_error_and_a_missing_map_is_never_aligned() -> None:
    true = np.full((1, 4), 2.0)
    hole = errors(true, np.array([[2.0, 2.0, 2.0, 0.0]]), PROTOCOLS[0])
    assert hole is not None
    assert hole["AbsRel"] == pytest.approx((1 - 0.0005) / 4)
    for protocol in PROTOCOLS[:2]:
        missing = errors(true, None, protocol)
        assert missing is not None
        assert missing["AbsRel"] == pytest.approx(0.9995)
        assert missing["d3"] == 0.0


def test_depth_crops_apply_only_to_the_frames_they_were_made_for(tmp_path: Path) -> None:
    Image.fromarray(np.full((480, 640), 2000, dtype=np.uint16)).save(tmp_path / "nyu.png")
    parts = [Triplet("depth", "depth", (Reference(Depth("nyu.png", 0.001)),))]
    truth = dialogue("1", "depth", parts, (640, 480))
    found = summary("depth", [(truth, answered(*parts))], Setting(tmp_path, tmp_path, resamples=0))
    assert found.numbers["d1[eigen_nyu,10m,none]"] == 1.0
    assert found.numbers["d1[garg,80m,none]"] is None
    assert (
        found.details["photos"].items()
        >= {
            "[none,80m,none]": 1,
            "[none,80m,median]": 1,
            "[eigen_nyu,10m,none]": 1,
            "[garg,80m,none]": 0,
        }.items()
    )


def test_relative_depth_is_fitted_by_scale_and_shift_and_nothing_else(tmp_path: Path) -> None:
    metres = np.array([[1.0, 2.0, 4.0], [8.0, 3.0, 5.0]])
    known = np.array([[True, True, True], [True, True, False]])
    relative = 40 + 100 / metres  # a = 100, b = 40, which nobody knows
    levels = np.round(relative).astype(np.uint8)
    Image.fromarray(levels).save(tmp_path / "truth.png")
    Image.fromarray((metres * 1000).astype(np.uint16)).save(tmp_path / "metres.png")
    unit = Depth("truth.png", 1 / 255, "relative_inverse", encode_mask(known))
    truth = dialogue("1", "depth", [Triplet("relative depth", "depth", (Reference(unit),))], (3, 2))
    setting = Setting(tmp_path, tmp_path, resamples=0)

    def scored(given: Depth | None) -> dict[str, float | None]:
        answer = MISSING if given is None else answered(Triplet("depth", "depth", (Reference(given),)))
        return dict(summary("depth", [(truth, answer)], setting).numbers)

    assert scored(unit)["MAE[relative,affine]"] == pytest.approx(0.0, abs=1e-6)
    measured = scored(Depth("metres.png", 0.001))
    # numpy's own least squares, on the known pixels
    t = levels[known].astype(np.float64) / 255
    design = np.stack([1 / metres[known], np.ones(5)], 1)
    off = design @ np.linalg.lstsq(design, t, rcond=None)[0] - t
    spread = np.abs(t - np.median(t)).mean()
    assert measured["MAE[relative,affine]"] == pytest.approx(np.abs(off).mean() / spread, abs=1e-6)
    assert measured["RMSE[relative,affine]"] == pytest.approx(np.sqrt((off**2).mean()) / spread, abs=1e-6)
    assert measured["AbsRel[none,80m,none]"] is None, "no number in metres"
    flat = scored(None)["RMSE[relative,affine]"]
    assert flat == pytest.approx(t.std() / spread)
    Image.fromarray((1000 / metres).astype(np.uint16)).save(tmp_path / "wrong.png")  # far for near
    assert scored(Depth("wrong.png", 0.001))["RMSE[relative,affine]"] == flat


def test_oks_of_an_unlabelled_person_measures_from_its_box() -> None:
    inside, outside = np.tile([5.0, 5.0, 2.0], 17)[None], np.tile([500.0, 5.0, 2.0], 17)[None]
    box_, area = np.array([[0.0, 0.0, 10.0, 10.0]]), np.array([100.0])
    unlabelled = np.zeros((1, 51))
    assert oks(inside, unlabelled, box_, area)[0] == pytest.approx(1.0)
    assert oks(outside, unlabelled, box_, area)[0] < 1e-6


def test_trp_counts_triplets_that_agree_in_concept_unit_and_count() -> None:
    truth = dialogue(
        "1", "det", [Triplet("dog", "box", (box(0, 0, 1, 1),)), Triplet("cat", "box", (box(0, 0, 1, 1),) * 2)]
    )
    half = answered(Triplet("Dog", "box", (box(5, 5, 9, 9),)), Triplet("cat", "box", (box(0, 0, 1, 1),)))
    found = summary("trp", [(truth, half)]).numbers
    assert found["triplet_F1"] == 0.5
    assert found["parse_rate"] == 1.0
    assert found["plan_agreement"] is None
