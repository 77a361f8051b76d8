"""BLEU, ROUGE-L and CIDEr-D over tokenised captions, by the definitions of the COCO caption evaluation.

Sources: pycocoevalcap `bleu/bleu_scorer.py` (Papineni et al., ACL 2002; closest reference length), `rouge/rouge.py` (Lin,
ACL 2004; beta 1.2), `cider/cider_scorer.py` (Vedantam et al., CVPR 2015; the D variant with sigma 6, scaled by 10). Written
anew; checked against it in `tests/benchmarks/test_captions.py`. A caption is a list of tokens.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Tokens = Sequence[str]
Grams = Counter[tuple[str, ...]]
Floats = NDArray[np.float64]

ORDERS = 4
SMALL, TINY = 1e-9, 1e-15  # the official script's guards against dividing by and taking the logarithm of 0


def grams(caption: Tokens) -> Grams:
    """How often each run of one to four tokens occurs."""
    found: Grams = Counter()
    for order in range(1, ORDERS + 1):
        found.update(tuple(caption[i : i + order]) for i in range(len(caption) - order + 1))
    return found


# --- BLEU ------------------------------------------------------------------------------------------------------------


def bleu_counts(caption: Tokens, references: Sequence[Tokens]) -> list[float]:
    """What corpus BLEU sums: matches of order 1-4, guesses of order 1-4, caption length, closest reference length."""
    most: Grams = Counter()
    for reference in references:
        most |= grams(reference)
    matches = [0.0] * ORDERS
    for gram, count in grams(caption).items():
        matches[len(gram) - 1] += min(count, most[gram])
    guesses = [float(max(0, len(caption) - order)) for order in range(ORDERS)]
    closest = min((abs(len(reference) - len(caption)), len(reference)) for reference in references)[1]
    return [*matches, *guesses, float(len(caption)), float(closest)]


def bleu(totals: Floats) -> Floats:
    """BLEU-1..4 from summed counts (..., 10): (..., 4). Brevity penalty on the whole corpus."""
    matches, guesses = totals[..., :ORDERS], totals[..., ORDERS : 2 * ORDERS]
    logs = np.log((matches + TINY) / (guesses + SMALL))
    means = np.cumsum(logs, axis=-1) / np.arange(1, ORDERS + 1)
    length = (totals[..., -2] + TINY) / (totals[..., -1] + SMALL)
    penalty = np.where(length < 1, 1 - 1 / length, 0.0)
    return np.exp(means + penalty[..., None])


# --- ROUGE-L ---------------------------------------------------------------------------------------------------------


def rouge_l(caption: Tokens, references: Sequence[Tokens], beta: float = 1.2) -> float:
    """F-beta of the longest common subsequence: best precision and best recall over the references, apart."""
    if not caption:
        return 0.0
    common = [_common_length(caption, reference) for reference in references]
    precision = max(length / len(caption) for length in common)
    recall = max(
        length / len(reference) if reference else 0.0 for length, reference in zip(common, references, strict=True)
    )
    if not precision or not recall:
        return 0.0
    return (1 + beta**2) * precision * recall / (recall + beta**2 * precision)


def _common_length(a: Tokens, b: Tokens) -> int:
    row = [0] * (len(b) + 1)
    for token in a:
        diagonal = 0
        for j, other in enumerate(b, start=1):
            above = row[j]
            row[j] = diagonal + 1 if token == other else max(above, row[j - 1])
            diagonal = above
    return row[-1]


# --- CIDEr-D ---------------------------------------------------------------------------------------------------------


def cider_d(
    captions: Sequence[Tokens], references: Sequence[Sequence[Tokens]], sigma: float = 6.0
) -> tuple[list[float], list[float]]:
    """CIDEr-D of every caption against its references, and the same counting one photo more than there are; document frequencies
    come from all the references given.

    With one photo log(1) = 0 weighs every n-gram 0: the score is 0 whatever is said, and with few photos words that all of
    them share weigh nothing. That is the definition. Counting one photo more, every n-gram weighs something; with many photos it
    changes nothing to speak of.
    """
    counts = [[grams(reference) for reference in several] for several in references]
    frequency: Grams = Counter()
    for several in counts:
        frequency.update(set[tuple[str, ...]]().union(*several))
    # numpy's logarithm, as the original: the last bit of another library's may differ
    log_of = {
        number: float(np.log(float(number))) for number in {*frequency.values(), len(captions) or 1, len(captions) + 1}
    }
    rarity = {gram: log_of[number] for gram, number in frequency.items()}
    logs = [log_of[len(captions) or 1], log_of[len(captions) + 1]]
    scores: tuple[list[float], list[float]] = ([], [])
    for caption, several in zip(captions, counts, strict=True):
        said = grams(caption)
        # the official length is the number of bigrams
        apart = [max(0, len(caption) - 1) - sum(n for gram, n in other.items() if len(gram) == 2) for other in several]
        for log_photos, found in zip(logs, scores, strict=True):
            own, total = _weighed(said, rarity, log_photos), np.zeros(ORDERS)
            for other, away in zip(several, apart, strict=True):
                total += _cosines(*own, *_weighed(other, rarity, log_photos)) * math.e ** (-(away**2) / (2 * sigma**2))
            found.append(float(total.mean()) / len(several) * 10.0)
    return scores


Weights = list[dict[tuple[str, ...], float]]  # of n-grams, by their length


def _weighed(counted: Grams, rarity: Mapping[tuple[str, ...], float], log_photos: float) -> tuple[Weights, list[float]]:
    """TF-IDF weights of a caption's n-grams and their norms, by length."""
    weights: Weights = [{} for _ in range(ORDERS)]
    squares = [0.0] * ORDERS
    for gram, count in counted.items():
        weight = count * (log_photos - rarity.get(gram, 0.0))
        weights[len(gram) - 1][gram] = weight
        squares[len(gram) - 1] += weight**2
    return weights, [math.sqrt(square) for square in squares]


def _cosines(own: Weights, norms: list[float], other: Weights, other_norms: list[float]) -> Floats:
    found = np.zeros(ORDERS)
    for order in range(ORDERS):
        theirs = other[order]
        shared = 0.0  # clipped: saying a word more often than the reference does not help
        for gram, weight in own[order].items():
            if gram in theirs:
                shared += min(weight, theirs[gram]) * theirs[gram]  # a loop, as the original's: `sum` may compensate
        if norms[order] and other_norms[order]:
            found[order] = shared / (norms[order] * other_norms[order])
    return found
