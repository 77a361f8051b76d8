"""Answers as Moondream returns them. The photo is 1000 x 500."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vtinstruct.dialects.said import heard
from vtinstruct.dialect import dialect_named
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.units import Box, Point

ONE = '{"x_min": 0.1, "y_min": 0.2, "x_max": 0.3, "y_max": 0.4}'
ANSWERS: list[tuple[str, str, list[Any], list[str]]] = [
    # what detect returns, twice; what point returns
    (f'{{"objects": [{ONE}, {ONE}]}}', "{object|box|2}", [(100, 100, 300, 200)] * 2, []),
    ('{"points": [{"x": 0.5, "y": 0.25}]}', "{object|point|1}", [(500, 125)], []),
    # as Python prints it; one object alone; a list alone; with a label
    ("{'objects': [{'x_min': 0.1, 'y_min': 0.2, 'x_max': 0.3, 'y_max': 0.4}]}", "{object|box|1}", [(100, 100, 300, 200)], []),
    (ONE, "{object|box|1}", [(100, 100, 300, 200)], []),
    (f"[{ONE}]", "{object|box|1}", [(100, 100, 300, 200)], []),
    ('{"objects": [' + ONE.replace("{", '{"label": "cup", ') + "]}", "{cup|box|1}", [(100, 100, 300, 200)], []),
    # nothing
    ('{"objects": []}', "", [], []),
    # corners outside of the photo stay
    ('{"objects": [{"x_min": -0.1, "y_min": 0, "x_max": 1.1, "y_max": 1}]}', "{object|box|1}", [(-100, 0, 1100, 500)], []),
    # a corner that is missing, a text, a swapped one
    (f'{{"objects": [{{"x_min": 0.1, "y_min": 0.2}}, {ONE}]}}', "{object|box|2}", [None, (100, 100, 300, 200)], ["unreadable"]),
    ('{"points": [{"x": "0.5", "y": 0.25}]}', "{object|point|1}", [None], ["unreadable"]),
    ('{"objects": [{"x_min": 0.3, "y_min": 0.2, "x_max": 0.1, "y_max": 0.4}]}', "{object|box|1}", [None], ["swapped corners"]),
    # cut off
    (f'{{"objects": [{ONE}, {{"x_min": 0.1', "{object|box|1}", [(100, 100, 300, 200)], ["truncated"]),
    # an answer to another question
    ('{"answer": "a cup"}', '{"answer": "a cup"}', [], ["unreadable"]),
    # four numbers are another's
    ("[0.1, 0.2, 0.3, 0.4]", "[0.1, 0.2, 0.3, 0.4]", [], ["unreadable"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts", "units", "faults"), ANSWERS)
def test_answers(text: str, parts: str, units: list[Any], faults: list[str]) -> None:
    assert heard("moondream", text) == (parts, units, faults)


def test_objects_are_what_was_asked_for() -> None:
    assert heard("moondream", f'{{"objects": [{ONE}]}}', asked="cup")[0] == "{cup|box|1}"


def test_what_is_written() -> None:
    parts = (
        Triplet("cup", "box", (Reference(Box((100.0, 100.0, 300.0, 200.0))),)),
        Triplet("rim", "point", (Reference(Point((500.0, 125.0))),)),
    )
    text = dialect_named("moondream").render(parts, (1000, 500))
    assert heard("moondream", text) == ("{cup|box|1}, {rim|point|1}", [(100, 100, 300, 200), (500, 125)], [])
