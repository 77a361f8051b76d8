"""Rows of instance tasks: what AP needs of a sample, from dialogues to columns. Used by the three AP scorers."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.arrow import as_numpy
from benchmarks.columns import Instances, Rles
from benchmarks.matching import Similar, pairs, take
from benchmarks.scorer import Answered, Row, Setting, class_key, common, true_triplets
from vtinstruct.dialogue import Dialogue, Reference
from vtinstruct.units import Unit, UnitKind

Floats = NDArray[np.float64]

# One row a sample; lists run over its instances. Boxes are x, y, width, height, flat. `words` name the sample's classes that
# the source's vocabulary does not.
WORDS: dict[str, Any] = {"words": pl.List(pl.Struct({"id": pl.Int64, "name": pl.String}))}
COLUMNS: dict[str, Any] = {
    "width": pl.Int64, "height": pl.Int64, "true_class": pl.List(pl.Int64), "true_box": pl.List(pl.Float64),
    "true_area": pl.List(pl.Float64), "true_crowd": pl.List(pl.Boolean), "found_class": pl.List(pl.Int64),
    "found_box": pl.List(pl.Float64), "found_score": pl.List(pl.Float64), "unknown": pl.List(pl.String),
    "hits50": pl.Int64, "hits75": pl.Int64, "true_count": pl.Int64, "found_count": pl.Int64, **WORDS,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of instance enters a row: its unit kind, the value read from a reference (None: not usable), its box (None:
    no number rests on it) and area."""

    unit: UnitKind
    value: Callable[[Unit | None, Reference, tuple[int, int]], Any]
    box_xywh: Callable[[Any, Reference], tuple[float, float, float, float]] | None
    area: Callable[[Any], float]


@dataclass(slots=True)
class Side:
    """The instances of one sample on one side: parallel lists."""

    values: list[Any]
    classes: list[int]
    references: list[Reference]
    crowd: list[bool]
    names: list[str]


OPEN = 1 << 32


def open_class_id(name: str) -> int:
    """The id of a class that no vocabulary numbers (open-vocabulary sources): above 2^32, from its name alone."""
    return OPEN + zlib.crc32(class_key(name).encode())


def class_of(phrase: str, setting: Setting) -> int | None:
    """The class id that an answered phrase means, whatever the sample; None for one that the source does not have."""
    key = class_key(phrase)
    found = setting.vocabulary.get(key)
    if found is not None:
        return found
    return setting.phrases.resolve(key, setting.vocabulary) if setting.vocabulary else open_class_id(phrase)


def true_class(reference: Reference, concept: str, setting: Setting) -> int:
    """The class id of an annotated instance: the source's, or its name's, or an open one."""
    if reference.category_id >= 0:
        return reference.category_id
    name = reference.category or concept
    return setting.vocabulary.get(class_key(name), open_class_id(name))


Named = Iterable[tuple[int, str]]  # class ids and what they are called


def words_of(true: Named, found: Named, setting: Setting) -> list[Row]:
    """A row's `words`: what annotations call their classes that no vocabulary names, and answers those that have no number but
    their words'."""
    named = {*true, *(pair for pair in found if pair[0] >= OPEN)}
    return [{"id": i, "name": name} for i, name in sorted(named) if name and i not in setting.categories]


def with_words(setting: Setting, rows: pl.DataFrame) -> Setting:
    """A setting that knows the rows' `words`; of several names of a class, the most frequent, then the first by alphabet."""
    pairs = rows["words"].explode().drop_nulls().struct.unnest()
    if not pairs.height:
        return setting
    often = pairs.group_by("id", "name").len().sort("id", "len", "name", descending=[False, True, False])
    first = often.unique("id", keep="first", maintain_order=True)
    return replace(setting, words=dict(zip(first["id"].to_list(), first["name"].to_list(), strict=True)))


def unknown_words(rows: pl.DataFrame) -> dict[str, Any]:
    """Instances whose phrase is no class of the source: they match nothing, and are counted; the 20 most frequent phrases."""
    counts = Counter(name for names in rows["unknown"].to_list() for name in names)
    return {
        "instances": sum(counts.values()),
        "phrases": dict(sorted(counts.items(), key=lambda c: (-c[1], c[0]))[:20]),
    }


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
            named = reference.category or triplet.concept, true_class(reference, triplet.concept, setting)
            _add(side, kind, reference, named, False, size_wh)
    for reference in truth.evaluation.ignore:
        named = reference.category, true_class(reference, reference.category, setting)
        _add(side, kind, reference, named, True, size_wh)
    return side


def _add(
    side: Side, kind: Kind, reference: Reference, named: tuple[str, int], ignore: bool, size_wh: tuple[int, int]
) -> None:
    value = kind.value(reference.unit, reference, size_wh)
    if value is not None:
        side.values.append(value)
        side.names.append(named[0])
        side.classes.append(named[1])
        side.references.append(reference)
        # COCO ignores boxes and masks by their crowd flag alone, poses also for having no labelled point
        side.crowd.append(reference.crowd or (ignore and kind.unit != "keypoint"))


def found_side(truth: Dialogue, answer: Answered, kind: Kind, setting: Setting) -> tuple[Side, list[str]]:
    """The answer's instances whose class is known, and the names that are not: one entry per instance."""
    side, unknown = Side([], [], [], [], []), list[str]()
    size_wh = truth.photo.size_wh if truth.photo else (0, 0)
    triplets = answer.triplets(kind.unit)
    names = names_of(truth, kind.unit, setting) if triplets else dict[str, int]()
    for triplet in triplets:
        category = names.get(class_key(triplet.concept))
        if category is None:
            category = class_of(triplet.concept, setting)
        for reference in triplet.references:
            if category is None:
                unknown.append(triplet.concept)
            else:
                _add(side, kind, reference, (triplet.concept, category), False, size_wh)
    return side, unknown


def instance_row(truth: Dialogue, answer: Answered, kind: Kind, setting: Setting) -> tuple[Row, Side, Side]:
    """The shared part of an AP scorer's row; the two sides are returned so that it can add masks or poses."""
    true, (found, unknown) = truth_side(truth, kind, setting), found_side(truth, answer, kind, setting)
    row = common(truth, answer, 0.0)
    width, height = truth.photo.size_wh if truth.photo else (0, 0)
    row |= {
        "width": width, "height": height, "true_class": true.classes,
        "true_area": [
            kind.area(v) if r.area is None else r.area for v, r in zip(true.values, true.references, strict=True)
        ],
        "true_crowd": true.crowd, "found_class": found.classes,
        "found_score": [reference.score for reference in found.references], "unknown": unknown,
        "words": words_of(_named(true), _named(found), setting),
    }  # fmt: skip
    if kind.box_xywh is not None:
        for name, side in (("true_box", true), ("found_box", found)):
            boxes = map(kind.box_xywh, side.values, side.references)
            row[name] = [number for box in boxes for number in box]
    return row, true, found


def _named(side: Side) -> Named:
    return zip(side.classes, side.names, strict=True)


def ignored(truth: Instances) -> NDArray[np.bool_]:
    """The truths that neither help nor hurt: crowds, and poses without a labelled point."""
    return truth.crowd if truth.keypoints is None else truth.crowd | ~(truth.keypoints[:, 2::3] > 0).any(axis=1)


def with_hits(
    rows: pl.DataFrame, truth: Instances, found: Instances, similar: Similar, lenient: NDArray[np.bool_] | None = None
) -> pl.DataFrame:
    """Fill what needs matching: one-to-one hits of the same class at similarity .5 and .75 (best confidence first), how many
    instances count on either side (found ones that only lie in an ignored region do not), and each row's own F1.

    `truth` and `found` are the rows' instances, photo n being the n-th row; `lenient` marks found ones that do not count
    unless they hit (LVIS).
    """
    near, ignore = pairs(truth, found, similar), ignored(truth)
    some = np.unique(near.found)  # most found instances resemble nothing
    score = np.where(np.isnan(found.score[some]), 1.0, found.score[some])
    rank = np.zeros(len(found), dtype=np.int64)
    rank[some[np.lexsort((-score, found.image[some]))]] = np.arange(some.size)
    taken = take(near, rank, ignore[None, :], truth.crowd, np.array([0.5, 0.75]))
    hit = np.zeros((len(found), 2), dtype=np.bool_)
    hit[taken.found] = (taken.truth[:, 0] >= 0) & ~ignore[taken.truth[:, 0]]
    excused = np.zeros(len(found), dtype=np.bool_) if lenient is None else lenient.copy()
    excused[near.found[ignore[near.truth]]] = True
    excused &= ~hit[:, 0]

    def count(image: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.bincount(image - 1, minlength=rows.height)

    hits, hits75 = count(found.image[hit[:, 0]]), count(found.image[hit[:, 1]])
    true_count = count(truth.image[~ignore])
    found_count = count(found.image[~excused]) + rows["unknown"].list.len().to_numpy().astype(np.int64)
    total = true_count + found_count
    empty = (rows["state"] != "missing").to_numpy().astype(np.float64)
    quality = np.where(total > 0, 2 * hits / np.maximum(total, 1), empty)
    return rows.with_columns(
        pl.Series("quality", quality), pl.Series("hits50", hits), pl.Series("hits75", hits75),
        pl.Series("true_count", true_count), pl.Series("found_count", found_count),
    )  # fmt: skip


LATE = ("quality", "hits50", "hits75", "true_count", "found_count")


# --- from rows to columns --------------------------------------------------------------------------------------------


def columns(rows: pl.DataFrame, side: str) -> Instances:
    """The boxes (0 where rows have none), classes and scores of all rows ("true" or "found"); photo n is the n-th row."""
    classes = rows[f"{side}_class"]
    counts = classes.list.len().to_numpy()
    image = np.repeat(np.arange(1, rows.height + 1, dtype=np.int64), counts)
    category = flat(classes, np.int64)
    boxes = flat(rows[f"{side}_box"], np.float64).reshape(-1, 4) if f"{side}_box" in rows else np.zeros((image.size, 4))
    if side == "true":
        return Instances(
            image, category, boxes, flat(rows["true_area"], np.float64), flat(rows["true_crowd"], np.bool_)
        )
    return Instances(image, category, boxes, score=flat(rows["found_score"], np.float64))


def sizes_of(rows: pl.DataFrame) -> list[tuple[int, int]]:
    """Every row's photo as (width, height)."""
    return list(zip(rows["width"].to_list(), rows["height"].to_list(), strict=True))


def ordered_scores(scores: Floats) -> tuple[Floats, bool]:
    """Every found instance's confidence, and whether there are any. Without any, all are equal and order decides;
    where only some lack one, those come last."""
    missing = np.isnan(scores)
    if scores.size and missing.all():
        return np.ones_like(scores), False
    if missing.any():
        below = max(float(np.nextafter(np.nanmin(scores), -np.inf)), -float(np.finfo(np.float64).max))
        scores = np.where(missing, below, scores)
    return scores, True


def flat(series: pl.Series, dtype: Any) -> NDArray[Any]:
    """A list column's values, end to end; empty lists add nothing, null numbers are NaN."""
    lists = cast(Any, series.rechunk().to_arrow())  # flattening skips empty and null lists
    return as_numpy(lists.flatten(), dtype)


def rles_of(rows: pl.DataFrame, side: str) -> Rles:
    """The masks of all rows ("true" or "found")."""
    masks = rows[f"{side}_rle"]
    count = masks.list.len()
    sizes = np.stack([rows["height"].to_numpy(), rows["width"].to_numpy()], axis=1)
    return Rles(masks.filter(count > 0).explode(), np.repeat(sizes, count.to_numpy(), axis=0))
