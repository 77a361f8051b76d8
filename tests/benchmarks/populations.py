"""Made-up populations of photos to draw small sets from: what intervals and p-values are measured on.

"even" photos have one to five instances each. "skewed" ones have as many as a Pareto law gives (of index 1.2, at most 40): a
few photos carry most instances, and sizes vary by a factor of 20 either way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.columns import Instances
from benchmarks.engine import BOX_NUMBERS
from benchmarks.matching import pairs
from benchmarks.scorers import captions
from benchmarks.scorers._ngrams import bleu_counts, rouge_l
from benchmarks.scorers.ap_box import box_similar
from benchmarks.weighted import Conditions, Weighable, weighable

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def per_photo(rng: np.random.Generator, photos: int, skewed: bool) -> Ints:
    """How many instances every photo has."""
    if not skewed:
        return rng.integers(1, 6, photos)
    return np.clip(np.ceil(rng.pareto(1.2, photos)), 1, 40).astype(np.int64)


# --- boxes -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Boxes:
    """Annotated boxes of three classes, and one or more models' answers to them; photos are numbered from 1."""

    photos: int
    truth: Instances
    models: tuple[Instances, ...]

    def ready(self, model: int, chosen: Ints | None = None) -> Weighable:
        """A model's answers to those photos alone (all), numbered anew."""
        photos = np.arange(1, self.photos + 1) if chosen is None else chosen
        number = np.zeros(self.photos + 1, dtype=np.int64)
        number[photos] = np.arange(1, photos.size + 1)
        truth, found = self.truth, self.models[model]
        t, f = number[truth.image] > 0, number[found.image] > 0
        one = Instances(number[truth.image[t]], truth.category[t], truth.boxes_xywh[t], truth.area[t], truth.crowd[t])
        other = Instances(number[found.image[f]], found.category[f], found.boxes_xywh[f], score=found.score[f])
        areas = other.boxes_xywh[:, 2] * other.boxes_xywh[:, 3]
        nothing = np.zeros(len(other), dtype=bool)
        rules = Conditions(BOX_NUMBERS, (1, 10, 100), areas, one.crowd, nothing, ~nothing, {})
        return weighable(
            one, other, pairs(one, other, box_similar(one, other)), rules, np.arange(photos.size), photos.size
        )


def boxes(rng: np.random.Generator, photos: int, skewed: bool = False, models: int = 1) -> Boxes:
    """Truths found more or less well; how well differs from photo to photo, and alike for all models."""
    truths = per_photo(rng, photos, skewed)
    image = np.repeat(np.arange(1, photos + 1), truths)
    n = image.size
    true = np.hstack([rng.uniform(0, 500, (n, 2)), rng.uniform(20, 120, (n, 2))])
    category = rng.integers(1, 4, n)
    truth = Instances(image, category, true, true[:, 2] * true[:, 3], np.zeros(n, dtype=bool))
    hard = np.repeat(rng.uniform(0.02, 0.25, photos), truths)[:, None]
    return Boxes(photos, truth, tuple(_found(rng, truth, hard) for _ in range(models)))


def _found(rng: np.random.Generator, truth: Instances, hard: Floats) -> Instances:
    n = len(truth)
    near = truth.boxes_xywh + rng.normal(0, 1, (n, 4)) * hard * 60
    near[:, 2:] = np.maximum(near[:, 2:], 1)
    stray = np.hstack([rng.uniform(0, 500, (n, 2)), rng.uniform(20, 120, (n, 2))])
    score = np.concatenate([np.clip(0.9 - hard[:, 0] * 2 + rng.normal(0, 0.2, n), 0, 1), rng.uniform(0, 0.8, n)])
    return Instances(np.tile(truth.image, 2), np.tile(truth.category, 2), np.vstack([near, stray]), score=score)


# --- expressions -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Expressions:
    """What a model's answers to expressions add to Acc@.5 (hits by expressions) and cIoU (pixels by pixels), photo by photo:
    (P,) each. A share of 4 % besides, as few errors are."""

    hits: Floats
    rare: Floats
    count: Floats
    inter: Floats
    union: Floats

    def parts(self, name: str) -> tuple[Floats, Floats]:
        """The sums above and below the line of a number, by photo."""
        return {"Acc@.5": (self.hits, self.count), "cIoU": (self.inter, self.union), "4 %": (self.rare, self.count)}[
            name
        ]


def expressions(rng: np.random.Generator, photos: int, skewed: bool = False, models: int = 1) -> list[Expressions]:
    """Expressions of one object size a photo; how easy differs from photo to photo, and alike for all models."""
    count = per_photo(rng, photos, skewed)
    photo = np.repeat(np.arange(photos), count)
    area = np.exp(rng.normal(8, 1.5 if skewed else 0.8, photos))[photo] * np.exp(rng.normal(0, 0.5, photo.size))
    easy = rng.beta(2, 1, photos)[photo]
    found: list[Expressions] = []
    for _ in range(models):
        hit = rng.random(photo.size) < easy
        union = area * rng.uniform(1, 1.5, photo.size)
        inter = union * rng.beta(8 * easy + 0.3, 8 * (1 - easy) + 0.3)
        columns = (hit, rng.random(photo.size) < 0.04, np.ones_like(area), inter, union)
        found.append(Expressions(*(np.bincount(photo, weights=one, minlength=photos) for one in columns)))
    return found


# --- captions --------------------------------------------------------------------------------------------------------

WORDS = [
    "man",
    "woman",
    "child",
    "dog",
    "cat",
    "horse",
    "bus",
    "car",
    "kitchen",
    "table",
    "pizza",
    "giraffe",
    "skateboard",
    "umbrella",
    "laptop",
    "bench",
    "clock",
    "bottle",
    "train",
    "boat",
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
    "tree",
    "wall",
    "window",
    "building",
    "road",
    "river",
    "hill",
    "riding",
    "holding",
    "eating",
    "sitting",
    "standing",
    "playing",
    "flying",
    "walking",
    "parked",
    "looking",
    "running",
    "jumping",
    "waiting",
    "reading",
    "cooking",
    "red",
    "white",
    "old",
    "small",
    "large",
    "young",
    "wooden",
    "green",
    "busy",
    "empty",
    "bright",
    "dark",
    "wet",
    "tall",
    "two",
    "three",
    "several",
]
FILLERS = ["a", "the", "on", "in", "of", "and", "with", "next", "to", "near", "is", "are"]


def spoken(rng: np.random.Generator, photos: int, skewed: bool = False) -> pl.DataFrame:
    """Rows of captions, with five references each: one caption a region, `per_photo` of them. What a photo shows is said by all
    of its captions, common words more often than rare ones; how much of it a model says differs from photo to photo."""
    often = 1 / np.arange(2, len(WORDS) + 2)
    often /= often.sum()
    count, easy = per_photo(rng, photos, skewed), rng.beta(2, 1.5, photos)
    rows = []
    for photo in range(photos):
        shown = rng.choice(len(WORDS), 9, replace=False, p=often)
        for region in range(count[photo]):
            there = rng.choice(shown, 5, replace=False)
            references = [_sentence(rng, there, 0.75, often) for _ in range(5)]
            said = _sentence(rng, there, easy[photo], often)
            rows.append(
                {
                    "id": f"{photo}/{region}", "task": "caption", "source": "made", "photo": f"made:{photo}", "state": "ok",
                    "quality": 0.0, "said": said, "references": references, "bleu": bleu_counts(said, references),
                    "rouge": rouge_l(said, references),
                }
            )  # fmt: skip
    return captions.SCORER.frame(rows)


def _sentence(rng: np.random.Generator, there: Ints, right: float, often: Floats) -> list[str]:
    """Most of those words, in their order, with small ones before them; others where one is not right."""
    found: list[str] = []
    for word in there[rng.random(there.size) < 0.85].tolist():
        chosen = word if rng.random() < right else int(rng.choice(len(WORDS), p=often))
        usual = rng.random() < 0.7  # before this very word
        found += [FILLERS[chosen % len(FILLERS) if usual else int(rng.integers(len(FILLERS)))], WORDS[chosen]]
    return found or ["nothing"]
