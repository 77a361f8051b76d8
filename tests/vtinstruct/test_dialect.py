"""What holds of answers in any dialect before one of them is read."""

from __future__ import annotations

import pytest

from vtinstruct.dialect import Spoken, dialect_named, hear
from vtinstruct.units import Box

THOUGHT = '<think>Maybe [{"bbox_2d": [9, 9, 99, 99], "label": "dog"}]?</think>\n\n'
ANSWER = '[{"bbox_2d": [1, 2, 3, 4], "label": "dog"}]'


@pytest.mark.parametrize("thought", [THOUGHT, THOUGHT.removeprefix("<think>"), THOUGHT * 2, ""])
def test_what_a_model_thinks_is_no_answer(thought: str) -> None:
    found = hear(dialect_named("qwen3_vl"), Spoken(thought + ANSWER, (1000, 500)))
    assert [reference.unit for reference in found.references] == [Box((1.0, 1.0, 3.0, 2.0))]
    assert found.faults == ()


def test_thoughts_that_never_end_are_no_answer_and_cut_off() -> None:
    found = hear(dialect_named("qwen3_vl"), Spoken(" <think>" + ANSWER, (1000, 500)))
    assert (found.parts, found.faults) == ((), ("truncated",))


def test_a_word_in_brackets_within_an_answer_is_a_word() -> None:
    found = hear(dialect_named("qwen3_vl"), Spoken("I <think> so", (1000, 500)))
    assert (found.parts, found.faults) == (("I <think> so",), ())
