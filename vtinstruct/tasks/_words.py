"""Words of the data that name regions: expressions, and the texts whose spans are tied to regions."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from vtinstruct.dialogue import Triplet
from vtinstruct.record import Expression, Question, Record, Region
from vtinstruct.task import Setting
from vtinstruct.tasks._shared import has_unit, leave_out, one_line, triplet
from vtinstruct.tasks._spans import holds_place, plain, spoken
from vtinstruct.units import UnitKind


def meant(
    record: Record, setting: Setting, kind: UnitKind, counts: Collection[int] | None = None
) -> Iterator[tuple[str, Triplet]]:
    """Every expression as its phrase and the triplet that answers it. A crowd may be meant ("a row of chairs").

    With `counts`, only expressions of so many regions are looked at; the others are another task's. An expression
    without words, or one that means a region the record does not have, or not with that geometry, is left out with
    a reason.
    """
    by_id = {region.id: region for region in record.regions}
    for expression in record.expressions:
        ids = tuple(dict.fromkeys(expression.region_ids))
        if counts is not None and len(ids) not in counts:
            continue
        fault = _fault(expression, ids, by_id, kind)
        if fault:
            leave_out(record, setting, fault, f"expression {expression.id} {expression.text!r:.60}")
            continue
        phrase = one_line(expression.text)
        yield phrase, triplet(phrase, kind, (by_id[id_] for id_ in ids))


def _fault(expression: Expression, ids: tuple[str, ...], by_id: dict[str, Region], kind: UnitKind) -> str:
    if not expression.text.strip():
        return "expression without words"
    if any(id_ not in by_id for id_ in ids):
        return "expression of an unknown region"
    return "" if all(has_unit(by_id[id_], kind) for id_ in ids) else f"expression of a region without {kind}"


def expressions_by_region(record: Record) -> dict[str, tuple[str, ...]]:
    """Region id -> all expressions that mean this region and no other, in the source's order, each once."""
    found: dict[str, dict[str, None]] = {}
    for expression in record.expressions:
        phrase = one_line(expression.text)
        if phrase and len(set(expression.region_ids)) == 1:
            found.setdefault(expression.region_ids[0], {})[phrase] = None
    return {id_: tuple(phrases) for id_, phrases in found.items()}


def accepted(record: Record, setting: Setting, question: Question) -> tuple[str, ...]:
    """All accepted answers of a question as words, the one to teach first; none (with a reason) when it has no answer."""
    answers = tuple(words for answer in question.answers if (words := spoken(record, answer)))
    if not answers or not plain(question.question):
        leave_out(record, setting, "question without words or answer", f"question {question.id}")
        return ()
    return answers


def questions(record: Record, setting: Setting) -> Iterator[tuple[Question, str, tuple[str, ...]]]:
    """Every question that stands without marks on the photo, its words and its accepted answers."""
    for question in record.questions:
        if not holds_place(question.question) and (answers := accepted(record, setting, question)):
            yield question, plain(question.question), answers


def phrases_by_region(record: Record) -> dict[str, tuple[str, ...]]:
    """Region id -> all words of grounded captions that are tied to this region and no other, each once."""
    found: dict[str, dict[str, None]] = {}
    for caption in record.grounded_captions:
        for span in caption.spans:
            phrase = one_line(caption.text[span.start : span.stop])
            if phrase and len(set(span.region_ids)) == 1:
                found.setdefault(span.region_ids[0], {})[phrase] = None
    return {id_: tuple(phrases) for id_, phrases in found.items()}
