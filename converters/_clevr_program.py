"""CLEVR's functional programs, run on the scene they were made for: the answer, the objects it rests on, and why.

Functions: facebookresearch/clevr-dataset-gen, `question_generation/question_engine.py` and `metadata.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from converters._notes import Fault

Value = tuple[int, ...] | int | str | bool

RELATIONS = {
    "left": "to the left of it",
    "right": "to the right of it",
    "front": "in front of it",
    "behind": "behind it",
}
ATTRIBUTES = ("size", "color", "material", "shape")


@dataclass(frozen=True)
class Step:
    """A step of a program: a function, the steps it takes its inputs from, and its word ("red", "left")."""

    function: str
    inputs: Sequence[int]
    word: str


@dataclass(frozen=True)
class World:
    """A scene: its objects' attributes, and for every direction which objects lie there from each object."""

    attributes: Sequence[dict[str, str]]
    relations: dict[str, Sequence[Sequence[int]]]


@dataclass(frozen=True)
class Outcome:
    """The answer as CLEVR writes it, the objects it rests on, and the steps in words."""

    answer: str
    evidence: tuple[int, ...]
    reason: str


def run(program: Sequence[Step], world: World) -> Outcome:
    """Run a program. Raises `Fault` where it cannot be run on this scene."""
    values: list[Value] = []
    evidence: list[tuple[int, ...]] = []
    said: list[str] = []
    for n, step in enumerate(program):
        if any(not 0 <= k < n for k in step.inputs):
            raise Fault("program: inputs", f"step {n} takes {list(step.inputs)}; earlier steps are right")
        inputs = [values[k] for k in step.inputs]
        value = _value(step, inputs, world)
        values.append(value)
        of_inputs = dict.fromkeys(k for i in step.inputs for k in evidence[i])
        evidence.append(value if isinstance(value, tuple) else tuple(of_inputs))
        said += _words(step, inputs, value)
    if not program:
        raise Fault("program: empty", "one step or more is right")
    return Outcome(_answer(values[-1]), evidence[-1], " ".join(said))


def _answer(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        raise Fault("program: no answer", "the last step gives objects; a word or number is right")
    return str(value)


def _objects(value: Value) -> tuple[int, ...]:
    if not isinstance(value, tuple):
        raise Fault("program: inputs", f"{value!r} where objects are right")
    return value


def _only(value: Value) -> int:
    objects = _objects(value)
    if len(objects) != 1:
        raise Fault("program: not one object", f"{len(objects)} objects; one is right")
    return objects[0]


def _number(value: Value) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Fault("program: inputs", f"{value!r} where a number is right")
    return value


_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "equal_integer": lambda a, b: a == b,
    "less_than": lambda a, b: a < b,
    "greater_than": lambda a, b: a > b,
}


def _value(step: Step, inputs: Sequence[Value], world: World) -> Value:
    function, word = step.function, step.word
    verb, _, attribute = function.partition("_")
    wanted = 0 if function == "scene" else 2 if function in ("union", "intersect", *_COMPARE) or verb == "equal" else 1
    if len(inputs) != wanted:
        raise Fault("program: inputs", f"{function} takes {wanted}, has {len(inputs)}")
    if function == "scene":
        return tuple(range(len(world.attributes)))
    if function in _COMPARE:
        return _COMPARE[function](_number(inputs[0]), _number(inputs[1]))
    if verb == "equal":
        return inputs[0] == inputs[1]
    if function == "union":
        return tuple(sorted({*_objects(inputs[0]), *_objects(inputs[1])}))
    if function == "intersect":
        return tuple(sorted({*_objects(inputs[0])} & {*_objects(inputs[1])}))
    if function == "count":
        return len(_objects(inputs[0]))
    if function == "exist":
        return bool(_objects(inputs[0]))
    if function == "unique":
        return (_only(inputs[0]),)
    if function == "relate":
        return _related(_only(inputs[0]), word, world)
    if attribute in ATTRIBUTES and verb in ("filter", "query", "same"):
        return _by_attribute(verb, attribute, inputs[0], word, world)
    raise Fault("program: unknown function", f"{function!r:.40}")


def _related(k: int, word: str, world: World) -> tuple[int, ...]:
    there = world.relations.get(word)
    if there is None or k >= len(there) or any(not 0 <= other < len(world.attributes) for other in there[k]):
        raise Fault("program: unknown relation", f"{word!r:.40} of object {k}")
    return tuple(sorted(there[k]))


def _by_attribute(verb: str, attribute: str, value: Value, word: str, world: World) -> Value:
    if verb == "filter":
        return tuple(k for k in _objects(value) if world.attributes[k][attribute] == word)
    k = _only(value)
    if verb == "query":
        return world.attributes[k][attribute]
    own = world.attributes[k][attribute]
    return tuple(n for n, other in enumerate(world.attributes) if n != k and other[attribute] == own)


def _are(n: int) -> str:
    return f"{n or 'no'} object{'' if n == 1 else 's'} {'is' if n == 1 else 'are'}"


def _words(step: Step, inputs: Sequence[Value], value: Value) -> list[str]:
    """What a step finds out, as a sentence; steps that only pass on say nothing."""
    verb, _, attribute = step.function.partition("_")
    n = len(value) if isinstance(value, tuple) else 0
    if verb == "filter":
        kind = (
            f"a {step.word}"
            if attribute == "shape" and n == 1
            else f"{step.word}s"
            if attribute == "shape"
            else step.word
        )
        return [f"Of {len(_objects(inputs[0]))}, {_are(n)} {kind}."]
    if verb == "same":
        return [f"Of the others, {_are(n)} of the same {attribute}."]
    if verb == "query":
        return [f"Its {attribute} is {value}."]
    sentences = {
        "relate": f"Then {_are(n)} {RELATIONS.get(step.word, step.word)}.",
        "union": f"Together, {_are(n)} meant.",
        "intersect": f"In both groups {_are(n)}.",
        "count": f"That makes {value}.",
    }
    return [sentences[step.function]] if step.function in sentences else []
