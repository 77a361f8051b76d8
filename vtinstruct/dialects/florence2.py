"""Florence-2: `label<loc_52><loc_333><loc_932><loc_774>`, four numbers a box, 1,000 bins a side; `<poly>` and `<sep>` around
and between the polygons of a mask; eight numbers a quadrangle of text.

Source: Transformers, `models/florence2/processing_florence2.py` (`Florence2PostProcessor.quantize`, `dequantize`, the
`parse_*` methods), after the model's own `processing_florence2.py`: rounded down to a bin, read as its middle. (The port
cuts what is read to whole pixels; the original does not, and so is it here.) What stands before the numbers is the label.

Whether numbers are boxes, a polygon or a quadrangle depends on what was asked: `form` beside the answer says "boxes",
"polygons" or "quads". Without it they are polygons where the text has `<poly>` or `<sep>`, or the sample asks for masks, and else
boxes. A quadrangle becomes the box around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from vtinstruct.dialect import Dialect, Grid, Heard, SizeWH, Spoken
from vtinstruct.dialects._furniture import Marks, Read, Reading, box_of, last_mark, listen_labelled, unit_of
from vtinstruct.dialects._saying import numbers_of, triplets_alone
from vtinstruct.dialogue import Parts, Triplet
from vtinstruct.geometry import GeometryError, polygons_to_rle
from vtinstruct.units import Mask

GRID = Grid(1000, 999, floor=True, centre=True)
FORMS = ("boxes", "polygons", "quads")
_ENDS = re.compile(r"</?s>|<pad>|</?(?:od|box|bbox|ground|obj)>")
_DEBRIS = re.compile(r"<loc_|</?poly>|<sep>")
_TOKEN = "(?:<loc_[0-9]++>|<sep>|</?poly>)"  # some decoders put blanks between them
_MARKS = Marks(
    re.compile(rf"{_TOKEN}(?:\s*+{_TOKEN})*+"), _DEBRIS, re.compile(r"(?!)"),
    ("<loc_", "<sep>", "<poly>", "</poly>", "</s>"),
)  # fmt: skip
_NUMBER = re.compile(r"<loc_([0-9]{1,9})[0-9]*+>")


def read(spoken: Spoken) -> Heard:
    """Labels with what stands behind them."""
    text = _ENDS.sub("", spoken.text)
    polygons = spoken.wanted == "mask" or "<poly>" in text or "<sep>" in text
    form = spoken.form or ("polygons" if polygons else "boxes")
    end = last_mark(text)

    def element(reading: Reading, label: str, match: re.Match[str]) -> None:
        numbers = [int(number) for number in _NUMBER.findall(match[0])]
        size = 8 if form == "quads" else 4
        rest = 0 if form == "polygons" else len(numbers) % size
        if not numbers:
            reading.fault("unreadable")
            reading.words(label + match[0])
        elif form == "polygons":
            for polygon in _instances(match[0]):
                reading.listed(label, "mask", unit_of(reading, *_mask(polygon, spoken.size_wh)))
        for start in range(0, len(numbers) - rest if form != "polygons" else 0, size):
            reading.listed(label, "box", unit_of(reading, *_box(numbers[start : start + size], spoken.size_wh)))
        if rest and match.end() >= end:
            reading.fault("truncated")
        elif rest:
            reading.listed(label, "box", unit_of(reading, None, "unreadable"))

    return listen_labelled(replace(spoken, text=text), _MARKS, element)


def _instances(text: str) -> Iterator[list[list[int]]]:
    """The polygons of each mask: one mask in each `<poly>`, or one in all."""
    for instance in text.split("<poly>"):
        pieces = instance.replace("</poly>", "").split("<sep>")
        polygons = [[int(number) for number in _NUMBER.findall(piece)] for piece in pieces]
        if any(polygons):
            yield [polygon for polygon in polygons if polygon]


def _box(numbers: Sequence[int], size_wh: SizeWH) -> Read:
    if max(numbers) > GRID.top:
        return None, "beyond the grid"
    shares = [GRID.share(number) for number in numbers]
    if len(shares) == 8:
        xs, ys = shares[0::2], shares[1::2]
        shares = [min(xs), min(ys), max(xs), max(ys)]
    return box_of(shares, size_wh)


def _mask(polygons: Sequence[Sequence[int]], size_wh: SizeWH) -> Read:
    if max(map(max, polygons)) > GRID.top:
        return None, "beyond the grid"
    pixels = [
        [GRID.share(number) * size_wh[index % 2] for index, number in enumerate(polygon[: len(polygon) // 2 * 2])]
        for polygon in polygons
    ]
    try:
        return Mask(polygons_to_rle(pixels, size_wh)), ""
    except GeometryError:
        return None, "unreadable"


def render(parts: Parts, size_wh: SizeWH) -> str:
    """Label and numbers of every box, one behind the other; words alone where an answer has no phrase."""

    def say(triplet: Triplet) -> str:
        boxes = (numbers_of(reference.unit, GRID, size_wh) for reference in triplet.references)
        return "".join(triplet.concept + "".join(f"<loc_{number}>" for number in box) for box in boxes)

    return "".join(triplets_alone(parts, _DEBRIS, say, ("box",)))


DIALECT = Dialect(
    "florence2", "Florence-2, <loc_N>", "Transformers, models/florence2/processing_florence2.py",
    "1,000 bins a side, rounded down; read as their middles", GRID, ("box", "mask"), ("box",),
    "words between the phrases, a quadrangle's slant; points, masks when written", read, render, FORMS,
)  # fmt: skip
