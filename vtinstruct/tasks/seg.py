"""Task 12, `seg`: a photo -> the masks of every thing, class by class.

As `det`, with masks. A vocabulary without any things (a purely semantic one) is answered with its stuff, one mask a
class; where a vocabulary has both, things only: `panoptic` asks for both.
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
    semantic = bool(setting.vocabulary) and not any(category.thing for category in setting.vocabulary)
    found = [region for region in instances(record, setting, "mask") if region.thing or semantic]
    rng, words = setting.rng, setting.words
    if found:
        answer = words.say(rng, "answer", objects=listing(triplets_by_category(found, "mask")))
    elif surely_empty(record) or not (setting.training or unlabelled(record, "mask")):
        answer = words.say(rng, "nothing")
    else:
        return
    yield ask(record, setting, 0, words.say(rng, "question"), answer, exam(record, setting, "mask"))


TASK = Task(
    name="seg",
    number=12,
    inputs="image",
    outputs="masks by class",
    units=("mask",),
    prompts=(),
    needs=frozenset({"image", "masks"}),
    make=make,
)
