"""TRP itself: can the text be read, and does it speak of the right things, whatever the geometry.

* parse rate: share of samples whose text has no TRP error, or no error of the format that its model wrote
  (`vtinstruct/dialect.py`); a missing answer is not read.
* triplet F1: over the set, of triplets that agree in concept, unit and number of references.
* plan agreement: share of the answers with a plan block whose plan is readable and equals the body.
* invalid share: samples with any fault, of text or of geometry.
Source: REF-VLM (arXiv 2503.07413), section 3.1, for the form; the numbers are ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.intervals import mean_interval
from benchmarks.plain import Block
from benchmarks.scorer import (
    Answered,
    Columnar,
    Metric,
    Prepared,
    Row,
    Scorer,
    Setting,
    Summary,
    class_key,
    common,
    true_triplets,
)
from vtinstruct.dialogue import Dialogue, Triplet
from vtinstruct.trp_plain import plain_triplets

COLUMNS: dict[str, Any] = {
    "parsed": pl.Boolean, "plan": pl.Boolean, "hits": pl.Int64, "true_count": pl.Int64, "found_count": pl.Int64,
    "faults": pl.List(pl.String),
}  # fmt: skip
METRICS = (
    Metric("parse_rate", "share of samples whose text is read without a TRP error"),
    Metric("triplet_F1", "F1 of triplets that agree in concept, unit and count, over the whole set"),
    Metric("plan_agreement", "share of the answers with a plan block whose plan equals the body"),
    Metric("invalid_share", "share of samples with any fault of text or geometry", higher_is_better=False),
)


UNREAD = ("trp: ", "dialect: ")  # how the faults of text begin
Bag = Counter[tuple[str, str, int]]


def _bag(triplets: Iterable[tuple[str, str, int]]) -> Bag:
    return Counter((class_key(concept), kind, count) for concept, kind, count in triplets)


def _counted(triplets: Iterable[Triplet]) -> Iterator[tuple[str, str, int]]:
    return ((t.concept, t.kind, len(t.references)) for t in triplets)


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """Whether the text was read, and how many triplets agree."""
    true, found = _bag(_counted(true_triplets(truth))), _bag(_counted(answer.triplets()))
    parsed = answer.state != "missing" and not any(f.startswith(UNREAD) for f in answer.faults)
    own: Row = _agreement(true, found, parsed) | {"plan": answer.plan_agrees, "faults": sorted(set(answer.faults))}
    return common(truth, answer, own["quality"]) | own


def _agreement(true: Bag, found: Bag, parsed: bool) -> Row:
    hits = (true & found).total()
    total = true.total() + found.total()
    quality = 2 * hits / total if total else float(parsed)
    return {
        "quality": quality, "parsed": parsed, "hits": hits, "true_count": true.total(), "found_count": found.total()
    }  # fmt: skip


def _prepare(rows: Any, setting: Setting) -> Prepared:
    """The triplets of samples of one question and one well-formed answer."""
    read = [
        plain_triplets(turns[1]["content"]) if len(turns) == 2 else None
        for turns in rows.column("messages").to_pylist()
    ]
    bags = [None if triplets is None else _bag(triplets) for triplets in read]
    return Prepared(np.array([bag is not None for bag in bags], dtype=np.bool_), bags)


def _score(data: Any, picks: NDArray[np.int64], block: Block | None, setting: Setting) -> pl.DataFrame:
    found = [Bag()] * len(picks) if block is None else [_bag(triplets) for triplets in block.triplets]
    rows = [_agreement(data[row], bag, block is not None) for row, bag in zip(picks.tolist(), found, strict=True)]
    return pl.DataFrame({name: [row[name] for row in rows] for name in rows[0]})


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """The four shares, and which faults there were."""
    n, total = rows.height, int(rows["true_count"].sum()) + int(rows["found_count"].sum())
    plans = rows["plan"].drop_nulls().to_numpy().astype(np.float64)
    parsed = rows["parsed"].to_numpy().astype(np.float64)
    numbers: dict[str, float | None] = {
        "parse_rate": float(parsed.mean()) if n else None,
        "triplet_F1": 2 * int(rows["hits"].sum()) / total if total else None,
        "plan_agreement": float(plans.mean()) if plans.size else None,
        "invalid_share": float((rows["state"] == "invalid").to_numpy().astype(np.float64).mean()) if n else None,
    }
    got = mean_interval(parsed, rows["photo"].to_list(), setting.resamples, setting.seed)
    counts = Counter(fault for faults in rows["faults"].to_list() for fault in faults)
    details = {"faults": dict(sorted(counts.items())), "with_plan": int(plans.size)}
    return Summary(numbers, {"parse_rate": got} if got else {}, details)


SCORER = Scorer(
    "trp", (), METRICS, COLUMNS, score, summarize, "REF-VLM (arXiv 2503.07413), section 3.1",
    Columnar(_prepare, _score),
)  # fmt: skip
