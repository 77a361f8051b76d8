"""Ready conversations as LLaVA writes them: `conversations` of `{"from": "human" | "gpt", "value": ...}`.

Many projects write this form, and the usual faults are mended: an answer before any question and a question that nobody
answers are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from converters._notes import Fault, Notes
from vtinstruct.record import Chat, ChatTurn, GroundedText

ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant"}
IMAGE = re.compile(r"\s*<image>\s*")


class Said(msgspec.Struct, gc=False, rename={"by": "from"}):
    """One utterance of the file."""

    by: str
    value: str


def without_image(text: str) -> str:
    """The words without the `<image>` marks that tell a model where the photo goes."""
    return IMAGE.sub("\n", text).strip()


def turns_in_order(said: Sequence[Said], where: str, notes: Notes) -> list[Said]:
    """Question and answer by turns. Raises `Fault` when they are not; loose ends are left out with a note."""
    for one in said:
        if one.by not in ROLES:
            raise Fault("conversation: unknown speaker", f"{one.by!r:.40}; human and gpt are right")
    first = 0
    while first < len(said) and ROLES[said[first].by] == "assistant":
        first += 1
    last = len(said)
    while last > first and ROLES[said[last - 1].by] == "user":
        last -= 1
    inner = list(said[first:last])
    if not inner:
        raise Fault("conversation: empty", f"{len(said)} turns; a question and its answer, or more, are right")
    if any(ROLES[one.by] != ("user", "assistant")[n % 2] for n, one in enumerate(inner)):
        raise Fault("conversation: not by turns", "human and gpt, one after the other, are right")
    if len(inner) < len(said):
        detail = f"{first} answers before any question and {len(said) - last} questions without an answer left out"
        notes.mended(where, "conversation: loose ends", detail)
    return inner


def chat(
    id_: str, said: Sequence[Said], words: Callable[[int, Said], GroundedText], kind: str, where: str, notes: Notes
) -> Chat:
    """A conversation; `words(n, said)` makes the text of the n-th turn of the file. Raises `Fault`."""
    kept = {id(one) for one in turns_in_order(said, where, notes)}
    turns: list[ChatTurn] = []
    for n, one in enumerate(said):
        if id(one) not in kept:
            continue
        text = words(n, one)
        if not text.text.strip():
            raise Fault("conversation: empty turn", f"turn {n} of {where} says nothing")
        turns.append(ChatTurn("user" if ROLES[one.by] == "user" else "assistant", text))
    return Chat(id_, tuple(turns), kind)
