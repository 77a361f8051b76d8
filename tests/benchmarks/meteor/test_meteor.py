"""METEOR in Python equals the official program's: every count, every score, every sum. Fixed answers of the program where Java is
not there; the program itself, on a few dozen captions, where it is; thousands with `slow`."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.meteor import Counts, MeteorError, counts_of_captions, meteor, scores, table_of, total
from benchmarks.meteor.program import meteor as program_meteor
from benchmarks.meteor.score import Side
from benchmarks.scorers._ptb import tokens
from tests.benchmarks.meteor.jar import need_java, official, printed

# captions written for the purpose, with the program's counts and scores (version 1.5 in pycocoevalcap 1.2, OpenJDK 17)
SEEN: dict[str, Any] = json.loads((Path(__file__).parent / "answers.json").read_text("utf-8"))
Captions = tuple[list[list[str]], list[list[list[str]]]]

pytestmark = pytest.mark.usefixtures("meteor_data")


def seen() -> Captions:
    rows = SEEN["captions"]
    return [row["said"].split() for row in rows], [[text.split() for text in row["references"]] for row in rows]


def differing(captions: Captions) -> list[str]:
    """Where we and the program differ: in a count, or in a score by more than the last bits, in which `pow` may."""
    theirs, scores = official(*captions)
    ours = counts_of_captions(*captions)
    found = [
        ascii((captions[0][n], captions[1][n], theirs[n], printed(one)))
        for n, one in enumerate(ours)
        if printed(one) != theirs[n] or one.score() != pytest.approx(scores[n], rel=4e-16, abs=0)
    ]
    ended = total(ours).score()
    return found if ended == pytest.approx(scores[-1], rel=4e-16, abs=0) else [*found, f"total {ended}, {scores[-1]}"]


def test_counts_and_scores_are_those_the_program_gave() -> None:
    said, references = seen()
    found = counts_of_captions(said, references)
    for row, counts in zip(SEEN["captions"], found, strict=True):
        assert printed(counts) == row["counts"], row["said"]
        assert counts.score() == pytest.approx(row["score"], rel=4e-16, abs=0), row["said"]
    assert total(found).score() == pytest.approx(SEEN["total"], rel=4e-16, abs=0)
    by_stage = [sum(one.said.content[stage] + one.said.function[stage] for one in found) for stage in range(4)]
    assert min(by_stage) >= 8  # every stage is at work in these captions


def test_the_program_still_answers_so() -> None:
    said, references = seen()
    counts, scores = official(said, references)
    assert counts == [row["counts"] for row in SEEN["captions"]]
    assert scores == [*(row["score"] for row in SEEN["captions"]), SEEN["total"]]


def test_a_caption_without_reference_is_refused() -> None:
    with pytest.raises(MeteorError, match="caption 1 has no reference"):
        meteor([["a"], ["b"]], [[["a"]], []])
    assert meteor([], []) == 0.0


def test_scores_by_hand() -> None:
    three = Side(3, 1, (2, 0, 0, 0), (1, 0, 0, 0))
    assert Counts(three, three, 1).score() == 1.0  # whole, in one chunk: no penalty
    assert Counts(three, three, 3).score() == pytest.approx(0.4)  # every word a chunk: 1 - gamma
    half = Side(4, 0, (0, 0, 2, 0), (0,) * 4)  # two synonyms of four words: 2 x 0.8 / 4
    assert Counts(half, half, 1).score() == pytest.approx(0.4 * (1 - 0.6 * 0.5**0.2))
    assert Counts(Side(0, 0, (0,) * 4, (0,) * 4), three, 0).score() == 0.0
    whole = Counts().plus(Counts(three, three, 1))
    assert (whole.chunks, whole.plus(Counts(half, half, 2)).chunks) == (0, 2)  # a whole caption adds no chunk


@st.composite
def counted(draw: st.DrawFn) -> Counts:
    """Any counts that an alignment may have: as many chunks as matches at most, whole captions and empty ones among them."""

    def side() -> Side:
        content, function = (draw(st.tuples(*[st.integers(0, 3)] * 4)) for _ in range(2))
        more, words = draw(st.integers(0, 2)), sum(function)
        return Side(sum(content) + words + more, words + draw(st.integers(0, more)), content, function)

    said, reference = side(), side()
    most = min(said.matched(), reference.matched())
    return Counts(said, reference, draw(st.integers(min(1, most), most)))


@given(st.lists(st.tuples(counted(), st.integers(0, 3)), min_size=1, max_size=6))
def test_sums_of_a_table_score_as_captions_drawn_again_and_again(drawn: list[tuple[Counts, int]]) -> None:
    """What resamples need: any number of each caption, without adding them up one by one."""
    several, times = [one for one, _ in drawn], np.array([n for _, n in drawn], dtype=np.float64)
    slowly = total(one for one, n in drawn for _ in range(n)).score()
    assert scores(times @ table_of(several)) == pytest.approx(slowly, rel=1e-12, abs=1e-15)


def test_the_set_s_number_is_its_table_s() -> None:
    found = counts_of_captions(*seen())
    assert scores(table_of(found).sum(axis=0)) == pytest.approx(SEEN["total"], rel=4e-15, abs=0)


@pytest.mark.slow
def test_the_official_engine_gives_the_same_number() -> None:
    need_java()
    captions = seen()
    assert program_meteor(*captions) == SEEN["total"] == pytest.approx(meteor(*captions), rel=4e-16, abs=0)


# --- thousands -------------------------------------------------------------------------------------------------------


def real(tiny_coco: Callable[[str], dict[str, Any]]) -> list[list[list[str]]]:
    """The sample's captions as tokens, by photo."""
    by_photo: dict[int, list[list[str]]] = {}
    for file in ("captions_val2017.json", "captions_train2017.json"):
        for one in tiny_coco(file)["annotations"]:
            by_photo.setdefault(one["image_id"], []).append(tokens(one["caption"]))
    return list(by_photo.values())


@pytest.mark.slow
def test_real_captions(tiny_coco: Callable[[str], dict[str, Any]], shared_data: Callable[[str], Path]) -> None:
    """Every caption of a photo against the photo's others, every referring expression against those of the same photo."""
    photos = real(tiny_coco)
    expressions: dict[str, list[list[str]]] = {}
    for row in json.loads((shared_data("refcocos") / "refcocos_test.json").read_text()):
        expressions.setdefault(row["image"], []).append(tokens(row["normal_caption"]))
    photos += expressions.values()
    pairs = [(one, [*all_[:n], *all_[n + 1 :]]) for all_ in photos for n, one in enumerate(all_) if len(all_) > 1]
    assert len(pairs) > 500
    assert not differing(([one for one, _ in pairs], [those for _, those in pairs]))


ODD = [
    *"aAbs.'.''`,-–--‘’“”\"09éŠѐᴀ\u00a0\u2003\u3000\t\x0b\x0c\x1c\x85\u2028!?|()$😀İßΣςŉǰΐ&@*", "DOTMULTI", "...", "U.S.", "Mr.",
    "No.", "No. 5", "e.g.", " ", " ", " ", " is", "'s", "n't", "1,000", "1990's", "rock-n-roll", "an", "c0",
]  # fmt: skip
COMMON = ["the", "a", "of", "on", "cat", "cats", "man", "men", "person", "people"]


def strange(rng: random.Random, captions: list[list[str]], count: int) -> Iterator[list[str]]:
    """Captions shuffled, perturbed, made of random words or characters, repeating a word, empty, and long."""
    vocabulary = sorted({word for caption in captions for word in caption})
    for _ in range(count):
        kind, real_one = rng.random(), list(rng.choice(captions))
        if kind < 0.03:
            yield []
        elif kind < 0.2:
            yield "".join(rng.choice(ODD) for _ in range(rng.randint(0, 40))).split(" ")
        elif kind < 0.5:
            for _ in range(3):
                real_one.insert(rng.randint(0, len(real_one)), rng.choice(ODD))
            yield real_one
        elif kind < 0.65:
            yield rng.sample(real_one, len(real_one)) + rng.choice(captions)[:3]
        elif kind < 0.8:
            yield rng.choices(vocabulary, k=rng.randint(1, 20))
        elif kind < 0.85:
            yield rng.choices(COMMON, k=rng.randint(1, 60))
        elif kind < 0.9:
            yield [rng.choice(COMMON)] * rng.randint(1, 30) + real_one
        elif kind < 0.902:
            yield [word for _ in range(rng.randint(10, 40)) for word in rng.choice(captions)]
        else:
            yield real_one


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_thousands_of_strange_captions(seed: int, tiny_coco: Callable[[str], dict[str, Any]]) -> None:
    rng = random.Random(seed)
    captions = [caption for photo in real(tiny_coco) for caption in photo]
    said = list(strange(rng, captions, 4000))
    references = [list(strange(rng, captions, rng.randint(1, 5))) for _ in said]
    for number in range(0, len(said), 40):  # and some that are one of their references
        references[number][-1] = list(said[number])
    assert not differing((said, references))
