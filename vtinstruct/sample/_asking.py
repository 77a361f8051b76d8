"""What the sample's question-and-answer formats ask about a drawn scene: every answer is read off the scene's truth.

A third of the scenes is enough for these formats; which ones depends on the scene's number alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from vtinstruct.sample._shot import THING_IDS, Shot
from vtinstruct.sample.drawing.layout import COLOURS
from vtinstruct.sample.drawing.thing import Thing
from vtinstruct.sample.drawing.wording import NUMBERS, plural, with_article

AnswerKind = Literal["yes/no", "number", "other"]
PLACES = ("room", "meadow", "beach")


@dataclass(frozen=True)
class Asked:
    """A question about a scene. `about` are the positions in `scene.things` it rests on, `kind` VQA's answer type,
    `opening` the first words (VQA's question type), `reason` a sentence that supports the answer."""

    question: str
    answer: str
    kind: AnswerKind
    opening: str
    reason: str
    about: tuple[int, ...] = ()


def taken(shot: Shot) -> bool:
    """Whether the question formats take this scene."""
    return shot.index % 3 == 1


def keyed(shot: Shot, what: str) -> Random:
    """Randomness for one scene and one purpose."""
    return Random(f"vt-instruct {what} {shot.seed} {shot.index}")


def named(thing: Thing) -> str:
    """A thing with its colour: "person in red", "blue ball"."""
    return f"person in {thing.colour}" if thing.category == "person" else f"{thing.colour} {thing.category}"


def positions_by_category(shot: Shot) -> dict[str, tuple[int, ...]]:
    """Positions of the single things of every category that has no crowd in the scene."""
    crowds = {thing.category for thing in shot.scene.things if thing.crowd}
    found: dict[str, list[int]] = {}
    for k, thing in shot.singles():
        if thing.category not in crowds:
            found.setdefault(thing.category, []).append(k)
    return {category: tuple(positions) for category, positions in found.items()}


def absent_category(shot: Shot, rng: Random) -> str:
    """A category that is nowhere in the scene."""
    present = {thing.category for thing in shot.scene.things}
    return rng.choice([name for name in THING_IDS if name not in present])


def ask(shot: Shot) -> tuple[Asked, ...]:
    """The questions about a scene: presence, absence, number, colour and place."""
    rng = keyed(shot, "questions")
    things, place = shot.scene.things, shot.scene.place
    missing = absent_category(shot, rng)
    found = [
        Asked(f"Is there {with_article(missing)} in the picture?", "no", "yes/no", "is there a",
              f"no {missing} can be seen in the {place}"),
        Asked("Where was this picture taken?", place, "other", "where", f"the background is that of a {place}"),
    ]  # fmt: skip
    for category, positions in positions_by_category(shot).items():
        many = len(positions) > 1
        noun = plural(category) if many else category
        shown = f"the picture shows {NUMBERS[len(positions)]} {noun}"
        found.append(
            Asked(f"Is there {with_article(category)} in the picture?", "yes", "yes/no", "is there a", shown, positions)
        )
        found.append(
            Asked(
                f"How many {plural(category)} are there?", str(len(positions)), "number", "how many", shown, positions
            )
        )
        if len(positions) == 1:
            colour = things[positions[0]].colour
            what = "the person's shirt" if category == "person" else f"the {category}"
            reason = f"{what} is painted {colour}"
            found.append(Asked(f"What color is {what}?", colour, "other", "what color is the", reason, positions))
    return tuple(found)


def wrong_answers(asked: Asked, rng: Random) -> list[str]:
    """Three other answers of the same kind, none of them right."""
    if asked.kind == "number":
        pool = [str(n) for n in range(7)]
    elif asked.answer in COLOURS:
        pool = list(COLOURS)
    else:
        pool = [*PLACES, "kitchen", "street"]
    return rng.sample([answer for answer in pool if answer != asked.answer], 3)


def voters(asked: Asked, rng: Random) -> list[str]:
    """Ten people's answers: eight or more agree, as in VQA."""
    other = {"yes": "no", "no": "yes"}.get(asked.answer) or wrong_answers(asked, rng)[0]
    answers = [asked.answer] * rng.choice((8, 9, 10))
    answers += [other] * (10 - len(answers))
    rng.shuffle(answers)
    return answers
