"""Answers in running text with `<ref>phrase</ref><box>...</box>` (Qwen-VL, InternVL, DeepSeek-VL2): the marks' names and what is
inside of a box differ."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from vtinstruct.dialect import Grid, Heard, Spoken
from vtinstruct.dialects._furniture import ENDS, Marks, Reading, box_of, listen, unit_of
from vtinstruct.units import Unit

NUMBER = r"\s*+([-+]?[0-9]++(?:\.[0-9]++)?)\s*+"

_QUAD = r"<quad>|<\|quad_start\|>"  # four corners of a turned box: no two boxes
# the text inside of a box's marks to boxes in the grid's numbers
Inside = Callable[[str], Sequence[Sequence[float]] | None]


@dataclass(frozen=True)
class Names:
    """How a model calls the marks around a phrase and around its boxes: opening and closing, in one or more spellings."""

    refs: tuple[tuple[str, str], ...]
    boxes: tuple[tuple[str, str], ...]

    def unmarked(self, boxes: str) -> re.Pattern[str]:
        """What finds `boxes` (a pattern of what stands inside of a box's marks) without marks, as its group `bare`. Marks are
        special tokens, and the models' own evaluation scripts decode answers without those (`skip_special_tokens`)."""
        ref, _, box, box_end = self._patterns
        return re.compile(rf"(?:{ref}|{box}|{_QUAD})[^<]*+|(?P<bare>{boxes})(?!\s*+{box_end})")

    @cached_property
    def _patterns(self) -> tuple[str, str, str, str]:
        ref, ref_end, box, box_end = (
            f"(?:{'|'.join(re.escape(pair[end]) for pair in pairs)})"
            for pairs in (self.refs, self.boxes)
            for end in (0, 1)
        )
        return ref, ref_end, box, box_end

    @cached_property
    def debris(self) -> re.Pattern[str]:
        """Any of the marks."""
        return re.compile("|".join(self._patterns))

    @cached_property
    def one_box(self) -> re.Pattern[str]:
        """A box's marks, and what is inside."""
        _, _, box, box_end = self._patterns
        return re.compile(rf"{box}([^<]*+){box_end}")

    @cached_property
    def begun(self) -> re.Pattern[str]:
        """A text that begins inside of a box."""
        return re.compile(rf"\s*+[(\[][^<]*+{self._patterns[3]}")

    @cached_property
    def marks(self) -> Marks:
        """A phrase with its boxes, and pieces of it."""
        ref, ref_end, box, box_end = self._patterns
        one = rf"{box}[^<]*+{box_end}"
        return Marks(
            re.compile(rf"(?:{ref}([^<]*+){ref_end}\s*+)?({one}(?:\s*+{one})*+)"),
            self.debris,
            re.compile(rf"{ref}[^<]*+(?:{ref_end}\s*+(?:{box}[^<]*+)?)?\Z|{box}[^<]*+\Z"),
            tuple(token for pair in (*self.refs, *self.boxes) for token in pair),
        )


QWEN = Names(
    (("<ref>", "</ref>"), ("<|object_ref_start|>", "<|object_ref_end|>")),
    (("<box>", "</box>"), ("<|box_start|>", "<|box_end|>")),
)


def read_ref_box(spoken: Spoken, grid: Grid, inside: Inside, bare: re.Pattern[str], names: Names = QWEN) -> Heard:
    """Phrases with their boxes, words where they stand; `bare` (of `unmarked`) finds boxes whose marks were not decoded. A text
    that begins inside a box (the prompt ended with `<box>`, as in Qwen-VL's evaluation) is read as if it had the mark."""
    start, stop = names.boxes[0]
    text = ENDS.sub("", spoken.text)
    text = f"{start}{text}" if names.begun.match(text) else text
    text = bare.sub(lambda match: f"{start}{match['bare']}{stop}" if match["bare"] else match[0], text)
    spoken = replace(spoken, text=text)

    def element(reading: Reading, match: re.Match[str]) -> None:
        units: list[Unit | None] = []
        for content in names.one_box.findall(match[2]):
            boxes = inside(content)
            if boxes is None:
                units.append(unit_of(reading, None, "unreadable"))
                continue
            shares = [[grid.share(number) for number in box] for box in boxes]
            units += [unit_of(reading, *box_of(box, spoken.size_wh)) for box in shares]
        reading.phrase(match[1] or "", "box", units)

    return listen(spoken, names.marks, element)
