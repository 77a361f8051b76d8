"""POPE: is there a ... in the image? Yes or no, and how often a model says yes to what is not there.

Source: AoiDragon/POPE `evaluate.py`. Its reading of an answer (numbers ending in `[script]`) takes everything up to the first
full stop that does not hold the very words "No", "no" or "not" for a yes: an empty answer, "Nope", "I can't tell" and "NO"
are yes, "It is not only there" is no. The numbers without a suffix read yes and no however they are written, and take what
says neither for a wrong answer. A missing answer is wrong by both. The positive class is yes.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.intervals import mean_interval
from benchmarks.scorer import Answered, Metric, Row, Scorer, Setting, Summary, common
from benchmarks.scorers.captions import plain_words
from vtinstruct.dialogue import Dialogue

Said = Literal["yes", "no", ""]
COLUMNS: dict[str, Any] = {"label": pl.String, "said": pl.String, "script": pl.String}
SCRIPT = "[script]"
_MEANINGS = {
    "accuracy": "share of probes answered rightly",
    "precision": "of the things said to be there, the share that is",
    "recall": "of the things that are there, the share said to be",
    "F1": "harmonic mean of precision and recall",
    "yes_ratio": "share of probes answered yes (half of them should be)",
}
METRICS = tuple(
    Metric(f"{name}{suffix}", f"{meaning}{', answers read as the official script does' if suffix else ''}")
    for suffix in ("", SCRIPT)
    for name, meaning in _MEANINGS.items()
)
_YES = re.compile(r"\b(?:yes|yeah|yep|yup|correct|indeed|certainly|true)\b")
_NO = re.compile(r"\b(?:no|nope|not|none|cannot|false|neither|without)\b|n't\b")
_THERE = re.compile(r"\bthere (?:is|are)\b|\bit is\b")


def read_answer(text: str) -> Said:
    """Yes, no, or neither ("") from the first sentence: its first word when that is one, else whichever alone is in it."""
    words = re.split(r"[.!?\n]", text.strip().lower(), maxsplit=1)[0]
    for pattern, said in ((_YES, "yes"), (_NO, "no")):
        if pattern.match(words.lstrip("\"'( ")):
            return said  # type: ignore[return-value]
    if _NO.search(words):
        return "" if _YES.search(words) else "no"
    return "yes" if _YES.search(words) or _THERE.search(words) else ""


def read_as_script(text: str) -> Said:
    """Yes or no as `evaluate.py` reads an answer."""
    words = text.split(".")[0].replace(",", "").split(" ")
    return "no" if {"No", "not", "no"} & set(words) else "yes"


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """The annotated and the said word, by both readings. A missing answer is "" by both."""
    label = (truth.evaluation.answers or (plain_words(truth.turns[-1].parts),))[0]
    said = plain_words(answer.parts)
    there = answer.state != "missing"
    row = {"label": label, "said": read_answer(said) if there else "", "script": read_as_script(said) if there else ""}
    return common(truth, answer, float(row["said"] == label)) | row


def yes_no_numbers(label: NDArray[np.bool_], said: NDArray[np.str_]) -> dict[str, float | None]:
    """The five numbers. An answer that is neither yes nor no is the wrong one."""
    true = np.where(said == "", ~label, said == "yes")
    right, hits = int((true == label).sum()), int((true & label).sum())
    precision = hits / int(true.sum()) if true.any() else 0.0
    recall = hits / int(label.sum()) if label.any() else None
    f1 = None if recall is None else 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {
        "accuracy": right / label.size, "precision": precision, "recall": recall, "F1": f1,
        "yes_ratio": float((said == "yes").mean()),
    }  # fmt: skip


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """Five numbers for each of the two readings, and how many answers said neither."""
    if not rows.height:
        return Summary({metric.name: None for metric in METRICS})
    rows = rows.sort("photo", "id")
    label: NDArray[np.bool_] = rows["label"].to_numpy() == "yes"
    said, script = rows["said"].to_numpy().astype(str), rows["script"].to_numpy().astype(str)
    numbers = yes_no_numbers(label, said)
    numbers |= {f"{name}{SCRIPT}": value for name, value in yes_no_numbers(label, script).items()}
    right: NDArray[np.float64] = ((said == rows["label"].to_numpy()) & (said != "")).astype(np.float64)
    got = mean_interval(right, rows["photo"].to_list(), setting.resamples, setting.seed)
    answered = rows["state"].to_numpy() != "missing"
    details = {"yes": int(label.sum()), "no": int((~label).sum()), "neither": int(((said == "") & answered).sum())}
    return Summary(numbers, {"accuracy": got} if got else {}, details)


SCORER = Scorer("pope", ("vqa",), METRICS, COLUMNS, score, summarize, "AoiDragon/POPE evaluate.py")
