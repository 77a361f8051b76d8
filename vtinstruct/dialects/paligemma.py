"""PaliGemma: `<loc0256><loc0128><loc0768><loc0512> label ; ...`, four numbers a box in the order y0, x0, y1, x1; with 16
`<segNNN>` behind them a mask.

Source: github.com/google-research/big_vision, `big_vision/pp/proj/paligemma/segmentation.py` (rounded to 0..1023) and
`big_vision/evaluators/proj/paligemma/transfers/segmentation.py` (read as n / 1023). Many scripts divide by 1024, which is not
what the model was trained on.

`<segNNN>` are codes of a mask in a VQ-VAE whose weights belong to the model; they are not decoded here. Who decodes them puts the
masks beside the answer, in the order of the marks; without, the box is read and the answer says "not decoded".
"""

from __future__ import annotations

import re
from dataclasses import replace

from vtinstruct.dialect import Dialect, Grid, Heard, SizeWH, Spoken
from vtinstruct.dialects._furniture import Marks, Reading, box_of, last_mark, listen, unit_of
from vtinstruct.dialects._saying import numbers_of, triplets_alone
from vtinstruct.dialogue import Parts, Triplet
from vtinstruct.units import Unit

GRID = Grid(1023, 1023)
CODES = 16
_ENDS = re.compile(r"<eos>|<pad>|<bos>")
_DEBRIS = re.compile(r"<(?:loc|seg)[0-9]")
_MARKS = Marks(
    re.compile(r"((?:<loc[0-9]++>\s*+)++)((?:<seg[0-9]++>\s*+)*+)([^<;]*+)(?:;\s*+)?"), _DEBRIS, re.compile(r"(?!)"),
    ("<loc", "<seg", "<eos>"),
)  # fmt: skip
_NUMBER = re.compile(r"<loc([0-9]{1,9})[0-9]*+>")


def read(spoken: Spoken) -> Heard:
    """Labels with their boxes, or masks."""
    text = _ENDS.sub("", spoken.text)
    end = last_mark(text)

    def element(reading: Reading, match: re.Match[str]) -> None:
        numbers, codes = [int(number) for number in _NUMBER.findall(match[1])], match[2].count("<seg")
        short = len(numbers) < 4 or codes % CODES
        if short and match.end() >= end:
            reading.fault("truncated")
            return
        if len(numbers) != 4 or codes not in (0, CODES):
            unit: Unit | None = unit_of(reading, None, "unreadable")
        elif codes and spoken.beside:
            reading.listed(match[3], "mask", reading.next_beside())
            return
        elif max(numbers) > GRID.top:
            unit = unit_of(reading, None, "beyond the grid")
        else:
            y0, x0, y1, x1 = (GRID.share(number) for number in numbers)
            unit = unit_of(reading, *box_of((x0, y0, x1, y1), spoken.size_wh))
        if codes:
            reading.fault("not decoded")
        reading.listed(match[3], "box", unit)

    return listen(replace(spoken, text=text), _MARKS, element)


def render(parts: Parts, size_wh: SizeWH) -> str:
    """Numbers and label of every box, `;` between them; words alone where an answer has no phrase."""

    def say(triplet: Triplet) -> str:
        boxes: list[str] = []
        for reference in triplet.references:
            x0, y0, x1, y1 = numbers_of(reference.unit, GRID, size_wh)
            boxes.append(f"<loc{y0:04d}><loc{x0:04d}><loc{y1:04d}><loc{x1:04d}> {triplet.concept}")
        return " ; ".join(boxes)

    return " ; ".join(triplets_alone(parts, re.compile(r"<(?:loc|seg)|;"), say, ("box",)))


DIALECT = Dialect(
    "paligemma", "PaliGemma, <locNNNN>", "github.com/google-research/big_vision, big_vision/pp/proj/paligemma/segmentation.py",
    "0 to 1023 of the photo's sides, y first, rounded; read as n / 1023", GRID, ("box", "mask"), ("box",),
    "words between the phrases, masks that are not decoded beside the text; points, masks when written", read, render,
)  # fmt: skip
