"""Task 8, `reg_box`: a photo and a box around a region -> an expression that means this region and no other.

In training every expression of a region is a dialogue, with the box drawn as loosely as people draw; in evaluation a
region is asked about once, with the annotated box, and all its expressions are references.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Evaluation
from vtinstruct.record import Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._shared import ask, leave_out, of_a_photo, prompted
from vtinstruct.tasks._words import expressions_by_region

CAP = 10  # regions a photo in training; in evaluation all


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per expression of a region, or one per region in evaluation."""
    phrases = expressions_by_region(record)
    regions = [region for region in record.regions if region.id in phrases and region.box_xyxy is not None]
    known = {region.id for region in record.regions}
    for id_ in phrases:
        if id_ not in known:
            leave_out(record, setting, "expression of an unknown region", f"region {id_}")
    n = 0
    cap = CAP if setting.training else max(len(regions), 1)
    for region, prompt in prompted(record, setting, regions, ("box",), cap):
        references = phrases[region.id]
        for phrase in references if setting.training else references[:1]:
            question = setting.words.say(setting.rng, "question", region=prompt)
            yield ask(record, setting, n, question, (phrase,), Evaluation(references=references))
            n += 1


TASK = Task(
    name="reg_box",
    number=8,
    inputs="image, box prompt",
    outputs="text",
    units=(),
    prompts=("box",),
    needs=frozenset({"image", "expressions"}),
    make=make,
)
