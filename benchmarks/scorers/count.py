"""How many, and the boxes that prove it.

The number is the first one in the answer's words (digits, or a word up to twenty; "no" and "none" are 0); where the words have
none, the number of boxes. A missing answer counts as no number: wrong, and off by the whole truth. All numbers are ours:
counting benchmarks publish accuracy and mean absolute error alone (Acharya et al., "TallyQA", AAAI 2019).
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars as pl

from benchmarks.intervals import mean_interval
from benchmarks.scorer import Answered, Metric, Row, Scorer, Setting, Summary, common, true_references
from benchmarks.scorers._pairs import boxes_of, most_pairs
from vtinstruct.dialogue import Dialogue
from vtinstruct.geometry import box_iou

WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
NUMBERS = {word: n for n, word in enumerate(WORDS)} | {"no": 0, "none": 0, "nothing": 0}
LARGEST = 100_000  # a longer number is no count of things in a photo
COLUMNS: dict[str, Any] = {
    "true": pl.Int64, "said": pl.Int64, "boxes": pl.Int64, "hits": pl.Int64, "proved": pl.Boolean,
}  # fmt: skip
METRICS = (
    Metric("exact", "share of samples with the right number"),
    Metric("MAE", "mean |said - true|", higher_is_better=False, percent=False),
    Metric("proved", "share with the right number and as many boxes, each on its own annotated one at IoU >= .5"),
    Metric("agrees", "share of answers whose number is that of their boxes"),
    Metric("F1@.5", "F1 of all boxes at IoU .5, over the whole set"),
)


def number_in(words: str) -> int | None:
    """The first number in words; None when there is none."""
    for token in re.findall(r"[0-9]+|[a-z]+", words.casefold()):
        if token.isdigit():
            return min(int(token[:6]), LARGEST)
        if token in NUMBERS:
            return NUMBERS[token]
    return None


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """The number said and the true one, and how many boxes prove it."""
    true, references = boxes_of(true_references(truth, "box")), answer.references("box")
    hits = most_pairs(box_iou(boxes_of(references), true) >= 0.5)
    said = None if answer.state == "missing" else number_in(" ".join(p for p in answer.parts if isinstance(p, str)))
    if said is None and answer.state != "missing":
        said = len(references)
    proved = said == len(true) == hits == len(references)
    quality = (float(said == len(true)) + float(proved)) / 2
    return common(truth, answer, quality) | {
        "true": len(true), "said": said, "boxes": len(references), "hits": hits, "proved": proved
    }  # fmt: skip


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """Over all samples; `agrees` over those that were answered."""
    true, boxes, hits = (rows[name].to_numpy().astype(np.int64) for name in ("true", "boxes", "hits"))
    answered = rows["said"].is_not_null().to_numpy().astype(bool)
    said = rows["said"].fill_null(-1).to_numpy().astype(np.int64)
    exact = said == true
    off = np.where(answered, np.abs(said - true), true)
    total = int(true.sum() + boxes.sum())
    numbers: dict[str, float | None] = {
        "exact": float(exact.mean()) if exact.size else None, "MAE": float(off.mean()) if off.size else None,
        "proved": float(rows["proved"].to_numpy().astype(bool).mean()) if exact.size else None,
        "agrees": float((said == boxes)[answered].mean()) if answered.any() else None,
        "F1@.5": 2 * int(hits.sum()) / total if total else None,
    }  # fmt: skip
    got = mean_interval(exact.astype(np.float64), rows["photo"].to_list(), setting.resamples, setting.seed)
    return Summary(numbers, {"exact": got} if got else {}, {"answered": int(answered.sum())})


SCORER = Scorer(
    "count", ("count",), METRICS, COLUMNS, score, summarize, "TallyQA (AAAI 2019) for exact; the rest is ours"
)
