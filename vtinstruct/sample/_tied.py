"""Captions of the sample whose phrases are tied to single things, with the characters of every phrase."""

from __future__ import annotations

from dataclasses import dataclass

from vtinstruct.sample._asking import named
from vtinstruct.sample._shot import Shot
from vtinstruct.sample.drawing.wording import with_article


@dataclass(frozen=True)
class Phrase:
    """Characters `start:stop` of a caption, and the position of the thing they mean."""

    start: int
    stop: int
    target: int


def tied_caption(shot: Shot) -> tuple[str, tuple[Phrase, ...]]:
    """A sentence that names every single thing from left to right."""
    text, phrases = f"This {shot.scene.place} has", list[Phrase]()
    for k, thing in sorted(shot.singles(), key=lambda pair: pair[1].middle_x):
        words = with_article(named(thing))
        text += " and " if phrases else " "
        phrases.append(Phrase(len(text), len(text) + len(words), k))
        text += words
    return (text if phrases else f"{text} nothing in it") + ".", tuple(phrases)
