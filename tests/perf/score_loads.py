"""Made-up answers at the size of a real benchmark, twice: as a dataset and predictions file of ours, and as the official JSON
files of the same instances. The numbers of both sides must be equal.

A truth has four answers near it, the others lie anywhere; a fifth of the answers near a truth is of another class.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.dataset import open_dataset
from tests.benchmarks.made import dialogue, write_dataset
from vtinstruct.dialogue import Dialogue, Evaluation, Reference, Triplet
from vtinstruct.geometry import polygons_to_rle, rle_area
from vtinstruct.prediction import Header, header_to_wire
from vtinstruct.units import Box, Mask, Rle

NEAR, SIDE = 4, 640  # answers near a truth; photos are square, so many pixels a side


@dataclass(frozen=True)
class Shape:
    """How large a load is. `task` and `source` decide the suite."""

    photos: int
    found: int
    true: int = 7
    classes: int = 80
    task: str = "det"
    source: str = "hand"

    @property
    def lvis(self) -> bool:
        return self.source == "lvis"

    @property
    def kind(self) -> str:
        return "box" if self.task == "det" else "mask"

    @property
    def suite(self) -> str:
        return f"{self.task}_lvis" if self.lvis else self.task

    @property
    def iou_type(self) -> str:
        return "bbox" if self.kind == "box" else "segm"


@dataclass(frozen=True)
class Load:
    """Where a load lies."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def predictions(self) -> Path:
        return self.root / "predictions.jsonl"

    @property
    def truth_json(self) -> Path:
        return self.root / "truth.json"

    @property
    def results_json(self) -> Path:
        return self.root / "results.json"


def boxes(rng: np.random.Generator, n: int) -> np.ndarray:
    """Boxes (n, 4) as x, y, width, height, within a photo."""
    corner, size = rng.uniform(0, 400, (n, 2)), rng.uniform(8, 220, (n, 2))
    return np.round(np.hstack([corner, size]), 2)


def photo_of(rng: np.random.Generator, shape: Shape) -> tuple[np.ndarray, ...]:
    """One photo's truths and answers: classes and boxes of each, and scores."""
    classes, true = rng.integers(1, shape.classes + 1, shape.true), boxes(rng, shape.true)
    near = np.repeat(np.arange(shape.true), NEAR)[: shape.found]
    moved = np.abs(true[near] + rng.normal(0, 9, (near.size, 4))) + 1
    found = np.vstack([moved, boxes(rng, shape.found - near.size)])
    own = np.where(rng.random(near.size) < 0.8, classes[near], rng.integers(1, shape.classes + 1, near.size))
    found_classes = np.concatenate([own, rng.integers(1, shape.classes + 1, shape.found - near.size)])
    return classes, true, found_classes, found, rng.random(shape.found)


def blob(xywh: np.ndarray) -> Rle:
    """A bumpy disc in a box, as an outline of 40 points."""
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    reach = 0.42 + 0.08 * np.sin(5 * turn + xywh[0])
    x = xywh[0] + xywh[2] * (0.5 + reach * np.cos(turn))
    y = xywh[1] + xywh[3] * (0.5 + reach * np.sin(turn))
    return polygons_to_rle([np.stack([x, y], axis=1).ravel().tolist()], (SIDE, SIDE))


def units_of(shape: Shape, xywh: np.ndarray) -> list[tuple[Box | Mask, dict[str, Any], float]]:
    """Every box (or the blob in it) as our unit, as fields of a COCO row, and its area."""
    found: list[tuple[Box | Mask, dict[str, Any], float]] = []
    for x, y, w, h in xywh.tolist():
        if shape.kind == "box":
            unit = Box((x, y, x + w, y + h))
            x0, y0, x1, y1 = unit.box_xyxy
            found.append((unit, {"bbox": [x0, y0, x1 - x0, y1 - y0]}, (x1 - x0) * (y1 - y0)))
        else:
            rle = blob(np.array((x, y, w, h)))
            wire = {"size": [SIDE, SIDE], "counts": rle.counts.decode()}
            found.append((Mask(rle), {"segmentation": wire}, float(rle_area(rle))))
    return found


def wire_of(unit: Box | Mask, score: float) -> dict[str, Any]:
    if isinstance(unit, Box):
        return {"kind": "box", "box_xyxy": unit.box_xyxy, "score": score}
    rle = unit.mask_rle
    return {"kind": "mask", "mask_rle": {"size_hw": rle.size_hw, "counts": rle.counts.decode()}, "score": score}


def truth_of(shape: Shape, image: int, classes: np.ndarray, units: Any, evaluation: Evaluation) -> Dialogue:
    groups: dict[int, list[Reference]] = {}
    for class_, (unit, _, area) in zip(classes.tolist(), units, strict=True):
        groups.setdefault(class_, []).append(Reference(unit, None, f"class {class_}", class_, "", area))
    parts = [Triplet(f"class {c}", shape.kind, tuple(several)) for c, several in sorted(groups.items())]  # type: ignore[arg-type]
    made = dialogue(name_of(shape, image), shape.task, parts, (SIDE, SIDE), evaluation, f"load:{image}")
    return replace(made, source=shape.source)


def name_of(shape: Shape, image: int) -> str:
    return f"load/val/{image}/{shape.task}/0"


def answer_line(shape: Shape, image: int, classes: np.ndarray, units: Any, scores: np.ndarray) -> str:
    """One line of a predictions file: answers of a class together, as models say them."""
    wires, text = [], []
    for class_ in np.unique(classes).tolist():
        members = np.flatnonzero(classes == class_).tolist()
        marks = "".join(f"[{n}]<REF>" for n in range(len(members)))
        text.append(f"<Phrase>class {class_}</Phrase>(<Unit>{shape.kind}</Unit>{marks})")
        wires += [wire_of(units[i][0], float(scores[i])) for i in members]
    return json.dumps({"id": name_of(shape, image), "text": ", ".join(text) + ".", "units": wires})


def absent_of(rng: np.random.Generator, shape: Shape, classes: np.ndarray) -> tuple[list[int], list[int]]:
    """LVIS: classes that are certainly not in the photo, and annotated ones of which more may be."""
    some = np.setdiff1d(rng.integers(1, shape.classes + 1, 40), classes).tolist()
    return some, [c for c in np.unique(classes).tolist() if rng.random() < 0.2]


def frequency_of(class_: int) -> str:
    return "rcf"[class_ % 3]


def make_load(root: Path, shape: Shape) -> Load:
    """Write both sides of a load."""
    load, rng = Load(root), np.random.default_rng(0)
    names = {f"class {i}": i for i in range(1, shape.classes + 1)}
    truths: list[Dialogue] = []
    lines: list[str] = []
    annotations: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    root.mkdir(parents=True, exist_ok=True)
    with load.results_json.open("w") as results:
        results.write("[")
        for image in range(1, shape.photos + 1):
            classes, true, found_classes, found, scores = photo_of(rng, shape)
            absent, more = absent_of(rng, shape, classes) if shape.lvis else ([], [])
            evaluation = Evaluation(
                negatives=tuple(f"class {c}" for c in absent), not_exhaustive=tuple(f"class {c}" for c in more)
            )
            units, answers = units_of(shape, true), units_of(shape, found)
            truths.append(truth_of(shape, image, classes, units, evaluation))
            lines.append(answer_line(shape, image, found_classes, answers, scores))
            for class_, (_, fields, area) in sorted(zip(classes.tolist(), units, strict=True), key=lambda c: c[0]):
                own = {"id": len(annotations) + 1, "image_id": image, "category_id": class_, "area": area, "iscrowd": 0}
                annotations.append(own | fields)
            federated = {"neg_category_ids": absent, "not_exhaustive_category_ids": more} if shape.lvis else {}
            images.append({"id": image, "width": SIDE, "height": SIDE, **federated})
            rows = _results(image, found_classes, answers, scores)
            results.write(("," if image > 1 else "") + ",".join(rows))
        results.write("]")
    _write(load, shape, truths, names, lines)
    categories = [{"id": i, "name": name, "frequency": frequency_of(i)} for name, i in names.items()]
    load.truth_json.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return load


def _results(image: int, classes: np.ndarray, answers: Any, scores: np.ndarray) -> Iterator[str]:
    for i in np.argsort(classes, kind="stable").tolist():  # in the order of the predictions file: it breaks ties
        row = {"image_id": image, "category_id": int(classes[i]), "score": float(scores[i])}
        yield json.dumps(row | answers[i][1])


def _write(load: Load, shape: Shape, truths: list[Dialogue], names: dict[str, int], lines: list[str]) -> None:
    frequencies = {i: frequency_of(i) for i in names.values()} if shape.lvis else {}
    data = write_dataset(load.data, truths, names, photos=False, frequencies=frequencies)
    header = Header("load", open_dataset(data)[0].hash)
    load.predictions.write_text("\n".join([json.dumps(header_to_wire(header)), *lines]) + "\n")
