"""LLaVA's conversation JSON: `<split>.json`, a list of `{"id", "image", "conversations": [{"from", "value"}]}`.

Format: LLaVA's docs/Finetune_Custom_Data.md. Geometry becomes text behind its phrase: a box `[x0, y0, x1, y1]`, a point
`[x, y]`, each number a share of the photo's width or height with three decimals; a phrase that names nothing here has
`[]`. Masks, and marks that are masks or scribbles, are written as their bounding boxes, which is counted. Poses and
depth have no accepted text: their dialogues are left out.

With a dialect (`--dialect`), answers are in that model's own training text (`vtinstruct/dialects`); what it cannot say is
left out and counted. Masks that stand beside the text (`[SEG]`) are in the entry's `masks`, COCO run lengths in the order of
the marks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from vtinstruct.dialect import NotSayable, dialect_named
from vtinstruct.dialogue import Dialogue, Part, Prompt, Triplet, Turn
from vtinstruct.export import Export, Item, Job
from vtinstruct.geometry import rle_box, rle_to_coco
from vtinstruct.units import Box, Depth, Keypoints, Mask, Point, Unit

_NUMBER = r"(\d\.\d{3})"
_GEOMETRY = re.compile(rf"\[{_NUMBER}, {_NUMBER}(?:, {_NUMBER}, {_NUMBER})?\]")
MASKED = "mask written as its box"
WORDS = "words between phrases left out"


class _NoText(Exception):
    """Something that has no form as text; the message is the reason to count."""


def write(items: Iterable[Item], job: Job) -> Iterator[str]:
    """One file a split; yields each when it is finished."""
    file = None
    for item in items:
        split = item.row["split"]
        if file is None or file.split != split:
            if file is not None:
                yield file.finish()
            file = _List(split, job)
        try:
            file.put(_entry(item.dialogue, job))
        except _NoText as reason:
            job.left_out[str(reason)] += 1
    if file is not None:
        yield file.finish()


class _List:
    """A JSON list as it grows."""

    def __init__(self, split: str, job: Job) -> None:
        self.split = split
        self._file = job.create(f"{split}.json")
        self._before = "[\n"

    def put(self, entry: dict[str, Any]) -> None:
        self._file.write((self._before + json.dumps(entry, ensure_ascii=False)).encode())
        self._before = ",\n"

    def finish(self) -> str:
        self._file.write(b"[]\n" if self._before == "[\n" else b"\n]\n")
        self._file.close()
        return f"{self.split}.json"


def _entry(dialogue: Dialogue, job: Job) -> dict[str, Any]:
    photo = dialogue.photo
    size_wh = photo.size_wh if photo is not None else None
    said: list[dict[str, str]] = []
    masks = 0
    for turn in dialogue.turns:
        if job.dialect:
            words = _said(turn, size_wh, job)
        else:
            words = "".join(_text(part, size_wh) for part in turn.parts)
            masks += sum(_masks(part) for part in turn.parts)
        if not said and photo is not None:
            words = f"<image>\n{words}"
        said.append({"from": "human" if turn.role == "user" else "gpt", "value": words})
    if masks:
        job.noted[MASKED] += masks
    known: dict[str, Any] = {"task": dialogue.task, "source": dialogue.source, "licence": dialogue.licence}
    image = {"image": job.place_photo(photo.path)} if photo is not None else {}
    if job.dialect and dialect_named(job.dialect).beside:
        known["masks"] = [rle_to_coco(r.unit.mask_rle) for _, _, r in dialogue.references() if isinstance(r.unit, Mask)]
    return {"id": dialogue.id, **image, "conversations": said, **known}


def _said(turn: Turn, size_wh: tuple[int, int] | None, job: Job) -> str:
    """A turn in the job's dialect. Raises `_NoText`."""
    if turn.role == "user":
        if any(isinstance(part, Prompt) for part in turn.parts):
            raise _NoText(f"a question with a mark on the photo has no form in {job.dialect}")
        return "".join(part for part in turn.parts if isinstance(part, str))
    if size_wh is None and any(isinstance(part, Triplet) for part in turn.parts):
        raise _NoText("geometry without a photo")
    try:
        text = dialect_named(job.dialect).render(turn.parts, size_wh or (1, 1))
    except NotSayable as reason:
        raise _NoText(f"{reason} in {job.dialect}") from reason
    lost = sum(isinstance(part, str) and any(map(str.isalnum, part)) and part not in text for part in turn.parts)
    if lost:
        job.noted[WORDS] += lost
    return text


def _masks(part: Part) -> int:
    match part:
        case Prompt():
            return isinstance(part.mark, Mask)
        case Triplet():
            return sum(isinstance(reference.unit, Mask) for reference in part.references)
        case _:
            return 0


def _text(part: Part, size_wh: tuple[int, int] | None) -> str:
    match part:
        case Prompt():
            return text_of(part.mark, size_wh)
        case Triplet():
            marks = [text_of(reference.unit, size_wh) for reference in part.references]
            return f"{part.concept} {' '.join(marks) or '[]'}"
        case _:
            return part


def text_of(unit: Unit | None, size_wh: tuple[int, int] | None) -> str:
    """A unit as text. Raises `_NoText` on one that has none."""
    match unit:
        case Box():
            values = unit.box_xyxy
        case Mask():
            values = rle_box(unit.mask_rle)
        case Point():
            values = unit.point_xy
        case Keypoints() | Depth():
            raise _NoText("a pose has no text" if isinstance(unit, Keypoints) else "a depth map has no text")
        case None:
            raise _NoText("a reference without geometry")
    if size_wh is None:
        raise _NoText("geometry without a photo")
    shares = (value / size_wh[place % 2] for place, value in enumerate(values))
    return f"[{', '.join(f'{min(max(share, 0.0), 1.0):.3f}' for share in shares)}]"


def units_in(text: str, size_wh: tuple[int, int]) -> list[Box | Point]:
    """The boxes and points of a text in pixels of a photo, in order: inverse of `text_of`, to half a thousandth of a side."""
    width, height = size_wh
    found: list[Box | Point] = []
    for hit in _GEOMETRY.finditer(text):
        values = [float(group) for group in hit.groups() if group is not None]
        if len(values) == 4:
            x0, y0, x1, y1 = values
            found.append(Box((x0 * width, y0 * height, x1 * width, y1 * height)))
        else:
            found.append(Point((values[0] * width, values[1] * height)))
    return found


EXPORT = Export("llava-json", "LLaVA conversations, geometry as text", frozenset(), write, dialects=True)
