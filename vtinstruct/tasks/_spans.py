"""Texts whose words are tied to regions or positions: into answers with triplets, and questions with marks.

A span's words either read as language ("a brown dog") or only hold a place (`[region]`, `[person1]`). In an answer they
become a triplet's concept; in a question a mark stands in the place, or right behind the words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from vtinstruct.dialogue import Dialogue, Evaluation, Part, Parts, Prompt, PromptKind, Reference, Triplet
from vtinstruct.record import GroundedText, Record, Region, Span
from vtinstruct.task import Setting
from vtinstruct.tasks._shared import ask, has_unit, leave_out, mark, one_line, triplet
from vtinstruct.trp import join_parts
from vtinstruct.units import Point, UnitKind

_PLACE = re.compile(r"\[([^\[\]]*)\]|<([^<>]*)>")


def plain(text: GroundedText) -> str:
    """The words of a text alone, on one line."""
    return one_line(text.text)


def holds_place(text: GroundedText) -> bool:
    """Whether the text is incomplete without marks: one of its tied words only holds a place."""
    return any(_PLACE.fullmatch(text.text[span.start : span.stop]) for span in text.spans)


def _pieces(text: GroundedText) -> Iterator[tuple[str, Span | None]]:
    """A text as plain and tied words, in order. A span out of order or out of the text ties nothing."""
    at = 0
    for span in text.spans:
        if at <= span.start < span.stop <= len(text.text):
            yield text.text[at : span.start], None
            yield text.text[span.start : span.stop], span
            at = span.stop
    yield text.text[at:], None


def _trimmed(parts: Iterable[Part]) -> Parts:
    """Well-formed parts without white space at either end."""
    found = list(join_parts(parts))
    if found and isinstance(found[0], str):
        found[0] = found[0].lstrip()
    if found and isinstance(found[-1], str):
        found[-1] = found[-1].rstrip()
    return join_parts(found)


# --- answers ---------------------------------------------------------------------------------------------------------


def grounded(record: Record, setting: Setting, text: GroundedText, kind: UnitKind) -> Parts:
    """The parts of an answer on one line: words tied to regions (to positions, for "point") become triplets.

    Words tied to an unknown region, or to one without that geometry, stay words, with a reason.
    """
    by_id = {region.id: region for region in record.regions}
    parts: list[Part] = []
    for words, span in _pieces(text):
        if span is None:
            parts.append(re.sub(r"\s+", " ", words))
        elif kind == "point":
            concept, points = _concept(words, ()), inside(record, setting, span.points_xy)
            parts.append(point_triplet(concept, points) if points else concept)
        else:
            regions = [by_id[id_] for id_ in dict.fromkeys(span.region_ids) if id_ in by_id]
            whole = len(regions) == len(set(span.region_ids))
            if not whole or not all(has_unit(region, kind) for region in regions):
                leave_out(record, setting, f"words of a region without {kind}", f"{words!r:.60} {span.region_ids}")
                regions = []
            concept = _concept(words, regions)
            parts.append(triplet(concept, kind, regions) if regions else concept)
    return _trimmed(parts)


def _concept(words: str, regions: Sequence[Region]) -> str:
    """Words as language: a place (`[person1]`) is called by its region's category, for no mark shows its number."""
    place = _PLACE.fullmatch(words)
    if place is None:
        return one_line(words) or "region"
    category = one_line(regions[0].category) if regions else ""
    return category or one_line((place[1] or place[2] or "").rstrip("0123456789")) or "region"


def spoken(record: Record, text: GroundedText) -> str:
    """The words of an answer that points at nothing, on one line, places by name."""
    by_id = {region.id: region for region in record.regions}
    words = [
        piece
        if span is None or not _PLACE.fullmatch(piece)
        else _concept(piece, [by_id[id_] for id_ in span.region_ids if id_ in by_id])
        for piece, span in _pieces(text)
    ]
    return one_line("".join(words))


def point_triplet(concept: str, points_xy: Iterable[tuple[float, float]]) -> Triplet:
    """A concept and the positions it names, from left to right, then from top to bottom."""
    return Triplet(concept, "point", tuple(Reference(Point(point)) for point in sorted(set(points_xy))))


def inside(record: Record, setting: Setting, points_xy: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that lie on the photo; the others are left out with a reason."""
    width, height = record.photo.size_wh if record.photo else (0, 0)
    kept: list[tuple[float, float]] = []
    for x, y in points_xy:
        if 0 <= x <= width and 0 <= y <= height:
            kept.append((x, y))
        else:
            leave_out(record, setting, "point outside the photo", f"({x}, {y}) in {width} x {height}")
    return kept


def has_triplet(parts: Parts) -> bool:
    """Whether an answer points at anything."""
    return any(isinstance(part, Triplet) for part in parts)


# --- questions -------------------------------------------------------------------------------------------------------

MarksOf = Callable[[Span], Sequence[Prompt]]


def marked(text: GroundedText, marks_of: MarksOf, only_places: bool = False) -> Parts | None:
    """The parts of a question: tied words with their marks; with `only_places` only words that hold a place get any.

    None when a place stays empty: the question makes no sense then. Line breaks are kept (chats have them).
    """
    parts: list[Part] = []
    for words, span in _pieces(text):
        place = span is not None and _PLACE.fullmatch(words) is not None
        if not place:
            parts.append(words)
        prompts = marks_of(span) if span is not None and (place or not only_places) else ()
        if place and not prompts:
            return None
        for index, prompt in enumerate(prompts):
            parts.extend((", " if index else "" if place else " ", prompt))
    return _trimmed(parts)


def region_marks(record: Record, setting: Setting, kinds: Sequence[PromptKind]) -> MarksOf:
    """Draws marks on the regions of a span, each of the first kind it has geometry for; none unless all can be drawn.

    A region gets the same mark however often it is spoken of: two words for one thing point at one mark.
    """
    by_id = {region.id: region for region in record.regions}
    drawn: dict[str, Prompt | None] = {}

    def draw(id_: str) -> Prompt | None:
        region = by_id.get(id_)
        if region is None:
            return None
        for kind in kinds:
            if region.mask_rle is not None or (kind == "box" and region.box_xyxy is not None):
                return mark(record, setting, region, kind)
        return None

    def marks_of(span: Span) -> Sequence[Prompt]:
        for id_ in span.region_ids:
            if id_ not in drawn:
                drawn[id_] = draw(id_)
        found = [drawn[id_] for id_ in dict.fromkeys(span.region_ids)]
        prompts = [prompt for prompt in found if prompt is not None]
        return prompts if len(prompts) == len(found) else ()

    return marks_of


def point_marks(record: Record, setting: Setting) -> MarksOf:
    """The positions of a span as point marks, or else points drawn in its regions' masks."""
    in_regions = region_marks(record, setting, ("point",))

    def marks_of(span: Span) -> Sequence[Prompt]:
        points = inside(record, setting, span.points_xy)
        return [Prompt("point", Point(point)) for point in points] or in_regions(span)

    return marks_of


def grounded_captions(record: Record, setting: Setting, kind: UnitKind) -> Iterator[Dialogue]:
    """One dialogue per caption that points at something, or one per photo in evaluation, with all captions as references."""
    references = tuple(words for caption in record.grounded_captions if (words := plain(caption)))
    answers = (grounded(record, setting, caption, kind) for caption in record.grounded_captions)
    for n, answer in enumerate(filter(has_triplet, answers)):
        question = setting.words.say(setting.rng, "question")
        yield ask(record, setting, n, question, answer, Evaluation(references=references))
        if not setting.training:
            return
