"""Task 10, `region_caption`: a photo and a box around a region -> a free sentence about this region.

Unlike `reg_box`, the sentence need not tell the region from others (Visual Genome). In training every sentence is a
dialogue; in evaluation a region is asked about once, with all its sentences as references.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Evaluation
from vtinstruct.record import Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._shared import ask, of_a_photo, one_line, prompted

CAP = 10  # regions a photo in training; Visual Genome has fifty


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per sentence about a region, or one per region in evaluation."""
    regions = [
        region for region in record.regions if region.box_xyxy is not None and any(map(str.strip, region.captions))
    ]
    n = 0
    cap = CAP if setting.training else len(regions)
    for region, prompt in prompted(record, setting, regions, ("box",), cap):
        references = tuple(dict.fromkeys(words for caption in region.captions if (words := one_line(caption))))
        for sentence in references if setting.training else references[:1]:
            question = setting.words.say(setting.rng, "question", region=prompt)
            yield ask(record, setting, n, question, (sentence,), Evaluation(references=references))
            n += 1


TASK = Task(
    name="region_caption",
    number=10,
    inputs="image, box prompt",
    outputs="text",
    units=(),
    prompts=("box",),
    needs=frozenset({"image", "region_captions"}),
    make=make,
)
