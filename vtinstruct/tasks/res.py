"""Task 16, `res`: a photo and an expression -> the masks of all regions it means, or none.

RefCOCO's expressions mean one region; gRefCOCO's also several, or nothing: then the answer is a triplet without
references.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Evaluation
from vtinstruct.record import Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._shared import ask, of_a_photo
from vtinstruct.tasks._words import meant


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per expression."""
    for n, (phrase, found) in enumerate(meant(record, setting, "mask")):
        question = setting.words.say(setting.rng, "question", phrase=phrase)
        slot = "answer" if found.references else "nothing"
        answer = setting.words.say(setting.rng, slot, objects=found)
        yield ask(record, setting, n, question, answer, Evaluation(concepts=(phrase,)))


TASK = Task(
    name="res",
    number=16,
    inputs="image, expression",
    outputs="mask(s), or none",
    units=("mask",),
    prompts=(),
    needs=frozenset({"image", "expression_masks"}),
    make=make,
)
