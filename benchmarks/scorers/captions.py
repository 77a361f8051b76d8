"""Captions, referring expression generation, reasons and the last answer of a conversation: what was said against
everything people said.

BLEU-1..4, ROUGE-L and CIDEr-D against all references of a sample, after the official tokenisation; definitions and sources
in `_ngrams.py` and `_ptb.py`. METEOR's number needs data that another package carries (`benchmarks/meteor`). The answer's
words are its text without TRP marks (a triplet reads as its concept). A missing answer is the empty caption. Numbers are 0..1
except CIDEr-D, which is 0..10 (papers print it x 100 as 0..1000).
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars as pl

from benchmarks.intervals import interval, mean_interval, photo_index
from benchmarks.scorer import Answered, Metric, Row, Scorer, Setting, Summary, common
from benchmarks.scorers._ngrams import bleu, bleu_counts, rouge_l
from benchmarks.scorers._ptb import tokens
from benchmarks.scorers._words import consensus, meteor_interval
from vtinstruct.dialogue import Dialogue, Parts, Triplet

TASKS = ("caption", "reg_box", "reg_region", "region_caption", "vqa_reasoning", "chat", "region_chat")
COLUMNS: dict[str, Any] = {
    "said": pl.List(pl.String), "references": pl.List(pl.List(pl.String)), "bleu": pl.List(pl.Float64),
    "rouge": pl.Float64,
}  # fmt: skip
METRICS = (
    Metric("CIDEr-D", "consensus with the references by TF-IDF weighted n-grams, 0..10"),
    Metric("CIDEr-D[corrected]", "the same, counting one photo more than there are: few photos do not weigh words 0"),
    *(Metric(f"BLEU-{n}", f"corpus BLEU up to {n}-grams, closest reference length") for n in range(1, 5)),
    Metric("ROUGE-L", "F-measure (beta 1.2) of the longest common subsequence"),
    Metric("METEOR", "version 1.5, English; null without the data that pycocoevalcap carries"),
)


def plain_words(parts: Parts) -> str:
    """An answer's words without marks: a triplet reads as its concept."""
    return "".join(
        part if isinstance(part, str) else part.concept if isinstance(part, Triplet) else "" for part in parts
    )


_ANSWER = re.compile(r"^.*?(?:[.!?]\s+|\bbecause\b|\bwhy:)\s*", re.IGNORECASE | re.DOTALL)
_SIGN = re.compile(r"^(?:the )?(?:reason|explanation)(?: is)?\s*:\s*", re.IGNORECASE)


def reason_of(text: str) -> str:
    """What stands behind the answer in a text that gives its reason too; the whole text when nothing does."""
    return _SIGN.sub("", _ANSWER.sub("", text, count=1)).strip() or text


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """Tokens of the answer and of all references, and what BLEU and ROUGE need of them."""
    texts = truth.evaluation.references or (plain_words(truth.turns[-1].parts),)
    words = plain_words(answer.parts)
    if truth.task == "vqa_reasoning" and truth.evaluation.references:  # the references are reasons alone
        words = reason_of(words)
    said, references = tokens(words), [tokens(text) for text in texts]
    rouge = rouge_l(said, references)
    return common(truth, answer, rouge) | {
        "said": said, "references": references, "bleu": bleu_counts(said, references), "rouge": rouge
    }  # fmt: skip


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """Corpus BLEU, mean ROUGE-L, mean CIDEr-D with document frequencies from these very references."""
    if not rows.height:
        return Summary({metric.name: None for metric in METRICS})
    rows = rows.sort("photo", "id")
    said, references = rows["said"].to_list(), rows["references"].to_list()
    counts, words = np.array(rows["bleu"].to_list()), consensus(said, references, setting)
    scores = bleu(counts.sum(axis=0))
    numbers: dict[str, float | None] = {
        "CIDEr-D": float(words.cider.mean()),
        "CIDEr-D[corrected]": float(words.corrected.mean()),
        **{f"BLEU-{n}": float(scores[n - 1]) for n in range(1, 5)},
        "ROUGE-L": float(rows["rouge"].to_numpy().mean()),
        "METEOR": words.meteor,
    }
    photos = rows["photo"].to_list()
    index, count = photo_index(photos)
    folded = np.zeros((count, counts.shape[1]))
    np.add.at(folded, index, counts)
    got = {
        "CIDEr-D": mean_interval(words.cider, photos, setting.resamples, setting.seed, bounds=(0.0, 10.0)),
        "ROUGE-L": mean_interval(rows["rouge"].to_numpy(), photos, setting.resamples, setting.seed),
        "BLEU-4": interval(lambda w: bleu(w @ folded)[:, 3], count, setting.resamples, setting.seed, bounds=(0.0, 1.0)),
        "METEOR": meteor_interval(words, photos, setting),
    }
    details = {
        "photos": count,
        "references": int(rows["references"].list.len().sum()),
        "remarks": list(words.remarks),
    }
    return Summary(numbers, {name: one for name, one in got.items() if one}, details)


SCORER = Scorer("captions", TASKS, METRICS, COLUMNS, score, summarize, "pycocoevalcap (COCO caption evaluation)")
