"""Hypothesis strategies for records of any shape, and one hand-made record that offers every fact. Furniture."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
from hypothesis import strategies as st

from vtinstruct.geometry import encode_mask, rle_box
from vtinstruct.record import (
    Category,
    Chat,
    ChatTurn,
    Expression,
    GroundedText,
    Origin,
    Photo,
    Question,
    Record,
    Region,
    Span,
)
from vtinstruct.task import Setting
from vtinstruct.templates import Wordings
from vtinstruct.trp import RESERVED
from vtinstruct.units import Depth, Rle

POINTS = ("nose", "left_hand", "right_hand")
VOCABULARY = (
    Category(1, "person", keypoints=POINTS),
    Category(18, "dog"),
    Category(3, "red {car}"),  # braces are only letters here
    Category(7, "bus stop", frequency="r"),
    Category(40, "sky", thing=False),
    Category(41, "grass", thing=False),
)
sentences = st.text(max_size=25).filter(lambda text: not any(c in text for c in "<[")) | st.sampled_from(
    ["a {phrase} \"quoted\" {} text", "猫 и собака", "🐕‍🦺 {region}", "  two\n lines ", ""]
)  # fmt: skip


def setting_of(task: str, training: bool, seed: int = 0, vocabulary: Any = VOCABULARY, report: Any = None) -> Setting:
    """A setting with its own rng; reports go to the list given, or nowhere."""
    return Setting(Random(seed), Wordings.load(task), vocabulary, training, seed, report or (lambda drop: None))


def rectangle(size_wh: tuple[int, int], x0: int, y0: int, x1: int, y1: int) -> Rle:
    mask = np.zeros((size_wh[1], size_wh[0]), np.uint8)
    mask[y0:y1, x0:x1] = 1
    return encode_mask(mask)


@st.composite
def regions(draw: st.DrawFn, id_: str, size_wh: tuple[int, int]) -> Region:
    width, height = size_wh
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    x1, y1 = draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))
    rle = draw(st.sampled_from([rectangle(size_wh, x0, y0, x1, y1), None, rectangle(size_wh, 0, 0, 0, 0)]))
    category = draw(st.sampled_from([*VOCABULARY, None]))
    pose: Any = ()
    if category is not None and category.keypoints:
        pose = draw(
            st.sampled_from([(), ((0.0, 0.0, 0),) * 3, ((x0 + 0.5, y0 + 0.5, 2), (0.0, 0.0, 0), (1.0, 1.0, 1))])
        )
    return Region(
        id=id_,
        category=category.name if category else "",
        category_id=category.id if category else -1,
        box_xyxy=draw(st.sampled_from([(float(x0), float(y0), float(x1), float(y1)), None])),
        mask_rle=rle,
        keypoints_xyv=pose,
        area=draw(st.none() | st.floats(0, 1e6)),
        crowd=draw(st.integers(0, 5)) == 0,
        thing=category.thing if category else True,
        attributes=draw(st.sampled_from([(), ("red",), ("red", "small")])),
        captions=tuple(draw(st.lists(sentences, max_size=2))),
    )


@st.composite
def grounded_texts(draw: st.DrawFn, ids: tuple[str, ...], size_wh: tuple[int, int]) -> GroundedText:
    """Words with spans on some of them; sometimes a span is a bare `[region]` that stands for a mark."""
    pieces = draw(st.lists(st.tuples(sentences, st.sampled_from(["a dog", "[region]", "猫"])), max_size=3))
    text, spans = "", []
    for plain, phrase in pieces:
        text += plain + " "
        chosen = tuple(draw(st.lists(st.sampled_from([*ids, "unknown"]), max_size=2, unique=True)))
        points = draw(st.sampled_from([(), ((0.5, 0.5),), ((size_wh[0] - 0.5, 0.0), (0.0, size_wh[1] - 0.5))]))
        spans.append(Span(len(text), len(text) + len(phrase), chosen, points))
        text += phrase + " "
    return GroundedText(text + draw(sentences), tuple(spans))


@st.composite
def questions(draw: st.DrawFn, id_: str, ids: tuple[str, ...], size_wh: tuple[int, int]) -> Question:
    text = grounded_texts(ids, size_wh)
    return Question(
        id_,
        draw(text),
        tuple(draw(st.lists(text, max_size=3))),
        draw(st.none() | text),
        tuple(draw(st.lists(text, max_size=3))),
        draw(st.sampled_from(["", "number"])),
        tuple(draw(st.lists(st.sampled_from([*ids, "unknown"]), max_size=2))),
        draw(st.sampled_from([(), ((0.5, 0.5),)])),
    )


@st.composite
def chats(draw: st.DrawFn, id_: str, ids: tuple[str, ...], size_wh: tuple[int, int]) -> Chat:
    turn = st.builds(ChatTurn, st.sampled_from(["user", "assistant"]), grounded_texts(ids, size_wh))
    return Chat(id_, tuple(draw(st.lists(turn, max_size=4))))


@st.composite
def records(draw: st.DrawFn) -> Record:
    """A record of any facts, with broken parts among them: regions without geometry, unknown ids, empty texts."""
    size_wh = draw(st.tuples(st.integers(1, 30), st.integers(1, 30)))
    found = [draw(regions(str(index), size_wh)) for index in range(draw(st.integers(0, 5)))]
    ids = tuple(region.id for region in found)
    some_ids = st.lists(st.sampled_from([*ids, "unknown"]), max_size=3).map(tuple)
    text = grounded_texts(ids, size_wh)
    names = st.lists(st.sampled_from([category.name for category in VOCABULARY]), max_size=3, unique=True).map(tuple)
    return Record(
        id="r1",
        source="drawn",
        split="val",
        licence="CC0-1.0",
        origin=Origin("annotations.json", "1"),
        photo=draw(st.sampled_from([Photo("images/1.png", size_wh, "drawn:1"), None])),
        regions=tuple(found),
        captions=tuple(draw(st.lists(sentences, max_size=3))),
        expressions=tuple(
            draw(st.builds(Expression, st.just(str(n)), sentences, some_ids)) for n in range(draw(st.integers(0, 3)))
        ),
        grounded_captions=tuple(draw(st.lists(text, max_size=2))),
        questions=tuple(draw(questions(str(n), ids, size_wh)) for n in range(draw(st.integers(0, 2)))),
        chats=tuple(draw(chats(str(n), ids, size_wh)) for n in range(draw(st.integers(0, 2)))),
        depth=draw(st.sampled_from([Depth("depth/1.png", 0.001), None])),
        negatives=draw(names),
        not_exhaustive=draw(names),
        exhaustive=draw(st.booleans()),
    )


def full_record(**changes: Any) -> Record:
    """A photo of 60 x 40 with two persons (one posed), a dog, a crowd of dogs, sky and grass, and every kind of words."""
    size_wh = (60, 40)

    def region(id_: str, category: Category, box: tuple[int, int, int, int], **fields: Any) -> Region:
        rle = rectangle(size_wh, *box)
        return Region(
            id_, category.name, category.id, rle_box(rle), rle, area=float(id_) + 0.25, thing=category.thing, **fields
        )

    person, dog, *_, sky, grass = VOCABULARY
    posed = ((30.5, 12.5, 2), (26.0, 20.0, 1), (0.0, 0.0, 0))
    found = (
        region("1", person, (25, 10, 35, 30), keypoints_xyv=posed, captions=("somebody in a hat",)),
        region("2", person, (40, 10, 50, 30), keypoints_xyv=((0.0, 0.0, 0),) * 3),
        region("3", dog, (5, 20, 15, 30), attributes=("brown",), captions=("a brown dog sits",)),
        region("4", dog, (50, 30, 60, 35), crowd=True),
        region("5", sky, (0, 0, 60, 8)),
        region("6", grass, (0, 36, 60, 40)),
    )
    caption = GroundedText("A person looks at a dog.", (Span(0, 8, ("1",)), Span(18, 23, ("3",))))
    yes = GroundedText("yes")
    asked = (
        Question("1", GroundedText("Is there a dog?"), (yes, GroundedText("sure")), GroundedText("it sits there")),
        Question(
            "2",
            GroundedText("What is [region] doing?", (Span(8, 16, ("3",), ((10.5, 25.5),)),)),
            (GroundedText("It watches the man.", (Span(11, 18, ("1",)),)),),
            choices=(GroundedText("It sleeps."), GroundedText("It watches the man.", (Span(11, 18, ("1",)),))),
            points_xy=((10.5, 25.5),),
        ),
        Question(
            "3",
            GroundedText("How many people?"),
            (GroundedText("2", (Span(0, 1, (), ((30.5, 20.5), (45.5, 20.5))),)),),
            evidence_ids=("1", "2"),
        ),
    )
    talk = (
        Chat(
            "1", tuple(ChatTurn(r, GroundedText(t)) for r, t in (("user", "Hello!"), ("assistant", "A dog is here.")))
        ),
        Chat(
            "2",
            (
                ChatTurn(
                    "user", GroundedText("What is <region1>?".replace("<region1>", "[1]"), (Span(8, 11, ("3",)),))
                ),
                ChatTurn("assistant", GroundedText("A dog.")),
                ChatTurn("user", GroundedText("And its colour?")),
                ChatTurn("assistant", GroundedText("Brown.")),
            ),
        ),
    )
    fields: dict[str, Any] = {
        "id": "57870",
        "source": "drawn",
        "split": "train",
        "licence": "CC0-1.0",
        "origin": Origin("annotations.json", "57870"),
        "photo": Photo("images/1.png", size_wh, "drawn:57870"),
        "regions": found,
        "captions": ("A person and a dog.", "Two people outside."),
        "expressions": (
            Expression("1", "left person", ("1",)),
            Expression("2", "the one in the middle", ("1",)),
            Expression("3", "both people", ("1", "2")),
            Expression("4", "a bus", ()),
        ),
        "grounded_captions": (caption,),
        "questions": asked,
        "chats": talk,
        "depth": Depth("depth/1.png", 0.001),
        "exhaustive": True,
    }
    return Record(**(fields | changes))


assert not any(token in category.name for category in VOCABULARY for token in RESERVED)
