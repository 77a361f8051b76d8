"""Tasks that carry the data's own questions, conversations and grounded captions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.vtinstruct.records import full_record, setting_of
from vtinstruct import plugins, trp
from vtinstruct.dialogue import Dialogue, Prompt
from vtinstruct.record import Chat, ChatTurn, Drop, GroundedText, Question, Record, Span
from vtinstruct.units import Box, Mask, Point


def made(task: str, record: Record, training: bool = True, seed: int = 0, **fields: Any) -> list[Dialogue]:
    return list(plugins.load("vtinstruct.tasks", task).make(record, setting_of(task, training, seed, **fields)))


def said(dialogue: Dialogue) -> str:
    return trp.render(dialogue.turns[-1].parts)


def asked(dialogue: Dialogue) -> str:
    return trp.render_question(dialogue.turns[0].parts)


def points(dialogue: Dialogue) -> list[tuple[str, list[tuple[float, float]]]]:
    return [
        (t.concept, [r.unit.point_xy for r in t.references if isinstance(r.unit, Point)])
        for _, t in dialogue.triplets()
    ]


def text(words: str, *ties: tuple[str, Any]) -> GroundedText:
    """Words with spans: each tie is a piece of the words and region ids, or a list of points."""
    spans = []
    for piece, to in ties:
        start = words.index(piece)
        ids, at = ((), tuple(to)) if isinstance(to, list) else (to, ())
        spans.append(Span(start, start + len(piece), ids, at))
    return GroundedText(words, tuple(spans))


def question(words: GroundedText, *answers: GroundedText, **fields: Any) -> Record:
    return full_record(questions=(Question("q", words, answers, **fields),))


# --- plain questions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_vqa_asks_in_the_datas_words_and_keeps_all_answers(training):
    record = question(text("What's in {this} 猫\n box?"), text("a cat"), text("cat"), text(" "), kind="what")
    (one,) = made("vqa", record, training)
    assert "What's in {this} 猫 box?" in asked(one)
    assert said(one) == "a cat"
    assert one.evaluation.answers == (() if training else ("a cat", "cat"))
    assert one.evaluation.question_kind == ("" if training else "what")


def test_vqa_leaves_questions_with_places_to_others_and_reports_missing_answers():
    drops: list[Drop] = []
    assert len(made("vqa", full_record())) == 2  # question 2 points at a region
    assert made("vqa", question(text("What?")), report=drops.append) == []
    assert made("vqa", question(text(" "), text("x")), report=drops.append) == []
    assert [drop.reason for drop in drops] == ["question without words or answer"] * 2


def test_vqa_reasoning_says_answer_and_reason():
    record = question(text("Raining?"), text("no."), reason=text("The street is dry."))
    spoken = {said(d) for seed in range(30) for d in made("vqa_reasoning", record, seed=seed)}
    assert "no. The street is dry." in spoken
    assert len(spoken) > 3
    assert all("no" in words and "The street is dry." in words and ".." not in words for words in spoken)
    (one,) = made("vqa_reasoning", record, training=False)
    assert (one.evaluation.answers, one.evaluation.references) == (("no.",), ("The street is dry.",))
    assert made("vqa_reasoning", question(text("Raining?"), text("no"))) == []


# --- questions with marks --------------------------------------------------------------------------------------------


def test_vqa_point_takes_the_sources_own_point():
    record = question(text("What colour is [region]?", ("[region]", [(10.5, 25.5)])), text("brown"))
    (one,) = made("vqa_point", record)
    ((turn, prompt),) = one.prompts()
    assert (turn, prompt) == (0, Prompt("point", Point((10.5, 25.5))))
    assert "What colour is [VPT]?" in asked(one)
    behind = question(text("What colour is it?"), text("brown"), points_xy=((10.5, 25.5),))
    assert "What colour is it? [VPT]" in asked(made("vqa_point", behind)[0])


def test_vqa_point_draws_in_the_regions_mask_but_never_guesses_in_a_box():
    record = question(text("What is [region]?", ("[region]", ("3",))), text("a dog"))
    for seed in range(10):
        (one,) = made("vqa_point", record, seed=seed)
        ((_, prompt),) = one.prompts()
        x, y = prompt.mark.point_xy
        assert 5 < x < 15
        assert 20 < y < 30
    boxes_only = tuple(replace(region, mask_rle=None) for region in record.regions)
    assert made("vqa_point", replace(record, regions=boxes_only)) == []
    assert made("vqa_point", question(text("Where?"), text("there"))) == []


def test_points_off_the_photo_are_reported():
    drops: list[Drop] = []
    record = question(text("What is it?"), text("a dog"), points_xy=((99.0, 5.0),))
    assert made("vqa_point", record, report=drops.append) == []
    assert [drop.reason for drop in drops] == ["point outside the photo", "question without its point"]


def test_vqa_box_marks_places_and_names():
    words = text("Why is [person1] near the dog?", ("[person1]", ("1",)), ("the dog", ("3",)))
    (one,) = made("vqa_box", question(words, text("To pet it.")), training=False)
    assert "Why is [VPT] near the dog [VPT]?" in asked(one)
    record = full_record()
    assert [prompt.mark for _, prompt in one.prompts()] == [
        Box(record.region("1").box_xyxy), Box(record.region("3").box_xyxy),
    ]  # fmt: skip


def test_the_same_region_gets_the_same_mark():
    words = text("Is [a] or is [b] bigger?", ("[a]", ("1",)), ("[b]", ("1",)))
    (one,) = made("vqa_box", question(words, text("same")))
    first, second = (prompt for _, prompt in one.prompts())
    assert first == second


def test_vqa_box_with_choices():
    choices = (text("no"), text("yes, it [a] does", ("[a]", ("3",))), text("maybe"))
    words = text("Does [region] bark?", ("[region]", ("3",)))
    record = question(words, text("maybe"), choices=choices)
    (one,) = made("vqa_box", record, training=False)
    assert "A) no B) yes, it [VPT] does C) maybe" in asked(one)
    assert (said(one), one.evaluation.answers) == ("C: maybe", ("C", "maybe"))
    spoken = {said(d) for seed in range(30) for d in made("vqa_box", record, seed=seed)}
    assert spoken == {"maybe", "C: maybe"}


def test_a_right_answer_kept_apart_comes_at_a_random_place():
    words = text("Does [region] bark?", ("[region]", ("3",)))
    record = question(words, text("loudly"), choices=(text("no"), text("yes")))
    letters = {said(d)[0] for seed in range(40) for d in made("vqa_box", record, training=False, seed=seed)}
    assert letters == {"A", "B", "C"}


def test_a_place_without_its_region_makes_no_question():
    drops: list[Drop] = []
    record = question(text("Why is [person1] here?", ("[person1]", ("77",))), text("No idea."))
    for task in ("vqa_box", "grounded_vqa_box"):
        with_evidence = replace(record, questions=(replace(record.questions[0], evidence_ids=("1",)),))
        assert made(task, with_evidence, report=drops.append) == []
    assert [drop.reason for drop in drops] == ["question without its region"] * 2


# --- grounded answers ------------------------------------------------------------------------------------------------


def test_grounded_vqa_box_boxes_the_words():
    record = question(text("Who looks at the dog?"), text("The  person in a hat.", ("person in a hat", ("1",))))
    (one,) = made("grounded_vqa_box", record, training=False)
    assert said(one) == "The <Phrase>person in a hat</Phrase>(<Unit>box</Unit>[0]<REF>)."
    assert [r.annotation_id for _, _, r in one.references()] == ["1"]
    assert one.evaluation.answers == ("The person in a hat.",)


def test_grounded_vqa_box_boxes_the_evidence_where_no_words_are_tied():
    record = question(text("How many are there?"), text("3."), evidence_ids=("1", "3", "2"))
    spoken = {said(d) for seed in range(30) for d in made("grounded_vqa_box", record, seed=seed)}
    boxes = "<Phrase>dog</Phrase>(<Unit>box</Unit>[0]<REF>), <Phrase>person</Phrase>(<Unit>box</Unit>[0]<REF>[1]<REF>)"
    assert f"3: {boxes}." in spoken
    assert all(boxes in words for words in spoken)
    assert made("grounded_vqa_box", question(text("Why?"), text("so"))) == []


def test_grounded_vqa_point_in_order_of_preference():
    tied = text("2 dogs", ("dogs", [(45.5, 20.5), (30.5, 20.5)]))
    (one,) = made("grounded_vqa_point", question(text("How many?"), tied))
    assert said(one) == "2 <Phrase>dogs</Phrase>(<Unit>point</Unit>[0]<REF>[1]<REF>)"
    assert points(one) == [("dogs", [(30.5, 20.5), (45.5, 20.5)])]
    (two,) = made("grounded_vqa_point", question(text("How many?"), text("2"), points_xy=((1.0, 2.0), (0.0, 5.0))))
    assert points(two) == [("2", [(0.0, 5.0), (1.0, 2.0)])]
    (three,) = made("grounded_vqa_point", question(text("Which?"), text("the dog", ("the dog", ("3",)))))
    assert points(three) == [("the dog", [(10.0, 25.0)])]
    assert made("grounded_vqa_point", question(text("Which?"), text("none"))) == []


@pytest.mark.parametrize(("task", "unit"), [("gcg_box", Box), ("gcg_mask", Mask)])
def test_grounded_captions(task, unit):
    other = text("Two  people\n outside.", ("Two  people", ("2", "1")))
    record = full_record(grounded_captions=(full_record().grounded_captions[0], text("Nothing tied."), other))
    taught = made(task, record)
    kind = "box" if unit is Box else "mask"
    assert [said(d) for d in taught] == [
        f"<Phrase>A person</Phrase>(<Unit>{kind}</Unit>[0]<REF>) looks at <Phrase>a dog</Phrase>(<Unit>{kind}</Unit>[0]<REF>).",
        f"<Phrase>Two people</Phrase>(<Unit>{kind}</Unit>[0]<REF>[1]<REF>) outside.",
    ]
    assert all(isinstance(r.unit, unit) for d in taught for _, _, r in d.references())
    (one,) = made(task, record, training=False)
    assert one.evaluation.references == ("A person looks at a dog.", "Nothing tied.", "Two people outside.")


def test_words_of_a_region_without_that_geometry_stay_words():
    regions = tuple(replace(region, mask_rle=None) if region.id == "3" else region for region in full_record().regions)
    drops: list[Drop] = []
    (one,) = made("gcg_mask", full_record(regions=regions), report=drops.append)
    assert said(one) == "<Phrase>A person</Phrase>(<Unit>mask</Unit>[0]<REF>) looks at a dog."
    assert [drop.reason for drop in drops] == ["words of a region without mask"]


@pytest.mark.parametrize(
    ("words", "concept"),
    [
        ("[person1]", "dog"),
        ("<obj>", "dog"),
        ("[region]", "dog"),
        ("[3]", "dog"),
        ("[]", "dog"),
        ("a  [x] dog", "a [x] dog"),
    ],
)
def test_a_concept_is_words_not_a_place(words, concept):
    record = full_record(grounded_captions=(GroundedText(f"See {words}!", (Span(4, 4 + len(words), ("3",)),)),))
    (one,) = made("gcg_box", record)
    assert [t.concept for _, t in one.triplets()] == [concept]


@pytest.mark.parametrize(
    "spans", [(Span(5, 3, ("1",)),), (Span(0, 99, ("1",)),), (Span(0, 4, ("1",)), Span(2, 6, ("3",)))]
)
def test_spans_out_of_order_tie_nothing(spans):
    record = full_record(grounded_captions=(GroundedText("A man here", spans),))
    for dialogue in made("gcg_box", record):
        plain = "".join(
            p if isinstance(p, str) else p.concept for p in dialogue.turns[1].parts if not isinstance(p, Prompt)
        )
        assert plain == "A man here"


# --- conversations ---------------------------------------------------------------------------------------------------


def chat(*turns: tuple[str, GroundedText]) -> Record:
    return full_record(chats=(Chat("c", tuple(ChatTurn(role, words) for role, words in turns), "detail"),))  # type: ignore[arg-type]


def test_chat_keeps_the_words_and_takes_photos_or_none():
    record = chat(("user", text("Hello,\nwho are you?")), ("assistant", text("A {model}.\n\n* yes")))
    for photo in (record.photo, None):
        (one,) = made("chat", replace(record, photo=photo), training=False)
        assert (one.photo is None) == (photo is None)
        assert "Hello,\nwho are you?" in asked(one)
        assert said(one) == "A {model}.\n\n* yes"
        assert (one.evaluation.answers, one.evaluation.question_kind) == (("A {model}.\n\n* yes",), "detail")


@pytest.mark.parametrize(
    "roles", [("user",), ("assistant", "user"), ("user", "user", "assistant"), ("user", "assistant", "user"), ()]
)
def test_chats_that_are_no_conversation_are_left_out_with_a_reason(roles):
    drops: list[Drop] = []
    assert made("chat", chat(*((role, text("words")) for role in roles)), report=drops.append) == []
    assert [drop.reason for drop in drops] == ["chat does not go question, answer, ..."]
    silent = chat(("user", text("Hello")), ("assistant", text(" ")))
    assert made("chat", silent, report=drops.append) == []
    assert drops[-1].reason == "chat with an empty turn"


def test_region_chat_marks_by_mask_or_else_by_box():
    record = chat(
        ("user", text("What is <region1>\nand the man?", ("<region1>", ("3",)), ("the man", ("1",)))),
        ("assistant", text("A dog and a man.", ("A dog", ("3",)))),
        ("user", text("What does [region] do?", ("[region]", ("3",)))),
        ("assistant", text("It sits.")),
    )
    regions = tuple(replace(region, mask_rle=None) if region.id == "1" else region for region in record.regions)
    (one,) = made("region_chat", replace(record, regions=regions), training=False)
    assert [(turn, prompt.kind) for turn, prompt in one.prompts()] == [(0, "mask"), (0, "box"), (2, "mask")]
    assert "What is [VPT]\nand the man [VPT]?" in asked(one)
    assert [trp.render(turn.parts) for turn in one.turns[1::2]] == ["A dog and a man.", "It sits."]
    assert made("chat", record) == []
    assert made("region_chat", chat(("user", text("Hi")), ("assistant", text("Hi")))) == []
