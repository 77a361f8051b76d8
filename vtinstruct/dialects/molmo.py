"""Molmo: `<point x="10.5" y="20.0" alt="dog">dog</point>`, percent of the photo's sides with one decimal; several points of a
phrase in `<points x1= y1= x2= y2= ...>`; "There are none." where nothing is there.

Source: github.com/allenai/molmo, `olmo/data/data_formatter.py` (`points_to_text`, `format_points`: rounded, sorted by x and then
y) and `olmo/util.py`, `extract_points` (a number above 100 is no answer). Where a text has no such mark, that function's other
forms are points too: `Click(10.5, 20.0)`, `(10.5, 20.0)`, and thousandths as `p=105,200`.
"""

from __future__ import annotations

import re
from dataclasses import replace

from vtinstruct.dialect import Dialect, Grid, Heard, SizeWH, Spoken
from vtinstruct.dialects._furniture import Read, Reading, floats, listen, point_of, unit_of
from vtinstruct.dialects._saying import numbers_of, written
from vtinstruct.dialects._xml_points import MARKS, pairs_of, words_of
from vtinstruct.dialogue import Parts, Triplet

GRID = Grid(1000, 1000)
NONE = "There are none."
_PERCENT = r"([0-9]++\.[0-9]),?+ ?+([0-9]++\.[0-9])"
_BARE = re.compile(
    rf"(?:Click)?\({_PERCENT}\)|(?<![0-9A-Za-z])(?:[0-9]++|p)\s*+=\s*+([0-9]{{3}})\s*+,\s*+([0-9]{{3}})(?![0-9])"
)


def read(spoken: Spoken) -> Heard:
    """Phrases with their points, words where they stand."""
    if not MARKS.debris.search(spoken.text):
        spoken = replace(spoken, text=_BARE.sub(_marked, spoken.text))

    def element(reading: Reading, match: re.Match[str]) -> None:
        points = pairs_of(match)
        units = [unit_of(reading, *_point(floats(point), spoken.size_wh)) for point in points]
        reading.phrase(words_of(match), "point", units if points else [unit_of(reading, None, "unreadable")])

    return listen(spoken, MARKS, element)


def _marked(match: re.Match[str]) -> str:
    x, y = (match[1], match[2]) if match[1] else (int(match[3]) / 10, int(match[4]) / 10)
    return f'<point x="{x}" y="{y}"></point>'


def _point(percent: list[float], size_wh: SizeWH) -> Read:
    if not all(0 <= value <= 100 for value in percent):
        return None, "beyond the grid"
    return point_of([value / 100 for value in percent], size_wh)


def render(parts: Parts, size_wh: SizeWH) -> str:
    """Running text with the marks of Molmo."""
    triplets = [part for part in parts if isinstance(part, Triplet)]
    if triplets and all(one.kind == "point" and not one.references for one in triplets):
        return NONE

    def say(triplet: Triplet) -> str:
        points = sorted(numbers_of(reference.unit, GRID, size_wh) for reference in triplet.references)
        percent = [(f"{x / 10:.1f}", f"{y / 10:.1f}") for x, y in points]
        if len(percent) == 1:
            (x, y) = percent[0]
            return f'<point x="{x}" y="{y}" alt="{triplet.concept}">{triplet.concept}</point>'
        marks = " ".join(f'x{n}="{x}" y{n}="{y}"' for n, (x, y) in enumerate(percent, start=1))
        return f'<points {marks} alt="{triplet.concept}">{triplet.concept}</points>'

    return written(parts, re.compile(r'[<>"]'), say, ("point",))


DIALECT = Dialect(
    "molmo", "Molmo, <point>", "github.com/allenai/molmo, olmo/data/data_formatter.py",
    "percent of the photo's sides, one decimal, rounded; read as they are", GRID, ("point",), ("point",),
    "the order of a phrase's points; boxes, masks", read, render,
)  # fmt: skip
