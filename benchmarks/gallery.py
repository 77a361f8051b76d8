"""Samples to look at: for every suite the worst and the best answers, drawn beside the truth."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
from markupsafe import Markup

from benchmarks.answers import answers_to
from benchmarks.dataset import Dataset
from benchmarks.drawing import Canvas, draw, image_tag, thumbnail
from benchmarks.page import colours
from benchmarks.results import SuiteResult
from benchmarks.scorer import MISSING, Answered, answered_turn, true_triplets
from vtinstruct.dialogue import Dialogue, Parts, Prompt, Triplet
from vtinstruct.photos import PhotoError
from vtinstruct.trp import render, render_question
from vtinstruct.units import Depth

WORST, BEST = 4, 4
TEXT = 400  # characters of an answer shown


@dataclass(frozen=True, slots=True)
class Picture:
    """One sample, ready for the page. `concepts` are names with colours, `truth` and `answer` drawings (None without a photo).
    `pointing`: something is drawn over either; without, the words are what there is to compare. `ramp`: what the colours of depth
    maps mean, "metres" or "relative", "" where there are none."""

    id: str
    worst: bool
    quality: float
    state: str
    faults: tuple[str, ...]
    question: str
    expected: str
    said: str
    concepts: tuple[tuple[str, str], ...]
    pointing: bool
    ramp: str
    truth: Markup | None
    answer: Markup | None


def choose(rows: pl.DataFrame) -> list[tuple[str, bool]]:
    """Ids of the worst and then the best samples by their own quality, one a photo, ties by id; True marks the worst."""
    ordered = rows.sort("quality", "id").unique("photo", keep="first", maintain_order=True)
    worst = ordered["id"].to_list()[:WORST]
    top = rows.sort("quality", "id", descending=[True, False]).unique("photo", keep="first", maintain_order=True)
    photos = set(ordered.filter(pl.col("id").is_in(worst))["photo"].to_list())
    best = top.filter(~pl.col("photo").is_in(list(photos)))["id"].to_list()[:BEST]
    last = dict(zip(rows["id"], rows["quality"], strict=True))
    best = [id_ for id_ in best if last[id_] > 0]  # the best of nothing is not worth a look
    return [(id_, True) for id_ in worst] + [(id_, False) for id_ in best]


def galleries(
    suites: Sequence[SuiteResult],
    folder: Path,
    dataset: Dataset,
    predictions: Sequence[Path],
    truths: Mapping[str, Dialogue],
) -> dict[str, list[Picture]]:
    """Pictures by suite, for the first source and split of each that has a value; a suite over all tasks has none."""
    chosen: dict[str, list[tuple[str, bool]]] = {}
    quality: dict[str, dict[str, float]] = {}
    for suite in sorted(suites, key=lambda suite: suite.value is None):
        if suite.task and suite.suite not in chosen:
            rows = pl.read_parquet(folder / suite.rows, columns=["id", "photo", "quality"])
            chosen[suite.suite] = choose(rows)
            quality[suite.suite] = dict(zip(rows["id"], rows["quality"], strict=True))
    wanted = {id_: truths[id_] for several in chosen.values() for id_, _ in several}
    answers = {id_: one for path in predictions for id_, one in answers_to(path, wanted).items()}
    found: dict[str, list[Picture]] = {}
    for name, several in chosen.items():
        samples = [(wanted[id_], answers.get(id_, MISSING)) for id_, _ in several]
        inks = colours(t.concept for truth, answer in samples for t in (*_expected(truth), *answer.triplets()))
        draft = [
            _picture(truth, answer, worst, quality[name][truth.id], inks)
            for (truth, answer), (_, worst) in zip(samples, several, strict=True)
        ]
        found[name] = [
            _drawn(picture, truth, answer, inks, dataset, predictions[0].parent)
            for picture, (truth, answer) in zip(draft, samples, strict=True)
        ]
    return found


def _expected(truth: Dialogue) -> tuple[Triplet, ...]:
    return true_triplets(truth)


def _question(truth: Dialogue) -> Parts:
    before = truth.turns[: answered_turn(truth)]
    return next((turn.parts for turn in reversed(before) if turn.role == "user"), ())


def _picture(truth: Dialogue, answer: Answered, worst: bool, quality: float, inks: Mapping[str, str]) -> Picture:
    sides = (*_expected(truth), *answer.triplets())
    concepts = dict.fromkeys(t.concept for t in sides if t.kind != "depth")
    return Picture(
        truth.id, worst, quality, answer.state, tuple(sorted(set(answer.faults))),
        _short(render_question(_question(truth))), _short(render(truth.turns[answered_turn(truth)].parts)), _short(answer.text),
        tuple((concept, inks[concept]) for concept in concepts)[:12], _pointing(sides), _ramp(sides), None, None,
    )  # fmt: skip


def _pointing(triplets: Sequence[Triplet]) -> bool:
    return any(reference.unit is not None for triplet in triplets for reference in triplet.references)


def _ramp(triplets: Sequence[Triplet]) -> str:
    frames = {r.unit.frame for triplet in triplets for r in triplet.references if isinstance(r.unit, Depth)}
    return "" if not frames else "metres" if "metres" in frames else "relative"


def _drawn(
    picture: Picture, truth: Dialogue, answer: Answered, inks: Mapping[str, str], dataset: Dataset, folder: Path
) -> Picture:
    """The picture with its two panels; without them where the photo cannot be read: the page says so."""
    shown = panels(
        truth, [(_expected(truth), dataset.root), (answer.triplets(), folder)], inks, dataset, str(picture.worst)
    )
    return replace(picture, truth=shown[0], answer=shown[1]) if shown else picture


def panels(
    truth: Dialogue,
    sides: Sequence[tuple[Sequence[Triplet], Path]],
    inks: Mapping[str, str],
    dataset: Dataset,
    what: str,
) -> tuple[Markup, ...]:
    """The photo of a sample once for every side: what its triplets point at (depth maps in its folder), and the question's
    marks. None without a photo that can be read. `what` tells several drawings of a sample on one page apart."""
    if truth.photo is None:
        return ()
    try:
        uri = thumbnail(dataset.photo(truth.photo))
    except PhotoError:
        return ()
    canvas = Canvas(truth.photo.size_wh, inks)
    marks = [part for part in _question(truth) if isinstance(part, Prompt)]
    name = f"p{zlib.crc32(f'{what} {truth.id}'.encode())}"
    # the photo is in the page once; the other panels point at the first
    grounds = [image_tag(uri, canvas.size_wh, f'id="{name}"'), *[f'<use href="#{name}"/>'] * (len(sides) - 1)]
    return tuple(
        draw(ground, canvas, triplets, folder, marks) for ground, (triplets, folder) in zip(grounds, sides, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Trio:
    """One sample as annotated and as two models answered it, with their standing, 0..1; `panels` are empty without a photo."""

    id: str
    qualities: tuple[float, float]
    question: str
    expected: str
    said: tuple[str, str]
    concepts: tuple[tuple[str, str], ...]
    pointing: bool
    ramp: str
    panels: tuple[Markup, ...]


def trio(
    truth: Dialogue, answers: tuple[Answered, Answered], folders: tuple[Path, Path], qualities: tuple[float, float],
    dataset: Dataset, what: str,
) -> Trio:  # fmt: skip
    """Both answers to a sample beside its annotation. `folders` hold the depth maps that the answers name."""
    sides = [_expected(truth), *(answer.triplets() for answer in answers)]
    flat = [triplet for side in sides for triplet in side]
    inks = colours(triplet.concept for triplet in flat)
    named = [
        (concept, ink) for concept, ink in inks.items() if any(t.concept == concept and t.kind != "depth" for t in flat)
    ]
    shown = panels(truth, list(zip(sides, (dataset.root, *folders), strict=True)), inks, dataset, what)
    return Trio(
        truth.id, qualities, _short(render_question(_question(truth))),
        _short(render(truth.turns[answered_turn(truth)].parts)),
        (_short(answers[0].text), _short(answers[1].text)), tuple(named[:12]), _pointing(flat), _ramp(flat), shown,
    )  # fmt: skip


def _short(text: str) -> str:
    return text if len(text) <= TEXT else text[:TEXT] + " …"
