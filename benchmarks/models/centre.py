"""Looks at nothing and learns nothing: a box in the middle of the photo, whatever is asked.

Detection gets the box once for every class of the vocabulary (at most 100: COCO counts no more a photo); prompted tasks get
the mark's own box, filled in where a mask is asked for, its middle where a point is; depth is 2 m everywhere; words are
"a photo".
"""

from __future__ import annotations

import numpy as np

from benchmarks.model import Model, Request
from benchmarks.models._trivial import asked, flat_depth, listed, marked_box, scaled, shaped, unit_kind, write_answers
from vtinstruct.dialogue import Dialogue, Parts, Reference, Triplet
from vtinstruct.units import COCO_KEYPOINTS, Keypoints

MIDDLE = np.array([0.25, 0.25, 0.75, 0.75])
WORDS = "a photo"
DEPTH_M = 2.0
CLASSES = 100
EVERYTHING = ("det", "seg")  # tasks that ask for all classes at once


def answer(request: Request) -> None:
    """The middle of every photo."""

    def of(truth: Dialogue) -> Parts:
        kind = unit_kind(truth)
        if kind is None or truth.photo is None:
            return (WORDS,)
        size_wh = truth.photo.size_wh
        if kind == "depth":
            return flat_depth(request, size_wh, DEPTH_M)
        x0, y0, x1, y1 = box = marked_box(truth) or scaled(MIDDLE, size_wh)
        if kind == "keypoint":
            pose = Keypoints((((x0 + x1) / 2, (y0 + y1) / 2, 2),) * len(COCO_KEYPOINTS))
            return (Triplet("person", "keypoint", (Reference(pose),)),)
        names = [asked(truth)]
        if truth.task in EVERYTHING:
            names = sorted(c.name for c in request.dataset.categories(truth.source, truth.split))[:CLASSES]
        return listed([Triplet(name, kind, (shaped(kind, box, size_wh),)) for name in names])

    write_answers(request, "centre", of)


MODEL = Model("centre", "the middle of the photo", True, answer)
