"""Task 11, `det`: a photo -> the boxes of every thing, class by class.

All instances of a photo stand in one answer, one triplet a category. In evaluation every photo is asked about exactly
once, with or without annotations, and crowds are kept to be ignored, so COCO and LVIS AP follow from shards alone.
Stuff (sky, grass) is no instance and never part of the answer.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue
from vtinstruct.record import Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._categories import surely_empty
from vtinstruct.tasks._shared import ask, exam, instances, listing, of_a_photo, triplets_by_category, unlabelled


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue a photo. In training a photo without instances is asked about only if it is surely empty, in
    evaluation always, unless its instances only lack this geometry."""
    found = [region for region in instances(record, setting, "box") if region.thing]
    rng, words = setting.rng, setting.words
    if found:
        answer = words.say(rng, "answer", objects=listing(triplets_by_category(found, "box")))
    elif surely_empty(record) or not (setting.training or unlabelled(record, "box")):
        answer = words.say(rng, "nothing")
    else:
        return
    yield ask(record, setting, 0, words.say(rng, "question"), answer, exam(record, setting, "box"))


TASK = Task(
    name="det",
    number=11,
    inputs="image",
    outputs="boxes by class",
    units=("box",),
    prompts=(),
    needs=frozenset({"image", "boxes"}),
    make=make,
)
