"""Ready conversations: which are whole, and their turns as dialogue turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vtinstruct.dialogue import Parts, Turn
from vtinstruct.record import Chat, GroundedText, Record
from vtinstruct.task import Setting
from vtinstruct.tasks._shared import leave_out


def asks_about_regions(chat: Chat) -> bool:
    """Whether a person's words in the chat are tied to regions."""
    return any(span.region_ids for turn in chat.turns if turn.role == "user" for span in turn.words.spans)


def turns_of(
    record: Record, setting: Setting, chat: Chat, question: Callable[[GroundedText], Parts | None]
) -> tuple[Sequence[Turn], str] | None:
    """The turns of a chat and the template of its opening; `question` turns a person's words into parts.

    None, with a reason, unless questions and answers alternate, the last word is the assistant's, and all say something.
    Words are kept as they are, line breaks too.
    """
    roles = [turn.role for turn in chat.turns]
    if not roles or roles != ["user", "assistant"] * (len(roles) // 2):
        leave_out(
            record, setting, "chat does not go question, answer, ...", f"chat {chat.id}: {', '.join(roles)!r:.80}"
        )
        return None
    said: list[Parts] = []
    for turn in chat.turns:
        words = turn.words.text.strip()
        parts = question(turn.words) if turn.role == "user" else (words,) if words else ()
        if not parts:
            leave_out(record, setting, "chat with an empty turn", f"chat {chat.id}")
            return None
        said.append(parts)
    opening, template = setting.words.say(setting.rng, "opening", words=said[0])
    said[0] = opening
    return [Turn(turn.role, parts) for turn, parts in zip(chat.turns, said, strict=True)], template
