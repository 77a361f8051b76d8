"""Task 24, `region_keypoints`: a photo and a box or mask on a person -> the keypoints of this person.

Persons without a labelled point are never asked about: no answer about them could be scored.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Evaluation, PromptKind
from vtinstruct.record import Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._shared import ask, of_a_photo, prompted, triplet

PROMPTS: tuple[PromptKind, ...] = ("box", "mask")
CAP = 4  # persons a photo in training; in evaluation all


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per marked person."""
    regions = [region for region in record.regions if region.posed and not region.crowd and region.category.strip()]
    cap = CAP if setting.training else len(regions)
    for n, (region, prompt) in enumerate(prompted(record, setting, regions, PROMPTS, cap)):
        question = setting.words.say(setting.rng, "question", region=prompt)
        answer = setting.words.say(setting.rng, "answer", objects=triplet(region.category, "keypoint", [region]))
        yield ask(record, setting, n, question, answer, Evaluation(concepts=(region.category,)))


TASK = Task(
    name="region_keypoints",
    number=24,
    inputs="image, box / mask prompt",
    outputs="keypoints",
    units=("keypoint",),
    prompts=PROMPTS,
    needs=frozenset({"image", "keypoints"}),
    make=make,
)
