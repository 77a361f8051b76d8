"""Task 1, `caption`: a photo -> a sentence about it.

In training every caption of a photo is a dialogue; in evaluation a photo is asked about once, with all its captions
as references (COCO captions, nocaps).
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Evaluation
from vtinstruct.record import Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._shared import ask, leave_out, of_a_photo, one_line


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per caption, or one per photo in evaluation."""
    captions = tuple(words for caption in record.captions if (words := one_line(caption)))
    if len(captions) < len(record.captions):
        leave_out(record, setting, "empty caption", f"{len(record.captions) - len(captions)} of {len(record.captions)}")
    if not captions:
        return
    for n, caption in enumerate(captions if setting.training else captions[:1]):
        question = setting.words.say(setting.rng, "question")
        yield ask(record, setting, n, question, (caption,), Evaluation(references=captions))


TASK = Task(
    name="caption",
    number=1,
    inputs="image",
    outputs="text",
    units=(),
    prompts=(),
    needs=frozenset({"image", "captions"}),
    make=make,
)
