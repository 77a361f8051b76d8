"""Cityscapes' numbers of label maps: its classes and categories, and both again with every annotated object weighing the same.

Definition: mcordts/cityscapesScripts, `evaluation/evalPixelLevelSemanticLabeling.py` and `helpers/labels.py`. Means are added
class by class, as there, so that the bits are the original's (over pictures in the order of their paths).

* IoU of a category (vehicle, human, ...) takes any of its classes for another
* iIoU weighs every annotated object by its class's mean size over its own size; false alarms are whole pixels. Only classes with
  objects have one, and it needs the pictures `*_gtFine_instanceIds.png` beside the label ids
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.sums import in_order

Labels = NDArray[np.int64]
LAST = 33  # the largest label id; 0..33 may be annotated
# label id of every class that counts, in the order of the train ids
CLASSES = {
    "road": 7, "sidewalk": 8, "building": 11, "wall": 12, "fence": 13, "pole": 17, "traffic light": 19, "traffic sign": 20,
    "vegetation": 21, "terrain": 22, "sky": 23, "person": 24, "rider": 25, "car": 26, "truck": 27, "bus": 28, "train": 31,
    "motorcycle": 32, "bicycle": 33,
}  # fmt: skip
COUNTED = tuple(CLASSES.values())
CATEGORIES = {
    "flat": (7, 8), "construction": (11, 12, 13), "object": (17, 19, 20), "nature": (21, 22), "sky": (23,), "human": (24, 25),
    "vehicle": (26, 27, 28, 31, 32, 33),
}  # fmt: skip
WITH_OBJECTS = {"human": (24, 25), "vehicle": (26, 27, 28, 29, 30, 31, 32, 33)}  # caravan and trailer are answers here
MEAN_SIZE = {  # pixels of an object of the training set, by label id
    24: 3462.4756337644, 25: 3930.4788056518, 26: 12794.0202738185, 27: 27855.1264367816, 28: 35732.1511111111,
    31: 67583.7075812274, 32: 6298.7200839748, 33: 4672.3249222261,
}  # fmt: skip
OBJECT = 1000  # an object's id is its label id times this, and a number


class Objects:
    """Weighted pixels of annotated objects that were answered as their class, or their category, and those that were not."""

    def __init__(self) -> None:
        self.hit: dict[int | str, float] = dict.fromkeys((*MEAN_SIZE, *WITH_OBJECTS), 0.0)
        self.missed = dict(self.hit)

    def add(self, objects: Labels, found: Labels) -> None:
        """One picture's object ids and answered label ids, (H, W) each."""
        inside = objects > OBJECT
        ids, said = objects[inside], found[inside]
        group = np.full(max(int(said.max(initial=0)), LAST) + 1, -1)
        for number, members in enumerate(WITH_OBJECTS.values()):
            group[list(members)] = number
        label = ids // OBJECT
        of_label = np.where(label <= LAST, group[np.minimum(label, LAST)], -1)
        counts = [np.bincount(ids[kept], minlength=1) for kept in (label >= 0, said == label, group[said] == of_label)]
        for id_ in np.flatnonzero(counts[0]).tolist():
            if id_ // OBJECT in MEAN_SIZE:
                whole, right, alike = (int(one[id_]) if id_ < one.size else 0 for one in counts)
                self._count(id_ // OBJECT, whole, right, alike)

    def _count(self, label: int, whole: int, right: int, alike: int) -> None:
        weight = MEAN_SIZE[label] / float(whole)
        category = next(name for name, members in WITH_OBJECTS.items() if label in members)
        for key, pixels in ((label, right), (category, alike)):
            self.hit[key] += float(pixels) * weight
            self.missed[key] += float(whole - pixels) * weight


def count(true: Labels, found: Labels) -> Labels:
    """Pixels by annotated and answered label id, (34, 35); the last column is of no label."""
    answered = np.where(found <= LAST, found, LAST + 1)
    return np.bincount((true * (LAST + 2) + answered).ravel(), minlength=(LAST + 1) * (LAST + 2)).reshape(
        LAST + 1, LAST + 2
    )


def iou(counts: Labels, members: Sequence[int]) -> float:
    """IoU of the pixels of any of these labels; NaN where there are none."""
    others = [label for label in COUNTED if label not in members]
    hit = int(counts[np.ix_(members, members)].sum())
    whole = int(counts[list(members)].sum()) + int(counts[np.ix_(others, members)].sum())
    return hit / whole if whole else math.nan


def object_iou(counts: Labels, objects: Objects, key: int | str) -> float:
    """iIoU of a label id or of a category."""
    answers = WITH_OBJECTS[key] if isinstance(key, str) else (key,)
    own = CATEGORIES[key] if isinstance(key, str) else (key,)
    others = [label for label in COUNTED if label not in own]
    whole = objects.hit[key] + objects.missed[key] + int(counts[np.ix_(others, answers)].sum())
    return objects.hit[key] / whole if whole else math.nan


def summary(
    counts: Labels, objects: Objects | None
) -> tuple[dict[str, float | None], Mapping[str, dict[str, float | None]]]:
    """The four means, and IoU and iIoU by class and by category."""
    found = {name: {"IoU": iou(counts, (label,)), "iIoU": math.nan} for name, label in CLASSES.items()}
    groups = {name: {"IoU": iou(counts, members), "iIoU": math.nan} for name, members in CATEGORIES.items()}
    if objects:
        for name in found:
            if CLASSES[name] in MEAN_SIZE:
                found[name]["iIoU"] = object_iou(counts, objects, CLASSES[name])
        for name in WITH_OBJECTS:
            groups[name]["iIoU"] = object_iou(counts, objects, name)
    numbers = {
        f"{number}{ending}": _mean(one[short] for one in table.values())
        for number, short in (("mIoU", "IoU"), ("iIoU", "iIoU"))
        for ending, table in (("", found), ("[categories]", groups))
    }
    plain: Any = {
        name: {short: None if math.isnan(value) else value for short, value in one.items()}
        for name, one in (found | groups).items()
    }
    return numbers, plain


def _mean(values: Iterable[float]) -> float | None:
    some = [value for value in values if not math.isnan(value)]
    return in_order(some) / len(some) if some else None
