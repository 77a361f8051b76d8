"""Task 28, `absent`: a photo and something that may not be there -> its boxes, or an honest none.

Half of the questions are about what is there, in the same words: otherwise the wording alone would tell the answer. What
counts as absent: categories the annotation rules out (`_categories.absent_categories`), and expressions that mean
nothing in the photo (gRefCOCO).
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Triplet
from vtinstruct.record import Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._categories import absent_categories, by_category
from vtinstruct.tasks._shared import ask, exam, instances, of_a_photo, triplet
from vtinstruct.tasks._words import meant

CAP = 2  # absent things a photo, and as many present ones


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """Up to `CAP` questions about absent things, and as many about present ones."""
    phrases = [found for _, found in meant(record, setting, "box")]
    groups = by_category(region for region in instances(record, setting, "box") if region.thing)
    absent = [found for found in phrases if not found.references]
    absent += [Triplet(name, "box") for name in absent_categories(record, setting, things_only=True)]
    present = [found for found in phrases if found.references]
    if record.exhaustive or record.negatives:  # elsewhere the named regions need not be all of their kind
        present += [triplet(name, "box", regions) for name, regions in groups.items()]
    asked = _some(absent, setting)
    asked += _some(present, setting)[: len(asked)]
    for n, found in enumerate(asked):
        question = setting.words.say(setting.rng, "question", phrase=found.concept)
        answer = setting.words.say(setting.rng, "answer" if found.references else "nothing", objects=found)
        yield ask(record, setting, n, question, answer, exam(record, setting, "box", concepts=(found.concept,)))


def _some(found: list[Triplet], setting: Setting) -> list[Triplet]:
    return setting.rng.sample(found, min(CAP, len(found)))


TASK = Task(
    name="absent",
    number=28,
    inputs="image, class or expression",
    outputs="boxes, or none",
    units=("box",),
    prompts=(),
    needs=frozenset({"image", "boxes"}),
    or_needs=(frozenset({"image", "expressions"}),),
    make=make,
)
