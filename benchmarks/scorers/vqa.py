"""Short answers to questions about a photo.

Where several people answered (VQAv2, OK-VQA, VQA-X: ten), `accuracy` is the official soft score: for every person, min(1,
others who said the same / 3), averaged. Source: GT-Vision-Lab/VQA `PythonEvaluationTools/vqaEvaluation/vqaEval.py`,
`evaluate`. The script brings answers to one spelling only where people disagree; where all ten agree, "No" is wrong beside
"no". `accuracy[corrected]` always does.

Where there is one answer (GQA, CLEVR, PointQA), `exact` is the number: the same words after the same spelling rules.
`verbatim` compares letters, as GQA's `eval.py` and CLEVR's do. Of multiple choices (VCR) the right letter, the right words or
both are right.

A reason may follow (`vqa_reasoning`): what counts then is the answer that the text begins with.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from benchmarks.intervals import interval, photo_index, ratio
from benchmarks.scorer import Answered, Interval, Metric, Row, Scorer, Setting, Summary, common
from benchmarks.scorers._vqa_words import plain_answer, same_answer
from benchmarks.scorers.captions import plain_words
from vtinstruct.dialogue import Dialogue

TASKS = ("vqa", "vqa_point", "vqa_box", "vqa_reasoning")
PEOPLE = 4  # the fewest whose full agreement scores 1: three others must have said the same
COLUMNS: dict[str, Any] = {
    "kind": pl.String, "official": pl.Float64, "corrected": pl.Float64, "exact": pl.Float64, "any": pl.Float64,
    "verbatim": pl.Float64,
}  # fmt: skip
NUMBERS = {
    "exact": ("exact", "share of answers that are the taught answer, in one spelling"),
    "accuracy": ("official", f"official soft accuracy, over questions that {PEOPLE} people or more answered"),
    "accuracy[corrected]": ("corrected", "the same with both sides always in one spelling"),
    "any": ("any", "share of answers that are any accepted answer, in one spelling"),
    "verbatim": ("verbatim", "share of answers that are the taught answer letter by letter"),
}
METRICS = tuple(Metric(name, meaning) for name, (_, meaning) in NUMBERS.items())
_LEAD = re.compile(r"^(?:(?:the )?answer(?: is)?|i (?:say|think)|it is)\b[:,]?\s*", re.IGNORECASE)
_CHOICE = re.compile(r"^\(?([A-Z])(?:[).:]|$)")


def soft_accuracy(said: str, answers: Sequence[str], always_respell: bool = False) -> float:
    """The official score of one answer, 0..1, against the answers of several people."""
    said, given = plain_answer(said), [plain_answer(answer) for answer in answers]
    if always_respell or len(set(given)) > 1:
        said, given = same_answer(said), [same_answer(answer) for answer in given]
    return agreement(said, given)


def agreement(said: str, answers: Sequence[str]) -> float:
    """For every person, min(1, others who said the same / 3), averaged; all in one spelling."""
    same = sum(answer == said for answer in answers)
    return sum(min(1.0, (same - (answer == said)) / 3) for answer in answers) / len(answers)


def _leading(said: str, answers: Sequence[str]) -> str:
    """The accepted answer that a text with a reason begins with (the longest), or its first sentence."""
    words = same_answer(_LEAD.sub("", plain_answer(said))).split()
    for answer in sorted(answers, key=len, reverse=True):
        wanted = same_answer(answer).split()
        if wanted and words[: len(wanted)] == wanted:
            return answer
    return said.partition(".")[0]


def _chosen(said: str) -> str:
    """The letter that a multiple choice begins with (a wrong one beside the right words is wrong), or what was said."""
    found = _CHOICE.match(plain_answer(said))
    return found[1] if found else said


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """How the said answer stands to the accepted ones, by every rule. A missing answer is wrong by all of them."""
    accepted: tuple[str, ...] = truth.evaluation.answers or (plain_words(truth.turns[-1].parts),)
    taught, said = accepted[0], plain_words(answer.parts).strip()
    choice = truth.task == "vqa_box" and taught != accepted[-1] and re.fullmatch("[A-Z]", taught) is not None
    if truth.task == "vqa_reasoning":
        said = _leading(said, accepted)
    elif choice:
        said = _chosen(said)
    there = answer.state != "missing"
    people = len(accepted) >= PEOPLE and not choice
    right = there and same_answer(said) in {same_answer(one) for one in accepted}
    row: Row = {
        "kind": truth.evaluation.question_kind,
        "official": soft_accuracy(said, accepted) * there if people else None,
        "corrected": soft_accuracy(said, accepted, always_respell=True) * there if people else None,
        "exact": float(right if choice else there and same_answer(said) == same_answer(taught)),
        "any": float(right),
        "verbatim": float(there and plain_answer(said) == plain_answer(taught)),
    }
    return common(truth, answer, row["official"] if people else row["exact"]) | row


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """Means over the questions that each rule applies to; by kind of question in the details."""
    rows = rows.sort("photo", "id")
    numbers = {name: _mean(rows[column]) for name, (column, _) in NUMBERS.items()}
    intervals: dict[str, Interval] = {}
    index, photos = photo_index(rows["photo"].to_list())
    for name in ("exact", "accuracy"):
        column = rows[NUMBERS[name][0]]
        counted = column.is_not_null().to_numpy().astype(np.float64)
        if not counted.any():
            continue
        shares = ratio(column.fill_null(0.0).to_numpy().astype(np.float64), counted, index, photos)
        got = interval(shares, photos, setting.resamples, setting.seed, bounds=(0.0, 1.0))
        if got:
            intervals[name] = got
    kinds = {
        str(kind[0]) or "any": {"n": part.height, "exact": _mean(part["exact"]), "accuracy": _mean(part["official"])}
        for kind, part in sorted(rows.group_by("kind"))
    }
    return Summary(numbers, intervals, {"kinds": kinds} if kinds else {})


def _mean(column: pl.Series) -> float | None:
    kept = column.drop_nulls().to_numpy().astype(np.float64)
    return float(kept.mean()) if kept.size else None


SCORER = Scorer("vqa", TASKS, METRICS, COLUMNS, score, summarize, "GT-Vision-Lab/VQA vqaEval.py; GQA eval.py")
