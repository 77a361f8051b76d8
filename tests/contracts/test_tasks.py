"""What every task must keep, held by its file name alone: `vtinstruct/tasks/<name>.py`."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vtinstruct.records import full_record, records, setting_of
from vtinstruct import plugins, trp
from vtinstruct.dialogue import PROMPT_KINDS, Dialogue, Evaluation
from vtinstruct.prompts import prompt_mask
from vtinstruct.record import FACTS, Drop, Record
from vtinstruct.task import Task, offers
from vtinstruct.templates import Wordings
from vtinstruct.units import UNIT_KINDS, Box, Mask, Point, kind_of

TASKS = plugins.names("vtinstruct.tasks")
MARKS = {"point": Point, "box": Box, "scribble": Mask, "mask": Mask}
each_task = pytest.mark.parametrize("name", TASKS)


def task_named(name: str) -> Task:
    return plugins.load("vtinstruct.tasks", name)


def made(task: Task, record: Record, training: bool, seed: int = 0) -> list[Dialogue]:
    return list(task.make(record, setting_of(task.name, training, seed)))


def check(task: Task, record: Record, dialogues: list[Dialogue]) -> None:
    assert len({dialogue.id for dialogue in dialogues}) == len(dialogues)
    for n, dialogue in enumerate(dialogues):
        assert dialogue.id == f"{record.source}/{record.split}/{record.id}/{task.name}/{n}"
        assert (dialogue.task, dialogue.source, dialogue.split) == (task.name, record.source, record.split)
        assert (dialogue.photo is None) <= (task.name == "chat")  # only a chat may come without a photo
        assert dialogue.provenance.row == record.origin.row
        check_templates(dialogue)
        check_turns(task, dialogue)
        check_references(task, record, dialogue)


def check_templates(dialogue: Dialogue) -> None:
    words = Wordings.load(dialogue.task)
    for template in dialogue.provenance.template.split():
        task, slot, index = template.split(":")
        assert task == dialogue.task
        assert words.slots[slot].wordings[int(index)]


def check_turns(task: Task, dialogue: Dialogue) -> None:
    roles = [turn.role for turn in dialogue.turns]
    assert roles == ["user", "assistant"] * (len(roles) // 2)
    assert roles
    for turn in dialogue.turns:
        assert turn.parts
        assert turn.parts == trp.join_parts(turn.parts)
        if turn.role == "user":
            prompts = [part for part in turn.parts if not isinstance(part, str)]
            question = trp.parse_question(trp.render_question(turn.parts), prompts)
            assert (question.parts, question.errors) == (turn.parts, ())
        else:
            references = [r for part in turn.parts if isinstance(part, trp.Triplet) for r in part.references]
            answer = trp.parse(trp.render(turn.parts, plan=True), references)
            assert (answer.parts, answer.errors) == (turn.parts, ())
    for _, prompt in dialogue.prompts():
        assert prompt.kind in task.prompts
        assert isinstance(prompt.mark, MARKS[prompt.kind])
        assert dialogue.photo is not None
        assert prompt_mask(prompt, dialogue.photo.size_wh).any()


def check_references(task: Task, record: Record, dialogue: Dialogue) -> None:
    regions = {region.id: region for region in record.regions}
    for _, triplet, reference in dialogue.references():
        assert triplet.kind in task.units
        assert reference.unit is not None
        assert kind_of(reference.unit) == triplet.kind
        assert reference.score is None
        if reference.annotation_id:
            region = regions[reference.annotation_id]
            assert (reference.category, reference.category_id) == (region.category, region.category_id)
            assert (reference.area, reference.crowd) == (region.area, region.crowd)
            assert reference.box_xyxy == (region.box_xyxy if triplet.kind == "keypoint" else None)
    for _, triplet in dialogue.triplets():
        assert triplet.kind in task.units
    for ignored in dialogue.evaluation.ignore:
        assert ignored.annotation_id in regions


@each_task
def test_says_what_it_is(name):
    task = task_named(name)
    assert task.name == name
    assert set(task.units) <= set(UNIT_KINDS)
    assert set(task.prompts) <= set(PROMPT_KINDS)
    assert all(needs and needs <= set(FACTS) for needs in (task.needs, *task.or_needs))
    assert task.inputs
    assert task.outputs
    assert Wordings.load(name).task == name


def test_numbers_are_taken_once():
    numbers = [task_named(name).number for name in TASKS]
    assert len(set(numbers)) == len(numbers)


@each_task
@pytest.mark.parametrize("training", [True, False])
def test_a_full_record_feeds_every_task(name, training):
    task, record = task_named(name), full_record()
    assert task.fed_by(offers(record))
    assert not task.fed_by({"image"})
    for seed in range(20):
        dialogues = made(task, record, training, seed)
        assert dialogues
        check(task, record, dialogues)
        assert dialogues == made(task, record, training, seed)
    if task.units:
        assert any(True for seed in range(20) for d in made(task, record, training, seed) for _ in d.references())


@each_task
def test_every_kind_of_prompt_it_names_is_drawn(name):
    boxes_only = full_record(regions=tuple(replace(region, mask_rle=None) for region in full_record().regions))
    task, kinds = task_named(name), set[str]()
    for seed in range(60):
        for record in (full_record(), boxes_only):
            kinds.update(prompt.kind for d in made(task, record, True, seed) for _, prompt in d.prompts())
    assert kinds == set(task.prompts)


@settings(max_examples=80)
@given(record=records(), training=st.booleans(), seed=st.integers(0, 1000))
def test_any_record_gives_sound_dialogues_or_none(record, training, seed):
    for name in TASKS:  # drawing a record costs more than all tasks together
        task = task_named(name)
        check(task, record, made(task, record, training, seed))


@each_task
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "lack",
    [
        {"photo": None}, {"regions": ()}, {"captions": ()}, {"expressions": ()}, {"grounded_captions": ()},
        {"questions": ()}, {"chats": ()}, {"depth": None}, {"exhaustive": False}, {"regions": (), "exhaustive": False},
    ],
    ids=str,
)  # fmt: skip
def test_a_record_that_lacks_something(name, lack, training):
    task, record = task_named(name), full_record(**lack)
    check(task, record, made(task, record, training))


@each_task
def test_a_changed_seed_changes_the_words(name):
    task, record = task_named(name), full_record()
    said = {tuple(dialogue.provenance.template for dialogue in made(task, record, True, seed)) for seed in range(30)}
    assert len(said) > 5


@each_task
def test_what_a_task_leaves_out_is_reported_under_its_name(name):
    drops: list[Drop] = []
    broken = tuple(replace(r, mask_rle=None, box_xyxy=None) for r in full_record().regions)
    task, record = task_named(name), full_record(regions=broken)
    list(task.make(record, setting_of(name, True, report=drops.append)))
    assert all((drop.task, drop.source, drop.row) == (name, "drawn", "57870") for drop in drops)
    assert all(drop.reason and drop.file == "annotations.json" for drop in drops)


@each_task
def test_evaluation_is_filled_in_evaluation_splits_only(name):
    task, record = task_named(name), full_record()
    assert all(dialogue.evaluation == Evaluation() for dialogue in made(task, record, True))
