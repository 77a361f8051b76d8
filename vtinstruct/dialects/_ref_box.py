"""Answers in running text with `<ref>phrase</ref><box>...</box>` (Qwen-VL, InternVL): what is inside `<box>` differs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from vtinstruct.dialect import Grid, Heard, Spoken
from vtinstruct.dialects._furniture import Marks, Reading, box_of, listen, unit_of
from vtinstruct.units import Unit

REF, REF_END = r"(?:<ref>|<\|object_ref_start\|>)", r"(?:</ref>|<\|object_ref_end\|>)"
BOX, BOX_END = r"(?:<box>|<\|box_start\|>)", r"(?:</box>|<\|box_end\|>)"
TOKENS = (
    "<ref>", "</ref>", "<box>", "</box>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>",
)  # fmt: skip
ENDS = re.compile(r"<\|im_end\|>|<\|endoftext\|>|</s>")
DEBRIS = re.compile(f"{REF}|{REF_END}|{BOX}|{BOX_END}")
NUMBER = r"\s*+([-+]?[0-9]++(?:\.[0-9]++)?)\s*+"
_ONE_BOX = re.compile(rf"{BOX}([^<]*+){BOX_END}")
_MARKS = Marks(
    re.compile(rf"(?:{REF}([^<]*+){REF_END}\s*+)?({BOX}[^<]*+{BOX_END}(?:\s*+{BOX}[^<]*+{BOX_END})*+)"),
    DEBRIS,
    re.compile(rf"{REF}[^<]*+(?:{REF_END}\s*+(?:{BOX}[^<]*+)?)?\Z|{BOX}[^<]*+\Z"),
    TOKENS,
)
_BEGUN = re.compile(rf"\s*+[(\[][^<]*+{BOX_END}")

Inside = Callable[[str], Sequence[Sequence[float]] | None]  # the text inside <box> to boxes in the grid's numbers


def unmarked(boxes: str) -> re.Pattern[str]:
    """What finds `boxes` (a pattern of what stands inside `<box>`) without marks, as its group `bare`. Marks are special tokens,
    and the models' own evaluation scripts decode answers without those (`skip_special_tokens`)."""
    return re.compile(rf"(?:{REF}|{BOX})[^<]*+|(?P<bare>{boxes})(?!\s*+{BOX_END})")


def read_ref_box(spoken: Spoken, grid: Grid, inside: Inside, bare: re.Pattern[str]) -> Heard:
    """Phrases with their boxes, words where they stand; `bare` (of `unmarked`) finds boxes whose marks were not decoded. A text
    that begins inside a box (the prompt ended with `<box>`, as in Qwen-VL's evaluation) is read as if it had the mark."""
    text = ENDS.sub("", spoken.text)
    text = f"<box>{text}" if _BEGUN.match(text) else text
    text = bare.sub(lambda match: f"<box>{match['bare']}</box>" if match["bare"] else match[0], text)
    spoken = replace(spoken, text=text)

    def element(reading: Reading, match: re.Match[str]) -> None:
        units: list[Unit | None] = []
        for content in _ONE_BOX.findall(match[2]):
            boxes = inside(content)
            if boxes is None:
                units.append(unit_of(reading, None, "unreadable"))
                continue
            shares = [[grid.share(number) for number in box] for box in boxes]
            units += [unit_of(reading, *box_of(box, spoken.size_wh)) for box in shares]
        reading.phrase(match[1] or "", "box", units)

    return listen(spoken, _MARKS, element)
