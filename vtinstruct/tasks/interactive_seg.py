"""Task 22, `interactive_seg`: a photo and a point, box or scribble on a region -> the mask of what it marks.

The mark is drawn from the region's own mask, so every source with masks feeds this task. In evaluation a region is
asked about once with each kind of mark.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Evaluation, PromptKind
from vtinstruct.record import Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._shared import ask, instances, of_a_photo, prompted, triplet

PROMPTS: tuple[PromptKind, ...] = ("point", "box", "scribble")
CAP = 4  # regions a photo in training
CAP_EVALUATION = 10


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per marked region."""
    regions = instances(record, setting, "mask")
    cap = CAP if setting.training else CAP_EVALUATION
    for n, (region, prompt) in enumerate(prompted(record, setting, regions, PROMPTS, cap)):
        question = setting.words.say(setting.rng, "question", region=prompt)
        answer = setting.words.say(setting.rng, "answer", objects=triplet(region.category, "mask", [region]))
        yield ask(record, setting, n, question, answer, Evaluation(concepts=(region.category,)))


TASK = Task(
    name="interactive_seg",
    number=22,
    inputs="image, point / box / scribble prompt",
    outputs="mask",
    units=("mask",),
    prompts=PROMPTS,
    needs=frozenset({"image", "masks"}),
    make=make,
)
