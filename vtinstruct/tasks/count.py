"""Task 29, `count`: a photo and a class -> how many there are, with the boxes that prove it.

Asked only where the number is known: the source annotates the class exhaustively in this photo, and no crowd of it is
marked as one. Zero is an answer too.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Evaluation
from vtinstruct.record import Record, Region
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._categories import by_category, one_absent, some
from vtinstruct.tasks._shared import ask, instances, of_a_photo, triplet

ZERO_SHARE = 0.25  # of training photos are also asked for what is not there


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per category counted."""
    found = by_category(region for region in instances(record, setting, "box") if region.thing)
    asked = [(name, found[name]) for name in some(filter(lambda name: _known(record, name), found), setting)]
    asked += [(name, list[Region]()) for name in one_absent(record, setting, things_only=True, share=ZERO_SHARE)]
    for n, (name, regions) in enumerate(asked):
        number, objects = str(len(regions)), triplet(name, "box", regions)
        question = setting.words.say(setting.rng, "question", phrase=objects.concept)
        answer = setting.words.say(setting.rng, "answer", number=number, objects=objects)
        yield ask(record, setting, n, question, answer, Evaluation(concepts=(name,), answers=(number,)))


def _known(record: Record, name: str) -> bool:
    """Whether the annotated instances of a category are all there are."""
    if name in record.not_exhaustive or not (record.exhaustive or record.negatives):
        return False
    whole = [region for region in record.regions if region.category == name]
    return all(not region.crowd and region.box_xyxy is not None for region in whole)


TASK = Task(
    name="count",
    number=29,
    inputs="image, class",
    outputs="number and boxes",
    units=("box",),
    prompts=(),
    needs=frozenset({"image", "boxes"}),
    make=make,
)
