"""Rows of instance tasks by the block: stored samples and plain answers as columns, to the rows of `_instances.py`."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false, reportAttributeAccessIssue=false
# (pyarrow ships no types)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmarks.arrow import as_arrow, as_numpy, series
from benchmarks.plain import CONCEPT, REFERENCES, Block
from benchmarks.scorer import Prepared, Setting, class_key
from benchmarks.scorers._instances import OPEN, WORDS, class_of, open_class_id
from vtinstruct.units import UnitKind

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Units:
    """The units of a batch of samples, end to end: those of their answers, or of `evaluation.ignore`. `row` (U,) says whose
    each is."""

    def __init__(self, lists: Any) -> None:
        self.row: Ints = as_numpy(pc.list_parent_indices(lists), np.int64)
        flat = pc.list_flatten(lists)
        self._fields = dict(zip([f.name for f in flat.type], flat.flatten(), strict=True))

    def __len__(self) -> int:
        return self.row.size

    def field(self, name: str) -> Any:
        """One field of all units, a pyarrow array."""
        return self._fields[name]

    def ints(self, name: str) -> Ints:
        return as_numpy(self.field(name), np.int64)

    def floats(self, name: str) -> NDArray[np.float64]:
        """A number a unit, NaN where there is none."""
        return as_numpy(self.field(name), np.float64)

    def bools(self, name: str) -> Bools:
        return series(self.field(name)).fill_null(False).to_numpy()

    def of_kind(self, *names: str) -> Bools:
        """Whether the unit is of one of these kinds, "" being none."""
        return series(self.field("kind")).fill_null("").is_in(names).to_numpy()

    def has(self, name: str) -> Bools:
        return _valid(self.field(name))

    def boxes(self) -> NDArray[np.float64]:
        """box_xyxy (U, 4), NaN where there is none."""
        found = np.full((len(self), 4), np.nan)
        valid = self.has("box_xyxy")
        found[valid] = as_numpy(pc.list_flatten(self.field("box_xyxy")), np.float64).reshape(-1, 4)
        return found

    def rles(self) -> tuple[Any, Ints]:
        """Masks' strings (b"" where there is none), a pyarrow array, and sizes (U, 2), height first."""
        mask = self.field("mask_rle")
        size, counts = mask.flatten()
        sizes = np.ones((len(self), 2), dtype=np.int64)
        sizes[_valid(size)] = as_numpy(pc.list_flatten(size), np.int64).reshape(-1, 2)
        return as_arrow(series(counts).fill_null(b"")), sizes

    def classes(self, setting: Setting, phrase: str) -> Ints:
        """The class id of each: the source's, or its name's (the `phrase` field where the source gives no name)."""
        return self._each(lambda phrase, category, id_: _true_class(category or phrase, id_, setting), phrase)

    def names(self, phrase: str) -> pl.Series:
        """What each one's class is called: the source's name, or the `phrase` field where the source gives none."""
        category, other = (series(self.field(name)).fill_null("") for name in ("category", phrase))
        return category.zip_with(category != "", other)

    def consistent(self, setting: Setting) -> Bools:
        """Whether the phrase alone means the very class of the unit, so that no sample has words of its own."""
        return self._each(
            lambda phrase, category, id_: class_of(phrase, setting) == _true_class(category or phrase, id_, setting),
            "phrase",
        ).astype(np.bool_)

    def _each(self, ask: Callable[[str, str, int], int], phrase: str) -> Ints:
        """Ask once for every different (phrase, category, category id)."""
        words = [series(self.field(name)).fill_null("") for name in (phrase, "category")]
        table = pl.DataFrame({"p": words[0], "c": words[1], "i": self.ints("category_id")})
        known = table.unique()
        asked = pl.Series("a", [int(ask(*row)) for row in known.iter_rows()], pl.Int64)
        joined = table.join(known.with_columns(asked), on=["p", "c", "i"], how="left", maintain_order="left")
        return joined["a"].to_numpy().astype(np.int64)


def _valid(array: Any) -> Bools:
    return series(array).is_not_null().to_numpy()


def _true_class(name: str, category_id: int, setting: Setting) -> int:
    return category_id if category_id >= 0 else setting.vocabulary.get(class_key(name), open_class_id(name))


Value = Callable[[Units, bool], tuple[Bools, Bools]]  # units, whether ignored ones -> which have a value, which are odd


def prepare(
    rows: Any, setting: Setting, kind: UnitKind, value: Value, more: Callable[[Units, bool], dict[str, Any]]
) -> Prepared:
    """The annotated side of a batch. `value` says which units have one of the kind, and which are odd, so that their samples
    need the long road; `more` gives area and further columns (by unit) of units, annotated or ignored."""
    image = rows.column("image")
    plain = (series(pc.list_value_length(rows.column("messages"))).fill_null(0) == 2).to_numpy() & _valid(image)
    photo = dict(zip([f.name for f in image.type], image.flatten(), strict=True))
    evaluation = rows.column("evaluation")
    asked = dict(zip([f.name for f in evaluation.type], evaluation.flatten(), strict=True))
    answer, ignore = Units(rows.column("units")), Units(asked["ignore"])
    plain &= ~_any(rows.num_rows, answer.row[answer.of_kind(kind) & ~answer.consistent(setting)])
    if setting.vocabulary:
        concepts = pc.list_flatten(asked["concepts"]).to_pylist()
        strange = [class_key(concept) not in setting.vocabulary for concept in concepts]
        whose = as_numpy(pc.list_parent_indices(asked["concepts"]), np.int64)
        plain &= ~_any(rows.num_rows, whose[np.array(strange, dtype=np.bool_)])
    pieces: list[dict[str, Any]] = []
    words: list[pl.DataFrame] = []
    for units, ignored in ((answer, False), (ignore, True)):
        have, odd = value(units, ignored)
        plain &= ~_any(rows.num_rows, units.row[odd])
        columns = more(units, ignored)
        area = units.floats("area")
        columns["true_area"] = np.where(np.isnan(area), columns["true_area"], area)
        phrase = "category" if ignored else "phrase"
        columns["true_class"] = units.classes(setting, phrase)
        strange = have & ~np.isin(columns["true_class"], list(setting.categories))
        if strange.any():
            named = pl.DataFrame({"row": units.row, "id": columns["true_class"], "name": units.names(phrase)})
            words.append(named.filter(pl.Series(strange)))
        columns["true_crowd"] = units.bools("crowd") | ignored
        pieces.append({"row": units.row[have], **{n: _pick(c, have) for n, c in columns.items()}})
    row = np.concatenate([piece["row"] for piece in pieces])
    order = np.argsort(row, kind="stable")  # a sample's annotated instances, then those to ignore
    counts = np.bincount(row, minlength=rows.num_rows)
    frame = {
        name: lists(_pick(_joined(pieces[0][name], pieces[1][name]), order), counts)
        for name in pieces[0]
        if name != "row"
    }
    width, height = (pl.Series(photo[side].to_pylist(), dtype=pl.Int64) for side in ("width", "height"))
    said = {} if not words else {"words": word_lists(pl.concat(words), rows.num_rows)}
    return Prepared(plain, pl.DataFrame({"width": width, "height": height, **frame, **said}))


def word_lists(named: pl.DataFrame, rows: int) -> pl.Series:
    """`words` of that many rows, from what each (`row`) calls its classes (`id`, `name`)."""
    some = named.filter(pl.col("name") != "").unique().sort("row", "id", "name")
    every = some.group_by("row", maintain_order=True).agg(pl.struct("id", "name").alias("words"))
    joined = pl.DataFrame({"row": np.arange(rows)}).join(every, on="row", how="left", maintain_order="left")
    return joined.select(pl.col("words").cast(WORDS["words"]).fill_null(pl.lit([], WORDS["words"])))["words"]


def _any(rows: int, whose: Any) -> Bools:
    found = np.zeros(rows, dtype=np.bool_)
    found[whose] = True
    return found


def _pick(column: Any, which: Any) -> Any:
    if isinstance(column, np.ndarray):
        return column[which]
    return column.take(as_arrow(np.flatnonzero(which) if which.dtype == np.bool_ else which))


def _joined(one: Any, other: Any) -> Any:
    return np.concatenate([one, other]) if isinstance(one, np.ndarray) else pa.concat_arrays([one, other])


def lists(values: Any, counts: Ints, nan_is_null: bool = False) -> pl.Series:
    """A list column of flat values, so many a row; (N, K) values become K numbers each."""
    if isinstance(values, np.ndarray):
        flat = as_arrow(values.reshape(-1), nan_is_null)
        width = 1 if values.ndim == 1 else values.shape[1]
    else:
        flat, width = values, 1
    offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts * width)])
    return series(pa.LargeListArray.from_arrays(as_arrow(offsets), flat))


def found_columns(block: Block, setting: Setting, columns: dict[str, Any]) -> pl.DataFrame:
    """The answered side of a block: class, confidence, and the `columns` (by unit) of units of known classes; the phrases of
    the others."""
    if any(len(column) < int(block.counts.sum()) for column in columns.values()):  # answered by another kind of unit
        none = np.zeros(len(block), dtype=np.int64)
        block = replace(block, triplets=[[] for _ in none], counts=none, scores=np.zeros(0))
    known: dict[str, int] = {}
    phrases = list(chain.from_iterable(block.triplets))
    for phrase in set(map(CONCEPT, phrases)):
        category = class_of(phrase, setting)
        known[phrase] = -1 if category is None else category
    several = np.fromiter(map(REFERENCES, phrases), np.int64, len(phrases))
    category = np.fromiter(map(known.__getitem__, map(CONCEPT, phrases)), np.int64, len(phrases))
    category = np.repeat(category, several)
    owner = np.repeat(np.arange(len(block)), block.counts)
    fine = category >= 0
    unknown: list[list[str]] = [[] for _ in range(len(block))]
    for index in np.unique(owner[~fine]).tolist():
        unknown[index] = [t.concept for t in block.triplets[index] if known[t.concept] < 0 for _ in range(t.references)]
    counts = np.bincount(owner[fine], minlength=len(block))
    scores = lists(block.scores[fine], counts, nan_is_null=True)
    whole = bool(fine.all())
    found = {name: lists(column if whole else _pick(column, fine), counts) for name, column in columns.items()}
    said: dict[str, pl.Series] = {}
    if (category >= OPEN).any():  # no vocabulary: classes are what answers call them
        called = pl.Series(list(map(CONCEPT, phrases)), dtype=pl.String)[np.repeat(np.arange(len(phrases)), several)]
        named = pl.DataFrame({"row": owner, "id": category, "name": called}).filter(pl.col("id") >= OPEN)
        said["found_words"] = word_lists(named, len(block))
    return pl.DataFrame(
        {"found_class": lists(category[fine], counts), "found_score": scores, **found,
         "unknown": pl.Series(unknown, dtype=pl.List(pl.String)), **said}
    )  # fmt: skip


def both_sides(true: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Annotated and answered columns as one table; what both call their classes in one list of `words`."""
    whole = true.hstack(found)
    there = [name for name in ("words", "found_words") if name in whole.columns]
    if "found_words" not in there:
        return whole
    return whole.with_columns(pl.concat_list(there).list.unique().list.sort().alias("words")).drop("found_words")
