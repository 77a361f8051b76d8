"""MiniGPT-v2: `<p>phrase</p> {<x0><y0><x1><y1>}<delim>{<x0><y0><x1><y1>}`, hundredths of the photo's sides; a referring answer is
the box alone.

Source: github.com/Vision-CAIR/MiniGPT-4, `minigpt4/datasets/datasets/coco_dataset.py` (`int(x / side * 100)`: rounded down),
`eval_scripts/eval_ref.py` (n / 100 of the side; blanks and `<unk>` taken out first) and `demo_v2.py` (`extract_substrings`,
`visualize_all_bbox_together`). GeoChat writes a fifth number, an angle (`|<90>}`), which is not read.
"""

from __future__ import annotations

import re
from dataclasses import replace

from vtinstruct.dialect import Dialect, Grid, Heard, SizeWH, Spoken
from vtinstruct.dialects._furniture import ENDS, Marks, Reading, box_of, floats, listen, unit_of
from vtinstruct.dialects._saying import numbers_of, written
from vtinstruct.dialogue import Parts, Triplet

GRID = Grid(100, 100, floor=True)
_INSIDE = r"[<>0-9|\s-]*+"
_BOX = rf"\{{\s*+<{_INSIDE}\}}"
_DEBRIS = re.compile(r"</?p>|<delim>|\{\s*+<")
_MARKS = Marks(
    re.compile(rf"(?:<p>([^<]*+)</p>\s*+)?({_BOX}(?:\s*+(?:<delim>)?+\s*+{_BOX})*+)"),
    _DEBRIS,
    re.compile(rf"<p>[^<]*+(?:</p>\s*+(?:\{{{_INSIDE})?)?\Z|(?:<delim>\s*+)?\{{(?:\s*+<{_INSIDE})?\Z|<delim>\s*+\Z"),
    ("<p>", "</p>", "<delim>"),
)
_ONE = re.compile(r"\{([^}]*+)\}")
_FOUR = re.compile(r"<(-?[0-9]{1,9})>" * 4)
_SPACES = re.compile(r"\s+")


def read(spoken: Spoken) -> Heard:
    """Phrases with their boxes, words where they stand."""

    def element(reading: Reading, match: re.Match[str]) -> None:
        found = [_FOUR.fullmatch(_SPACES.sub("", one)) for one in _ONE.findall(match[2])]
        read = (
            box_of([GRID.share(number) for number in floats(one.groups())], spoken.size_wh) if one else (None, "unreadable")
            for one in found
        )  # fmt: skip
        reading.phrase(match[1] or "", "box", [unit_of(reading, *one) for one in read])

    return listen(replace(spoken, text=ENDS.sub("", spoken.text).replace("<unk>", "")), _MARKS, element)


def render(parts: Parts, size_wh: SizeWH) -> str:
    """Running text with the marks of MiniGPT-v2."""

    def say(triplet: Triplet) -> str:
        boxes = (numbers_of(reference.unit, GRID, size_wh) for reference in triplet.references)
        marks = "<delim>".join("{" + "".join(f"<{number}>" for number in box) + "}" for box in boxes)
        return f"<p>{triplet.concept}</p> {marks}"

    return written(parts, _DEBRIS, say, ("box",))


DIALECT = Dialect(
    "minigpt_v2", "MiniGPT-v2, {<x><y><x><y>}", "github.com/Vision-CAIR/MiniGPT-4, eval_scripts/eval_ref.py",
    "hundredths of the photo's sides, 0 to 100, rounded down; read as n / 100", GRID, ("box",), ("box",),
    "points, masks, phrases that name nothing", read, render,
)  # fmt: skip
