"""Rows of instance tasks: what AP needs of a sample, from dialogues to columns. Used by the three AP scorers."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.engine import Instances
from benchmarks.scorer import Answered, Row, Setting, class_key, common, true_triplets
from vtinstruct.dialogue import Dialogue, Reference
from vtinstruct.units import Unit, UnitKind

Floats = NDArray[np.float64]
Similarity = Callable[[list[Any], list[Any], list[bool]], Floats]  # found, true, crowd -> (F, T) in 0..1
Lenient = Callable[[list[int]], Callable[[int], bool]]  # a photo's true classes -> whether a class is judged leniently

# One row a sample; lists run over its instances. Boxes are x, y, width, height, flat.
COLUMNS: dict[str, Any] = {
    "width": pl.Int64, "height": pl.Int64, "true_class": pl.List(pl.Int64), "true_box": pl.List(pl.Float64),
    "true_area": pl.List(pl.Float64), "true_crowd": pl.List(pl.Boolean), "found_class": pl.List(pl.Int64),
    "found_box": pl.List(pl.Float64), "found_score": pl.List(pl.Float64), "unknown": pl.List(pl.String),
    "hits50": pl.Int64, "hits75": pl.Int64, "true_count": pl.Int64, "found_count": pl.Int64,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of instance enters a row: its unit kind, the value read from a reference (None: not usable), its box
    and area, and the similarity that decides a hit."""

    unit: UnitKind
    value: Callable[[Unit | None, Reference, tuple[int, int]], Any]
    box_xywh: Callable[[Any, Reference], tuple[float, float, float, float]]
    area: Callable[[Any], float]
    similarity: Similarity


@dataclass(slots=True)
class Side:
    """The instances of one sample on one side: parallel lists. `ignore` marks truths that neither help nor hurt."""

    values: list[Any]
    classes: list[int]
    references: list[Reference]
    crowd: list[bool]
    ignore: list[bool]


def open_class_id(name: str) -> int:
    """The id of a class that no vocabulary numbers (open-vocabulary sources): above 2^32, from its name alone."""
    return (1 << 32) + zlib.crc32(class_key(name).encode())


def true_class(reference: Reference, concept: str, setting: Setting) -> int:
    """The class id of an annotated instance: the source's, or its name's, or an open one."""
    if reference.category_id >= 0:
        return reference.category_id
    name = reference.category or concept
    return setting.vocabulary.get(class_key(name), open_class_id(name))


def names_of(truth: Dialogue, kind: UnitKind, setting: Setting) -> Mapping[str, int]:
    """What a phrase means in this sample: the vocabulary, and the words this very sample uses for its classes."""
    found = dict[str, int]()
    for triplet in true_triplets(truth, kind):
        for reference in triplet.references:
            found[class_key(triplet.concept)] = true_class(reference, triplet.concept, setting)
    for concept in truth.evaluation.concepts:
        key = class_key(concept)
        if key not in setting.vocabulary:
            found.setdefault(key, open_class_id(concept))
    return found


def truth_side(truth: Dialogue, kind: Kind, setting: Setting) -> Side:
    """Annotated instances first, then the regions to ignore, which neither help nor hurt."""
    side = Side([], [], [], [], [])
    size_wh = truth.photo.size_wh if truth.photo else (0, 0)
    for triplet in true_triplets(truth, kind.unit):
        for reference in triplet.references:
            _add(side, kind, reference, true_class(reference, triplet.concept, setting), False, size_wh)
    for reference in truth.evaluation.ignore:
        _add(side, kind, reference, true_class(reference, reference.category, setting), True, size_wh)
    return side


def _add(side: Side, kind: Kind, reference: Reference, category: int, ignore: bool, size_wh: tuple[int, int]) -> None:
    value = kind.value(reference.unit, reference, size_wh)
    if value is not None:
        side.values.append(value)
        side.classes.append(category)
        side.references.append(reference)
        # COCO ignores boxes and masks by their crowd flag alone, poses also for having no labelled point
        side.crowd.append(reference.crowd or (ignore and kind.unit != "keypoint"))
        side.ignore.append(ignore or reference.crowd)


def found_side(truth: Dialogue, answer: Answered, kind: Kind, setting: Setting) -> tuple[Side, list[str]]:
    """The answer's instances whose class is known, and the names that are not: one entry per instance."""
    side, unknown = Side([], [], [], [], []), list[str]()
    size_wh = truth.photo.size_wh if truth.photo else (0, 0)
    triplets = answer.triplets(kind.unit)
    names = names_of(truth, kind.unit, setting) if triplets else dict[str, int]()
    for triplet in triplets:
        key = class_key(triplet.concept)
        category = names.get(key, setting.vocabulary.get(key))
        if category is None and not setting.vocabulary:
            category = open_class_id(triplet.concept)
        for reference in triplet.references:
            if category is None:
                unknown.append(triplet.concept)
            else:
                _add(side, kind, reference, category, False, size_wh)
    return side, unknown


def instance_row(
    truth: Dialogue, answer: Answered, kind: Kind, setting: Setting, lenient: Lenient | None = None
) -> tuple[Row, Side, Side]:
    """The shared part of an AP scorer's row; the two sides are returned so that it can add masks or poses. Unmatched
    answers of the classes that `lenient` says do not count (LVIS)."""
    true, (found, unknown) = truth_side(truth, kind, setting), found_side(truth, answer, kind, setting)
    hits, counted = hits_of(kind, true, found, lenient(true.classes) if lenient else None)
    true_count = len(true.ignore) - sum(true.ignore)
    found_count = counted + len(unknown)
    total = true_count + found_count
    row = common(truth, answer, 2 * hits[0] / total if total else float(answer.state != "missing"))
    width, height = truth.photo.size_wh if truth.photo else (0, 0)
    row |= {
        "width": width, "height": height, "true_class": true.classes,
        "true_box": _flat(kind.box_xywh(v, r) for v, r in zip(true.values, true.references, strict=True)),
        "true_area": [
            kind.area(v) if r.area is None else r.area for v, r in zip(true.values, true.references, strict=True)
        ],
        "true_crowd": true.crowd, "found_class": found.classes,
        "found_box": _flat(kind.box_xywh(v, r) for v, r in zip(found.values, found.references, strict=True)),
        "found_score": [reference.score for reference in found.references], "unknown": unknown,
        "hits50": hits[0], "hits75": hits[1], "true_count": true_count, "found_count": found_count,
    }  # fmt: skip
    return row, true, found


def _flat(boxes: Iterable[Sequence[float]]) -> list[float]:
    return [value for box in boxes for value in box]


def hits_of(
    kind: Kind, true: Side, found: Side, lenient: Callable[[int], bool] | None = None
) -> tuple[tuple[int, int], int]:
    """One-to-one matches of the same class at similarity .5 and .75 (best confidence first, each to its best free
    truth), and how many found instances count: those that only lie in an ignored region do not, nor do unmatched ones of
    a lenient class."""
    free = np.array([lenient is not None and lenient(category) for category in found.classes], dtype=np.bool_)
    if not found.values or not true.values:
        return (0, 0), len(found.values) - int(free.sum())
    similar = kind.similarity(found.values, true.values, true.crowd)
    similar = np.where(np.array(found.classes)[:, None] == np.array(true.classes)[None, :], similar, 0.0)
    ignore = np.array(true.ignore)
    scores = np.array([1.0 if r.score is None else r.score for r in found.references])
    order = np.argsort(-scores, kind="stable")
    first = _greedy(similar, order, ~ignore, 0.5)
    second = _greedy(similar, order, ~ignore, 0.75)
    excused = np.asarray((similar[:, ignore] >= 0.5).any(axis=1) | free, dtype=np.bool_)
    excused[list(first)] = False
    return (len(first), len(second)), len(found.values) - int(excused.sum())


def _greedy(similar: Floats, order: NDArray[np.int64], free: NDArray[np.bool_], threshold: float) -> dict[int, int]:
    found, true = np.nonzero((similar >= threshold) & free[None, :])
    candidates: dict[int, list[int]] = {}
    for f, t in zip(found.tolist(), true.tolist(), strict=True):
        candidates.setdefault(f, []).append(t)
    taken: dict[int, int] = {}
    used = set[int]()
    for f in (f for f in order.tolist() if f in candidates):
        open_ = [t for t in candidates[f] if t not in used]
        if open_:
            best = max(open_, key=lambda t: similar[f, t])
            taken[f] = best
            used.add(best)
    return taken


# --- from rows to columns --------------------------------------------------------------------------------------------


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts "coco:9" before "coco:10": official scripts order photos by number, and that order breaks ties."""
    return tuple((1, int(p), "") if p.isdigit() else (0, 0, p) for p in re.split(r"([0-9]+)", text))


def in_photo_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows by photo number, then id: whatever order they were scored or merged in."""
    keys = [(natural_key(photo), id_) for photo, id_ in zip(rows["photo"], rows["id"], strict=True)]
    return rows[sorted(range(len(keys)), key=keys.__getitem__)] if keys else rows


def columns(rows: pl.DataFrame, side: str) -> Instances:
    """The boxes, classes and scores of all rows ("true" or "found"); photo n is the n-th row."""
    classes = rows[f"{side}_class"]
    counts = classes.list.len().to_numpy()
    image = np.repeat(np.arange(1, rows.height + 1, dtype=np.int64), counts)
    category = flat(classes, np.int64)
    boxes = flat(rows[f"{side}_box"], np.float64).reshape(-1, 4)
    if side == "true":
        return Instances(
            image, category, boxes, flat(rows["true_area"], np.float64), flat(rows["true_crowd"], np.bool_)
        )
    return Instances(image, category, boxes, score=scores_of(rows)[0])


def sizes_of(rows: pl.DataFrame) -> list[tuple[int, int]]:
    """Every row's photo as (width, height)."""
    return list(zip(rows["width"].to_list(), rows["height"].to_list(), strict=True))


def scores_of(rows: pl.DataFrame) -> tuple[Floats, bool]:
    """Every found instance's confidence, and whether there are any. Without any, all are equal and order decides;
    where only some lack one, those come last."""
    scores = flat(rows["found_score"], np.float64)
    missing = np.isnan(scores)
    if scores.size and missing.all():
        return np.ones_like(scores), False
    if missing.any():
        scores = np.where(missing, np.nanmin(scores) - 1.0, scores)
    return scores, True


def flat(series: pl.Series, dtype: Any) -> NDArray[Any]:
    """A list column's values, end to end; empty lists add nothing, null numbers are NaN."""
    lists = cast(Any, series.rechunk().to_arrow())  # flattening skips empty and null lists
    return np.asarray(lists.flatten().to_numpy(zero_copy_only=False)).astype(dtype)
