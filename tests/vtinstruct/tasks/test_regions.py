"""Tasks about single regions: `rec`, `res`, `reg_box`, `interactive_seg`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.vtinstruct.records import full_record, rectangle, setting_of
from vtinstruct import plugins, trp
from vtinstruct.dialogue import Dialogue
from vtinstruct.record import Drop, Expression, Record
from vtinstruct.units import Box, Mask


def made(task: str, record: Record, training: bool = True, seed: int = 0, **fields) -> list[Dialogue]:
    return list(plugins.load("vtinstruct.tasks", task).make(record, setting_of(task, training, seed, **fields)))


def answers(dialogues: list[Dialogue]) -> list[tuple[str, list[str]]]:
    return [(t.concept, [r.annotation_id for r in t.references]) for d in dialogues for _, t in d.triplets()]


@pytest.mark.parametrize("training", [True, False])
def test_rec_takes_expressions_of_exactly_one_region(training):
    drops: list[Drop] = []
    asked = made("rec", full_record(), training, report=drops.append)
    assert answers(asked) == [("left person", ["1"]), ("the one in the middle", ["1"])]
    assert drops == []  # several or none is another task's business, not a loss
    for dialogue in asked:
        ((_, triplet, reference),) = dialogue.references()
        assert reference.unit == Box(full_record().region("1").box_xyxy)
        assert triplet.concept in trp.render_question(dialogue.turns[0].parts)


@pytest.mark.parametrize("training", [True, False])
def test_res_takes_all_expressions(training):
    assert answers(made("res", full_record(), training)) == [
        ("left person", ["1"]), ("the one in the middle", ["1"]), ("both people", ["1", "2"]), ("a bus", []),
    ]  # fmt: skip


def test_references_of_an_expression_are_in_reading_order_and_once():
    record = full_record(expressions=(Expression("1", "all of them", ("2", "3", "1", "2")),))
    assert answers(made("res", record)) == [("all of them", ["3", "1", "2"])]


def test_a_crowd_may_be_meant_by_words():
    record = full_record(expressions=(Expression("1", "the pack", ("4",)),))
    (asked,) = made("res", record, training=False)
    assert answers([asked]) == [("the pack", ["4"])]
    assert [r.crowd for _, _, r in asked.references()] == [True]
    assert asked.evaluation.ignore == ()


def test_faulty_expressions_are_left_out_with_a_reason():
    regions = tuple(replace(region, mask_rle=None) if region.id == "2" else region for region in full_record().regions)
    expressions = (
        Expression("1", "  ", ("1",)),
        Expression("2", "a ghost", ("77",)),
        Expression("3", "no mask", ("2",)),
        Expression("4", "fine\n  {one}", ("1",)),
    )
    drops: list[Drop] = []
    record = full_record(regions=regions, expressions=expressions)
    assert answers(made("res", record, report=drops.append)) == [("fine {one}", ["1"])]
    assert [drop.reason for drop in drops] == [
        "expression without words", "expression of an unknown region", "expression of a region without mask",
    ]  # fmt: skip
    assert answers(made("rec", record)) == [("no mask", ["2"]), ("fine {one}", ["1"])]


def test_reg_box_teaches_every_expression_and_asks_once():
    taught = made("reg_box", full_record())
    assert [trp.render(d.turns[1].parts) for d in taught] == ["left person", "the one in the middle"]
    (asked,) = made("reg_box", full_record(), training=False)
    assert asked.evaluation.references == ("left person", "the one in the middle")
    ((turn, prompt),) = asked.prompts()
    assert (turn, prompt.kind, prompt.mark) == (0, "box", Box(full_record().region("1").box_xyxy))
    assert len({str(next(d.prompts())) for seed in range(9) for d in made("reg_box", full_record(), seed=seed)}) == 9


def test_reg_box_reports_regions_that_are_not_there():
    drops: list[Drop] = []
    record = full_record(expressions=(Expression("1", "a ghost", ("77",)),))
    assert made("reg_box", record, report=drops.append) == []
    assert [drop.reason for drop in drops] == ["expression of an unknown region"]


def test_interactive_seg_asks_with_one_mark_in_training_and_all_in_evaluation():
    taught = made("interactive_seg", full_record())
    assert len(taught) == 4  # the cap
    asked = made("interactive_seg", full_record(), training=False)
    assert [[p.kind for _, p in d.prompts()] for d in asked] == [["point"], ["box"], ["scribble"]] * 5
    assert [ids for _, ids in answers(asked)] == [[i] for i in ("3", "5", "1", "6", "2") for _ in range(3)]
    for dialogue in asked:
        ((_, triplet, reference),) = dialogue.references()
        region = full_record().region(reference.annotation_id)
        assert (triplet.concept, reference.unit) == (region.category, Mask(region.mask_rle))


def test_interactive_seg_reports_masks_that_nothing_can_be_drawn_from():
    empty = replace(full_record().region("1"), mask_rle=rectangle((60, 40), 0, 0, 0, 0), box_xyxy=None)
    drops: list[Drop] = []
    assert made("interactive_seg", full_record(regions=(empty,)), False, report=drops.append) == []
    assert {drop.reason for drop in drops} == {"no prompt could be drawn"}


def test_interactive_det_boxes_things():
    asked = made("interactive_det", full_record(), training=False)
    assert [[p.kind for _, p in d.prompts()] for d in asked] == [["point"], ["scribble"], ["mask"]] * 3
    assert [ids for _, ids in answers(asked)] == [[i] for i in ("3", "1", "2") for _ in range(3)]
    assert all(isinstance(r.unit, Box) for d in asked for _, _, r in d.references())


def test_interactive_evaluation_is_capped_and_the_choice_does_not_drift():
    base = full_record().region("3")
    regions = tuple(replace(base, id=str(n)) for n in range(40))
    first, second = (made("interactive_seg", full_record(regions=regions), training=False) for _ in range(2))
    assert first == second
    assert len(first) == 30


def test_region_keypoints_asks_about_posed_persons_only():
    asked = made("region_keypoints", full_record(), training=False)
    assert answers(asked) == [("person", ["1"])] * 2
    assert [p.kind for d in asked for _, p in d.prompts()] == ["box", "mask"]
    ((_, _, reference),) = asked[0].references()
    assert reference.box_xyxy == full_record().region("1").box_xyxy


def test_region_caption_teaches_every_sentence_and_asks_once():
    regions = tuple(
        replace(r, captions=("one", " ", "two\nlines")) if r.id == "3" else r for r in full_record().regions
    )
    record = full_record(regions=regions)
    assert [trp.render(d.turns[1].parts) for d in made("region_caption", record)] == [
        "one",
        "two lines",
        "somebody in a hat",
    ]
    first, second = made("region_caption", record, training=False)
    assert first.evaluation.references == ("one", "two lines")
    assert second.evaluation.references == ("somebody in a hat",)


def test_reg_region_says_the_best_words_there_are():
    asked = made("reg_region", full_record(), training=False)
    references = {d.evaluation.references for d in asked}
    assert references == {("left person", "the one in the middle"), ("a dog",), ("person",), ("sky",), ("grass",)}
    assert {p.kind for d in asked for _, p in d.prompts()} == {"point", "scribble", "mask"}
