"""Tasks about the whole photo: `caption`, `det`, `seg`, `cond_det`, `keypoints`, `depth`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.vtinstruct.records import VOCABULARY, full_record, rectangle, setting_of
from vtinstruct import plugins, trp
from vtinstruct.dialogue import Dialogue
from vtinstruct.record import Category, Drop, Record, Region
from vtinstruct.templates import Wordings
from vtinstruct.units import Box, Depth, Keypoints, Mask

EMPTY = full_record(regions=())


def made(task: str, record: Record, training: bool = True, seed: int = 0, **fields) -> list[Dialogue]:
    return list(plugins.load("vtinstruct.tasks", task).make(record, setting_of(task, training, seed, **fields)))


def said(dialogue: Dialogue) -> str:
    return trp.render(dialogue.turns[-1].parts)


def answer(dialogue: Dialogue) -> dict[str, list[str]]:
    """Concept -> annotation ids, in order."""
    return {t.concept: [r.annotation_id for r in t.references] for _, t in dialogue.triplets()}


# --- caption ---------------------------------------------------------------------------------------------------------


def test_caption_teaches_every_caption_and_asks_once():
    record = full_record(captions=(" One\n line. ", "", "Two."))
    drops: list[Drop] = []
    assert [said(d) for d in made("caption", record, report=drops.append)] == ["One line.", "Two."]
    assert [drop.reason for drop in drops] == ["empty caption"]
    (asked,) = made("caption", record, training=False)
    assert asked.evaluation.references == ("One line.", "Two.")
    assert made("caption", full_record(captions=()), training=False) == []


# --- det and seg -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "unit"), [("det", Box), ("seg", Mask)])
@pytest.mark.parametrize("training", [True, False])
def test_all_things_by_category_in_reading_order(task, unit, training):
    (asked,) = made(task, full_record(), training)
    assert list(answer(asked).items()) == [("dog", ["3"]), ("person", ["1", "2"])]  # no crowd, no stuff
    record = full_record()
    for _, _, reference in asked.references():
        region = record.region(reference.annotation_id)
        assert reference.unit == (Box(region.box_xyxy) if unit is Box else Mask(region.mask_rle))
        assert (reference.area, reference.category_id) == (region.area, region.category_id)


@pytest.mark.parametrize("task", ["det", "seg"])
def test_evaluation_keeps_the_crowd_to_be_ignored_and_lvis_lists(task):
    record = full_record(negatives=("bus stop",), not_exhaustive=("dog",))
    (asked,) = made(task, record, training=False)
    (crowd,) = asked.evaluation.ignore
    assert (crowd.annotation_id, crowd.crowd, crowd.category, crowd.area) == ("4", True, "dog", 4.25)
    assert crowd.unit == (Box(record.region("4").box_xyxy) if task == "det" else Mask(record.region("4").mask_rle))
    assert asked.evaluation.concepts == ()
    assert (asked.evaluation.negatives, asked.evaluation.not_exhaustive) == (("bus stop",), ("dog",))


@pytest.mark.parametrize("task", ["det", "seg"])
def test_a_photo_without_annotations(task):
    for exhaustive in (True, False):
        (asked,) = made(task, replace(EMPTY, exhaustive=exhaustive), training=False)
        assert list(asked.triplets()) == []
        assert said(asked)
    assert len(made(task, EMPTY)) == 1  # known to be empty: teaches honesty
    assert made(task, replace(EMPTY, exhaustive=False)) == []  # a gap in the annotation is no truth
    crowd = tuple(region for region in full_record().regions if region.crowd)
    assert made(task, full_record(regions=crowd)) == []  # "no dogs" would be a lie
    (asked,) = made(task, full_record(regions=crowd), training=False)
    assert len(asked.evaluation.ignore) == 1


def test_a_region_without_its_geometry_is_left_out_with_a_reason():
    regions = tuple(replace(region, mask_rle=None) if region.id == "1" else region for region in full_record().regions)
    drops: list[Drop] = []
    (asked,) = made("seg", full_record(regions=regions), report=drops.append)
    assert answer(asked) == {"dog": ["3"], "person": ["2"]}
    assert [(drop.reason, drop.detail) for drop in drops] == [("region without mask", "region 1 (person)")]


@pytest.mark.parametrize(("task", "field"), [("det", "box_xyxy"), ("seg", "mask_rle"), ("panoptic", "mask_rle")])
def test_a_photo_whose_things_only_lack_the_geometry_is_not_empty(task, field):
    regions = tuple(replace(region, **{field: None}) for region in full_record().regions)
    for training in (True, False):
        drops: list[Drop] = []
        assert made(task, full_record(regions=regions), training, report=drops.append) == []
        assert len(drops) == 5


def test_a_semantic_vocabulary_is_answered_with_its_stuff():
    stuff = [category for category in VOCABULARY if not category.thing]
    regions = tuple(region for region in full_record().regions if not region.thing)
    (asked,) = made("seg", full_record(regions=regions), vocabulary=stuff)
    assert answer(asked) == {"grass": ["6"], "sky": ["5"]}


@pytest.mark.parametrize("task", ["det", "seg"])
def test_two_hundred_instances_in_one_answer(task):
    size = (400, 300)
    regions = tuple(
        Region(
            str(n),
            f"kind {n % 7}",
            n % 7,
            (float(x := 3 * (n % 100)), float(y := 40 * (n % 7)), x + 3.0, y + 9.0),
            rectangle(size, x, y, x + 3, y + 9),
            area=27.0,
        )
        for n in range(200)
    )
    record = full_record(regions=regions)
    record = replace(record, photo=replace(record.photo, size_wh=size))
    (asked,) = made(task, record)
    references = [reference for _, _, reference in asked.references()]
    assert sorted(int(reference.annotation_id) for reference in references) == list(range(200))
    found = trp.parse(trp.render(asked.turns[1].parts, plan=True), references)
    assert (found.parts, found.errors, found.references) == (asked.turns[1].parts, (), 200)


# --- cond_det --------------------------------------------------------------------------------------------------------


def test_cond_det_evaluation_asks_every_category_once_and_one_that_is_absent():
    asked = made("cond_det", full_record(), training=False)
    assert [answer(d) for d in asked[:2]] == [{"dog": ["3"]}, {"person": ["1", "2"]}]
    assert [d.evaluation.concepts for d in asked[:2]] == [("dog",), ("person",)]
    assert [len(d.evaluation.ignore) for d in asked] == [1, 0, 0]
    ((absent, ids),) = answer(asked[2]).items()
    assert absent in {"bus stop", "red {car}"}
    assert ids == []
    assert asked[2].evaluation.concepts == (absent,)


def test_cond_det_never_calls_absent_what_may_be_there():
    def absent(record: Record) -> set[str]:
        asked = [answer(d) for seed in range(60) for d in made("cond_det", record, seed=seed)]
        return {concept for found in asked for concept, ids in found.items() if not ids}

    assert absent(full_record()) == {"bus stop", "red {car}"}
    assert absent(full_record(not_exhaustive=("bus stop",))) == {"red {car}"}
    assert absent(full_record(exhaustive=False)) == set()
    assert absent(full_record(exhaustive=False, negatives=("zebra", "dog"))) == {"zebra"}
    only_a_crowd = tuple(region for region in full_record().regions if region.crowd)
    assert "dog" not in absent(full_record(regions=only_a_crowd))


def test_cond_det_narrows_by_attribute():
    answers = [answer(d) for seed in range(60) for d in made("cond_det", full_record(), seed=seed)]
    assert {"brown dog": ["3"]} in answers
    assert {"dog": ["3"]} in answers


def test_cond_det_is_capped_in_training_only():
    regions = tuple(Region(str(n), f"kind {n:02}", n, (0.0, 0.0, 5.0, 5.0)) for n in range(12))
    record = full_record(regions=regions, exhaustive=False)
    assert len(made("cond_det", record)) == 4
    assert len(made("cond_det", record, training=False)) == 12


# --- keypoints -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_keypoints_of_everybody_who_has_some(training):
    (asked,) = made("keypoints", full_record(), training)
    ((_, _, reference),) = asked.references()
    person = full_record().region("1")
    assert reference.unit == Keypoints(person.keypoints_xyv)
    assert (reference.box_xyxy, reference.area) == (person.box_xyxy, 1.25)


def test_keypoints_keeps_those_to_be_ignored_with_box_and_area():
    crowd = Region("9", "person", 1, (1.0, 2.0, 3.0, 4.0), area=4.0, crowd=True)
    record = full_record(regions=(*full_record().regions, crowd))
    (asked,) = made("keypoints", record, training=False)
    kept = {reference.annotation_id: reference for reference in asked.evaluation.ignore}
    assert sorted(kept) == ["2", "9"]  # the dogs have no skeleton and are nothing to this score
    assert kept["2"].box_xyxy == record.region("2").box_xyxy
    assert (kept["2"].area, kept["2"].crowd, kept["2"].unit) == (2.25, False, Keypoints(((0.0, 0.0, 0),) * 3))
    assert (kept["9"].area, kept["9"].crowd, kept["9"].unit) == (4.0, True, Keypoints(()))


def test_keypoints_where_nobody_is():
    (asked,) = made("keypoints", EMPTY, training=False)
    assert [(t.concept, t.kind, t.references) for _, t in asked.triplets()] == [("person", "keypoint", ())]
    taught = [bool(made("keypoints", EMPTY, seed=seed)) for seed in range(300)]
    assert 0.03 < sum(taught) / 300 < 0.2
    unposed = tuple(region for region in full_record().regions if region.id == "2")
    assert all(not made("keypoints", full_record(regions=unposed), seed=seed) for seed in range(60))


def test_keypoints_of_two_kinds_of_body():
    vocabulary = [*VOCABULARY[:1], Category(18, "dog", keypoints=("nose", "tail"))]
    pose = ((10.0, 22.0, 2), (5.5, 25.0, 1))
    regions = tuple(replace(r, keypoints_xyv=pose) if r.id == "3" else r for r in full_record().regions)
    (asked,) = made("keypoints", full_record(regions=regions), vocabulary=vocabulary)
    assert answer(asked) == {"dog": ["3"], "person": ["1"]}


# --- depth -----------------------------------------------------------------------------------------------------------


def test_depth_is_one_triplet():
    (asked,) = made("depth", full_record(), training=False)
    ((_, triplet, reference),) = asked.references()
    assert (triplet.concept, triplet.kind, reference.unit) == ("depth", "depth", Depth("depth/1.png", 0.001))
    assert made("depth", full_record(depth=None)) == []


def test_relative_depth_is_asked_for_as_such():
    depth = Depth("depth/1.png", 1 / 255, "relative_inverse")
    (asked,) = made("depth", full_record(depth=depth), training=False)
    ((_, triplet, reference),) = asked.references()
    assert (triplet.concept, reference.unit) == ("relative depth", depth)
    wordings = Wordings.load("depth").slots
    assert not set(wordings["question"].wordings) & set(wordings["question_relative"].wordings)
    for wording in wordings["question_relative"].wordings:
        assert "metric" not in wording
        assert "how far" not in wording.lower()


# --- cond_seg, panoptic, absent, count, mixed ------------------------------------------------------------------------


def test_cond_seg_asks_for_stuff_too():
    asked = made("cond_seg", full_record(), training=False)
    assert [answer(d) for d in asked[:4]] == [{"dog": ["3"]}, {"grass": ["6"]}, {"person": ["1", "2"]}, {"sky": ["5"]}]
    assert len(asked) == 5


@pytest.mark.parametrize("training", [True, False])
def test_panoptic_is_things_and_stuff(training):
    (asked,) = made("panoptic", full_record(), training)
    assert answer(asked) == {"dog": ["3"], "grass": ["6"], "person": ["1", "2"], "sky": ["5"]}
    if not training:
        assert [reference.annotation_id for reference in asked.evaluation.ignore] == ["4"]
        (nothing,) = made("panoptic", EMPTY, training=False)
        assert list(nothing.triplets()) == []


def test_absent_asks_as_often_about_what_is_there_in_the_same_words():
    there: list[str] = []
    gone: list[str] = []
    for seed in range(150):
        for dialogue in made("absent", full_record(), seed=seed):
            found = any(True for _ in dialogue.references())
            (there if found else gone).append(dialogue.provenance.template.split()[0])
    assert len(there) == len(gone)
    assert len(set(there) & set(gone)) > 35
    concepts = {
        t.concept for seed in range(60) for d in made("absent", full_record(), seed=seed) for _, t in d.triplets()
    }
    assert {"bus stop", "red {car}", "a bus"} <= concepts  # categories and expressions
    assert made("absent", full_record(exhaustive=False, expressions=())) == []


def test_count_counts_only_what_is_surely_all():
    def counted(record: Record) -> dict[str, int]:
        asked = made("count", record, training=False)
        for dialogue in asked:
            ((_, triplet),) = dialogue.triplets()
            assert dialogue.evaluation.answers == (str(len(triplet.references)),)
            assert str(len(triplet.references)) in said(dialogue)
        return {t.concept: len(t.references) for d in asked for _, t in d.triplets()}

    found = counted(full_record())
    assert {name: n for name, n in found.items() if n} == {"person": 2}  # a crowd of dogs has no number
    assert [n for name, n in found.items() if name != "person"] == [0]
    assert counted(full_record(not_exhaustive=("person",), negatives=("zebra",))) == {"zebra": 0}
    assert counted(full_record(exhaustive=False)) == {}
    no_box = tuple(replace(r, box_xyxy=None) if r.id == "1" else r for r in full_record().regions)
    assert "person" not in counted(full_record(regions=no_box))


def test_mixed_holds_several_units_turns_and_marks():
    asked = [d for seed in range(80) for d in made("mixed", full_record(), seed=seed)]
    assert len(asked) == 80
    kinds = [tuple(sorted({t.kind for _, t in d.triplets()})) for d in asked]
    assert set(kinds) == {("box", "keypoint", "mask")}
    assert {len(d.turns) for d in asked} == {2, 4, 6}
    assert any(len({t.concept for _, t in d.triplets()}) < sum(1 for _ in d.triplets()) for d in asked)  # twice
    assert any(not t.references for d in asked for _, t in d.triplets())
    assert {turn for d in asked for turn, _ in d.prompts()} == {2}
    assert all(turn == 1 for d in asked for turn, _ in d.triplets())  # the follow-ups take no unit
    for dialogue in asked:
        request = trp.render_question(dialogue.turns[0].parts)
        assert all(t.concept in request for _, t in dialogue.triplets())
    assert made("mixed", EMPTY) == []
    (exam,) = made("mixed", full_record(), training=False)
    assert len(exam.turns) == 6
