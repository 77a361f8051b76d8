"""Definitions of referring, counting, pointing, joints, mixed answers and clicks, on cases worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.clicks import Click, clicks_needed, next_click, number_of_clicks, session
from benchmarks.scorer import MISSING, Answered
from benchmarks.scorers.absent import generalised_iou
from benchmarks.scorers.count import number_in
from tests.benchmarks.made import answered, dialogue
from tests.benchmarks.test_definitions import box, expression, mask, summary
from vtinstruct.dialogue import Dialogue, Prompt, Reference, Triplet
from vtinstruct.units import Box, Keypoints, Point

Pair = tuple[Dialogue, Answered]


def masks(*columns: tuple[int, int]) -> Answered:
    return answered(Triplet("it", "mask", tuple(mask(*one) for one in columns)))


def rela(pairs: list[tuple[bool, bool, int, int]]) -> dict[str, float]:
    """ReLA's loop over (no target, said nothing, intersection, union), written out."""
    iou_sum, i_sum, u_sum, hits = 0.0, 0, 0, dict.fromkeys((0.7, 0.8, 0.9), 0)
    counts = dict.fromkeys(("TP", "FN", "FP", "TN"), 0)
    for no_target, nothing, i, u in pairs:
        if no_target:
            counts["TP" if nothing else "FN"] += 1
            iou_sum += nothing
            u_sum += 0 if nothing else u
        else:
            counts["FP" if nothing else "TN"] += 1
            i = 0 if nothing else i
            iou = i / u if u else 0.0
            iou_sum, i_sum, u_sum = iou_sum + iou, i_sum + i, u_sum + u
            for level in hits:
                hits[level] += iou >= level
    targets = counts["FP"] + counts["TN"]
    return {
        "gIoU[script]": iou_sum / len(pairs), "cIoU[script]": i_sum / u_sum,
        "N-acc[script]": counts["TP"] / (counts["TP"] + counts["FN"]), "T-acc[script]": counts["TN"] / targets,
        **{f"P@{str(level)[1:]}[script]": n / targets for level, n in hits.items()},
    }  # fmt: skip


def test_gres_is_the_published_loop_and_an_empty_mask_says_nothing_beside_it() -> None:
    def there(n: int) -> Dialogue:
        return expression("res", "mask", mask(0, 10), id_=f"there{n}")

    def none(n: int) -> Dialogue:
        return expression("res", "mask", id_=f"none{n}")

    pairs: list[Pair] = [
        (there(0), masks((0, 9))), (there(1), masks((0, 4), (2, 8))), (there(2), answered("Nothing.")),
        (there(3), masks((0, 0))), (none(0), answered("Nothing.")), (none(1), masks((0, 3))), (none(2), masks((0, 0))),
    ]  # fmt: skip
    found = summary("gres", pairs).numbers
    expected = rela([
        (False, False, 90, 100), (False, False, 80, 100), (False, True, 0, 100), (False, False, 0, 100),
        (True, True, 0, 0), (True, False, 0, 30), (True, False, 0, 0),
    ])  # fmt: skip
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["gIoU"] == pytest.approx((0.9 + 0.8 + 0 + 0 + 1 + 0 + 1) / 7)
    assert (found["N-acc"], found["T-acc"]) == (pytest.approx(2 / 3), 0.5)
    assert found["cIoU"] == pytest.approx(170 / 430)


def test_gres_has_the_bits_of_the_published_loop() -> None:
    rng, pairs, plain = np.random.default_rng(0), list[Pair](), list[tuple[bool, bool, int, int]]()
    for n in range(300):
        start, none, silent = int(rng.integers(0, 10)), bool(rng.random() < 0.3), bool(rng.random() < 0.2)
        true = (start, start + int(rng.integers(2, 10)))
        found = (true[0] + int(rng.integers(0, 2)), true[1] + int(rng.integers(0, 2)))
        truth = expression("res", "mask", *(() if none else (mask(*true),)), id_=f"{n:03}")
        pairs.append((truth, answered("Nothing.") if silent else masks(found)))
        overlap = 0 if none else max(true[1] - found[0], 0)
        area = (0 if none else true[1] - true[0]) + (0 if silent else found[1] - found[0] - overlap)
        plain.append((none, silent, 0 if silent else 10 * overlap, 10 * area))
    numbers = summary("gres", pairs).numbers
    assert {name: numbers[name] for name in rela(plain)} == rela(plain)
    assert 0.3 < (numbers["gIoU[script]"] or 0) < 0.8


def test_gres_without_no_target_expressions_is_null_where_the_script_says_zero() -> None:
    found = summary("gres", [(expression("res", "mask", mask(0, 10)), MISSING)]).numbers
    assert (found["N-acc"], found["N-acc[script]"], found["T-acc[script]"]) == (None, 0.0, 0.0)
    assert found["gIoU"] == 0.0


def test_a_missing_answer_does_not_say_nothing() -> None:
    none = expression("res", "mask", id_="none")
    found = summary("gres", [(none, MISSING)]).numbers
    assert (found["gIoU"], found["gIoU[script]"], found["N-acc"]) == (0.0, 0.0, 0.0)


def test_absent_counts_both_ways_of_being_wrong() -> None:
    there = expression("absent", "box", box(0, 0, 10, 10), box(12, 0, 20, 10), id_="there")
    nothing = expression("absent", "box", id_="nothing")
    right = answered(Triplet("it", "box", (box(12, 0, 20, 10), box(0, 0, 10, 10))))
    pairs: list[Pair] = [
        (there, right), (there, answered(Triplet("it", "box", (box(0, 0, 10, 10),)))), (there, answered("None.")),
        (nothing, answered("None.")), (nothing, right), (nothing, MISSING),
    ]  # fmt: skip
    found = summary("absent", pairs).numbers
    assert found["accuracy"] == 0.5
    assert (found["N-acc"], found["T-acc"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert found["F1=1@.5"] == found["F1=1@.5[script]"] == pytest.approx(2 / 6)


def test_grec_script_takes_generalised_iou() -> None:
    """Overlap .5 of two boxes far from each other's hull: IoU passes, generalised IoU does not."""
    true, found = np.array([[0.0, 0, 10, 10]]), np.array([[2.5, 2.5, 10, 10.5]])
    iou = 7.5 * 7.5 / (100 + 60 - 56.25)
    hull = 10 * 10.5
    assert generalised_iou(found, true)[0, 0] == pytest.approx(iou - (hull - (160 - 56.25)) / hull)
    pair = (expression("absent", "box", box(0, 0, 10, 10)), answered(Triplet("it", "box", (box(2.6, 2.6, 10, 10.6),))))
    numbers = summary("absent", [pair]).numbers
    assert (numbers["F1=1@.5"], numbers["F1=1@.5[script]"]) == (1.0, 1.0)
    low = (expression("absent", "box", box(0, 0, 10, 10)), answered(Triplet("it", "box", (box(2.7, 2.6, 10.4, 10.4),))))
    numbers = summary("absent", [low]).numbers
    assert (numbers["F1=1@.5"], numbers["F1=1@.5[script]"]) == (1.0, 0.0)


def test_count_reads_digits_words_and_boxes() -> None:
    for words, number in {
        "There are 12 dogs.": 12, "Seven, I think": 7, "no dogs here": 0, "a few": None, "9999999 ants": 100_000, "": None,
    }.items():  # fmt: skip
        assert number_in(words) == number
    two = (box(0, 0, 5, 5), box(10, 0, 15, 5))
    truth = dialogue("1", "count", ["2: ", Triplet("dog", "box", two)])
    pairs: list[Pair] = [
        (truth, answered("2: ", Triplet("dog", "box", two))),
        (truth, answered("Two: ", Triplet("dog", "box", (two[0], box(30, 0, 40, 9))))),  # right, not proved
        (truth, answered("3: ", Triplet("dog", "box", two))),
        (truth, answered(Triplet("dog", "box", two))),  # no number: the boxes are counted
        (truth, MISSING),
    ]
    found = summary("count", pairs).numbers
    assert found["exact"] == pytest.approx(3 / 5)
    assert found["MAE"] == pytest.approx((0 + 0 + 1 + 0 + 2) / 5)
    assert found["proved"] == pytest.approx(2 / 5)
    assert found["agrees"] == pytest.approx(3 / 4)
    assert found["F1@.5"] == pytest.approx(2 * 7 / (10 + 8))


def test_grounded_answers_pair_one_to_one() -> None:
    truth = dialogue("1", "grounded_vqa_point", [Triplet("here", "point", (point(10, 10), point(50, 10)))], (80, 60))
    pairs: list[Pair] = [
        (truth, answered(Triplet("x", "point", (point(13, 14), point(49, 9))))),  # 5 pixels is a twentieth of 100
        (truth, answered(Triplet("x", "point", (point(10, 10), point(11, 10))))),  # both near the same one
        (truth, MISSING),
    ]
    found = summary("grounded", pairs).numbers
    assert (found["F1"], found["precision"], found["recall"]) == (pytest.approx(6 / 10), 0.75, 0.5)
    assert found["whole"] == pytest.approx(1 / 3)


def point(x: float, y: float) -> Reference:
    return Reference(Point((x, y)))


def pose(shift: float, far: int = 0, seen: int = 17) -> Reference:
    """17 joints on a diagonal of 10 pixels a joint, moved down by `shift`, the first `far` of them far away."""
    joints = [(10.0 * k, 10.0 * k + shift + (900 if k < far else 0), 2 if k < seen else 0) for k in range(17)]
    return Reference(Keypoints(tuple(joints)), box_xyxy=(0.0, 0.0, 100.0, 160.0))


def test_pck_counts_labelled_joints_within_the_named_norm() -> None:
    truth = dialogue("1", "keypoints", [Triplet("person", "keypoint", (pose(0), pose(500, seen=10)))], (700, 700))
    answer = answered(Triplet("person", "keypoint", (pose(500 + 31, far=2), pose(20))))
    found = summary("pck", [(truth, answer)]).numbers
    # box 160: .2 is 32 pixels, .1 is 16; torso (joint 5 to 12) is 70 * sqrt 2 = 99: .2 is 19.8; the second lacks the hip
    assert found["PCK@0.2[bbox]"] == pytest.approx((17 + 8) / 27)
    assert found["PCK@0.1[bbox]"] == 0.0
    assert found["PCK@0.2[torso]"] == 0.0
    assert found["PCKh@0.5[head]"] is None
    silent = summary("pck", [(truth, MISSING)]).numbers
    assert (silent["PCK@0.2[bbox]"], silent["PCK@0.2[torso]"]) == (0.0, 0.0)
    one = summary("pck", [(truth, answered(Triplet("person", "keypoint", (pose(19),))))]).numbers
    assert one["PCK@0.2[torso]"] == 1.0  # of the one person who has a torso
    assert one["PCK@0.2[bbox]"] == pytest.approx(17 / 27)


def test_mixed_wants_class_and_unit() -> None:
    parts = [Triplet("dog", "box", (box(0, 0, 9, 9),)), Triplet("dog", "mask", (mask(0, 9),)), Triplet("cat", "box")]
    truth = dialogue("1", "mixed", parts, (20, 10))
    found = summary("mixed", [(truth, answered(*parts[:1], Triplet("cat", "box", (box(0, 0, 9, 9),))))]).numbers
    assert found["F1@.5_box"] == pytest.approx(2 / 3)
    assert found["F1@.5_mask"] == 0.0
    assert found["F1@.5_keypoint"] is None
    assert found["F1@.5"] == pytest.approx(2 / 4)


def test_interactive_boxes_are_compared_by_the_first() -> None:
    parts = [Triplet("dog", "box", (box(0, 0, 10, 10),))]
    truth = dialogue("1", "interactive_det", parts, (20, 10), question=("?", Prompt("mask", Box((0.0, 0.0, 9.0, 9.0)))))
    answer = answered(Triplet("dog", "box", (box(0, 0, 10, 5), box(0, 0, 10, 10))))
    found = summary("interactive", [(truth, answer)]).numbers
    assert (found["mIoU"], found["mIoU_mask"], found["IoU@.5"], found["IoU@.75"]) == (0.5, 0.5, 1.0, 0.0)


def test_one_box_alone_is_stricter() -> None:
    truth = expression("rec", "box", box(0, 0, 10, 10))
    two = answered(Triplet("it", "box", (box(0, 0, 10, 10), box(0, 0, 1, 1))))
    found = summary("rec", [(truth, two), (truth, answered(*truth.turns[-1].parts))]).numbers
    assert (found["Acc@.5"], found["Acc@.5[one box]"]) == (1.0, 0.5)


def test_clicks_go_to_the_middle_of_the_largest_error() -> None:
    true = np.zeros((30, 40), dtype=bool)
    true[5:16, 10:21] = True
    first = next_click(true, np.zeros_like(true))
    assert first == Click((15.5, 10.5), True)
    too_much = true.copy()
    too_much[20:30, 25:40] = True
    second = next_click(true, too_much, (first,))
    assert second is not None
    assert not second.positive
    assert not true[int(second.point_xy[1]), int(second.point_xy[0])]
    assert next_click(true, true) is None


def test_a_session_ends_when_nothing_is_wrong_or_at_the_limit() -> None:
    true = np.zeros((16, 16), dtype=bool)
    true[2:14, 2:14] = True

    def squares(clicks: tuple[Click, ...]) -> Any:
        found = np.zeros_like(true)
        for click in clicks:
            x, y = (int(v) for v in click.point_xy)
            found[max(0, y - 3) : y + 3, max(0, x - 3) : x + 3] = click.positive
        return found

    ious = session(squares, true)
    assert 1 < len(ious) <= 20
    assert ious[0] == pytest.approx(36 / 144)
    stubborn = session(lambda clicks: np.zeros_like(true), true)
    assert stubborn == [0.0] * 20
    assert clicks_needed([0.5, 0.86, 0.95], 0.85) == 2
    assert clicks_needed(stubborn, 0.85) == 20
    assert number_of_clicks([[0.9], [0.5, 0.86, 0.95]], 0.9) == 2.0
    assert number_of_clicks([], 0.9) is None
    with pytest.raises(ValueError, match="a pixel in it"):
        session(squares, np.zeros_like(true))
