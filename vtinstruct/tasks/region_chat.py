"""Task 7, `region_chat`: a ready conversation about marked regions of a photo -> its answers.

A region is marked by its mask (Osprey, LLaVA-Grounding), or by its box where it has none.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Evaluation
from vtinstruct.record import Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._chats import asks_about_regions, turns_of
from vtinstruct.tasks._shared import dialogue, of_a_photo
from vtinstruct.tasks._spans import marked, region_marks


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per conversation in which a person points at a region."""
    n = 0
    for chat in record.chats:
        if not asks_about_regions(chat):
            continue
        marks_of = region_marks(record, setting, ("mask", "box"))
        found = turns_of(record, setting, chat, lambda words, marks_of=marks_of: marked(words, marks_of))
        if found is not None:
            turns, template = found
            evaluation = Evaluation(answers=(chat.turns[-1].words.text.strip(),), question_kind=chat.kind)
            yield dialogue(record, setting, n, turns, (template,), evaluation)
            n += 1


TASK = Task(
    name="region_chat",
    number=7,
    inputs="image, mask or box prompts, turns",
    outputs="text",
    units=(),
    prompts=("mask", "box"),
    needs=frozenset({"image", "region_chats"}),
    make=make,
)
