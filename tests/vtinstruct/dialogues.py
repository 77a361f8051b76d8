"""Hypothesis strategies for dialogues of any shape, and a small hand-made one. Furniture of the tests beside it."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from vtinstruct.dialogue import (
    Dialogue,
    Evaluation,
    Prompt,
    Provenance,
    Reference,
    StoredPhoto,
    Triplet,
    Turn,
)
from vtinstruct.trp import RESERVED, join_parts
from vtinstruct.units import Box, Depth, Keypoints, Mask, Point, Rle

words = st.text(max_size=20).filter(lambda text: not any(token in text for token in RESERVED))
free_text = words.filter(lambda text: "<" not in text and "[" not in text)  # joining two texts must not make a token
concepts = free_text.filter(lambda text: text.strip() != "" and "\n" not in text)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)
rles = st.builds(
    Rle, st.tuples(st.integers(1, 9999), st.integers(1, 9999)), st.binary(max_size=12).filter(lambda b: b.isascii())
)
boxes = st.builds(Box, st.tuples(numbers, numbers, numbers, numbers))
points = st.builds(Point, st.tuples(numbers, numbers))
masks = st.builds(Mask, rles)
poses = st.builds(Keypoints, st.lists(st.tuples(numbers, numbers, st.integers(0, 2)), max_size=4).map(tuple))
depths = st.builds(Depth, st.text(min_size=1, max_size=9), st.floats(1e-6, 10.0))
UNITS: dict[str, Any] = {"box": boxes, "mask": masks, "keypoint": poses, "depth": depths, "point": points}


@st.composite
def references(draw: st.DrawFn, kind: str) -> Reference:
    return Reference(
        draw(st.one_of(UNITS[kind], st.none()) if kind != "box" else UNITS[kind]),
        None,
        draw(words),
        draw(st.integers(-1, 2**62)),
        draw(words),
        draw(st.none() | numbers),
        draw(st.booleans()),
        None if kind == "box" else draw(st.none() | st.tuples(numbers, numbers, numbers, numbers)),
    )


@st.composite
def triplets(draw: st.DrawFn) -> Triplet:
    kind = draw(st.sampled_from(sorted(UNITS)))
    return Triplet(draw(concepts), kind, draw(st.lists(references(kind), max_size=3).map(tuple)))


prompts = st.one_of(
    st.builds(Prompt, st.just("point"), points),
    st.builds(Prompt, st.just("box"), boxes),
    st.builds(Prompt, st.sampled_from(["scribble", "mask"]), masks),
)
questions = st.lists(st.one_of(free_text, prompts), max_size=4).map(join_parts)
answers = st.lists(st.one_of(free_text, triplets()), max_size=4).map(join_parts)
turns = st.one_of(st.builds(Turn, st.just("user"), questions), st.builds(Turn, st.just("assistant"), answers))
lists_of_words = st.lists(words, max_size=2).map(tuple)
ignored = st.sampled_from(sorted(UNITS)).flatmap(references)

dialogues = st.builds(
    Dialogue,
    words,
    words,
    words,
    words,
    words,
    st.none() | st.builds(StoredPhoto, words, words, st.tuples(st.integers(1, 2**31 - 1), st.integers(1, 9)), words),
    st.lists(turns, max_size=4).map(tuple),
    st.builds(
        Evaluation,
        lists_of_words,
        st.lists(ignored, max_size=2).map(tuple),
        lists_of_words,
        lists_of_words,
        lists_of_words,
        lists_of_words,
        words,
    ),
    st.builds(Provenance, words, words, words, words, st.integers(-(2**63), 2**63 - 1), words),
)


def seg_dialogue(number: int, instances: int = 5, task: str = "seg", split: str = "train") -> Dialogue:
    """A plain dialogue: one question, one triplet of `instances` masks."""
    masks = tuple(
        Reference(Mask(Rle((4, 6), b"06" + bytes([65 + i % 26]) * 40)), None, "dog", 18, f"{number}-{i}", 1.5 + i)
        for i in range(instances)
    )
    return Dialogue(
        f"coco/{split}/{number}/{task}/0",
        task,
        "coco",
        split,
        "CC-BY-4.0",
        StoredPhoto(f"images/coco/{number:012d}.jpg", "ab" * 32, (6, 4), f"coco:{number}"),
        (Turn("user", ("Segment every dog.",)), Turn("assistant", (Triplet("dog", "mask", masks), "."))),
        Evaluation(concepts=("dog",)),
        Provenance("annotations/instances.json", "cd" * 32, str(number), "1", 0, "seg/3"),
    )
