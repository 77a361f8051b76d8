"""LVIS's rules for rows of instances: which classes a photo is judged for. Used by its two scorers."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportAttributeAccessIssue=false
# (pyarrow ships no types)

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import polars as pl
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmarks.arrow import as_numpy, series
from benchmarks.columns import Instances
from benchmarks.engine import AveragePrecision
from benchmarks.engine_lvis import FREQUENCIES, MOST, NUMBERS, Federation, lvis_average_precision
from benchmarks.matching import Similar
from benchmarks.scorer import Columnar, Metric, Prepared, Row, Setting, class_key
from benchmarks.scorers._ap import TIES, Rules
from benchmarks.scorers._instance_columns import lists
from benchmarks.scorers._instances import flat, open_class_id, sizes_of, with_hits
from vtinstruct.dialogue import Dialogue

FEDERATED: dict[str, Any] = {"negatives": pl.List(pl.Int64), "not_exhaustive": pl.List(pl.Int64)}
PARTS = {
    "50": "at IoU .50", "75": "at IoU .75", "s": "areas below 32^2", "m": "areas from 32^2 to 96^2", "l": "areas from 96^2",
    "r": "rare classes (in fewer than 10 training photos)", "c": "common classes (10 to 99 training photos)",
    "f": "frequent classes (100 training photos and more)", "": "IoU .50:.95",
}  # fmt: skip
SOURCE = "lvis-api lvis/eval.py and lvis/results.py"


def lvis_metrics(what: str) -> tuple[Metric, ...]:
    """The 13 official numbers by name, and those that need no confidences."""
    found: list[Metric] = []
    for name in NUMBERS:
        base = "average recall, at most 300 answers a photo" if name.startswith("AR") else "average precision"
        found.append(Metric(name, f"{what} {base}, {PARTS[name.removesuffix('@300')[2:]]}"))
    return (*found, *TIES)


def federation(truth: Dialogue, setting: Setting) -> Row:
    """The photo's two lists as class ids."""

    asked = {"negatives": truth.evaluation.negatives, "not_exhaustive": truth.evaluation.not_exhaustive}
    return {column: [_id(name, setting) for name in names] for column, names in asked.items()}


def federated(columnar: Columnar) -> Columnar:
    """The quick road of boxes or masks, with the photos' two lists."""

    def prepare(rows: Any, setting: Setting) -> Prepared:
        plain = columnar.prepare(rows, setting)
        asked = rows.column("evaluation")
        fields = dict(zip([f.name for f in asked.type], asked.flatten(), strict=True))
        more = [_ids(fields[name], setting).alias(name) for name in FEDERATED]
        return Prepared(plain.plain, plain.data.with_columns(more))

    return Columnar(prepare, columnar.score)


def _ids(names: Any, setting: Setting) -> pl.Series:
    """Lists of names as lists of class ids, each different name looked up once."""
    flat: Any = pc.list_flatten(names).dictionary_encode()
    known = np.array([_id(name, setting) for name in flat.dictionary.to_pylist()], dtype=np.int64)
    counts = series(pc.list_value_length(names)).fill_null(0).to_numpy()
    return lists(known[as_numpy(flat.indices, np.int64)], counts)


def _id(name: str, setting: Setting) -> int:
    return setting.vocabulary.get(class_key(name), open_class_id(name))


def lvis_rules(iou_type: Literal["bbox", "segm"]) -> Rules:
    """LVIS's, for `summarize_ap`. No limit a class: the 300 a photo are the engine's."""

    def average(
        rows: pl.DataFrame, setting: Setting, classes: Sequence[int], truth: Instances, found: Instances
    ) -> AveragePrecision:
        frequency = {id_: setting.categories[id_].frequency if id_ in setting.categories else "" for id_ in classes}
        known = Federation(_known(rows, "negatives", classes), _known(rows, "not_exhaustive", classes), frequency)
        return lvis_average_precision(iou_type, sizes_of(rows), known, truth, found, setting.engine)

    return Rules(average, NUMBERS, (MOST,), MOST, lenient, _by_frequency)


def _by_frequency(setting: Setting) -> Mapping[str, set[int]]:
    return {f: {id_ for id_, category in setting.categories.items() if category.frequency == f} for f in FREQUENCIES}


def _known(rows: pl.DataFrame, column: str, classes: Sequence[int]) -> list[list[int]]:
    wanted = set(classes)  # a list may name classes that nobody annotated or answered
    return [[id_ for id_ in ids if id_ in wanted] for ids in rows[column].to_list()]


def lenient(rows: pl.DataFrame, truth: Instances, found: Instances) -> NDArray[np.bool_]:
    """Which found instances do not count unless they hit: those of a class of which nothing is known in the photo, or of
    which more may be there."""
    absent, more = (_keys(rows, column) for column in ("negatives", "not_exhaustive"))
    strict = np.union1d(_key(truth.image, truth.category), absent)
    own = _key(found.image, found.category)
    return ~np.isin(own, strict) | np.isin(own, more)


def _key(image: NDArray[np.int64], category: NDArray[np.int64]) -> NDArray[np.int64]:
    return (image << 34) + category  # open-vocabulary ids stay below 2^33


def _keys(rows: pl.DataFrame, column: str) -> NDArray[np.int64]:
    image = np.repeat(np.arange(1, rows.height + 1, dtype=np.int64), rows[column].list.len().to_numpy())
    return _key(image, flat(rows[column], np.int64))


def with_lvis_hits(
    rows: pl.DataFrame, sides: Callable[[pl.DataFrame], tuple[Instances, Instances]],
    similar: Callable[[Instances, Instances], Similar],
) -> pl.DataFrame:  # fmt: skip
    """`with_hits` by LVIS's rules."""
    truth, found = sides(rows)
    return with_hits(rows, truth, found, similar(truth, found), lenient(rows, truth, found))
