"""What a scorer is: the contract every `benchmarks/scorers/<family>.py` meets with its one public name `SCORER`.

Scoring is two functions over saved answers: `score` turns one truth and one answer into a row, `summarize` turns rows
into numbers. A row holds sufficient statistics: for a mean that is the sample's own value, for AP the boxes, classes
and confidences of the sample, because AP belongs to the whole set. Rows are saved (Parquet), so a new summary needs
neither the model nor the dataset again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.crew import ALONE, Crew
from benchmarks.phrases import EXACT, Rule, normal
from benchmarks.plain import Block
from vtinstruct.dialogue import Dialogue, Parts, Reference, Triplet
from vtinstruct.record import Category
from vtinstruct.units import UnitKind

Row = dict[str, Any]
State = Literal["ok", "invalid", "missing"]
Engine = Literal["hotcoco", "official"]

# What every row carries, whatever the scorer: who, which photo (the unit of the bootstrap), and how it was answered.
# `quality` is the sample's own standing in 0..1, used only to order galleries and to find what moved between models.
COMMON: dict[str, Any] = {
    "id": pl.String, "task": pl.String, "source": pl.String, "photo": pl.String, "state": pl.String,
    "quality": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answered:
    """One model's answer to one sample, read and checked.

    `state` is "missing" when the file has no answer, "invalid" when anything in it could not be read or used (`faults`
    says what), else "ok". What *can* be read of an invalid answer is in `parts` and is scored; a reference whose
    geometry could not be used has `unit` None. `plan_agrees` is None without a plan block.
    """

    text: str = ""
    parts: Parts = ()
    state: State = "missing"
    faults: tuple[str, ...] = ()
    plan_agrees: bool | None = None

    def triplets(self, kind: UnitKind | None = None) -> tuple[Triplet, ...]:
        """The triplets in order, of one unit kind or of all."""
        return tuple(p for p in self.parts if isinstance(p, Triplet) and (kind is None or p.kind == kind))

    def references(self, kind: UnitKind) -> tuple[Reference, ...]:
        """The references of one unit kind, in `<REF>` order."""
        return tuple(reference for triplet in self.triplets(kind) for reference in triplet.references)


MISSING = Answered()


@dataclass(frozen=True, slots=True)
class Setting:
    """What a scorer may use beside truth and answer.

    `truth_root` and `answer_root` are the folders that relative depth paths start from; `vocabulary` maps a class name
    (and its synonyms), normalised by `class_key`, to the source's category id; `categories` maps ids back to the source's
    entries (the name that reports show, thing or stuff, LVIS's frequency, the skeleton); `engine` picks the AP
    implementation; `resamples` and `seed` drive the intervals (0 resamples: none); `phrases` says what answered phrases mean
    that are no class's own name; `words` names classes that are not in `categories`, as rows remember them; `crew` are the
    processes that may share the work of a summary.
    """

    truth_root: Path = Path(".")
    answer_root: Path = Path(".")
    vocabulary: Mapping[str, int] = field(default_factory=dict[str, int])
    categories: Mapping[int, Category] = field(default_factory=dict[int, Category])
    engine: Engine = "hotcoco"
    resamples: int = 1000
    seed: int = 0
    phrases: Rule = EXACT
    words: Mapping[int, str] = field(default_factory=dict[int, str])
    crew: Crew = ALONE

    def class_name(self, category_id: int) -> str:
        """The source's own name of a class, or what annotations and answers call it, or its number."""
        category = self.categories.get(category_id)
        return category.name if category else self.words.get(category_id, str(category_id))


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of a scorer: its name, direction, what it is, and where the definition comes from."""

    name: str
    meaning: str
    higher_is_better: bool = True
    percent: bool = True


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval of one number, by bootstrap over photos. `method` is "bca", "student" or "exact"."""

    low: float
    high: float
    method: str
    resamples: int
    photos: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers of one set of rows. None says "not defined here" (no ground truth of that size, no such sample).

    `details` is JSON: per-class numbers, curves, counts of unknown classes, and remarks a reader must know.
    """

    numbers: Mapping[str, float | None]
    intervals: Mapping[str, Interval] = field(default_factory=dict[str, Interval])
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Prepared:
    """Truths of one batch of samples, read as columns: `plain` (N,) says for which of them columns are enough, `data` is the
    scorer's own."""

    plain: NDArray[np.bool_]
    data: Any


@dataclass(frozen=True, slots=True)
class Columnar:
    """The quick road of a scorer: whole blocks of samples instead of one at a time, to the same rows.

    `prepare` reads a batch of stored samples (a pyarrow record batch of the frozen schema). `score` takes what it made, which
    of those samples are meant (row numbers), and their plain answers in the same order (None: no answers, all missing); it
    gives the scorer's columns, as far as `finish` does not make them, and may give `quality`.
    """

    prepare: Callable[[Any, Setting], Prepared]
    score: Callable[[Any, NDArray[np.int64], Block | None, Setting], pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Scorer:
    """A metric family.

    `tasks` are the tasks whose answers it can judge (empty: every task); `metrics` its numbers in report order, the
    first being the usual primary one; `columns` the columns its rows add to `COMMON`; `source` the paper section or
    official script whose definition it follows. `score` never raises on an answer, whatever is in it; `summarize` gives
    exactly the numbers in `metrics`, does not depend on the order of rows, and takes zero rows.

    `columnar` is a quicker way to the same rows, where there is one. `finish` fills columns that are cheaper to compute for
    a whole table than row by row (`late`); what it says of a row depends on that row alone.
    """

    name: str
    tasks: tuple[str, ...]
    metrics: tuple[Metric, ...]
    columns: Mapping[str, Any]
    score: Callable[[Dialogue, Answered, Setting], Row]
    summarize: Callable[[pl.DataFrame, Setting], Summary]
    source: str
    columnar: Columnar | None = None
    finish: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    late: tuple[str, ...] = ()

    @property
    def schema(self) -> dict[str, Any]:
        """Every column of a row, in order, with its type."""
        return {**COMMON, **self.columns}

    def frame(self, rows: Sequence[Row]) -> pl.DataFrame:
        """Rows as a table in the scorer's own column order and types; zero rows give an empty table."""
        return self.finished(self.draft(rows))

    def draft(self, rows: Sequence[Row]) -> pl.DataFrame:
        """The same, with what `finish` makes still empty."""
        columns = {name: [None if name in self.late else row[name] for row in rows] for name in self.schema}
        return pl.DataFrame(columns, schema=self.schema, strict=False)

    def finished(self, draft: pl.DataFrame) -> pl.DataFrame:
        """A table of drafts, whole."""
        return draft if self.finish is None else self.finish(draft).select(list(self.schema))


def class_key(name: str) -> str:
    """The declared phrase -> class rule, "exact": case and runs of white space (and `_`) do not matter, nothing else."""
    return normal(name)


def vocabulary_of(categories: Sequence[Category]) -> dict[str, int]:
    """Class name -> category id, by `class_key`; synonyms too, where they are not another class's name."""
    found: dict[str, int] = {}
    for category in categories:
        found.setdefault(class_key(category.name), category.id)
    for category in categories:
        for synonym in category.synonyms:
            found.setdefault(class_key(synonym), category.id)
    return found


def common(truth: Dialogue, answer: Answered, quality: float) -> Row:
    """The columns of `COMMON`. Samples without a photo are their own unit of the bootstrap; the quality of a missing answer is 0,
    whatever a scorer makes of silence."""
    photo = truth.photo.id if truth.photo else truth.id
    return {
        "id": truth.id, "task": truth.task, "source": truth.source, "photo": photo, "state": answer.state,
        "quality": 0.0 if answer.state == "missing" else quality,
    }  # fmt: skip


def answered_turn(truth: Dialogue) -> int:
    """The turn that is scored: the last one whose answer points at something, or else the last (a conversation that ends
    in small talk is judged by where it pointed)."""
    pointing = (n for n, turn in enumerate(truth.turns) if any(isinstance(part, Triplet) for part in turn.parts))
    return max(pointing, default=len(truth.turns) - 1)


def true_triplets(truth: Dialogue, kind: UnitKind | None = None) -> tuple[Triplet, ...]:
    """The annotated triplets of the answered turn, in order, of one unit kind or of all."""
    parts = truth.turns[answered_turn(truth)].parts
    return tuple(p for p in parts if isinstance(p, Triplet) and (kind is None or p.kind == kind))


def true_references(truth: Dialogue, kind: UnitKind) -> tuple[Reference, ...]:
    """The annotated references of one unit kind in the answered turn, in `<REF>` order."""
    return tuple(reference for triplet in true_triplets(truth, kind) for reference in triplet.references)
