"""GLaMM and LISA: `<p> words </p> [SEG]`, the masks beside the text in the order of the `[SEG]`s; LISA's `[SEG]` has no phrase
("Sure, it is [SEG].") and is called what was asked for.

Source: github.com/mbzuai-oryx/groundingLMM, `dataset/gcg_datasets/GranDf_gcg_ds.py` (`tag_caption`) and `eval/gcg/infer.py`;
github.com/dvlab-research/LISA, `utils/utils.py` (`ANSWER_LIST`). Both join all masks of a phrase to one; here every reference has
a `[SEG]` of its own, and several of them in a row belong to one phrase.
"""

from __future__ import annotations

import re
from dataclasses import replace

from vtinstruct.dialect import Dialect, Heard, NotSayable, SizeWH, Spoken
from vtinstruct.dialects._furniture import Marks, Reading, listen
from vtinstruct.dialects._saying import written
from vtinstruct.dialogue import Parts, Triplet
from vtinstruct.units import Mask

_ENDS = re.compile(r"</s>")
_DEBRIS = re.compile(r"</?p>|\[SEG\]")
_MARKS = Marks(
    re.compile(r"(?:<p>([^<]*+)</p>\s*+)?\[SEG\](?:[\s,]*+(?:and\s++)?\[SEG\])*+"),
    _DEBRIS,
    re.compile(r"<p>[^<]*+(?:</p>\s*+(?:\[S?E?G?)?)?\Z|\[S?E?G?\Z"),
    ("<p>", "</p>"),
)


def read(spoken: Spoken) -> Heard:
    """Phrases with the masks beside the text."""

    def element(reading: Reading, match: re.Match[str]) -> None:
        count = match[0].count("[SEG]")
        reading.phrase(match[1] or "", "mask", [reading.next_beside() for _ in range(count)])

    return listen(replace(spoken, text=_ENDS.sub("", spoken.text)), _MARKS, element)


def render(parts: Parts, size_wh: SizeWH) -> str:
    """Running text with the marks of GLaMM; the masks are the parts' own, in order."""

    def say(triplet: Triplet) -> str:
        if not all(isinstance(reference.unit, Mask) for reference in triplet.references):
            raise NotSayable("geometry that is no mask")
        return f"<p> {triplet.concept} </p> {' '.join('[SEG]' for _ in triplet.references)}"

    return written(parts, _DEBRIS, say, ("mask",))


DIALECT = Dialect(
    "glamm", "GLaMM and LISA, [SEG]", "github.com/mbzuai-oryx/groundingLMM, dataset/gcg_datasets/GranDf_gcg_ds.py",
    "none in the text: COCO run lengths of the whole photo beside it", None, ("mask",), ("mask",),
    "boxes, points, phrases that name nothing", read, render, beside=True,
)  # fmt: skip
