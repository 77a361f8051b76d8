"""Task 27, `panoptic`: a photo -> masks of everything, things and stuff, class by class.

Every labelled pixel belongs to one mask of the answer. Crowd segments are kept to be ignored, as panoptic quality
wants it; in evaluation every photo is asked about exactly once.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue
from vtinstruct.record import Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._shared import ask, exam, instances, listing, of_a_photo, triplets_by_category, unlabelled


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue a photo; in training none without segments, which would be a photo of nothing at all."""
    found = instances(record, setting, "mask")
    rng, words = setting.rng, setting.words
    if found:
        answer = words.say(rng, "answer", objects=listing(triplets_by_category(found, "mask")))
    elif not (setting.training or unlabelled(record, "mask")):
        answer = words.say(rng, "nothing")
    else:
        return
    yield ask(record, setting, 0, words.say(rng, "question"), answer, exam(record, setting, "mask"))


TASK = Task(
    name="panoptic",
    number=27,
    inputs="image",
    outputs="masks of things and stuff",
    units=("mask",),
    prompts=(),
    needs=frozenset({"image", "segments_all"}),
    make=make,
)
