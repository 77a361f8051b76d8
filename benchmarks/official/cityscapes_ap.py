"""AP of Cityscapes' instances, from pictures of instance ids and the challenge's result files.

Definition: mcordts/cityscapesScripts, `evaluation/evalInstanceLevelSemanticLabeling.py` (and `instances2dict.py`). Results are a
text file a picture, `<city>_<sequence>_<frame>*.txt`, each line `mask.png labelId confidence`; a mask is what is not 0.

* A match is an IoU above the threshold, of .5 to .95; of several answers to one object the most confident is right, the others
  are false alarms. Where answers are equally confident they count together, so no order decides.
* An answer that hits a group or an object of fewer than 100 pixels is left out, and so is a false alarm that lies in void, groups
  and such objects by a larger share than the threshold. (What is a group and small counts twice in that share, as there.)
* Precision at a recall is that of the answers, not the best to the right of it, as COCO takes it; steps are integrated as the
  original integrates them. Classes nobody annotated have no AP and are in no mean.
"""

from __future__ import annotations

import fnmatch
import importlib.metadata
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.official._cityscapes import CLASSES, LAST, MEAN_SIZE, OBJECT
from benchmarks.official._files import OfficialError
from benchmarks.official._pictures import grey_values, mask_values
from benchmarks.official._table import Table

OVERLAPS = np.arange(0.5, 1.0, 0.05)
SMALLEST = 100  # pixels; smaller objects are not asked for
NAMES = {label: name for name, label in CLASSES.items() if label in MEAN_SIZE}  # the eight classes with objects
VOID = tuple(label for label in range(LAST + 1) if label not in CLASSES.values())
ENDING = "_gtFine_instanceIds.png"
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Answer:
    """A mask's confidence, its pixels, those of them in void, and (id, pixels of it, pixels in common) of what it overlaps of its
    class."""

    confidence: float
    pixels: int
    void: int
    overlaps: tuple[tuple[int, int, int], ...]

    def ious(self) -> list[float]:
        return [common / (pixels + self.pixels - common) for _, pixels, common in self.overlaps]

    def ignored(self) -> float:
        """The share of it that lies where nothing is asked for."""
        groups = sum(common for id_, _, common in self.overlaps if id_ < OBJECT)
        small = sum(common for _, pixels, common in self.overlaps if pixels < SMALLEST)
        return float(self.void + groups + small) / self.pixels


@dataclass(frozen=True, slots=True)
class _Picture:
    """Of one class in one picture: ids of the objects that are asked for, and the answers."""

    objects: tuple[int, ...]
    answers: tuple[_Answer, ...]


def cityscapes_ap(annotations: Path, results: Path) -> Table:
    """AP over ten IoU thresholds and at .5, of all eight classes and of each. Raises `OfficialError`."""
    pictures: dict[int, list[_Picture]] = {label: [] for label in NAMES}
    pairs = _pairs(annotations, results)
    empty = 0
    for true_path, found_path in pairs:
        seen, none = _picture(grey_values(true_path), true_path, found_path, results)
        empty += none
        for label, one in seen.items():
            pictures[label].append(one)
    table = np.array([[[_ap(of_class, overlap) for overlap in OVERLAPS] for of_class in pictures.values()]])
    at_half = np.where(np.isclose(OVERLAPS, 0.5))
    numbers = {"AP": _mean(table[0, :, :]), "AP50": _mean(table[0, :, at_half])}  # shaped as there: for the last bit
    classes = tuple(
        {"class": name, "AP": _number(np.average(table[0, n, :])), "AP50": _number(np.average(table[0, n, at_half]))}
        for n, name in enumerate(NAMES.values())
    )
    notes = [
        f"{len(pairs)} pictures, {sum(len(one.answers) for several in pictures.values() for one in several)} answers"
    ]
    if empty:
        notes.append(f"{empty} masks have no pixel, and are no answers")
    return Table("Cityscapes instances", numbers, classes, tuple(notes), {"numpy": importlib.metadata.version("numpy")})


def _mean(values: Floats) -> float | None:
    return None if np.isnan(values).all() else float(np.nanmean(values))


def _number(value: Any) -> float | None:
    return None if math.isnan(value) else float(value)


# --- reading ---------------------------------------------------------------------------------------------------------


def _pairs(annotations: Path, results: Path) -> list[tuple[Path, Path]]:
    for folder in (annotations, results):
        if not folder.is_dir():
            raise OfficialError(f"{folder}: no folder; the folder of the pictures, or of the result files, is right")
    true, texts = sorted(annotations.rglob(f"*{ENDING}")), sorted(results.rglob("*.txt"))
    if not true:
        raise OfficialError(f"{annotations}: no picture *{ENDING} in it")
    found: list[tuple[Path, Path]] = []
    for path in true:
        place = "_".join(path.name.split("_")[:3])
        answers = [text for text in texts if fnmatch.fnmatchcase(text.name, f"{place}*.txt")]
        if len(answers) != 1:
            raise OfficialError(f"{results}: {len(answers)} files {place}*.txt; exactly one a picture is right")
        found.append((path, answers[0]))
    return found


def _picture(ids: NDArray[np.int64], true: Path, text: Path, root: Path) -> tuple[dict[int, _Picture], int]:
    """Every class of a picture, and how many masks are empty."""
    sizes = np.bincount(ids.ravel())
    known = np.flatnonzero(sizes)
    labels = np.where(known < OBJECT, known, known // OBJECT)
    if labels.max() > LAST:
        raise OfficialError(
            f"{true}: id {int(known[labels.argmax()])}; label ids 0..{LAST}, or these x 1000 + a number, are right"
        )
    of_label = {label: known[labels == label].tolist() for label in NAMES}
    void = np.isin(ids, VOID)
    answers: dict[int, list[_Answer]] = {label: [] for label in NAMES}
    empty = 0
    for path, label, confidence in _lines(text, root):
        if label not in NAMES:
            continue
        mask = _mask(path, ids.shape)
        inside = np.bincount(ids[mask], minlength=sizes.size)
        pixels = int(inside.sum())
        empty += not pixels
        if pixels:
            common = tuple((id_, int(sizes[id_]), int(inside[id_])) for id_ in of_label[label] if inside[id_])
            answers[label].append(_Answer(confidence, pixels, int(np.count_nonzero(void & mask)), common))
    return {
        label: _Picture(
            tuple(id_ for id_ in of_label[label] if id_ >= OBJECT and sizes[id_] >= SMALLEST), tuple(answers[label])
        )
        for label in NAMES
    }, empty


def _lines(text: Path, root: Path) -> list[tuple[Path, int, float]]:
    """Masks with their label ids and confidences. A path that leads out of the results is refused, as there."""
    try:
        lines = text.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise OfficialError(f"{text}: {error}; lines of mask.png labelId confidence are right") from error
    found: dict[Path, tuple[Path, int, float]] = {}
    for number, line in enumerate(lines[: len(lines) - (not lines[-1])], start=1):  # the last ends the file
        where, words = f"{text}: line {number}", line.split(" ")
        try:
            name, label, confidence = words[0], float(words[1]), float(words[2])
        except (IndexError, ValueError):
            name, label, confidence = "", math.nan, math.nan
        if len(words) != 3 or not name or not math.isfinite(label) or not math.isfinite(confidence):
            raise OfficialError(
                f"{where} is {line!r:.60}; mask.png labelId confidence, one blank between them, is right"
            )
        if not -1 <= int(label) <= LAST:
            raise OfficialError(f"{where} has label id {words[1]:.20}; Cityscapes' -1..{LAST} are right")
        path = _inside(text.parent / name, root, where)
        if path in found:
            raise OfficialError(f"{where} names {name!r:.60} again; one line a mask is right")
        found[path] = (path, int(label), confidence)
    return list(found.values())


def _inside(path: Path, root: Path, where: str) -> Path:
    try:
        full = path.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself, a NUL in a name
        raise OfficialError(f"{where} names {path.name!r:.60}: {error}; a mask's file is right") from error
    if not full.is_relative_to(root.resolve()):
        raise OfficialError(f"{where} names {path.name!r:.60}, which lies outside of {root}; a path within it is right")
    return full


def _mask(path: Path, shape: Sequence[int]) -> NDArray[np.bool_]:
    mask = mask_values(path)
    if mask.shape != tuple(shape):
        raise OfficialError(f"{path}: {mask.shape[::-1]} pixels; the annotation's {tuple(shape)[::-1]} are right")
    return mask


# --- counting --------------------------------------------------------------------------------------------------------


def _ap(pictures: Sequence[_Picture], overlap: float) -> float:
    """AP of a class at one threshold; NaN where nothing is annotated."""
    if not any(one.objects for one in pictures):
        return math.nan
    if not any(one.answers for one in pictures):
        return 0.0
    right, scores, missed = list[int](), list[float](), 0
    for one in pictures:
        hits: dict[int, list[float]] = {id_: [] for id_ in one.objects}
        for answer in one.answers:
            hit = [id_ for (id_, _, _), iou in zip(answer.overlaps, answer.ious(), strict=True) if iou > overlap]
            for id_ in hit:
                if id_ in hits:
                    hits[id_].append(answer.confidence)
            if not hit and answer.ignored() <= overlap:
                right.append(0)
                scores.append(answer.confidence)
        for several in hits.values():
            missed += not several
            scores += sorted(several, reverse=True)
            right += [1, *[0] * (len(several) - 1)] if several else []
    return _area(np.array(right), np.array(scores), missed)


def _area(right: NDArray[np.int64], scores: Floats, missed: int) -> float:
    """The area under precision by recall, in the original's steps: each as wide as half of what lies between its neighbours."""
    order = np.argsort(scores, kind="stable")
    _, first = np.unique(scores[order], return_index=True)
    below = np.concatenate(([0], np.cumsum(right[order])))[first]  # right answers that are less confident
    hits = right.sum() - below
    precision = np.append(hits / (len(right) - first), 1.0)
    recall = np.append(hits / (hits + below + missed), 0.0)
    padded = np.concatenate((recall[:1], recall, [0.0]))
    return float(np.dot(precision, np.convolve(padded, [-0.5, 0, 0.5], "valid")))
