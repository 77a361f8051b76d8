"""Task 6, `vqa_box`: a photo, boxes on it and a question about them -> an answer, free or one of several choices.

In training a question with choices is asked with or without them; in evaluation with them, as the source does. The
right answer is among the choices, at the source's own place, or at a random one where the source keeps it apart.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Evaluation, Part, Parts, Prompt
from vtinstruct.record import Question, Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._shared import ask, leave_out, of_a_photo
from vtinstruct.tasks._spans import MarksOf, marked, plain, region_marks
from vtinstruct.tasks._words import accepted
from vtinstruct.trp import join_parts

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
OPEN_SHARE = 0.5  # of training questions with choices are asked without them


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per question whose words point at boxes."""
    n, rng, words = 0, setting.rng, setting.words
    for question in record.questions:
        marks_of = region_marks(record, setting, ("box",))
        asked = marked(question.question, marks_of)
        if asked is None:
            leave_out(record, setting, "question without its region", f"question {question.id}")
            continue
        if not any(isinstance(part, Prompt) for part in asked):
            continue  # `vqa`'s or `vqa_point`'s
        answers = accepted(record, setting, question)
        if not answers:
            continue
        choices = _choices(question, marks_of, setting) if question.choices else None
        if choices is None or (setting.training and rng.random() < OPEN_SHARE):
            framed, reply = words.say(rng, "question", question=asked), answers[0]
        else:
            letter = LETTERS[choices[1]]
            framed = words.say(rng, "question_choices", question=asked, choices=choices[0])
            reply, answers = f"{letter}: {answers[0]}", (letter, *answers)
        yield ask(record, setting, n, framed, (reply,), Evaluation(answers=answers, question_kind=question.kind))
        n += 1


def _choices(question: Question, marks_of: MarksOf, setting: Setting) -> tuple[Parts, int] | None:
    """The choices as `A) ... B) ...` and the place of the right one; None when they cannot all be shown."""
    options, right = list(question.choices), question.answers[0]
    texts = [plain(option) for option in options]
    place = texts.index(plain(right)) if plain(right) in texts else -1
    if place < 0:
        place = setting.rng.randrange(len(options) + 1)
        options.insert(place, right)
    parts: list[Part] = []
    for letter, option in zip(LETTERS, options, strict=False):
        shown = marked(option, marks_of, only_places=True)
        if not shown:
            return None
        parts.extend((" " if parts else "", f"{letter}) ", *shown))
    return (join_parts(parts), place) if len(options) <= len(LETTERS) else None


TASK = Task(
    name="vqa_box",
    number=6,
    inputs="image, box prompts, question, choices",
    outputs="text",
    units=(),
    prompts=("box",),
    needs=frozenset({"image", "region_questions"}),
    make=make,
)
