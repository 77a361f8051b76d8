"""Task 5, `vqa_point`: a photo, a point on it and a question about what is there -> a short answer.

The point is the source's own (PointQA) or drawn in the region's mask. It stands where the words hold a place for it
(`[region]`), or behind the question.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Evaluation, Parts, Prompt
from vtinstruct.record import Question, Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._shared import ask, leave_out, of_a_photo
from vtinstruct.tasks._spans import MarksOf, inside, marked, point_marks
from vtinstruct.tasks._words import accepted
from vtinstruct.trp import join_parts
from vtinstruct.units import Point


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per question that a point belongs to."""
    n, marks_of = 0, point_marks(record, setting)
    for question in record.questions:
        words = _pointed(record, setting, question, marks_of)
        if not any(isinstance(part, Prompt) for part in words or ()):
            if question.points_xy:
                leave_out(record, setting, "question without its point", f"question {question.id}")
            continue  # a question about a box alone, or about the whole photo, is another task's
        if words and (answers := accepted(record, setting, question)):
            framed = setting.words.say(setting.rng, "question", question=words)
            evaluation = Evaluation(answers=answers, question_kind=question.kind)
            yield ask(record, setting, n, framed, (answers[0],), evaluation)
            n += 1


def _pointed(record: Record, setting: Setting, question: Question, marks_of: MarksOf) -> Parts | None:
    words = marked(question.question, marks_of)
    if words is None or any(isinstance(part, Prompt) for part in words):
        return words
    points = inside(record, setting, question.points_xy)
    behind = [part for point in points for part in (" ", Prompt("point", Point(point)))]
    return join_parts((*words, *behind))


TASK = Task(
    name="vqa_point",
    number=5,
    inputs="image, point prompt, question",
    outputs="text",
    units=(),
    prompts=("point",),
    needs=frozenset({"image", "region_questions"}),
    make=make,
)
