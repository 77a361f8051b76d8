"""GLM-4.1V, GLM-4.5V and GLM-4.6V: `<|begin_of_box|>[[x0, y0, x1, y1], ...]<|end_of_box|>`, thousandths of the photo's sides.
The same marks stand around any final answer (`<|begin_of_box|>yes<|end_of_box|>`), which is words.

Source: github.com/zai-org/GLM-V, README, "Grounding": coordinates of the two corners, divided by the side and times 1000; the
brackets may vary: `[]`, `[[]]`, `()`, `<>`. Decoded without special tokens, `[[...]]` stands bare and is a box too. No decoder is
published; a number is read as n / 1000 and rounded to the nearest when written.
"""

from __future__ import annotations

import re
from dataclasses import replace

from vtinstruct.dialect import Dialect, Grid, Heard, SizeWH, Spoken
from vtinstruct.dialects._furniture import ENDS, Marks, Units, box_of, floats, listen_behind
from vtinstruct.dialects._saying import numbers_of, written_behind
from vtinstruct.dialogue import Parts, Triplet
from vtinstruct.units import UnitKind

GRID = Grid(1000, 1000)
BEGIN, END = "<|begin_of_box|>", "<|end_of_box|>"
_N = r"\s*+[-+]?[0-9]++(?:\.[0-9]++)?\s*+"
_FOUR = re.compile(rf"[\[(<]({_N}(?:,{_N}){{3}})[\])>]")
_AROUND = re.compile(r"[\[\](),<>\s]*+")
_NUMBERS = re.compile(r"[\[\](){}<>0-9.,;:%\s+-]*+")  # what is no word: a box, or what should have been one
_INSIDE = r"((?:[^<]|<(?!\|))*+)"
_BOX = rf"\[\[{_N}(?:,{_N}){{3}}\](?:\s*+,\s*+\[{_N}(?:,{_N}){{3}}\])*+\]"
_WHOLE = re.compile(rf"{re.escape(BEGIN)}{_INSIDE}{re.escape(END)}|({_BOX})")
_MARKS = Marks(
    re.compile(rf"{re.escape(BEGIN)}{_INSIDE}{re.escape(END)}"),
    re.compile(r"<\|(?:begin|end)_of_box\|>"),
    re.compile(rf"{re.escape(BEGIN)}{_INSIDE}\Z"),
    (BEGIN, END),
)
_TAGS = re.compile(r"</?answer>")


def read(spoken: Spoken) -> Heard:
    """Phrases with the boxes behind them; answers in the marks that are no boxes are words."""

    def units(match: re.Match[str]) -> tuple[UnitKind, Units]:
        boxes = _FOUR.findall(match[1])
        if not boxes or not _AROUND.fullmatch(_FOUR.sub("", match[1])):
            return "box", [(None, "unreadable")]
        shares = ([GRID.share(number) for number in floats(box.split(","))] for box in boxes)
        return "box", [box_of(one, spoken.size_wh) for one in shares]

    text = _WHOLE.sub(_marked, _TAGS.sub("", ENDS.sub("", spoken.text)))
    return listen_behind(replace(spoken, text=text), _MARKS, units)


def _marked(match: re.Match[str]) -> str:
    if match[2]:  # its marks were not decoded
        return f"{BEGIN}{match[2]}{END}"
    box = "," in match[1] and _NUMBERS.fullmatch(match[1]) and not match[1][:1].isdigit()  # 1,000 is a number
    return match[0] if box else match[1]


def render(parts: Parts, size_wh: SizeWH) -> str:
    """Running text with boxes behind the phrases."""

    def say(triplet: Triplet) -> str:
        boxes = [numbers_of(reference.unit, GRID, size_wh) for reference in triplet.references]
        return f"{triplet.concept} {BEGIN}{boxes}{END}"

    return written_behind(parts, say, ("box",))


DIALECT = Dialect(
    "glm_v", "GLM-4.1V to GLM-4.6V, marks of a box", "github.com/zai-org/GLM-V, README.md, Grounding",
    "thousandths of the photo's sides, 0 to 1000, rounded; read as n / 1000", GRID, ("box",), ("box",),
    "where a phrase begins; points, masks, phrases that name nothing", read, render,
)  # fmt: skip
