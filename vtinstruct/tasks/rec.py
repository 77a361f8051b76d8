"""Task 15, `rec`: a photo and an expression -> the one box it means.

Expressions of exactly one region are this task's; those of several regions or none are `res`'s (and `absent`'s).
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
    """One dialogue per expression that names one region."""
    for n, (phrase, found) in enumerate(meant(record, setting, "box", counts=(1,))):
        question = setting.words.say(setting.rng, "question", phrase=phrase)
        answer = setting.words.say(setting.rng, "answer", objects=found)
        yield ask(record, setting, n, question, answer, Evaluation(concepts=(phrase,)))


TASK = Task(
    name="rec",
    number=15,
    inputs="image, expression",
    outputs="box",
    units=("box",),
    prompts=(),
    needs=frozenset({"image", "expressions"}),
    make=make,
)
