"""Task 19, `grounded_vqa_box`: a photo and a question -> an answer with boxes.

Words of the answer that are tied to regions carry their boxes (VCR, Visual7W, GQA); where the source only says which
regions the answer rests on, these follow the answer, class by class. Places in the question are marked by boxes.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Evaluation, Parts
from vtinstruct.record import Question, Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._shared import ask, leave_out, listing, of_a_photo, triplets_by_category
from vtinstruct.tasks._spans import grounded, has_triplet, marked, region_marks
from vtinstruct.tasks._words import accepted


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per question whose answer points at regions."""
    n = 0
    for question in record.questions:
        if not question.answers or not (question.evidence_ids or any(s.region_ids for s in question.answers[0].spans)):
            continue  # `vqa`'s
        words = marked(question.question, region_marks(record, setting, ("box",)), only_places=True)
        if words is None:
            leave_out(record, setting, "question without its region", f"question {question.id}")
        elif answers := accepted(record, setting, question):
            reply = _reply(record, setting, question, answers[0])
            if reply is not None:
                framed = setting.words.say(setting.rng, "question", question=words)
                evaluation = Evaluation(answers=answers, question_kind=question.kind)
                yield ask(record, setting, n, framed, reply, evaluation)
                n += 1


def _reply(record: Record, setting: Setting, question: Question, answer: str) -> tuple[Parts, str] | Parts | None:
    parts = grounded(record, setting, question.answers[0], "box")
    if has_triplet(parts):
        return parts
    regions = [
        r for r in record.regions if r.id in question.evidence_ids and r.box_xyxy is not None and r.category.strip()
    ]
    if not regions:
        leave_out(record, setting, "answer without its regions", f"question {question.id}")
        return None
    objects = listing(triplets_by_category(regions, "box"))
    return setting.words.say(setting.rng, "answer", answer=answer.rstrip(" .") or answer, objects=objects)


TASK = Task(
    name="grounded_vqa_box",
    number=19,
    inputs="image, question, boxes",
    outputs="answer with boxes",
    units=("box",),
    prompts=("box",),
    needs=frozenset({"image", "grounded_answers"}),
    make=make,
)
