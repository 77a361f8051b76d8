"""What tasks share: building a dialogue, pointing at annotated regions, and the one canonical order of an answer.

The order is part of what a model learns, so it is the same everywhere: one triplet per category, categories by name
(A to Z), the references of a triplet from left to right by box centre, then from top to bottom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import wraps
from operator import attrgetter
from typing import Any, cast

from vtinstruct.dialogue import (
    Dialogue,
    Evaluation,
    Part,
    Parts,
    Prompt,
    PromptKind,
    Provenance,
    Reference,
    StoredPhoto,
    Triplet,
    Turn,
)  # fmt: skip
from vtinstruct.geometry import rle_box
from vtinstruct.prompts import PromptError, draw
from vtinstruct.record import Drop, Record, Region
from vtinstruct.task import Setting
from vtinstruct.tasks._categories import by_category
from vtinstruct.units import Box, Keypoints, Mask, Unit, UnitKind

Make = Callable[[Record, Setting], Iterator[Dialogue]]
NO_EVALUATION = Evaluation()

# --- dialogues -------------------------------------------------------------------------------------------------------


def of_a_photo(make: Make) -> Make:
    """For tasks that ask about a photo: nothing is made of a record without one (a text-only chat)."""

    @wraps(make)
    def made(record: Record, setting: Setting) -> Iterator[Dialogue]:
        return make(record, setting) if record.photo is not None else iter(())

    return made


def exchange(question: Parts, answer: Parts) -> tuple[Turn, Turn]:
    """A question and its answer as two turns."""
    return Turn("user", question), Turn("assistant", answer)


def dialogue(
    record: Record,
    setting: Setting,
    n: int,
    turns: Sequence[Turn],
    templates: Iterable[str] = (),
    evaluation: Evaluation | None = None,
) -> Dialogue:
    """The n-th dialogue a task makes of a record. `evaluation` is kept in evaluation splits only; the hashes and the
    converter's version are filled in by the build, which knows the files."""
    task, photo, origin = setting.words.task, record.photo, record.origin
    return Dialogue(
        f"{record.source}/{record.split}/{record.id}/{task}/{n}",
        task,
        record.source,
        record.split,
        record.licence,
        StoredPhoto(photo.path, "", photo.size_wh, photo.id) if photo else None,
        tuple(turns),
        NO_EVALUATION if setting.training or evaluation is None else evaluation,
        Provenance(origin.file, "", origin.row, "", setting.seed, " ".join(templates)),
    )


def ask(
    record: Record,
    setting: Setting,
    n: int,
    question: tuple[Parts, str],
    answer: tuple[Parts, str] | Parts,
    evaluation: Evaluation | None = None,
) -> Dialogue:
    """A dialogue of one question and one answer, each with its template id (an answer of the data has none)."""
    words, template = question
    first = answer[0] if answer else ""
    if isinstance(first, tuple):
        parts, second = cast(tuple[Parts, str], answer)
        return dialogue(record, setting, n, exchange(words, parts), (template, second), evaluation)
    return dialogue(record, setting, n, exchange(words, cast(Parts, answer)), (template,), evaluation)


def leave_out(record: Record, setting: Setting, reason: str, detail: str = "") -> None:
    """Tell the ledger that a task left something of a record out, and why."""
    origin = record.origin
    drop = Drop(record.source, record.split, origin.file, origin.row, reason, detail, task=setting.words.task)
    setting.report(drop)


def one_line(text: str) -> str:
    """A phrase or sentence of the data without line breaks and double spaces; nothing else is touched."""
    return " ".join(text.split())


# --- regions ---------------------------------------------------------------------------------------------------------


# the geometry of a region behind each kind of unit; positions and depth are no region's
_GEOMETRY: dict[UnitKind, tuple[Callable[[Region], Any], Callable[[Any], Unit]]] = {
    "box": (attrgetter("box_xyxy"), Box),
    "mask": (attrgetter("mask_rle"), Mask),
    "keypoint": (attrgetter("keypoints_xyv"), Keypoints),
}


def has_unit(region: Region, kind: UnitKind) -> bool:
    """Whether the region has geometry of that kind. A pose without a point is still a pose: persons that nobody labelled
    are ignored in scoring by their box and area."""
    known = _GEOMETRY.get(kind)
    return known is not None and known[0](region) is not None


def references(regions: Sequence[Region], kind: UnitKind) -> tuple[Reference, ...]:
    """References to regions with the facts official scoring needs; a pose keeps the annotation's box (OKS)."""
    take, make = _GEOMETRY.get(kind, (_nothing, Box))
    found = [
        Reference(None if what is None else make(what), None, r.category, r.category_id, r.id, r.area, r.crowd)
        for r, what in zip(regions, map(take, regions), strict=True)
    ]
    if kind == "keypoint":
        found = [replace(it, box_xyxy=region.box_xyxy) for it, region in zip(found, regions, strict=True)]
    return tuple(found)


def _nothing(region: Region) -> None:
    return None


def reading_order(regions: Iterable[Region]) -> list[Region]:
    """Regions from left to right by box centre, then from top to bottom, then by id."""
    found = list(regions)
    if len(found) < 2:
        return found
    boxes = [region.box_xyxy or (rle_box(region.mask_rle) if region.mask_rle else _NOWHERE) for region in found]
    keys = [
        (x0 + x1, y0 + y1, region.id, place)
        for place, (region, (x0, y0, x1, y1)) in enumerate(zip(found, boxes, strict=True))
    ]
    return [found[key[3]] for key in sorted(keys)]


_NOWHERE = (0.0, 0.0, 0.0, 0.0)


def instances(record: Record, setting: Setting, kind: UnitKind) -> list[Region]:
    """The regions an answer may point at: named, no crowd, with that geometry. A named region without it is left out
    with a reason; one without a name (a described region) is nothing to this task."""
    found = [region for region in record.regions if not region.crowd and region.category.strip()]
    take, _ = _GEOMETRY.get(kind, (_nothing, Box))
    if None not in map(take, found):
        return found
    for region in found:
        if take(region) is None:
            leave_out(record, setting, f"region without {kind}", f"region {region.id} ({region.category})")
    return [region for region in found if take(region) is not None]


def unlabelled(record: Record, kind: UnitKind) -> bool:
    """Whether named things of the photo have no geometry of that kind: "there is nothing" would be a lie then (Pascal
    VOC has masks for one photo in six)."""
    named = (region for region in record.regions if not region.crowd and region.category.strip())
    return not all(has_unit(region, kind) for region in named)


def triplet(concept: str, kind: UnitKind, regions: Iterable[Region]) -> Triplet:
    """A concept and the regions it names, in canonical order."""
    return Triplet(one_line(concept), kind, references(reading_order(regions), kind))


def triplets_by_category(regions: Iterable[Region], kind: UnitKind) -> list[Triplet]:
    """One triplet for each category, by name."""
    return [triplet(category, kind, found) for category, found in by_category(regions).items()]


def listing(triplets: Sequence[Triplet]) -> Parts:
    """Triplets with commas between them."""
    parts: list[Part] = []
    for item in triplets:
        parts.extend((", ", item) if parts else (item,))
    return tuple(parts)


# --- what scoring ignores --------------------------------------------------------------------------------------------


def is_crowd(region: Region) -> bool:
    """Whether a region is a group: official scores neither reward nor punish finding it."""
    return region.crowd


def exam(
    record: Record,
    setting: Setting,
    kind: UnitKind,
    concepts: tuple[str, ...] = (),
    ignore: Callable[[Region], bool] = is_crowd,
) -> Evaluation:
    """What official scoring needs beside the answer: crowds as "ignore" (or what `ignore` says), LVIS's lists. Nothing in
    training, where nothing is scored."""
    if setting.training:
        return NO_EVALUATION
    ignored = [region for region in record.regions if ignore(region) and (not concepts or region.category in concepts)]
    return Evaluation(
        concepts=concepts,
        ignore=references([region for region in ignored if has_unit(region, kind)], kind),
        negatives=record.negatives,
        not_exhaustive=record.not_exhaustive,
    )


# --- prompts ---------------------------------------------------------------------------------------------------------


def prompted(
    record: Record, setting: Setting, regions: Sequence[Region], kinds: Sequence[PromptKind], cap: int
) -> Iterator[tuple[Region, Prompt]]:
    """Regions with a mark on each: in training one kind at random, in evaluation every kind, drawn exactly.

    At most `cap` regions a photo, chosen by the rng (so by record and seed alone), in canonical order. A region
    without a mask is marked with the kinds that need none.
    """
    ordered = reading_order(regions)
    if len(ordered) > cap:
        ordered = [ordered[index] for index in sorted(setting.rng.sample(range(len(ordered)), cap))]
    for region in ordered:
        fitting: list[PromptKind] = [kind for kind in kinds if region.mask_rle is not None or kind in ("point", "box")]
        if not fitting:
            leave_out(record, setting, "no prompt could be drawn", f"region {region.id} has no mask")
        elif setting.training:
            fitting = [setting.rng.choice(fitting)]
        for kind in fitting:
            prompt = mark(record, setting, region, kind)
            if prompt is not None:
                yield region, prompt


def mark(record: Record, setting: Setting, region: Region, kind: PromptKind) -> Prompt | None:
    """A mark on a region, drawn loosely in training and exactly in evaluation; None (with a reason) if none can be."""
    if record.photo is None:
        return None
    try:
        return draw(kind, region, record.photo.size_wh, setting.rng, exact=not setting.training)
    except PromptError as error:
        leave_out(record, setting, "no prompt could be drawn", str(error))
        return None
