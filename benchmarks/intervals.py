"""95 % intervals by bootstrap over photos: all samples of a photo are drawn together, because they are not independent.

A statistic is given as a function of photo weights, so that one call answers many resamples at once. Plain percentile
intervals of AP sit too high (a resample repeats photos, and AP of repeated photos is biased upwards), so there are three
others:

* "bca", bias-corrected and accelerated (Efron, "Better bootstrap confidence intervals", JASA 1987), where a
  leave-one-photo-out pass is cheap: shares, means, ratios. Its tails are those of Student's t instead of the normal's, widened
  as in Hesterberg's "expanded percentiles" (cited below, section 4.3), with Satterthwaite's degrees of freedom of the photos'
  pulls: where few photos carry most of a number, few photos say how uncertain it is, however many there are;
* "student", for AP and AR: the estimate less the resamples' bias, plus and minus their standard error times Student's t. A
  class that is annotated in n photos varies n / (n - 1) times more than its resamples do, and what few photos say of their own
  spread is uncertain itself; so the error grows by the root of n / (n - classes), and t has n - classes degrees of freedom, n
  being the pairs of class and photo that count (Hesterberg, "What Teachers Should Know About the Bootstrap", The American
  Statistician 2015, section 4.3, for one class). A hundred groups of photos (or every photo) are left out in turn as well, for
  Satterthwaite's degrees of freedom as above, where those are fewer. With fewer than two there is no interval: nothing is known.
* "exact" (Clopper & Pearson, Biometrika 1934), where every photo is right or every one wrong: no resample differs then, and a
  bootstrap would say that there is no doubt. Where none differs and the number is between, there is no interval.

Differences of two models (`paired`) are taken on the same resamples and the same photos left out: plus and minus their standard
error times Student's t with the degrees of freedom of the differences' own pulls, and p from the same t.

`tests/benchmarks/test_coverage.py` counts how often they hold the truth.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# pyright: reportUnknownArgumentType=false
# (scipy ships no types)

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from benchmarks.crew import ALONE, Crew, as_given
from benchmarks.scorer import Interval

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]  # weights (B, P) -> values (B,)

LEVEL = 0.95
FEW = 10  # photos that count, below which an interval is too narrow all the same
LEAST = 2  # degrees of freedom, below which there is no interval
GROUPS = 100  # of photos that are left out in turn for AP and AR
CHUNK = 1 << 23  # weights held at once; 64 MB of float64
NARROW = 128  # resamples that one of several workers gets at least: fewer cost as much


@dataclass(frozen=True, slots=True)
class Support:
    """What an AP or AR rests on: `photos` with something annotated that counts, `classes` of it, and `pairs` of both."""

    photos: int
    classes: int
    pairs: int

    @property
    def freedom(self) -> int:
        """Pairs beyond the first of every class: what its photos can differ by."""
        return self.pairs - self.classes


def photo_index(photos: Sequence[str]) -> tuple[NDArray[np.int64], int]:
    """Each row's photo as 0..P-1, and P. Photos are numbered by name, so row order does not matter."""
    if not photos:
        return np.zeros(0, dtype=np.int64), 0
    names, index = np.unique(np.asarray(photos, dtype=object).astype(str), return_inverse=True)
    return index.astype(np.int64), int(names.size)


class Drawn(Interval):
    """An interval with what it was made of, for comparing two sets of answers to the same photos: the `estimate`, the
    statistic's `values` on every resample (NaN where undefined; equal seeds draw equal photos), and with every photo
    `left_out` in turn; `span`, the largest difference that two such numbers can have. None of that is a field: a result
    file keeps the interval alone."""

    estimate: float
    values: Floats
    left_out: Floats
    span: float

    def __init__(
        self, interval: Interval, estimate: float, values: Floats, left_out: Floats, span: float = math.inf
    ) -> None:
        super().__init__(interval.low, interval.high, interval.method, interval.resamples, interval.photos)
        parts = (("estimate", estimate), ("values", values), ("left_out", left_out), ("span", span))
        for name, value in parts:
            object.__setattr__(self, name, value)  # an interval is frozen

    def plain(self) -> Interval:
        """What a result file keeps."""
        return Interval(self.low, self.high, self.method, self.resamples, self.photos)


def plain_intervals(found: Mapping[str, Interval]) -> dict[str, Interval]:
    """Intervals without what they were made of."""
    return {name: one.plain() if isinstance(one, Drawn) else one for name, one in found.items()}


def interval(
    statistic: Statistic, photos: int, resamples: int, seed: int, *, bounds: tuple[float, float] | None = None
) -> Drawn | None:  # fmt: skip
    """The interval of a statistic over `photos` photos; None when there is nothing to resample (one photo, none asked
    for, or a statistic undefined on the sample). Resamples on which it is undefined (NaN) are left out."""
    if photos < 2 or resamples < 1:
        return None
    estimate = float(statistic(np.ones((1, photos)))[0])
    if not np.isfinite(estimate):
        return None
    values = np.concatenate([statistic(weights) for weights in resampled(photos, resamples, seed)])
    return drawn(estimate, values, _left_out(statistic, photos), photos, bounds)


def intervals(
    statistics: Callable[[NDArray[Any]], Mapping[str, NDArray[Any]]], support: Mapping[str, Support], photos: int,
    resamples: int, seed: int, *, heavy: bool, bounds: tuple[float, float] | None = (0.0, 1.0), crew: Crew = ALONE,
) -> dict[str, Drawn]:  # fmt: skip
    """Intervals of several statistics that are cheaper to compute together: `statistics` takes weights (photos, B), of float32
    when `heavy`, and gives (B,) values by name, each of its own weights alone; `support` says what each rests on. Undefined
    ones are left out. A `crew` shares the work when it is heavy. Method: "student"."""
    if photos < 2 or resamples < 1:
        return {}
    estimates = statistics(np.ones((photos, 1)))
    workers = crew.workers if heavy else 1  # at least so many pieces: enough to know whether anybody is needed
    works = _weightings(photos, resamples, seed, np.float32 if heavy else np.float64, workers)
    pieces: list[Mapping[str, NDArray[Any]]] = crew.share(as_given, statistics, works, workers, statistics, long=True)
    found: dict[str, Drawn] = {}
    for name, one in estimates.items():
        values, rest = np.split(np.concatenate([piece[name] for piece in pieces]).astype(np.float64), [resamples])
        got = drawn(float(one[0]), values, rest, photos, bounds, support[name]) if np.isfinite(one[0]) else None
        if got is not None:
            found[name] = got
    return found


def _weightings(photos: int, resamples: int, seed: int, dtype: Any, workers: int) -> Iterator[NDArray[Any]]:
    """Weights (photos, B) of every resample, then of the groups left out in turn, in pieces for so many workers."""
    kept = np.ones((photos, min(photos, GROUPS)))
    kept[np.arange(photos), np.arange(photos) % kept.shape[1]] = 0.0
    # or more; where there are enough of them, each is a piece of its own
    chunks = math.ceil(resamples * photos / CHUNK)
    asked = 0
    for weights in resampled(photos, resamples, seed):
        columns, asked = weights.T, asked + len(weights)
        if asked == resamples:  # a call for a hundred weightings more costs a quarter of a call of their own
            columns = np.concatenate([columns, kept], axis=1)
        several = max(1, min(math.ceil(workers / chunks), columns.shape[1] // NARROW))
        for piece in np.array_split(columns, several, axis=1):
            yield np.ascontiguousarray(piece, dtype=dtype)


def drawn(
    estimate: float, values: Floats, left_out: Floats, photos: int, bounds: tuple[float, float] | None,
    support: Support | None = None,
) -> Drawn | None:  # fmt: skip
    """The interval of resampled values around an estimate: Student's where it is known what the estimate rests on, else BCa."""
    known = values[np.isfinite(values)]
    if known.size < 2 or (support is not None and support.freedom < LEAST):
        return None
    method = "bca" if support is None else "student"
    if np.ptp(known) <= 1e-12:  # whichever photos are drawn: the bootstrap would say that there is no doubt
        ends = _at_the_end(estimate, bounds, photos if support is None else support.photos)
        if ends is None:
            return None
        (low, high), method = ends, "exact"
    elif support is None:
        low, high = _bca(known, estimate, left_out)
    else:
        low, high = _student(known, estimate, support, left_out)
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    span = math.inf if bounds is None else bounds[1] - bounds[0]
    return Drawn(Interval(float(low), float(high), method, int(known.size), photos), estimate, values, left_out, span)


@dataclass(frozen=True, slots=True)
class Paired:
    """The second number less the first, over the same photos, with its 95 % interval (None where the two differ by as much on
    every resample: that says nothing of other photos) and the two-sided p of "no difference"."""

    difference: float
    low: float | None
    high: float | None
    p: float


def paired(first: Drawn, second: Drawn) -> Paired | None:
    """The difference of two models' numbers; None where they were not drawn alike, or too seldom defined together."""
    if first.values.shape != second.values.shape or first.left_out.shape != second.left_out.shape:
        return None
    estimate, values = second.estimate - first.estimate, second.values - first.values
    known = values[np.isfinite(values)]
    if known.size < 2:
        return None
    freedom = _freedom(_pulls(second.left_out - first.left_out))
    error = math.sqrt((freedom + 1) / freedom) * float(known.std())
    reach = float(stdtrit(freedom, (1 + LEVEL) / 2)) * error
    # whoever is better on every photo, n of them cannot say more than n coins that fall alike
    least = 0.5 ** min(first.photos - 1, 1000)
    p = 2 * float(stdtr(freedom, -abs(estimate) / error)) if error > 0 else float(estimate == 0)
    p = min(1.0, max(p, least))
    if error == 0:
        return Paired(estimate, None, None, p)
    return Paired(estimate, max(estimate - reach, -first.span), min(estimate + reach, first.span), p)


def resampled(photos: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Photo weights of every resample, (B, photos) a chunk: how often each photo was drawn."""
    rng = np.random.default_rng(seed)
    step = max(1, CHUNK // photos)
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        chosen = rng.integers(0, photos, size=(count, photos))
        flat = chosen + np.arange(count)[:, None] * photos
        yield np.bincount(flat.ravel(), minlength=count * photos).reshape(count, photos).astype(np.float64)


def _left_out(statistic: Statistic, photos: int) -> Floats:
    step = max(1, CHUNK // photos)
    found: list[Floats] = []
    for start in range(0, photos, step):
        stop = min(photos, start + step)
        weights = np.ones((stop - start, photos))
        weights[np.arange(stop - start), np.arange(start, stop)] = 0.0
        found.append(statistic(weights))
    return np.concatenate(found)


def _pulls(left_out: Floats) -> Floats:
    """How far every photo pulls the estimate."""
    known = left_out[np.isfinite(left_out)]
    return known.mean() - known if known.size else np.zeros(1)


def _at_the_end(estimate: float, bounds: tuple[float, float] | None, photos: int) -> tuple[float, float] | None:
    """Clopper and Pearson's interval where every photo is right, or every one wrong; None elsewhere."""
    low, high = bounds or (0.0, math.inf)
    if not math.isfinite(high) or min(abs(estimate - low), abs(estimate - high)) > 1e-9:
        return None
    doubt = (1 - ((1 - LEVEL) / 2) ** (1 / max(photos, 1))) * (high - low)  # what 2.5 samples of 100 would hide
    return (low, low + doubt) if abs(estimate - low) <= 1e-9 else (high - doubt, high)


def _bca(values: Floats, estimate: float, left_out: Floats) -> tuple[float, float]:
    # Ties count half: a statistic of few photos takes few values, and all below / all above would give z = +-inf.
    below = (np.count_nonzero(values < estimate) + 0.5 * np.count_nonzero(values == estimate)) / values.size
    normal = NormalDist()
    bias = normal.inv_cdf(min(max(below, 0.5 / values.size), 1 - 0.5 / values.size))
    pull = _pulls(left_out)
    spread = float((pull**2).sum())
    acceleration = float((pull**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    freedom = _freedom(pull)
    reach = float(stdtrit(freedom, (1 + LEVEL) / 2)) * math.sqrt((freedom + 1) / freedom)
    found: list[float] = []
    for side in (-reach, reach):
        end = bias + side
        found.append(float(np.quantile(values, normal.cdf(bias + end / (1 - acceleration * end)))))
    return found[0], found[1]


def _freedom(pull: Floats) -> float:
    """Satterthwaite's degrees of freedom of a variance that is the sum of squared pulls: n - 1 where photos pull as normal
    deviates do, fewer where few of them pull hardest; at least 1."""
    second, fourth = float((pull**2).sum()), float((pull**4).sum())
    excess = fourth - second**2 / max(pull.size, 1)
    most = max(pull.size - 1.0, 1.0)
    return most if excess <= 0 else min(max(2 * second**2 / excess, 1.0), most)


def _student(values: Floats, estimate: float, support: Support, left_out: Floats) -> tuple[float, float]:
    freedom = min(float(support.freedom), _freedom(_pulls(left_out)))
    small = max(support.pairs / support.freedom, (freedom + 1) / freedom)
    reach = float(stdtrit(freedom, (1 + LEVEL) / 2)) * math.sqrt(small) * float(values.std())
    middle = 2 * estimate - float(values.mean())  # the resamples' bias taken out
    return min(middle - reach, estimate), max(middle + reach, estimate)


def ratio(numerator: Floats, denominator: Floats, photo: NDArray[np.int64], photos: int) -> Statistic:
    """sum(numerator) / sum(denominator) as a function of photo weights; a mean has ones below. NaN where that is 0."""
    above = np.bincount(photo, weights=numerator, minlength=photos)
    below = np.bincount(photo, weights=denominator, minlength=photos)

    def statistic(weights: Floats) -> Floats:
        total = weights @ below
        return np.divide(weights @ above, total, out=np.full(total.shape, np.nan), where=total > 0)

    return statistic


def mean_interval(
    values: Floats, photos: Sequence[str], resamples: int, seed: int, bounds: tuple[float, float] | None = (0.0, 1.0)
) -> Drawn | None:
    """The interval of a plain mean of one value per row."""
    index, count = photo_index(photos)
    if not count:
        return None
    return interval(ratio(values, np.ones_like(values), index, count), count, resamples, seed, bounds=bounds)
