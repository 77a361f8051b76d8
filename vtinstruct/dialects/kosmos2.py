"""Kosmos-2: `<phrase>words</phrase><object><patch_index_0044><patch_index_0863></object>`, the first and last of the 32 x 32
patches that a box covers, counted row by row; several boxes of a phrase with `</delimiter_of_multi_objects/>` between them.

Source: Transformers, `models/kosmos2/processing_kosmos2.py` (`coordinate_to_patch_index`, `patch_index_to_coordinate`, after
github.com/microsoft/unilm, `kosmos-2/demo/decode_string.py`): a box is read from the middle of its first patch to the middle
of its last, one that lies in a single row or column of patches from edge to edge. Before a text's last `</image>` stands the
picture itself.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

from vtinstruct.dialect import Dialect, Grid, Heard, SizeWH, Spoken
from vtinstruct.dialects._furniture import Marks, Read, Reading, box_of, listen, unit_of
from vtinstruct.dialects._saying import shares_of, written
from vtinstruct.dialogue import Parts, Triplet
from vtinstruct.units import Unit

SIDE = 32
GRID = Grid(SIDE, SIDE - 1, floor=True)
_DELIMITER = "</delimiter_of_multi_objects/>"
_PATCHES = rf"((?:[^<]++|<patch_index_[0-9]++>|{_DELIMITER})*+)"
_PAIR = re.compile(r"\s*+<patch_index_([0-9]{1,9})>\s*+<patch_index_([0-9]{1,9})>\s*+")
_DEBRIS = re.compile(r"</?(?:phrase|object|grounding)>|<patch_index_|</delimiter_of_multi_objects/>")
_ENDS = re.compile(r"<grounding>|</?s>|</chunk>|</line>|</doc>")
_MARKS = Marks(
    re.compile(rf"(?:<phrase>([^<]*+)</phrase>\s*+)?<object>{_PATCHES}</object>"),
    _DEBRIS,
    re.compile(rf"<phrase>[^<]*+(?:</phrase>\s*+(?:<object>{_PATCHES})?)?\Z|<object>{_PATCHES}\Z"),
    ("<phrase>", "</phrase>", "<object>", "</object>", "<patch_index_", _DELIMITER, "<grounding>"),
)


def read(spoken: Spoken) -> Heard:
    """Phrases with their boxes, words where they stand."""
    text = _ENDS.sub("", spoken.text.rpartition("</image>")[2])

    def element(reading: Reading, match: re.Match[str]) -> None:
        pairs = match[2].split(_DELIMITER)
        reading.phrase(match[1] or "", "box", [unit_of(reading, *_box(pair, spoken.size_wh)) for pair in pairs])

    return listen(replace(spoken, text=text), _MARKS, element)


def _box(pair: str, size_wh: SizeWH) -> Read:
    match = _PAIR.fullmatch(pair)
    if match is None:
        return None, "unreadable"
    first, last = int(match[1]), int(match[2])
    if max(first, last) >= SIDE * SIDE:
        return None, "beyond the grid"
    (top, left), (bottom, right) = divmod(first, SIDE), divmod(last, SIDE)
    if left == right or top == bottom:
        cells: tuple[float, ...] = (left, top, right + 1, bottom + 1)
    else:
        cells = (left + 0.5, top + 0.5, right + 0.5, bottom + 0.5)
    return box_of([cell / SIDE for cell in cells], size_wh)


def render(parts: Parts, size_wh: SizeWH) -> str:
    """Running text with the marks of Kosmos-2."""

    def say(triplet: Triplet) -> str:
        pairs = (_pair(reference.unit, size_wh) for reference in triplet.references)
        return f"<phrase>{triplet.concept}</phrase><object>{_DELIMITER.join(pairs)}</object>"

    return written(parts, _DEBRIS, say, ("box",))


def _pair(unit: Unit | None, size_wh: SizeWH) -> str:
    x0, y0, x1, y1 = shares_of(unit, size_wh)
    left, top, right, bottom = GRID.number(x0), GRID.number(y0), _last(x0, x1), _last(y0, y1)
    return f"<patch_index_{top * SIDE + left:04d}><patch_index_{bottom * SIDE + right:04d}>"


def _last(start: float, stop: float) -> int:
    """The last patch that a side covers; the first, where it has no length."""
    last = min(max(math.ceil(stop * SIDE - 1), 0), SIDE - 1)
    return max(last, GRID.number(start)) if stop >= start else last


DIALECT = Dialect(
    "kosmos2", "Kosmos-2, patch indices", "Transformers, models/kosmos2/processing_kosmos2.py",
    "first and last of 32 x 32 patches, rounded outwards; read from the middles of patches, or the edges in one row or column",
    GRID, ("box",), ("box",), "all that is finer than a patch; points, masks, phrases that name nothing", read, render,
)  # fmt: skip
