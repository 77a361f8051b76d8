"""Sentences about a drawn scene: captions, and expressions that mean exactly the things they name.

Every sentence is built from what is really visible. An expression is kept only if its condition, tried on every thing
of the scene, holds for its targets and for nothing else.
"""

from collections.abc import Callable, Sequence
from random import Random

from vtinstruct.sample.drawing.thing import Expression, Thing

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven")
PLURALS = {"person": "people", "box": "boxes"}
PLACES = {
    "room": ("in a room", "on the floor of a room", "indoors"),
    "meadow": ("in a meadow", "on the grass", "outside on the grass"),
    "beach": ("on a beach", "on the sand", "by the sea"),
}
ADJECTIVES = {"striped": "striped", "dotted": "spotted", "checked": "checkered"}
EXTRAS = {"striped": "with stripes", "dotted": "with dots", "checked": "with a checkered pattern"}
EXPRESSIONS_PER_THING = 3


def plural(category: str) -> str:
    """Plural of a category name."""
    return PLURALS.get(category, category + "s")


def with_article(phrase: str) -> str:
    """The phrase after "a" or "an"."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def joined(phrases: Sequence[str]) -> str:
    """`a, b and c`."""
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def _noun(thing: Thing, rng: Random, rich: bool = True) -> str:
    """Indefinite phrase for a thing, such as "a large striped blue ball"."""
    if thing.crowd:
        return f"a row of {thing.colour} {plural(thing.category)}"
    texture = ADJECTIVES.get(thing.texture, "") if rich and rng.random() < 0.75 else ""
    if thing.category == "person":
        shirt = with_article(" ".join(word for word in (texture, thing.colour, "shirt") if word))
        return f"a person in {shirt if texture or rng.random() < 0.5 else thing.colour}"
    size = thing.size if rich and rng.random() < 0.6 else ""
    return with_article(" ".join(word for word in (size, texture, thing.colour, thing.category) if word))


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _side(thing: Thing, width: float) -> str:
    share = thing.middle_x / width
    return "on the left" if share < 0.36 else "on the right" if share > 0.64 else "in the middle"


def _relation(first: Thing, second: Thing) -> str:
    """How `first` stands to `second`: one preposition, true in the photo and in depth."""
    shared = min(first.box_xyxy[2], second.box_xyxy[2]) - max(first.box_xyxy[0], second.box_xyxy[0])
    if shared > 2 and abs(first.depth_m - second.depth_m) > 0.25:
        return "in front of" if first.depth_m < second.depth_m else "behind"
    return "to the left of" if first.middle_x < second.middle_x else "to the right of"


def _may_be(relation: str, first: Thing, second: Thing) -> bool:
    """Whether a reader could grant the relation: looser than `_relation`, so that what is kept is unmistakable."""
    if relation in ("in front of", "behind"):
        return (first.depth_m < second.depth_m) == (relation == "in front of")
    return (first.middle_x < second.middle_x) == (relation == "to the left of")


def describe(things: Sequence[Thing], place: str, rng: Random) -> tuple[str, ...]:
    """Five different captions of the scene."""
    where = PLACES[place]
    if not things:
        name = {"room": "room", "meadow": "meadow", "beach": "beach"}[place]
        return (
            f"An empty {name} with nothing in it.",
            f"There is nothing to see but the {name} itself.",
            f"A quiet {name}; nobody is here.",
            f"A photo of an empty {name}.",
            f"No people and no objects {where[0]}.",
        )
    width = float(things[0].mask.shape[1])
    near_first = sorted(things, key=lambda thing: thing.depth_m)
    left_first = sorted(things, key=lambda thing: thing.middle_x)
    main = near_first[0]
    names = [_noun(thing, rng) for thing in left_first]
    counts: dict[str, int] = {}
    for thing in near_first:
        counts[thing.category] = counts.get(thing.category, 0) + (2 if thing.crowd else 1)
    kinds = [
        f"{NUMBERS[min(n, 7)]} {plural(kind)}" if n > 1 and not _grouped(things, kind) else
        f"several {plural(kind)}" if n > 1 else with_article(kind)
        for kind, n in counts.items()
    ]  # fmt: skip
    is_are = "is" if len(kinds) == 1 and max(counts.values()) == 1 else "are"
    listing = [
        f"{_capital(joined(names))} {rng.choice(where)}.",
        f"{_capital(joined(names[::-1]))}, seen {rng.choice(where)}.",
    ]
    counting = [
        f"{_capital(joined(kinds))} {is_are} standing {rng.choice(where)}.",
        f"The photo shows {joined(kinds)} {rng.choice(where)}.",
    ]
    closest = [
        f"{_capital(_noun(main, rng))} is the closest thing to the camera {rng.choice(where)}.",
        f"Close up there is {_noun(main, rng)} {_side(main, width)}.",
    ]
    setting = {
        "room": (f"A room with {joined(kinds)}.", f"Inside a bright room we see {joined(names)}."),
        "meadow": (f"A green meadow with {joined(kinds)}.", f"Under a wide sky we see {joined(names)}."),
        "beach": (f"A sunny beach with {joined(kinds)}.", f"At the seaside we see {joined(names)}."),
    }[place]
    sentences = [rng.choice(listing), rng.choice(counting), rng.choice(closest), rng.choice(setting)]
    people = [thing for thing in near_first if thing.pose]
    if people and len(things) > 1:
        other = rng.choice([thing for thing in things if thing is not people[0]])
        doing = f"is {people[0].pose}"
        sentences.append(
            f"{_capital(_noun(people[0], rng))} {doing} {_relation(people[0], other)} {_noun(other, rng)}."
        )
    elif people:
        sentences.append(f"Somebody in {people[0].colour} is {people[0].pose} {rng.choice(where)}.")
    elif len(things) > 1:
        first, second = rng.sample(list(things), 2)
        verb = rng.choice(("stands", "can be seen"))
        sentences.append(f"{_capital(_noun(first, rng))} {verb} {_relation(first, second)} {_noun(second, rng)}.")
    else:
        sentences.append(f"Nothing but {_noun(main, rng, rich=False)} {_side(main, width)} of the picture.")
    rng.shuffle(sentences)
    return tuple(sentences)


def _grouped(things: Sequence[Thing], kind: str) -> bool:
    return any(thing.crowd and thing.category == kind for thing in things)


Condition = Callable[[Thing], bool]


def _definite(thing: Thing) -> tuple[str, Condition]:
    """Plain name with colour, and whom it fits."""
    name = f"person in {thing.colour}" if thing.category == "person" else f"{thing.colour} {thing.category}"
    return name, lambda other: (other.category, other.colour) == (thing.category, thing.colour)


def _candidates(thing: Thing, things: Sequence[Thing], width: float) -> list[tuple[str, Condition]]:
    """Phrases that might single out `thing`, each with its condition; the caller keeps the true ones."""
    kind, colour = thing.category, thing.colour
    named, by_colour = _definite(thing)
    same = [other for other in things if other.category == kind]
    found: list[tuple[str, Condition]] = [
        (f"the {kind}", lambda other: other.category == kind),
        (f"the {named}", by_colour),
        (named, by_colour),
    ]
    if kind == "person":
        found.append((f"the person in the {colour} shirt", by_colour))
        if thing.pose != "standing":  # too many other poses are standing as well
            found.append((f"the person {thing.pose}", lambda other: other.pose == thing.pose))
    else:
        found.append((f"the {kind} that is {colour}", by_colour))
    if thing.texture != "plain":
        extra = f"in a {ADJECTIVES[thing.texture]} shirt" if kind == "person" else EXTRAS[thing.texture]
        found.append((f"the {kind} {extra}", lambda other: (other.category, other.texture) == (kind, thing.texture)))
    if len(same) > 1:
        found += _superlatives(thing, same, width)
    for anchor in things:
        anchor_name, anchor_fits = _definite(anchor)
        if anchor is thing or anchor.crowd or sum(anchor_fits(other) for other in things) != 1:
            continue
        relation = _relation(thing, anchor)
        if relation.startswith("to the") and abs(thing.middle_x - anchor.middle_x) < 0.08 * width:
            continue
        found.append(
            (
                f"the {kind} {relation} the {anchor_name}",
                lambda other, anchor=anchor, relation=relation: (
                    other is not anchor and other.category == kind and _may_be(relation, other, anchor)
                ),
            )
        )
    return found


def _superlatives(thing: Thing, same: Sequence[Thing], width: float) -> list[tuple[str, Condition]]:
    """Phrases that compare a thing with others of its kind, where the difference is plain to see."""
    others = [other for other in same if other is not thing]
    kind = thing.category
    found: list[tuple[str, Condition]] = []

    def only(other: Thing) -> bool:
        return other is thing

    if all(thing.middle_x < other.middle_x - 0.08 * width for other in others):
        found += [(f"the {kind} on the left", only), (f"leftmost {kind}", only), (f"left {kind}", only)]
    if all(thing.middle_x > other.middle_x + 0.08 * width for other in others):
        found += [(f"the {kind} on the right", only), (f"rightmost {kind}", only), (f"right {kind}", only)]
    if all(thing.depth_m < other.depth_m - 0.3 for other in others):
        found += [(f"the {kind} closest to the camera", only), (f"the nearest {kind}", only)]
    if all(thing.depth_m > other.depth_m + 0.3 for other in others):
        found += [(f"the {kind} at the back", only), (f"the {kind} farthest away", only)]
    if all(thing.height_px > other.height_px * 1.35 for other in others):
        found += [(f"the biggest {kind}", only), (f"the large {kind}", only)]
    if all(thing.height_px * 1.35 < other.height_px for other in others):
        found += [(f"the smallest {kind}", only), (f"the small {kind}", only)]
    return found


def refer(
    things: Sequence[Thing], width: float, categories: Sequence[str], colours: Sequence[str], rng: Random
) -> tuple[Expression, ...]:
    """Expressions about the scene: up to three for every single thing, then some for several and for none."""
    expressions: list[Expression] = []
    names: dict[int, str] = {}
    for k, thing in enumerate(things):
        if thing.crowd:
            continue
        true = [
            text
            for text, fits in _candidates(thing, things, width)
            if fits(thing) and sum(fits(other) for other in things) == 1
        ]
        rng.shuffle(true)
        # A bare "the ball" next to "the red ball" says the same; keep the longer ones more often.
        chosen = sorted(true[:EXPRESSIONS_PER_THING], key=len)
        expressions += [Expression(text, (k,)) for text in chosen]
        definite = f"the {_definite(thing)[0]}"
        if definite in true:
            names[k] = definite
    expressions += _several(things, names, rng)
    expressions += _none(things, categories, colours, rng)
    return tuple(expressions)


def _several(things: Sequence[Thing], names: dict[int, str], rng: Random) -> list[Expression]:
    found: list[Expression] = []
    for kind in sorted({thing.category for thing in things}):
        members = tuple(k for k, thing in enumerate(things) if thing.category == kind)
        if len(members) > 1 and not _grouped(things, kind):
            words = ("both", "the two") if len(members) == 2 else ("all", f"the {NUMBERS[len(members)]}")
            found.append(Expression(f"{rng.choice(words)} {plural(kind)}", members))
    if len(names) > 1:
        first, second = rng.sample(sorted(names), 2)
        found.append(Expression(f"{names[first]} and {names[second]}", tuple(sorted((first, second)))))
    return found


def _none(things: Sequence[Thing], categories: Sequence[str], colours: Sequence[str], rng: Random) -> list[Expression]:
    present = {(thing.category, thing.colour) for thing in things}
    kinds = {thing.category for thing in things}
    absent_kind = rng.choice([kind for kind in categories if kind not in kinds])
    found = [Expression(f"the {absent_kind}", ())]
    if things:
        kind = rng.choice(sorted(kinds))
        colour = rng.choice([colour for colour in colours if (kind, colour) not in present])
        name = f"the person in a {colour} shirt" if kind == "person" else f"the {colour} {kind}"
        found.append(Expression(name, ()))
    return found
