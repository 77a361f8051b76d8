"""Molmo2: `<points coords="1 1 073 160 2 173 600">dogs</points>`: the number of the picture, and for every point its own number
and thousandths of the photo's sides, three digits or four; "There are none." where nothing is there.

Source: github.com/allenai/molmo2, `olmo/preprocessing/point_formatter.py` (`UnifiedPointFormatter`: rounded, sorted by x and
then y; `extract_points`: n / 1000, a number above 1000 is no answer). Several pictures or moments follow each other behind `;`
or a tab; their points are all read, as there. What it reads of Molmo's own form is the dialect `molmo`. MolmoPoint's tokens need
the model.
"""

from __future__ import annotations

import re

from vtinstruct.dialect import Dialect, Grid, Heard, SizeWH, Spoken
from vtinstruct.dialects._furniture import Read, Reading, listen, point_of, unit_of
from vtinstruct.dialects._saying import numbers_of, written
from vtinstruct.dialects._xml_points import MARKS, words_of
from vtinstruct.dialects.molmo import NONE
from vtinstruct.dialogue import Parts, Triplet

GRID = Grid(1000, 1000)
_COORDS = re.compile(r'\bcoords\s*+=\s*+"([^"<>]*+)"')
_PICTURES = re.compile(r"[\t:,;]")
_NUMBER = re.compile(r"[0-9]{3,4}")


def read(spoken: Spoken) -> Heard:
    """Phrases with their points, words where they stand."""

    def element(reading: Reading, match: re.Match[str]) -> None:
        coords = _COORDS.search(match[1])
        read = (
            [one for picture in _PICTURES.split(coords[1]) for one in _points(picture, spoken.size_wh)]
            if coords
            else []
        )
        units = [unit_of(reading, *one) for one in read or [(None, "unreadable")]]
        reading.phrase(words_of(match), "point", units)

    return listen(spoken, MARKS, element)


def _points(picture: str, size_wh: SizeWH) -> list[Read]:
    """Behind the picture's number, three numbers a point; a rest that is none is one that cannot be read."""
    numbers = picture.split()[1:]
    found: list[Read] = []
    for start in range(0, len(numbers), 3):
        xy = numbers[start + 1 : start + 3]
        if len(xy) != 2 or not all(_NUMBER.fullmatch(one) for one in xy):
            found.append((None, "unreadable"))
        elif max(map(int, xy)) > GRID.top:
            found.append((None, "beyond the grid"))
        else:
            found.append(point_of([GRID.share(int(one)) for one in xy], size_wh))
    return found


def render(parts: Parts, size_wh: SizeWH) -> str:
    """Running text with the marks of Molmo2."""
    triplets = [part for part in parts if isinstance(part, Triplet)]
    if triplets and all(one.kind == "point" and not one.references for one in triplets):
        return NONE

    def say(triplet: Triplet) -> str:
        points = sorted(numbers_of(reference.unit, GRID, size_wh) for reference in triplet.references)
        coords = " ".join(f"{n} {x:03d} {y:03d}" for n, (x, y) in enumerate(points, start=1))
        return f'<points coords="1 {coords}">{triplet.concept}</points>'

    return written(parts, re.compile(r'[<>"]'), say, ("point",))


DIALECT = Dialect(
    "molmo2", "Molmo2, <points coords>", "github.com/allenai/molmo2, olmo/preprocessing/point_formatter.py",
    "thousandths of the photo's sides, 0 to 1000, rounded; read as n / 1000", GRID, ("point",), ("point",),
    "the order of a phrase's points; boxes, masks", read, render,
)  # fmt: skip
