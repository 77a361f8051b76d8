"""Points as elements in running text: `<point ...>words</point>`, `<points ...>words</points>`, or `<points ... />` without words
(Molmo, Molmo2, Qwen2.5-VL); what the attributes say differs."""

from __future__ import annotations

import re

from vtinstruct.dialects._furniture import Marks

_INSIDE = r'(?:[^<>"]++|"[^"<]*+")*+'
MARKS = Marks(
    re.compile(rf"<points?\b({_INSIDE})(?:(?<=/)>|>([^<]*+)</points?>)"),
    re.compile(r"</?points?\b"),
    re.compile(rf'<points?\b{_INSIDE}(?:"[^"<]*+|>[^<]*+)?\Z'),
    ("<points", "</points>", "</point>"),
)
_POINT = re.compile(r'\bx([0-9]*+)\s*+=\s*+"([^"<>]*+)"\s*+y([0-9]*+)\s*+=\s*+"([^"<>]*+)"')
_NAME = re.compile(r'\b(?:alt|label)\s*+=\s*+"([^"<]*+)"')


def pairs_of(match: re.Match[str]) -> list[tuple[str, str]]:
    """The numbers of an element's attributes x and y, or x1, y1, x2, y2 and so on."""
    return [(one[1], one[3]) for one in _POINT.findall(match[1])]


def words_of(match: re.Match[str]) -> str:
    """What an element points at: its words, or its attribute `alt`."""
    named = _NAME.search(match[1])
    words = match[2] or ""
    return words if words.strip() or named is None else named[1]
