"""Every task at once: a drawn dataset of all sources, and answers to all of it as a middling model gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.dataset import open_dataset
from benchmarks.scorer import answered_turn
from tests.benchmarks.made import prediction_of, write_predictions
from tests.benchmarks.perturbed import moved
from vtinstruct.build import Options, build, choose
from vtinstruct.build.progress import Silent
from vtinstruct.dialogue import Dialogue, Part, Reference, Triplet
from vtinstruct.photos import read_depth, read_inverse_depth
from vtinstruct.prediction import Prediction
from vtinstruct.sample import write_sample
from vtinstruct.units import Depth, Point


def every_task(root: Path, scenes: int = 6, seed: int = 0) -> Path:
    """The dataset of a sample: every source, every task."""
    write_sample(root / "sample", scenes, seed)
    build(choose([str(root / "sample")]), Options(seed=seed), root / "dataset", Silent())
    return root / "dataset"


def rough_answers(
    data: Path, path: Path, seed: int = 0, model: str = "middling", *, splits: Sequence[str] = (), silent: float = 0.05,
    scored: bool = True, limit: int | None = None,
) -> Path:  # fmt: skip
    """Answers to every sample of the splits (all held-out ones) but a share: things lost, moved, doubled, of another class,
    words of another sample, depth off by up to a quarter. `scored`: with confidences."""
    dataset, splits = open_dataset(data, splits)
    rng = np.random.default_rng(seed)
    found: list[Prediction] = []
    for task in sorted({task for split in splits for task in dataset.tasks(split)}):
        truths = [
            truth for split in splits if task in dataset.tasks(split) for truth in dataset.dialogues(task, split, limit)
        ]
        concepts = sorted({triplet.concept for truth in truths for _, triplet in truth.triplets()})
        for truth in truths:
            if rng.random() >= silent:
                other = truths[int(rng.integers(len(truths)))]
                found.append(_rough(truth, other, concepts, rng, data, path.parent, scored))
    return write_predictions(path, dataset.hash, found, model)


def _rough(
    truth: Dialogue, other: Dialogue, concepts: Sequence[str], rng: np.random.Generator, data: Path, folder: Path, scored: bool
) -> Prediction:  # fmt: skip
    parts: list[Part] = []
    for part in truth.turns[answered_turn(truth)].parts:
        if isinstance(part, Triplet):
            concept = part.concept if rng.random() > 0.15 else str(rng.choice([*concepts, "a unicorn"]))
            references = [
                one for reference in part.references for one in _moved(truth, reference, rng, data, folder, scored)
            ]
            parts.append(Triplet(concept, part.kind, tuple(references)))
        elif isinstance(part, str):
            parts.append(part)
    if not any(isinstance(part, Triplet) for part in parts) and rng.random() < 0.4:
        words = [part for part in other.turns[answered_turn(other)].parts if isinstance(part, str)]
        parts = list(words)
    return replace(prediction_of(truth, parts), turn=answered_turn(truth))


def _moved(
    truth: Dialogue, reference: Reference, rng: np.random.Generator, data: Path, folder: Path, scored: bool
) -> list[Reference]:
    score = float(np.round(rng.random(), 2)) if scored else None
    match reference.unit:
        case None:
            return []
        case Depth():
            return [Reference(_off(reference.unit, truth, rng, data, folder))]
        case Point():
            x, y = reference.unit.point_xy
            return [Reference(Point((x + float(rng.normal(0, 6)), y + float(rng.normal(0, 6)))), score)]
        case _:
            times = int(rng.choice([0, 1, 1, 1, 1, 1, 2]))
            return [
                Reference(reference.unit if rng.random() < 0.3 else moved(reference, rng, truth), score)
                for _ in range(times)
            ]


def _off(depth: Depth, truth: Dialogue, rng: np.random.Generator, data: Path, folder: Path) -> Depth:
    """The annotated map, a little noisy and off by up to a quarter, in a file beside the answers."""
    read = read_depth(data, depth) if depth.frame == "metres" else read_inverse_depth(data, depth)[0]
    noisy = read * rng.uniform(0.75, 1.25) * rng.normal(1, 0.05, read.shape)
    scale = float(max(noisy.max(), 1e-6)) / 60_000
    name = f"depth/{truth.id.replace(chr(47), chr(45))}.png"
    (folder / "depth").mkdir(parents=True, exist_ok=True)
    Image.fromarray((noisy / scale).clip(1, 65535).astype(np.uint16)).save(folder / name)
    return Depth(name, scale, depth.frame)
