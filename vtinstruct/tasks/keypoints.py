"""Task 23, `keypoints`: a photo -> the keypoints of every person (or whatever else the vocabulary has a skeleton for).

Persons without a single labelled point, and crowds, are no part of the answer but kept to be ignored, each with its
box and area: COCO's OKS scores need them. In evaluation every photo is asked about exactly once; where nobody is, the
answer is a triplet without references.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Triplet
from vtinstruct.record import Record, Region
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._categories import surely_empty
from vtinstruct.tasks._shared import ask, exam, listing, of_a_photo, triplets_by_category

NOBODY_SHARE = 0.1  # of training photos without anybody are asked about: most photos show no person


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue a photo."""
    rng, words = setting.rng, setting.words
    posable = {category.name for category in setting.vocabulary if category.keypoints}
    posable |= {region.category for region in record.regions if region.keypoints_xyv}

    def scored(region: Region) -> bool:
        return region.category in posable and region.posed and not region.crowd

    found = [region for region in record.regions if scored(region)]
    if found:
        answer = words.say(rng, "answer", objects=listing(triplets_by_category(found, "keypoint")))
    elif not setting.training or (surely_empty(record) and rng.random() < NOBODY_SHARE):
        nobody = tuple(Triplet(name, "keypoint") for name in sorted(posable)) or (Triplet("person", "keypoint"),)
        answer = words.say(rng, "nothing", objects=listing(nobody))
    else:
        return
    evaluation = exam(
        record, setting, "keypoint", ignore=lambda region: region.category in posable and not scored(region)
    )
    yield ask(record, setting, 0, words.say(rng, "question"), answer, evaluation)


TASK = Task(
    name="keypoints",
    number=23,
    inputs="image",
    outputs="keypoints of every person",
    units=("keypoint",),
    prompts=(),
    needs=frozenset({"image", "keypoints"}),
    make=make,
)
