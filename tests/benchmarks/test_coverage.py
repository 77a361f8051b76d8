"""Do 95 % intervals hold the truth 95 times in 100, and is p below .05 five times in 100 where two models do not differ? By
simulation: many small sets from one big population (`populations.py`). The tables they print stand in docs/benchmark.md."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from benchmarks.engine import BOX_NUMBERS
from benchmarks.intervals import FEW, Drawn, interval, intervals, paired, ratio
from benchmarks.meteor import counts_of_captions
from benchmarks.scorer import Interval, Setting
from benchmarks.scorers import _words
from benchmarks.scorers._ap import supports
from benchmarks.scorers.captions import SCORER
from benchmarks.weighted import numbers
from tests.benchmarks.populations import Boxes, boxes, expressions, spoken

POPULATION, SETS, RESAMPLES = 4000, 400, 200
CAPTIONS = ("CIDEr-D", "BLEU-4", "ROUGE-L", "METEOR")
KINDS = [("even", 100), ("even", 30), ("skewed", 100), ("skewed", 30)]
pytestmark = pytest.mark.slow


def ap_of(
    drawn_from: Boxes, model: int, photos: np.ndarray | None, seed: int
) -> tuple[dict[str, Drawn], dict[str, int]]:
    """Intervals of all AP and AR of a set, and how many photos each rests on."""
    ready = drawn_from.ready(model, photos)
    rests = supports(ready)
    size = drawn_from.photos if photos is None else photos.size
    got = intervals(lambda w: numbers(ready, w), rests, size, RESAMPLES, seed, heavy=False)
    return got, {name: one.photos for name, one in rests.items()}


@pytest.mark.parametrize(("kind", "photos"), KINDS)
def test_intervals_of_ap_hold_the_population_about_95_times_in_100(kind: str, photos: int) -> None:
    rng = np.random.default_rng(0)
    population = boxes(rng, POPULATION, kind == "skewed")
    whole = numbers(population.ready(0), np.ones((POPULATION, 1)))
    held: dict[str, list[bool]] = {name: [] for name in BOX_NUMBERS}
    few: list[bool] = []
    undecided = 0
    for seed in range(SETS):
        got, rests = ap_of(population, 0, np.sort(rng.choice(POPULATION, photos, replace=False)) + 1, seed)
        undecided += sum(name not in got for name in BOX_NUMBERS)
        for name, one in got.items():
            right = bool(one.low <= whole[name][0] <= one.high)
            (held[name] if rests[name] >= FEW else few).append(right)
    for name, hits in held.items():
        print(f"| {kind} {photos} | {name} | {np.mean(hits) if hits else float('nan'):.3f} | {len(hits)} |")
    print(
        f"| {kind} {photos} | on fewer than {FEW} photos | {np.mean(few) if few else float('nan'):.3f} | {len(few)} | no interval: {undecided}"
    )
    for name, hits in held.items():
        assert len(hits) < SETS / 2 or 0.89 <= np.mean(hits) <= 0.985, name


@pytest.mark.parametrize(("kind", "photos"), KINDS)
def test_intervals_of_shares_and_ratios_hold_the_population_about_95_times_in_100(kind: str, photos: int) -> None:
    """Acc@.5 of REC and cIoU of RES, and a share that is nearly 0, by BCa."""
    rng = np.random.default_rng(1)
    (population,) = expressions(rng, POPULATION, kind == "skewed")
    for name in ("Acc@.5", "cIoU", "4 %"):
        above, below = population.parts(name)
        whole, held = above.sum() / below.sum(), []
        for seed in range(2 * SETS):
            some = rng.choice(POPULATION, photos, replace=False)
            got = interval(
                ratio(above[some], below[some], np.arange(photos), photos), photos, RESAMPLES, seed, bounds=(0, 1)
            )
            assert got is not None
            held.append(bool(got.low <= whole <= got.high))
        print(f"| {kind} {photos} | {name} | {np.mean(held):.3f} | {len(held)} |")
        most = 0.995 if name == "4 %" else 0.985  # 30 photos have none at times, and then the interval is wide
        assert 0.91 <= np.mean(held) <= most, name


@pytest.mark.usefixtures("meteor_data")
@pytest.mark.parametrize(("kind", "photos"), KINDS)
def test_intervals_of_captions_hold_the_population_about_95_times_in_100(
    kind: str, photos: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CIDEr-D weighs words by how rare they are in the very set, so sets of a size have a CIDEr-D of their own: what its interval
    is to hold is the mean of such sets. The others are to hold the whole population's number."""
    population = spoken(np.random.default_rng(4), POPULATION // 2, kind == "skewed")
    remember_meteor(population, monkeypatch)
    whole = SCORER.summarize(population, Setting(resamples=0)).numbers
    names, rng = population["photo"].unique(maintain_order=True), np.random.default_rng(5)
    estimates: dict[str, list[float]] = {name: [] for name in CAPTIONS}
    drawn: dict[str, list[Interval]] = {name: [] for name in CAPTIONS}
    for seed in range(2 * SETS):
        some = names.gather(rng.choice(names.len(), photos, replace=False))
        got = SCORER.summarize(
            population.filter(pl.col("photo").is_in(some.to_list())), Setting(resamples=RESAMPLES, seed=seed)
        )
        for name in CAPTIONS:
            estimates[name].append(float(got.numbers[name] or 0.0))
            drawn[name].append(got.intervals[name])
    for name in CAPTIONS:
        mean, goal = float(np.mean(estimates[name])), float(whole[name] or 0.0)
        held, of_mean = (np.mean([one.low <= value <= one.high for one in drawn[name]]) for value in (goal, mean))
        print(f"| {kind} {photos} | {name} | {held:.3f} | {of_mean:.3f} | {goal:.4f} | {mean:.4f} | {2 * SETS} |")
        assert 0.91 <= (of_mean if name == "CIDEr-D" else held) <= 0.985, name


def remember_meteor(population: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Align every caption of a population once: what METEOR sums of it does not depend on the set."""
    said, references = population["said"].to_list(), population["references"].to_list()
    known = {
        (tuple(s), str(r)): one
        for s, r, one in zip(said, references, counts_of_captions(said, references), strict=True)
    }
    monkeypatch.setattr(
        _words,
        "counts_of_captions",
        lambda said, refs: [known[tuple(s), str(r)] for s, r in zip(said, refs, strict=True)],
    )


def uniform(name: str, p: np.ndarray) -> None:
    """p of two models that do not differ: as often below a level as the level says, within what chance allows."""
    print(
        f"| {name} | {' | '.join(f'{(p < level).mean():.3f}' for level in (0.01, 0.05, 0.1, 0.25, 0.5))} | {p.size} |"
    )
    for level, band in ((0.05, 3), (0.1, 3), (0.5, 4)):
        spread = np.sqrt(level * (1 - level) / p.size)
        assert abs((p < level).mean() - level) < band * spread + 0.01, (name, level)


@pytest.mark.parametrize(("kind", "photos"), KINDS)
def test_p_is_uniform_where_two_models_do_not_differ_in_ap(kind: str, photos: int) -> None:
    """Two models whose answers come from the same law: neither is better, whatever a set of photos shows."""
    rng = np.random.default_rng(2)
    found: dict[str, list[float]] = {"AP": [], "AP50": [], "AR100": []}
    for seed in range(SETS):
        both = boxes(rng, photos, kind == "skewed", models=2)
        first, second = (ap_of(both, model, None, seed)[0] for model in (0, 1))
        for name, several in found.items():
            got = paired(first[name], second[name])
            assert got is not None
            if got.low is not None and got.high is not None:
                assert (got.p < 0.05) == (not got.low <= 0 <= got.high)
            several.append(got.p)
    for name, several in found.items():
        uniform(f"{kind} {photos}, {name}", np.array(several))


@pytest.mark.parametrize(("kind", "photos"), KINDS)
def test_p_is_uniform_where_two_models_do_not_differ_in_shares_and_ratios(kind: str, photos: int) -> None:
    rng = np.random.default_rng(3)
    found: dict[str, list[float]] = {"Acc@.5": [], "cIoU": []}
    for seed in range(2 * SETS):
        both = expressions(rng, photos, kind == "skewed", models=2)
        for name, several in found.items():
            drawn = [
                interval(ratio(*one.parts(name), np.arange(photos), photos), photos, RESAMPLES, seed, bounds=(0, 1))
                for one in both
            ]
            if drawn[0] is not None and drawn[1] is not None:
                got = paired(drawn[0], drawn[1])
                assert got is not None
                several.append(got.p)
    for name, several in found.items():
        uniform(f"{kind} {photos}, {name}", np.array(several))
