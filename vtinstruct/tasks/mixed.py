"""Task 26, `mixed`: a conversation about a photo that mixes boxes, masks and keypoints, with and without units.

The first turn asks for two or three different things at once: boxes of one class, masks of another (or of the same
one: the concept then stands twice), keypoints, and sometimes something that is not there. Follow-up turns ask about a mark,
or for a caption, which take no unit. In evaluation everything that can be asked is asked, in a fixed order.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Evaluation, PromptKind, Triplet, Turn
from vtinstruct.record import Record, Region
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._categories import by_category, one_absent
from vtinstruct.tasks._shared import (
    dialogue,
    exchange,
    instances,
    listing,
    mark,
    of_a_photo,
    one_line,
    reading_order,
    triplet,
)

PROMPTS: tuple[PromptKind, ...] = ("point", "box", "scribble", "mask")
FOLLOW_SHARE = 0.5  # of training conversations get each follow-up that is possible


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One conversation a photo that has at least one thing with box and mask."""
    both = {region.id for region in instances(record, setting, "mask")}
    regions = [region for region in instances(record, setting, "box") if region.thing and region.id in both]
    if not regions:
        return
    wishes = _wishes(record, setting, regions)
    rng, words = setting.rng, setting.words
    said = [words.say(rng, f"wish_{wish.kind}", phrase=wish.concept) for wish in wishes]
    orders = [text for parts, _ in said for text in parts if isinstance(text, str)]
    asked = words.say(rng, "question", wishes=f"{', '.join(orders[:-1])}, and {orders[-1]}")
    answer = words.say(rng, "answer", objects=listing(wishes))
    turns, templates = [*exchange(asked[0], answer[0])], [asked[1], *(template for _, template in said), answer[1]]
    for follow in (_about_a_mark, _about_the_photo):
        if not setting.training or rng.random() < FOLLOW_SHARE:
            more = follow(record, setting, regions)
            if more is not None:
                turns.extend(more[0])
                templates.append(more[1])
    concepts = tuple(dict.fromkeys(wish.concept for wish in wishes))
    yield dialogue(record, setting, 0, turns, templates, Evaluation(concepts=concepts))


def _wishes(record: Record, setting: Setting, regions: list[Region]) -> list[Triplet]:
    """What the first turn asks for: always a box and a mask wish, then whatever else the photo has."""
    groups, rng = by_category(regions), setting.rng
    boxed, masked = rng.choice(list(groups)), rng.choice(list(groups))
    found = [triplet(boxed, "box", groups[boxed]), triplet(masked, "mask", groups[masked])]
    posed = by_category(
        region for region in record.regions if region.posed and not region.crowd and region.category.strip()
    )
    found += [triplet(name, "keypoint", posed[name]) for name in posed]
    found += [Triplet(one_line(name), "box") for name in one_absent(record, setting, things_only=True)]
    if setting.training:
        rng.shuffle(found)
    return found


Follow = tuple[tuple[Turn, Turn], str]


def _about_a_mark(record: Record, setting: Setting, regions: list[Region]) -> Follow | None:
    region, kind = setting.rng.choice(reading_order(regions)), setting.rng.choice(PROMPTS)
    prompt = mark(record, setting, region, kind)
    if prompt is None:
        return None
    question, template = setting.words.say(setting.rng, "then_mark", region=prompt)
    return exchange(question, (one_line(region.category),)), template


def _about_the_photo(record: Record, setting: Setting, regions: list[Region]) -> Follow | None:
    captions = [words for caption in record.captions if (words := one_line(caption))]
    if not captions:
        return None
    question, template = setting.words.say(setting.rng, "then_caption")
    return exchange(question, (setting.rng.choice(captions) if setting.training else captions[0],)), template


TASK = Task(
    name="mixed",
    number=26,
    inputs="image, classes, marks, turns",
    outputs="boxes, masks, keypoints, text",
    units=("box", "mask", "keypoint"),
    prompts=PROMPTS,
    needs=frozenset({"image", "boxes", "masks"}),
    make=make,
)
