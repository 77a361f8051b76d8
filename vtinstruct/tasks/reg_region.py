"""Task 9, `reg_region`: a photo and a point, scribble or mask on a region -> words for this region.

The words are the best a record has: expressions that mean this region alone, or else phrases of captions tied to it
alone, or else its category's name. In training one of them is taught, in evaluation all are references.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Evaluation, PromptKind
from vtinstruct.record import Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._shared import ask, of_a_photo, one_line, prompted
from vtinstruct.tasks._words import expressions_by_region, phrases_by_region

PROMPTS: tuple[PromptKind, ...] = ("point", "scribble", "mask")
CAP = 6  # regions a photo in training
CAP_EVALUATION = 10


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per marked region that has words."""
    spoken = phrases_by_region(record) | expressions_by_region(record)
    words = {
        region.id: found
        for region in record.regions
        if region.mask_rle is not None
        and (
            found := spoken.get(region.id)
            or (() if region.crowd else tuple(filter(None, (one_line(region.category),))))
        )
    }
    regions = [region for region in record.regions if region.id in words]
    cap = CAP if setting.training else CAP_EVALUATION
    for n, (region, prompt) in enumerate(prompted(record, setting, regions, PROMPTS, cap)):
        references = words[region.id]
        answer = setting.rng.choice(references) if setting.training else references[0]
        question = setting.words.say(setting.rng, "question", region=prompt)
        yield ask(record, setting, n, question, (answer,), Evaluation(references=references))


TASK = Task(
    name="reg_region",
    number=9,
    inputs="image, point / scribble / mask prompt",
    outputs="text",
    units=(),
    prompts=PROMPTS,
    needs=frozenset({"image", "expression_masks"}),
    or_needs=(frozenset({"image", "masks"}), frozenset({"image", "grounded_caption_masks"})),
    make=make,
)
