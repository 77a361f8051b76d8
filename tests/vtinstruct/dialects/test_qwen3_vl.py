"""Answers as Qwen3-VL writes them. The photo is 1000 x 500, so an x is its number and a y half of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vtinstruct.dialects.said import heard
from vtinstruct.dialect import NotSayable, dialect_named
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.units import Box, Point

ANSWERS: list[tuple[str, str, list[Any], list[str]]] = [
    # the usual answer: a fenced list, one label twice
    (
        '```json\n[\n\t{"bbox_2d": [100, 200, 300, 400], "label": "dog"},\n\t{"bbox_2d": [0, 0, 1000, 1000], "label": "dog"}\n]\n```',
        "{dog|box|2}", [(100, 100, 300, 200), (0, 0, 1000, 500)], [],
    ),
    # a bare list on one line
    ('[{"bbox_2d": [1, 2, 3, 4], "label": "a cup"}]', "{a cup|box|1}", [(1, 1, 3, 2)], []),
    # one object and no list, as for a referring expression
    ('{"bbox_2d": [1, 2, 3, 4], "label": "a cup"}', "{a cup|box|1}", [(1, 1, 3, 2)], []),
    # labels in turns: those of one label stand together, each with its own geometry
    (
        '[{"bbox_2d": [1, 2, 3, 4], "label": "a"}, {"bbox_2d": [5, 6, 7, 8], "label": "b"}, {"bbox_2d": [9, 10, 11, 12], "label": "a"}]',
        "{a|box|2}, {b|box|1}", [(1, 1, 3, 2), (9, 5, 11, 6), (5, 3, 7, 4)], [],
    ),
    # points
    ('[{"point_2d": [500, 500], "label": "nose"}]', "{nose|point|1}", [(500, 250)], []),
    # words around the list
    ('Here it is:\n```json\n[{"bbox_2d": [1, 2, 3, 4], "label": "a"}]\n```\nAnything else?',
     "Here it is:{a|box|1}Anything else?", [(1, 1, 3, 2)], []),
    # further fields are passed over
    ('[{"bbox_2d": [1, 2, 3, 4], "label": "a", "color": "red", "id": 7}]', "{a|box|1}", [(1, 1, 3, 2)], []),
    # no label: what was asked for
    ('[{"bbox_2d": [1, 2, 3, 4]}]', "{object|box|1}", [(1, 1, 3, 2)], []),
    # nothing there
    ("[]", "", [], []),
    ("```json\n[]\n```", "", [], []),
    # words alone
    ("There are no dogs.", "There are no dogs.", [], []),
    # four numbers and nothing else, which lmms-eval and VLMEvalKit ask for; a list of such
    ("[100, 200, 300, 400]", "{object|box|1}", [(100, 100, 300, 200)], []),
    ("```json\n[[1, 2, 3, 4], [5, 6, 7.5, 8]]\n```", "{object|box|2}", [(1, 1, 3, 2), (5, 3, 7.5, 4)], []),
    ("[300, 200, 100, 400]", "{object|box|1}", [None], ["swapped corners"]),
    # among words, in other brackets, or another number of them: another form, which is not guessed at
    ("It is at [100, 200, 300, 400]", "It is at [100, 200, 300, 400]", [], ["unreadable"]),
    ("[1, 2, 3, 4, 5]", "[1, 2, 3, 4, 5]", [], []),
    ("The dog is at (1, 2), (3, 4).", "The dog is at (1, 2), (3, 4).", [], ["unreadable"]),
    ("See [1] and [2, 3].", "See [1] and [2, 3].", [], []),
    # decimals
    ('[{"bbox_2d": [1.5, 2.5, 3.5, 4.5], "label": "a"}]', "{a|box|1}", [(1.5, 1.25, 3.5, 2.25)], []),
    # a brace and a quote inside a label
    ('[{"bbox_2d": [1, 2, 3, 4], "label": "a {b} \\"c\\""}]', '{a {b} "c"|box|1}', [(1, 1, 3, 2)], []),
    # cut off inside the second object, which is dropped
    ('[{"bbox_2d": [1, 2, 3, 4], "label": "a"}, {"bbox_2d": [5, 6,', "{a|box|1}", [(1, 1, 3, 2)], ["truncated"]),
    # cut off behind a whole object
    ('```json\n[{"bbox_2d": [1, 2, 3, 4], "label": "a"},\n', "{a|box|1}", [(1, 1, 3, 2)], ["truncated"]),
    # cut off before the first object
    ("```json\n[", "", [], ["truncated"]),
    # cut off inside a label
    ('[{"bbox_2d": [1, 2, 3, 4], "label": "a do', "", [], ["truncated"]),
    # three numbers: a mark is there, and nothing decoded for it
    ('[{"bbox_2d": [1, 2, 3], "label": "a"}]', "{a|box|1}", [None], ["unreadable"]),
    # numbers as text
    ('[{"bbox_2d": ["1", "2", "3", "4"], "label": "a"}]', "{a|box|1}", [None], ["unreadable"]),
    # swapped corners
    ('[{"bbox_2d": [300, 200, 100, 400], "label": "a"}]', "{a|box|1}", [None], ["swapped corners"]),
    # beyond 1000 is beyond the photo, and stays there: no number is cut to the photo
    ('[{"bbox_2d": [0, 0, 2000, 1500], "label": "a"}]', "{a|box|1}", [(0, 0, 2000, 750)], []),
    # negative: the same
    ('[{"bbox_2d": [-10, -10, 5, 5], "label": "a"}]', "{a|box|1}", [(-10, -5, 5, 2.5)], []),
    # farther than any photo reaches; NaN
    ('[{"bbox_2d": [0, 0, 1e300, 5], "label": "a"}]', "{a|box|1}", [None], ["beyond the grid"]),
    ('[{"bbox_2d": [0, 0, NaN, 5], "label": "a"}]', "{a|box|1}", [None], ["beyond the grid"]),
    # an object that is no mark stays as words
    ('{"answer": "yes"}', '{"answer": "yes"}', [], ["unreadable"]),
    # an object that is no JSON costs itself alone
    ('[{"bbox_2d": [1, 2, 3, 4] "label": "a"}, {"bbox_2d": [5, 6, 7, 8], "label": "b"}]',
     '{"bbox_2d": [1, 2, 3, 4] "label": "a"}{b|box|1}', [(5, 3, 7, 4)], ["unreadable"]),
    # a quote that is missing costs its own line alone
    ('[\n{"bbox_2d": [1, 2, 3, 4], "label": "a},\n{"bbox_2d": [5, 6, 7, 8], "label": "b"}\n]',
     '{"bbox_2d": [1, 2, 3, 4], "label": "a}{b|box|1}', [(5, 3, 7, 4)], ["unreadable"]),
    # as Python prints it, which Qwen's notebook reads too: single quotes, a comma behind the last field, an apostrophe
    ("[{'bbox_2d': [1, 2, 3, 4], 'label': 'dog'}]", "{dog|box|1}", [(1, 1, 3, 2)], []),
    ('[{"bbox_2d": [1, 2, 3, 4], "label": "dog",}]', "{dog|box|1}", [(1, 1, 3, 2)], []),
    (r"[{'bbox_2d': [1, 2, 3, 4], 'label': 'man\'s dog'}]", "{man's dog|box|1}", [(1, 1, 3, 2)], []),
    # Python that is no literal is not run
    ("[{'bbox_2d': [1, 2, 3, 2 + 2], 'label': 'dog'}]", "{'bbox_2d': [1, 2, 3, 2 + 2], 'label': 'dog'}", [], ["unreadable"]),
    ("[{'bbox_2d': f(4), 'label': 'dog'}]", "{'bbox_2d': f(4), 'label': 'dog'}", [], ["unreadable"]),
    # true is no number
    ('[{"bbox_2d": [true, 2, 3, 4], "label": "a"}]', "{a|box|1}", [None], ["unreadable"]),
    # another fence, and the end token
    ('```JSON\n[{"bbox_2d": [1, 2, 3, 4], "label": "dog"}]\n```<|im_end|>', "{dog|box|1}", [(1, 1, 3, 2)], []),
    # a label with TRP's marks
    ('[{"bbox_2d": [1, 2, 3, 4], "label": "a <REF> dog"}]', "{a dog|box|1}", [(1, 1, 3, 2)], ["trp mark"]),
    # a label over two lines
    ('[{"bbox_2d": [1, 2, 3, 4], "label": "a\\nb"}]', "{a b|box|1}", [(1, 1, 3, 2)], []),
    # a label that is no string
    ('[{"bbox_2d": [1, 2, 3, 4], "label": null}]', "{object|box|1}", [(1, 1, 3, 2)], []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts", "units", "faults"), ANSWERS)
def test_answers(text: str, parts: str, units: list[Any], faults: list[str]) -> None:
    assert heard("qwen3_vl", text) == (parts, units, faults)


def test_what_is_asked_names_a_box_without_label() -> None:
    assert heard("qwen3_vl", '{"bbox_2d": [1, 2, 3, 4]}', asked="the left cup")[0] == "{the left cup|box|1}"


def test_training_text() -> None:
    parts = (
        Triplet("dog", "box", (Reference(Box((100.0, 100.0, 300.4, 200.0))),)), " and a ",
        Triplet("nose", "point", (Reference(Point((1.0, 1.0))),)), ".",
    )  # fmt: skip
    dialect = dialect_named("qwen3_vl")
    assert dialect.render(parts, (1000, 500)) == (
        '```json\n[\n\t{"bbox_2d": [100, 200, 300, 400], "label": "dog"},\n\t{"point_2d": [1, 2], "label": "nose"}\n]\n```'
    )
    assert dialect.render((Triplet("dog", "box"),), (1000, 500)) == "[]"
    assert dialect.render(("A dog.",), (1000, 500)) == "A dog."
    with pytest.raises(NotSayable, match="own marks"):
        dialect.render(('{"a": 1}',), (1000, 500))
