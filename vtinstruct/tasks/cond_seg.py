"""Task 14, `cond_seg`: a photo and a class -> its masks (of instances, or of stuff), or none.

As `cond_det`, with masks, without attributes, and for stuff too: a semantic class is one mask or a few.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue
from vtinstruct.record import Record, Region
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._categories import by_category, one_absent, some
from vtinstruct.tasks._shared import ask, exam, instances, of_a_photo, triplet


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per category asked for."""
    groups = by_category(instances(record, setting, "mask"))
    asked = [(name, groups[name]) for name in some(groups, setting)]
    asked += [(name, list[Region]()) for name in one_absent(record, setting, things_only=False)]
    for n, (category, regions) in enumerate(asked):
        found = triplet(category, "mask", regions)
        question = setting.words.say(setting.rng, "question", phrase=found.concept)
        answer = setting.words.say(setting.rng, "answer" if regions else "nothing", objects=found)
        yield ask(record, setting, n, question, answer, exam(record, setting, "mask", concepts=(category,)))


TASK = Task(
    name="cond_seg",
    number=14,
    inputs="image, class",
    outputs="masks, or none",
    units=("mask",),
    prompts=(),
    needs=frozenset({"image", "masks"}),
    or_needs=(frozenset({"image", "stuff"}),),
    make=make,
)
