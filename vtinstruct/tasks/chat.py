"""Task 4, `chat`: a ready conversation about a photo, or about nothing to be seen -> its answers.

The words are the data's; ours only open some of them. Conversations about marked regions are `region_chat`'s.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue, Evaluation
from vtinstruct.record import GroundedText, Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._chats import asks_about_regions, turns_of
from vtinstruct.tasks._shared import dialogue


def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per conversation."""
    n = 0
    for chat in record.chats:
        if asks_about_regions(chat):
            continue
        found = turns_of(record, setting, chat, _words)
        if found is not None:
            turns, template = found
            evaluation = Evaluation(answers=(chat.turns[-1].words.text.strip(),), question_kind=chat.kind)
            yield dialogue(record, setting, n, turns, (template,), evaluation)
            n += 1


def _words(text: GroundedText) -> tuple[str, ...]:
    words = text.text.strip()
    return (words,) if words else ()


TASK = Task(
    name="chat",
    number=4,
    inputs="image or none, turns",
    outputs="text",
    units=(),
    prompts=(),
    needs=frozenset({"chats"}),
    make=make,
)
