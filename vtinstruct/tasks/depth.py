"""Task 25, `depth`: a photo -> its depth map.

The map stays in its file; the answer is one triplet with the concept "depth" for metres, "relative depth" for a map that is
known up to scale and shift only: a model is never asked for metres where nobody knows them.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Reference, Triplet
from vtinstruct.record import Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._shared import ask, of_a_photo


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue a photo with a depth map."""
    if record.depth is None:
        return
    relative = record.depth.frame == "relative_inverse"
    found = Triplet("relative depth" if relative else "depth", "depth", (Reference(record.depth),))
    question = setting.words.say(setting.rng, "question_relative" if relative else "question")
    yield ask(record, setting, 0, question, setting.words.say(setting.rng, "answer", objects=found))


TASK = Task(
    name="depth",
    number=25,
    inputs="image",
    outputs="depth map",
    units=("depth",),
    prompts=(),
    needs=frozenset({"image", "depth"}),
    make=make,
)
