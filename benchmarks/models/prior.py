"""Knows the training split's averages and looks at nothing: what a model must beat to have seen the photo.

Detection: every class's mean box, with the share of photos that have the class as confidence; comprehension: the mean box;
segmentation: that box, or the mark's, filled in; points: the mean point; keypoints: the mean pose; depth: the mean depth
everywhere; words: the most frequent answer. Means are in shares of the photo's size.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from benchmarks.dataset import Dataset
from benchmarks.model import Model, ModelError, Request
from benchmarks.models._trivial import asked, flat_depth, listed, marked_box, scaled, shaped, unit_kind, write_answers
from vtinstruct.dialogue import Dialogue, Parts, Reference, Triplet
from vtinstruct.geometry import rle_box
from vtinstruct.manifest import is_training
from vtinstruct.photos import PhotoError, read_depth
from vtinstruct.units import Box, Depth, Keypoints, Mask, Point

Floats = NDArray[np.float64]
SEEN = 5000  # training samples of a task that means are taken over
MAPS = 100  # training depth maps that are opened
CLASSES = 100
EVERYTHING = ("det", "seg")


@dataclass(slots=True)
class Averages:
    """What a task's training samples are like on average, in shares of the photo's size; depth in metres."""

    samples: int = 0
    boxes: dict[str, list[Floats]] = field(default_factory=lambda: defaultdict[str, list[Floats]](list))
    photos_with: Counter[str] = field(default_factory=Counter[str])
    poses: list[Floats] = field(default_factory=list[Floats])
    words: Counter[str] = field(default_factory=Counter[str])
    depths: list[float] = field(default_factory=list[float])

    def see(self, dataset: Dataset, truth: Dialogue) -> None:
        """Take one training sample in."""
        self.samples += 1
        self.words["".join(part for part in truth.turns[-1].parts if isinstance(part, str))] += 1
        size_wh = truth.photo.size_wh if truth.photo else (1, 1)
        names = set[str]()
        for _, triplet, reference in truth.references():
            names.add(triplet.concept)
            self._see(dataset, triplet.concept, reference, np.array(size_wh, dtype=np.float64))
        self.photos_with.update(names)

    def _see(self, dataset: Dataset, concept: str, reference: Reference, size: Floats) -> None:
        match reference.unit:
            case Box():
                self.boxes[concept].append(np.array(reference.unit.box_xyxy) / np.tile(size, 2))
            case Mask():
                self.boxes[concept].append(np.array(rle_box(reference.unit.mask_rle)) / np.tile(size, 2))
            case Point():
                self.boxes[concept].append(np.tile(reference.unit.point_xy, 2) / np.tile(size, 2))
            case Keypoints():
                pose = np.array(reference.unit.keypoints_xyv, dtype=np.float64)
                if len(pose):
                    pose[pose[:, 2] == 0, :2] = np.nan
                    self.poses.append(pose[:, :2] / size)
            case Depth() if len(self.depths) < MAPS and reference.unit.frame == "metres":
                try:
                    metres = read_depth(dataset.root, reference.unit)
                except PhotoError:
                    return  # an unreadable training map teaches nothing; the build has said so already
                if (metres > 0).any():
                    self.depths.append(float(metres[metres > 0].mean()))
            case _:
                pass

    def mean_box(self) -> Floats:
        """Over everything seen; the middle when nothing was."""
        every = [box for boxes in self.boxes.values() for box in boxes]
        return np.mean(every, axis=0) if every else np.array([0.25, 0.25, 0.75, 0.75])


def _averages(request: Request) -> dict[str, Averages]:
    splits = [s for s in request.dataset.splits() if is_training(s)]
    if not splits:
        raise ModelError("baseline prior needs a training split, and the dataset has none")
    found: dict[str, Averages] = {}
    for task in request.tasks:
        found[task] = Averages()
        for split in (s for s in splits if task in request.dataset.tasks(s)):
            for truth in islice(request.dataset.dialogues(task, split), SEEN):
                found[task].see(request.dataset, truth)
    return found


def _detected(averages: Averages, kind: str, size_wh: tuple[int, int]) -> Parts:
    common = averages.photos_with.most_common(CLASSES)
    unit = "mask" if kind == "mask" else "box"
    return listed(
        [
            Triplet(
                name,
                unit,
                (
                    shaped(
                        unit, scaled(np.mean(averages.boxes[name], axis=0), size_wh), size_wh, seen / averages.samples
                    ),
                ),
            )
            for name, seen in sorted(common)
            if averages.boxes[name]
        ]
    )


def _pose(averages: Averages, size_wh: tuple[int, int]) -> Parts:
    stacked = np.stack(averages.poses)
    labelled = ~np.isnan(stacked)
    sums, counts = np.where(labelled, stacked, 0.0).sum(axis=0), labelled.sum(axis=0)
    points = np.where(counts > 0, sums / np.maximum(counts, 1), 0.5) * np.array(size_wh)
    pose = Keypoints(tuple((float(x), float(y), 2) for x, y in points))
    return (Triplet("person", "keypoint", (Reference(pose),)),)


def answer(request: Request) -> None:
    """The training split's average answer. Raises `ModelError` when the dataset has no training split."""
    known = _averages(request)

    def of(truth: Dialogue) -> Parts:
        averages, kind = known[truth.task], unit_kind(truth)
        if kind is None or truth.photo is None:
            return tuple(words for words, _ in averages.words.most_common(1) if words)
        size_wh = truth.photo.size_wh
        if kind == "depth":
            return flat_depth(request, size_wh, float(np.mean(averages.depths)) if averages.depths else 2.0)
        if kind == "keypoint":
            return _pose(averages, size_wh) if averages.poses else ()
        if truth.task in EVERYTHING:
            return _detected(averages, kind, size_wh)
        box = marked_box(truth) or scaled(averages.mean_box(), size_wh)
        return (Triplet(asked(truth), kind, (shaped(kind, box, size_wh),)),)

    write_answers(request, "prior", of)


MODEL = Model("prior", "the training split's average answer", True, answer)
