"""What a task is: the contract every `vtinstruct/tasks/<name>.py` meets with its one public name `TASK`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from vtinstruct.dialogue import Dialogue, PromptKind
from vtinstruct.record import Category, Drop, Fact, Record
from vtinstruct.templates import Wordings


@dataclass(frozen=True, slots=True)
class Setting:
    """What a task may use beside the record.

    `rng` is keyed by (seed, source, record, task), so a record's dialogues do not depend on position or company;
    `words` are the task's wordings; `vocabulary` the source's categories; `training` is False for evaluation splits, where
    a task asks everything once, keeps photos without annotations and fills `Evaluation`; `report` takes what the task
    leaves out, with a reason.
    """

    rng: Random
    words: Wordings
    vocabulary: Sequence[Category]
    training: bool
    seed: int
    report: Callable[[Drop], None]


@dataclass(frozen=True, slots=True)
class Task:
    """One task type. `number` is its id in docs (1-25, above: ours); `inputs`/`outputs` are words for the table;
    `units` the unit kinds an answer may hold, `prompts` the prompt kinds a question may hold, `needs` the facts a record
    must offer, all of them; `make` yields zero or more dialogues for one record.
    """

    name: str
    number: int
    inputs: str
    outputs: str
    units: tuple[str, ...]
    prompts: tuple[PromptKind, ...]
    needs: frozenset[Fact]
    make: Callable[[Record, Setting], Iterator[Dialogue]]
