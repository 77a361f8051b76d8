"""Task 3, `vqa_reasoning`: a photo and a question -> the answer with the reason for it."""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Evaluation
from vtinstruct.record import Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._shared import ask, of_a_photo
from vtinstruct.tasks._spans import plain
from vtinstruct.tasks._words import questions


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per question that comes with a reason."""
    n = 0
    for question, words, answers in questions(record, setting):
        reason = plain(question.reason) if question.reason is not None else ""
        answer = answers[0].rstrip(" .")  # the frames set their own full stop
        if not reason or not answer:
            continue  # a question without a reason is `vqa`'s
        framed = setting.words.say(setting.rng, "question", question=words)
        reply = setting.words.say(setting.rng, "answer", answer=answer, reason=reason)
        evaluation = Evaluation(answers=answers, references=(reason,), question_kind=question.kind)
        yield ask(record, setting, n, framed, reply, evaluation)
        n += 1


TASK = Task(
    name="vqa_reasoning",
    number=3,
    inputs="image, question",
    outputs="text with reasons",
    units=(),
    prompts=(),
    needs=frozenset({"image", "reasons"}),
    make=make,
)
