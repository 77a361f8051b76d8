"""Values: equal and hashed by content, no dict, and the type checker is who keeps them from being changed."""

from __future__ import annotations

from dataclasses import replace

from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.units import Box


def test_a_value_is_its_content():
    one, same = (Triplet("dog", "box", (Reference(Box((0.0, 0.0, 1.0, 1.0))),)) for _ in range(2))
    assert one == same
    assert len({one, same, replace(one, concept="cat")}) == 2
    assert not hasattr(one, "__dict__")
