"""METEOR of 1,000 and 5,000 captions with four references each beside the official Java program, equal numbers first. Processor time
of the whole: tables, counts, number.

    pytest -m perf tests/perf/test_meteor_perf.py --benchmark-enable -s
"""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.meteor import meteor, paraphrases, program
from tests.benchmarks.meteor.jar import need_java

# what captions of everyday photos are made of
THINGS = [
    "man",
    "woman",
    "child",
    "dog",
    "cats",
    "horse",
    "bus",
    "cars",
    "kitchen",
    "table",
    "pizza",
    "giraffes",
    "skateboard",
    "umbrella",
    "laptop",
]
DOES = [
    "rides",
    "holds",
    "eats",
    "sits",
    "stands",
    "plays",
    "flies",
    "is",
    "walking",
    "are",
    "parked",
    "looking",
    "at",
    "with",
    "next",
    "to",
    "in",
    "front",
    "of",
]
PLACES = [
    "street",
    "field",
    "beach",
    "room",
    "park",
    "city",
    "market",
    "snow",
    "water",
    "grass",
    "night",
    "rain",
    "crowd",
]
SMALL = ["a", "the", "on", "in", "of", "and", "two", "large", "small", "red", "white", "old"]


def captions(count: int) -> tuple[list[list[str]], list[list[list[str]]]]:
    """Captions of 8 to 14 words, and four references each that share some of them."""
    rng = random.Random(0)

    def spoken(thing: str, place: str) -> list[str]:
        middle = rng.choices(SMALL + DOES + THINGS, k=rng.randint(4, 10))
        return [rng.choice(SMALL), thing, rng.choice(DOES), *middle, place]

    said, references = [], []
    for _ in range(count):
        thing, place = rng.choice(THINGS), rng.choice(PLACES)
        said.append(spoken(thing, place))
        references.append([spoken(thing, place) for _ in range(4)])
    return said, references


def ours(*asked: Any) -> tuple[float, float]:
    """Processor seconds in this process, with the reading of the tables that a process does once, and the number."""
    paraphrases._packed.cache_clear()
    began = time.process_time()
    number = meteor(*asked)
    return time.process_time() - began, number


def theirs(*asked: Any) -> tuple[float, float]:
    """Processor seconds of the program, and the number."""
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    number = program.meteor(*asked)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime, number


def least(work: Callable[[], tuple[float, float]]) -> tuple[float, float]:
    """The cheaper of two rounds."""
    return min(work() for _ in range(2))


@pytest.mark.perf
@pytest.mark.usefixtures("meteor_data")
@pytest.mark.parametrize("count", [1000, 5000])
def test_meteor(count: int, benchmark: Any) -> None:
    need_java()
    asked = captions(count)
    fast, mine = benchmark.pedantic(lambda: least(lambda: ours(*asked)), rounds=1)
    slow, official = least(lambda: theirs(*asked))
    assert mine == pytest.approx(official, rel=4e-16, abs=0)
    assert 0.1 < mine < 0.6
    benchmark.extra_info.update(ours_s=fast, java_s=slow, times_faster=slow / fast)
    print(f"\nMETEOR of {count} captions x 4: ours {fast:.1f} s, Java {slow:.1f} s, {slow / fast:.1f} times")
