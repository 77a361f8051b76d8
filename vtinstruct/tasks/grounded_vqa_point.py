"""Task 20, `grounded_vqa_point`: a photo and a question -> an answer with points (Visual7W pointing, CLEVR).

Points come, in this order of preference, from the answer's own words, from the question's positions, or from inside
the regions the answer rests on. Where they belong to no words, the answer as a whole is the concept.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Evaluation, Parts
from vtinstruct.record import Question, Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._shared import ask, leave_out, of_a_photo
from vtinstruct.tasks._spans import grounded, has_triplet, inside, point_triplet
from vtinstruct.tasks._words import questions


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per question whose answer points at positions."""
    n = 0
    for question, words, answers in questions(record, setting):
        answer = _answer(record, setting, question, answers[0])
        if answer is not None:
            framed = setting.words.say(setting.rng, "question", question=words)
            yield ask(record, setting, n, framed, answer, Evaluation(answers=answers, question_kind=question.kind))
            n += 1


def _answer(record: Record, setting: Setting, question: Question, answer: str) -> Parts | None:
    first = question.answers[0]
    if any(span.points_xy for span in first.spans):
        parts = grounded(record, setting, first, "point")
        return parts if has_triplet(parts) else None
    points = inside(record, setting, question.points_xy)
    if not points:
        spoken = {id_ for span in first.spans for id_ in span.region_ids} or set(question.evidence_ids)
        points = _centres(record, setting, spoken)
    return (point_triplet(answer, points),) if points else None


def _centres(record: Record, setting: Setting, ids: set[str]) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for region in record.regions:
        if region.id in ids and region.box_xyxy is not None:
            x0, y0, x1, y1 = region.box_xyxy
            found.append(((x0 + x1) / 2, (y0 + y1) / 2))
    if len(found) < len(ids):
        leave_out(record, setting, "answer without all its regions", f"{len(found)} of {len(ids)}")
    return found if len(found) == len(ids) else []


TASK = Task(
    name="grounded_vqa_point",
    number=20,
    inputs="image, question",
    outputs="answer with points",
    units=("point",),
    prompts=(),
    needs=frozenset({"image", "point_answers"}),
    make=make,
)
