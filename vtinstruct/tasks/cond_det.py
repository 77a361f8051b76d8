"""Task 13, `cond_det`: a photo and a class (or a class with an attribute) -> its boxes, or none.

In training up to `_categories.CAP` categories of a photo are asked for, sometimes one with an attribute ("red car"), and
sometimes one that is certainly absent. In evaluation every category of the photo is asked for once, and one absent one.
Which categories count as absent: `_categories.absent_categories`.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue
from vtinstruct.record import Record, Region
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._categories import by_category, one_absent, some
from vtinstruct.tasks._shared import ask, exam, instances, of_a_photo, triplet

ATTRIBUTE_SHARE = 0.3  # of training categories are narrowed by an attribute, where there is one


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per category asked for."""
    groups = by_category(region for region in instances(record, setting, "box") if region.thing)
    asked = [(name, *_narrowed(name, groups[name], setting)) for name in some(groups, setting)]
    asked += [(name, name, list[Region]()) for name in one_absent(record, setting, things_only=True)]
    for n, (category, phrase, regions) in enumerate(asked):
        found = triplet(phrase, "box", regions)
        question = setting.words.say(setting.rng, "question", phrase=found.concept)
        answer = setting.words.say(setting.rng, "answer" if regions else "nothing", objects=found)
        yield ask(record, setting, n, question, answer, exam(record, setting, "box", concepts=(category,)))


def _narrowed(name: str, regions: list[Region], setting: Setting) -> tuple[str, list[Region]]:
    attributes = sorted({word for region in regions for word in region.attributes if word.strip()})
    if not (setting.training and attributes and setting.rng.random() < ATTRIBUTE_SHARE):
        return name, regions
    word = setting.rng.choice(attributes)
    return f"{word} {name}", [region for region in regions if word in region.attributes]


TASK = Task(
    name="cond_det",
    number=13,
    inputs="image, class or attribute",
    outputs="boxes",
    units=("box",),
    prompts=(),
    needs=frozenset({"image", "boxes"}),
    make=make,
)
