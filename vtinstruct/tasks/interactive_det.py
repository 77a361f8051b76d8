"""Task 21, `interactive_det`: a photo and a point, scribble or mask on a region -> the box of what it marks.

As `interactive_seg`: the mark is drawn from the region's own mask; in evaluation once with each kind.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Evaluation, PromptKind
from vtinstruct.record import Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._shared import ask, instances, of_a_photo, prompted, triplet

PROMPTS: tuple[PromptKind, ...] = ("point", "scribble", "mask")
CAP = 4  # regions a photo in training
CAP_EVALUATION = 10


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per marked region."""
    regions = [region for region in instances(record, setting, "box") if region.thing]
    cap = CAP if setting.training else CAP_EVALUATION
    for n, (region, prompt) in enumerate(prompted(record, setting, regions, PROMPTS, cap)):
        question = setting.words.say(setting.rng, "question", region=prompt)
        answer = setting.words.say(setting.rng, "answer", objects=triplet(region.category, "box", [region]))
        yield ask(record, setting, n, question, answer, Evaluation(concepts=(region.category,)))


TASK = Task(
    name="interactive_det",
    number=21,
    inputs="image, point / scribble / mask prompt",
    outputs="box",
    units=("box",),
    prompts=PROMPTS,
    needs=frozenset({"image", "boxes", "masks"}),
    make=make,
)
