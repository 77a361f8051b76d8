"""COCO average precision behind one small interface: columns in, the official numbers out.

"hotcoco" (default) is a fast implementation that agrees with pycocotools to the last bit; "official" is pycocotools
itself. Both get the same checked columns, so every trap is dealt with once, here:

* ground-truth ids count from 1: pycocotools takes a match with id 0 for no match (a perfect answer would score 0.25);
* results carry no `bbox` beside a mask: with one, areas are taken from the box and APs/APm/APl move;
* areas and crowd flags are the annotation's own, never recomputed;
* NaN and infinity are refused here, they would sort anywhere;
* -1 ("no ground truth of that kind") becomes None, so that nobody averages it.

Definition: cocoapi `PythonAPI/pycocotools/cocoeval.py`; https://cocodataset.org/#detection-eval and #keypoints-eval.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.scorer import Engine

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
IouType = Literal["bbox", "segm", "keypoints"]

BOX_NUMBERS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
KEYPOINT_NUMBERS = ("AP", "AP50", "AP75", "APm", "APl", "AR", "AR50", "AR75", "ARm", "ARl")


@dataclass(frozen=True, slots=True)
class Instances:
    """Instances of a whole set as columns; annotated ones have `area` and `crowd`, predicted ones `score`.

    image (N,) 1-based photo number; category (N,); boxes_xywh (N, 4) absolute pixels; rles: N COCO RLE objects, for
    masks; keypoints (N, 3K) x, y, v, for poses.
    """

    image: Ints
    category: Ints
    boxes_xywh: Floats
    area: Floats = field(default_factory=lambda: np.zeros(0))
    crowd: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    score: Floats = field(default_factory=lambda: np.zeros(0))
    rles: Sequence[dict[str, Any]] | None = None
    keypoints: Floats | None = None

    def __len__(self) -> int:
        return int(self.image.size)


@dataclass(frozen=True, slots=True)
class AveragePrecision:
    """The official numbers in official order (None where undefined), and the precision array they come from.

    precision: (10 IoU thresholds, 101 recall levels, classes, area ranges, detection limits), -1 where undefined.
    """

    numbers: dict[str, float | None]
    precision: Floats
    categories: tuple[int, ...]


class EngineError(Exception):
    """Columns that no engine may see; one line."""


def average_precision(
    iou_type: IouType, sizes_wh: Sequence[tuple[int, int]], categories: Sequence[int], truth: Instances,
    found: Instances, engine: Engine = "hotcoco",
) -> AveragePrecision:  # fmt: skip
    """COCO AP of `found` against `truth` over photos 1..len(sizes_wh), every one of which counts, annotated or not.

    `categories` are the class ids to average over. Order of `found` breaks ties between equal scores, photo by photo, as
    in the official script. Raises `EngineError` on NaN, infinity, or an image or class that does not exist.
    """
    for columns in (truth, found):
        _check(columns, len(sizes_wh), categories)
    names = KEYPOINT_NUMBERS if iou_type == "keypoints" else BOX_NUMBERS
    run = _hotcoco if engine == "hotcoco" else _pycocotools
    if not len(found) or not len(truth):  # neither engine takes an empty side; the definition is plain
        return _empty(names, categories, truth)
    with contextlib.redirect_stdout(io.StringIO()):  # both print their table
        evaluator = run(iou_type, sizes_wh, sorted(categories), truth, found)
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    numbers = {name: _none(value) for name, value in zip(names, evaluator.stats, strict=True)}
    precision = np.asarray(evaluator.eval["precision"], dtype=np.float64)
    return AveragePrecision(numbers, precision, tuple(sorted(categories)))


def engine_versions(engine: Engine) -> dict[str, str]:
    """Package and version of the engine, for the result file."""
    package = "hotcoco" if engine == "hotcoco" else "pycocotools"
    return {package: importlib.metadata.version(package)}


def _none(value: float) -> float | None:
    return None if value < 0 else float(value)


def _check(columns: Instances, images: int, categories: Sequence[int]) -> None:
    arrays = [columns.boxes_xywh, columns.area, columns.score]
    if columns.keypoints is not None:
        arrays.append(columns.keypoints)
    if not all(bool(np.isfinite(array).all()) for array in arrays):
        raise EngineError("boxes, areas, keypoints or scores are not finite")
    if len(columns) and (int(columns.image.min()) < 1 or int(columns.image.max()) > images):
        raise EngineError(f"an instance names a photo outside 1..{images}")
    strange = set(np.unique(columns.category).tolist()) - set(categories)
    if strange:
        raise EngineError(f"instances of classes {sorted(strange)[:5]} that are not in the vocabulary")


def _empty(names: Sequence[str], categories: Sequence[int], truth: Instances) -> AveragePrecision:
    """Nothing found: 0 wherever there is ground truth of that size. Nothing annotated: everything undefined."""
    counts = ~truth.crowd if len(truth) else np.zeros(0, dtype=np.bool_)
    if len(truth) and truth.keypoints is not None:
        counts = counts & (truth.keypoints[:, 2::3] > 0).any(axis=1)
    areas, present = truth.area[: counts.size][counts], set(truth.category[: counts.size][counts].tolist())
    ranges = {"s": (0.0, 32.0**2), "m": (32.0**2, 96.0**2), "l": (96.0**2, 1e10)}
    numbers: dict[str, float | None] = {}
    for name in names:
        low, high = ranges.get(name[-1], (0.0, 1e10))
        numbers[name] = 0.0 if bool(((areas >= low) & (areas <= high)).any()) else None
    ordered = tuple(sorted(categories))
    precision = np.where([category in present for category in ordered], 0.0, -1.0)
    return AveragePrecision(numbers, np.broadcast_to(precision[:, None, None], (10, 101, len(ordered), 1, 1)), ordered)


def _images(sizes_wh: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    return [{"id": i, "width": w, "height": h} for i, (w, h) in enumerate(sizes_wh, start=1)]


def _truth_objects(truth: Instances) -> list[dict[str, Any]]:
    boxes = cast(list[list[float]], truth.boxes_xywh.tolist())
    rows: list[dict[str, Any]] = [
        {"id": i + 1, "image_id": int(truth.image[i]), "category_id": int(truth.category[i]), "bbox": boxes[i],
         "area": float(truth.area[i]), "iscrowd": int(truth.crowd[i])}
        for i in range(len(truth))
    ]  # fmt: skip
    for i, row in enumerate(rows):
        if truth.rles is not None:
            row["segmentation"] = truth.rles[i]
        if truth.keypoints is not None:
            row["keypoints"] = truth.keypoints[i].tolist()
            row["num_keypoints"] = int((truth.keypoints[i, 2::3] > 0).sum())
    return rows


def _found_objects(found: Instances) -> list[dict[str, Any]]:
    boxes = cast(list[list[float]], found.boxes_xywh.tolist())
    rows: list[dict[str, Any]] = []
    for i in range(len(found)):
        row: dict[str, Any] = {
            "image_id": int(found.image[i]), "category_id": int(found.category[i]), "score": float(found.score[i])
        }  # fmt: skip
        if found.rles is not None:
            row["segmentation"] = found.rles[i]  # and no bbox: see the module
        elif found.keypoints is not None:
            row["keypoints"] = found.keypoints[i].tolist()
        else:
            row["bbox"] = boxes[i]
        rows.append(row)
    return rows


def _dataset(sizes_wh: Sequence[tuple[int, int]], categories: Sequence[int], truth: Instances) -> dict[str, Any]:
    return {
        "images": _images(sizes_wh), "categories": [{"id": c, "name": str(c)} for c in categories],
        "annotations": _truth_objects(truth),
    }  # fmt: skip


def _pycocotools(
    iou_type: IouType,
    sizes_wh: Sequence[tuple[int, int]],
    categories: Sequence[int],
    truth: Instances,
    found: Instances,
) -> Any:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    annotated: Any = COCO()
    annotated.dataset = _dataset(sizes_wh, categories, truth)
    annotated.createIndex()
    return COCOeval(annotated, annotated.loadRes(_found_objects(found)), iou_type)


def _hotcoco(
    iou_type: IouType,
    sizes_wh: Sequence[tuple[int, int]],
    categories: Sequence[int],
    truth: Instances,
    found: Instances,
) -> Any:
    import hotcoco

    if iou_type == "keypoints":
        annotated = hotcoco.COCO(_dataset(sizes_wh, categories, truth))
        return hotcoco.COCOeval(annotated, annotated.load_res(_found_objects(found)), iou_type)
    annotated = hotcoco.COCO.from_arrays(
        _images(sizes_wh), [{"id": c, "name": str(c)} for c in categories], truth.image, truth.category, truth.boxes_xywh,
        ids=np.arange(1, len(truth) + 1), area=truth.area, iscrowd=truth.crowd.astype(np.int64),
        segmentation=list(truth.rles) if truth.rles is not None else None,
    )  # fmt: skip
    if found.rles is not None:
        return hotcoco.COCOeval(annotated, annotated.load_res(_found_objects(found)), iou_type)
    columns = np.column_stack([found.image, found.boxes_xywh, found.score, found.category]).astype(np.float64)
    return hotcoco.COCOeval(annotated, annotated.load_res(columns), iou_type)
