"""Texts whose words are tied to regions: built piece by piece, so that character positions are right by construction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vtinstruct.record import GroundedText, Question, Span

PUNCTUATION = ".,?!;:'\"()"


def plain(text: str) -> GroundedText:
    """A text tied to nothing."""
    return GroundedText(text)


def one_line(text: str) -> str:
    """Words with single blanks between them and none around."""
    return " ".join(text.split())


class TextBuilder:
    """Grows a text; `tied` pieces become spans, which are in order and never overlap."""

    def __init__(self) -> None:
        self._text = ""
        self._spans: list[Span] = []

    def add(self, piece: str) -> None:
        """Words tied to nothing."""
        self._text += piece

    def tied(self, piece: str, region_ids: Sequence[str] = (), points_xy: Sequence[tuple[float, float]] = ()) -> None:
        """Words that speak of regions or positions; without either they are plain words."""
        if piece and (region_ids or points_xy):
            start = len(self._text)
            self._spans.append(Span(start, start + len(piece), tuple(dict.fromkeys(region_ids)), tuple(points_xy)))
        self._text += piece

    def space(self) -> None:
        """A blank, unless nothing or a blank stands before it."""
        if self._text and not self._text[-1].isspace():
            self._text += " "

    def done(self) -> GroundedText:
        """The text as it is now."""
        return GroundedText(self._text, tuple(self._spans))


def without_overlaps(text: str, spans: Iterable[Span]) -> tuple[GroundedText, list[Span]]:
    """The text with as many of `spans` as do not overlap, and those left out. Longer ones go first, then earlier ones."""
    kept: list[Span] = []
    left_out: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start - span.stop, span.start)):
        fits = 0 <= span.start < span.stop <= len(text)
        if fits and all(span.stop <= other.start or other.stop <= span.start for other in kept):
            kept.append(span)
        else:
            left_out.append(span)
    return GroundedText(text, tuple(sorted(kept, key=lambda span: span.start))), left_out


def word_bounds(text: str) -> list[tuple[int, int]]:
    """Start and stop of every word between blanks, without the punctuation around it."""
    bounds: list[tuple[int, int]] = []
    position = 0
    for word in text.split():
        start = text.index(word, position)
        position = start + len(word)
        bare = word.strip(PUNCTUATION)
        inner = start + (word.index(bare) if bare else 0)
        bounds.append((inner, inner + len(bare)) if bare else (start, position))
    return bounds


def question(id_: str, text: str, answers: Sequence[str], **more: object) -> Question:
    """A question of plain words; the other fields as `Question` names them."""
    return Question(id_, plain(one_line(text)), tuple(plain(one_line(answer)) for answer in answers), **more)  # type: ignore[arg-type]


def teach_first(answers: Sequence[str], chosen: str) -> list[str]:
    """All answers with one `chosen` in front; where none of them says so, the most frequent of them."""
    ordered = list(answers)
    if not ordered:
        return [chosen] if chosen else []
    wanted = chosen if chosen in ordered else max(ordered, key=ordered.count)
    ordered.remove(wanted)
    return [wanted, *ordered]
