"""Task 13, `cond_det`: a photo and a class (or a class with an attribute) -> its boxes, or none.

In training up to `CAP` categories of a photo are asked for, sometimes one with an attribute ("red car"), and sometimes
one that is certainly absent. In evaluation every category of the photo is asked for once, and one absent one. Which
categories count as absent: `_shared.absent_categories`; one that is not annotated exhaustively never does.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue
from vtinstruct.record import Record, Region
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._shared import absent_categories, ask, exam, instances, of_a_photo, triplet

CAP = 4  # categories a photo in training
ABSENT_SHARE = 0.3  # of training photos are asked for something that is not there
ATTRIBUTE_SHARE = 0.3  # of training categories are narrowed by an attribute, where there is one


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per category asked for."""
    rng = setting.rng
    groups: dict[str, list[Region]] = {}
    for region in instances(record, setting, "box"):
        if region.thing:
            groups.setdefault(region.category, []).append(region)
    names = sorted(groups)
    if setting.training and len(names) > CAP:
        names = sorted(rng.sample(names, CAP))
    asked = [(name, *_narrowed(name, groups[name], setting)) for name in names]
    absent = absent_categories(record, setting, things_only=True)
    if absent and (not setting.training or rng.random() < ABSENT_SHARE):
        name = rng.choice(absent)
        asked.append((name, name, []))
    for n, (category, phrase, regions) in enumerate(asked):
        found = triplet(phrase, "box", regions)
        question = setting.words.say(rng, "question", phrase=found.concept)
        slot = "answer" if regions else "nothing"
        answer = setting.words.say(rng, slot, objects=found)
        yield ask(record, setting, n, question, answer, exam(record, "box", concepts=(category,)))


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
