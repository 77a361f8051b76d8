"""Batches: what is learned, where references stand, and that nothing that comes in is changed."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from refvlm.collator import Asked, Collator, Seen, collate_questions
from refvlm.processing import RefVLMProcessor
from tests.refvlm import samples
from vtinstruct.trp import parse

SIZE = (64, 48)


def test_references_stand_on_their_tokens_in_their_groups(collator: Collator, processor: RefVLMProcessor) -> None:
    batch = collator([samples.about(1, SIZE), samples.about(2, (48, 64))])
    counts = {kind: len(refs.rows) for kind, refs in batch.references.items()}
    assert counts == {"box": 10, "mask": 4, "keypoint": 4, "depth": 2}
    for kind, refs in batch.references.items():
        assert (batch.ids[refs.rows, refs.columns] == processor.token_id("<REF>")).all()
        assert (refs.groups.diff() >= 0).all()
        assert {len(target) for target in refs.targets.values()} == {len(refs.rows)}, kind
    assert batch.references["box"].groups.unique_consecutive(return_counts=True)[1].tolist() == [3, 1, 1, 3, 1, 1]
    words = batch.references["mask"].words[0]
    assert processor.text(words[words >= 0].tolist()) == "the red ball"


def test_labels_are_the_next_tokens_of_answers(collator: Collator, processor: RefVLMProcessor) -> None:
    batch = collator([samples.about(1, SIZE)])
    learned = batch.labels[0] >= 0
    shifted = torch.cat((batch.ids[0, 1:], batch.ids[0, :1]))
    assert (batch.labels[0][learned] == shifted[learned]).all()
    said = processor.tokenizer.decode(batch.labels[0][learned])
    assert "A ball and a cup.<|end|>" in said
    assert "Poses?" not in said


def test_a_plan_is_learned_before_the_answer_and_moves_no_reference(processor: RefVLMProcessor) -> None:
    planned = copy.deepcopy(processor)
    planned.plan = True
    seen = samples.about(1, SIZE)
    plain, batch = samples.collator(processor)([seen]), samples.collator(planned)([seen])
    said = planned.tokenizer.decode(batch.labels[0][batch.labels[0] >= 0])
    answer, plan = parse(said.split("<|end|>")[0]), [("ball", "box", 3), ("cup", "box", 1)]
    assert not answer.errors
    assert [(line.concept, line.kind, line.count) for line in answer.plan or ()] == plan
    assert "Unit decode (False)." in said, "an answer of words alone plans none"
    for kind, refs in batch.references.items():
        assert (batch.ids[refs.rows, refs.columns] == planned.token_id("<REF>")).all()
        assert torch.equal(refs.groups, plain.references[kind].groups)
        assert torch.equal(refs.words, plain.references[kind].words)


def test_without_photo_without_reference(collator: Collator) -> None:
    chat = samples.dialogue(7, ("Hello?",), ("Hello.",), None)
    batch = collator([Seen(None, [chat])])
    assert batch.references == {}
    assert batch.extent_wh.tolist() == [[0.0, 0.0]]


def test_a_dialogue_longer_than_the_model_is_left_out_and_counted(
    processor: RefVLMProcessor, collator: Collator
) -> None:
    short = Collator(processor, collator.decoders, samples.load_depth, max_length=40)
    batch = short([samples.about(1, SIZE)])
    assert batch.ids.shape[1] <= 40
    assert short.too_long > 0


def test_a_depth_map_that_cannot_be_read_leaves_no_target(processor: RefVLMProcessor, collator: Collator) -> None:
    blind = Collator(processor, collator.decoders, lambda depth: None)
    batch = blind([samples.about(1, SIZE)])
    assert "depth" not in batch.references
    assert "box" in batch.references


@pytest.mark.parametrize("turns", [1, 3])
def test_questions_hold_what_was_said_before_and_no_more(processor: RefVLMProcessor, turns: int) -> None:
    base = samples.about(1, SIZE)
    one, two = base.dialogues[1], base.dialogues[5]
    both = replace(one, turns=one.turns + two.turns)
    batch = collate_questions(processor, [base.photo], [Asked(0, both, turns)])
    text = processor.tokenizer.decode(batch.ids[0])
    assert text.endswith("<|assistant|>")
    assert text.count("<|end|>") == (turns - 1) // 2
    assert len(batch.prompts) == 1
