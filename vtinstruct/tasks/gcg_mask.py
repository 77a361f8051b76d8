"""Task 18, `gcg_mask`: a photo -> a caption whose phrases carry their masks (PNG, OpenPSG, GranD).

In training every grounded caption is a dialogue; in evaluation a photo is asked about once, and all its captions are
references.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Evaluation
from vtinstruct.record import Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._shared import ask, of_a_photo
from vtinstruct.tasks._spans import grounded, has_triplet, plain


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per caption that points at something, or one per photo in evaluation."""
    references = tuple(words for caption in record.grounded_captions if (words := plain(caption)))
    answers = (grounded(record, setting, caption, "mask") for caption in record.grounded_captions)
    for n, answer in enumerate(filter(has_triplet, answers)):
        question = setting.words.say(setting.rng, "question")
        yield ask(record, setting, n, question, answer, Evaluation(references=references))
        if not setting.training:
            return


TASK = Task(
    name="gcg_mask",
    number=18,
    inputs="image",
    outputs="caption with masks",
    units=("mask",),
    prompts=(),
    needs=frozenset({"image", "grounded_caption_masks"}),
    make=make,
)
