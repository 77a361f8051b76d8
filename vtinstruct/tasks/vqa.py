"""Task 2, `vqa`: a photo and a question -> a short answer.

The question is the data's, in one of many frames. All accepted answers are kept for scoring (VQA has ten). Questions
that need a mark on the photo are `vqa_point`'s and `vqa_box`'s.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Evaluation
from vtinstruct.record import Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._shared import ask, of_a_photo
from vtinstruct.tasks._words import questions


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per question."""
    for n, (question, words, answers) in enumerate(questions(record, setting)):
        framed = setting.words.say(setting.rng, "question", question=words)
        yield ask(record, setting, n, framed, (answers[0],), Evaluation(answers=answers, question_kind=question.kind))


TASK = Task(
    name="vqa",
    number=2,
    inputs="image, question",
    outputs="text",
    units=(),
    prompts=(),
    needs=frozenset({"image", "questions"}),
    make=make,
)
