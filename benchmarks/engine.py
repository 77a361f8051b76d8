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

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from benchmarks.arrow import as_arrow
from benchmarks.columns import Floats, Instances, Ints
from benchmarks.matching import group_keys
from benchmarks.scorer import Engine
from vtinstruct.run_lengths import read_masks

IouType = Literal["bbox", "segm", "keypoints"]

BOX_NUMBERS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
ORIGINALS = ("pycocotools", "lvis", "panopticapi-lite")
BLOCK = 150_000  # found instances that the engine holds at once: some 40 MB
KEYPOINT_NUMBERS = ("AP", "AP50", "AP75", "APm", "APl", "AR", "AR50", "AR75", "ARm", "ARl")


@dataclass(frozen=True, slots=True)
class AveragePrecision:
    """The official numbers in official order (None where undefined), and the precision array they come from.

    precision: (10 IoU thresholds, 101 recall levels, classes, area ranges, detection limits) and recall: the same without
    recall levels; -1 where undefined. Classes are in the order of `categories`.
    """

    numbers: dict[str, float | None]
    precision: Floats
    categories: tuple[int, ...]
    recall: Floats

    def by_class(self) -> dict[int, tuple[float, float]]:
        """AP and AP50 of every class with ground truth: means over thresholds and recall levels, all areas, most answers."""
        thresholds, recalls, classes, _, _ = self.precision.shape
        # a copy, so that means add as they do class by class; of a class all values are defined, or none
        rows = np.ascontiguousarray(np.moveaxis(self.precision[:, :, :, 0, -1], 2, 0)).reshape(
            classes, thresholds * recalls
        )
        means = zip(self.categories, rows.mean(axis=1).tolist(), rows[:, :recalls].mean(axis=1).tolist(), strict=True)
        return {category: (ap, ap50) for category, ap, ap50 in means if ap > -1}


class EngineError(Exception):
    """Columns that no engine may see; one line."""


def average_precision(
    iou_type: IouType, sizes_wh: Sequence[tuple[int, int]], categories: Sequence[int], truth: Instances,
    found: Instances, engine: Engine = "hotcoco", sigmas: Sequence[float] | None = None,
) -> AveragePrecision:  # fmt: skip
    """COCO AP of `found` against `truth` over photos 1..len(sizes_wh), every one of which counts, annotated or not.

    `categories` are the class ids to average over. Order of `found` breaks ties between equal scores, photo by photo, as
    in the official script. `sigmas` as in
    `average_precision_of_lists`. Raises `EngineError` on NaN, infinity, or an image or class that does not exist.
    """
    for columns in (truth, found):
        check_columns(columns, len(sizes_wh), categories)
    if engine == "official" and len(found):  # the original cannot read an empty result
        evaluator = _pycocotools(iou_type, sizes_wh, sorted(categories), truth, found)
        return finish(_with_sigmas(evaluator, sigmas), iou_type)
    found = comparable(truth, found)
    parts: list[AveragePrecision] = []
    for classes in class_blocks(sorted(categories), found.category):
        sides = (of_classes(side, classes) for side in (truth, found))
        # no name for the evaluator: it would be held beside the next
        parts.append(finish(_with_sigmas(_hotcoco(iou_type, sizes_wh, classes, *sides), sigmas), iou_type))
    return parts[0] if len(parts) == 1 else _joined(parts, iou_type)


def comparable(truth: Instances, found: Instances) -> Instances:
    """The found instances without the masks that are compared with nothing, since nothing of their class is annotated in their
    photo: most masks of most detectors. Their areas, classes and confidences are all that counts."""
    if found.rles is None:
        return found
    area = found.area
    if not area.size:
        area = read_masks(as_arrow(found.rles.counts), found.rles.sizes_hw).area_px.astype(np.float64)
    true_key, key = group_keys(truth, found)
    return replace(found, area=area, rles=found.rles.only(np.isin(key, true_key)))


def class_blocks(categories: Sequence[int], found: Ints) -> list[list[int]]:
    """The classes, ascending, in blocks of about `BLOCK` found instances: classes do not touch each other, so the engine
    need not hold all of them at once."""
    order = np.asarray(categories, dtype=np.int64)
    per_class = np.bincount(np.searchsorted(order, found), minlength=order.size)
    block = (np.cumsum(per_class) - per_class) // BLOCK
    return [order[block == number].tolist() for number in np.unique(block)] or [[]]


def of_classes(side: Instances, classes: Sequence[int]) -> Instances:
    """The instances of some classes, in their order."""
    kept = np.flatnonzero(np.isin(side.category, classes))
    return side if kept.size == len(side) else side.at(kept)


def _joined(parts: Sequence[AveragePrecision], iou_type: IouType) -> AveragePrecision:
    """Blocks of classes put together; the numbers are means over all of them, as `COCOeval.summarize` takes them."""
    precision = np.concatenate([part.precision for part in parts], axis=2)
    recall = np.concatenate([part.recall for part in parts], axis=1)
    numbers = {name: _mean(name, precision, recall, iou_type) for name in parts[0].numbers}
    return AveragePrecision(numbers, precision, tuple(c for part in parts for c in part.categories), recall)


def _mean(name: str, precision: Floats, recall: Floats, iou_type: IouType) -> float | None:
    part = name[2:]
    threshold = {"50": slice(0, 1), "75": slice(5, 6)}.get(part, slice(None))
    area = ("", "m", "l").index(part) if iou_type == "keypoints" and part in "ml" else "sml".find(part or "?") + 1
    limit = {"1": 0, "10": 1}.get(part, -1)
    values = precision[threshold, :, :, area, -1] if name.startswith("AP") else recall[threshold, :, area, limit]
    values = values[values > -1]
    return float(np.mean(values)) if values.size else None


def average_precision_of_lists(
    iou_type: IouType, annotated: dict[str, Any], results: list[dict[str, Any]], engine: Engine = "hotcoco",
    sigmas: Sequence[float] | None = None,
) -> AveragePrecision:  # fmt: skip
    """COCO AP of the official layout: an annotation file's content and a result file's. Both must have been checked
    (`benchmarks/official/_files.py`). `sigmas`: of the joints of poses, where they are not COCO's."""
    run = _hotcoco_lists if engine == "hotcoco" or not results else _pycocotools_lists
    return finish(_with_sigmas(run(iou_type, annotated, results), sigmas), iou_type)


def _with_sigmas(evaluator: Any, sigmas: Sequence[float] | None) -> Any:
    if sigmas is not None:
        evaluator.params.kpt_oks_sigmas = np.array(sigmas)
    return evaluator


def finish(evaluator: Any, iou_type: IouType) -> AveragePrecision:
    """Run an evaluator of either engine and read its numbers and arrays."""
    names = KEYPOINT_NUMBERS if iou_type == "keypoints" else BOX_NUMBERS
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():  # both print their table
        warnings.filterwarnings("ignore", "hotcoco: kpt_oks_sigmas differ")  # they are other skeletons' own
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    numbers = {name: _none(value) for name, value in zip(names, evaluator.stats, strict=True)}
    precision = np.asarray(evaluator.eval["precision"], dtype=np.float64)
    recall = np.asarray(evaluator.eval["recall"], dtype=np.float64)
    return AveragePrecision(numbers, precision, tuple(map(int, evaluator.params.catIds)), recall)


def engine_versions(engine: Engine, originals: Sequence[str] = ORIGINALS) -> dict[str, str]:
    """Packages and versions of the engine, for the result file: of the originals, those that are installed."""
    found: dict[str, str] = {}
    for package in ("hotcoco",) if engine == "hotcoco" else originals:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def _none(value: float) -> float | None:
    return None if value < 0 else float(value)


def check_columns(columns: Instances, images: int, categories: Sequence[int]) -> None:
    """Raise `EngineError` on NaN, infinity, or an image or class that does not exist."""
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


def _images(sizes_wh: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    return [{"id": i, "width": w, "height": h} for i, (w, h) in enumerate(sizes_wh, start=1)]


def truth_objects(truth: Instances) -> list[dict[str, Any]]:
    """Annotated columns as rows of a COCO file, ids from 1."""
    columns: dict[str, Sequence[Any]] = {
        "id": range(1, len(truth) + 1), "bbox": truth.boxes_xywh.tolist(), "area": truth.area.tolist(),
        "iscrowd": truth.crowd.astype(np.int64).tolist(),
    }  # fmt: skip
    if truth.keypoints is not None:
        columns["num_keypoints"] = (truth.keypoints[:, 2::3] > 0).sum(axis=1).tolist()
    return _objects(truth, columns)


def found_objects(found: Instances) -> list[dict[str, Any]]:
    """Predicted columns as rows of a COCO result file."""
    columns: dict[str, Sequence[Any]] = {"score": found.score.tolist()}
    if found.rles is None and found.keypoints is None:
        columns["bbox"] = found.boxes_xywh.tolist()  # nowhere else: see the module
    return _objects(found, columns)


def _objects(side: Instances, columns: dict[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Rows of what both sides have, and of a side's own columns."""
    columns |= {"image_id": side.image.tolist(), "category_id": side.category.tolist()}
    if side.rles is not None:
        columns["segmentation"] = side.rles.all()
    if side.keypoints is not None:
        columns["keypoints"] = side.keypoints.tolist()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _dataset(sizes_wh: Sequence[tuple[int, int]], categories: Sequence[int], truth: Instances) -> dict[str, Any]:
    return {
        "images": _images(sizes_wh), "categories": [{"id": c, "name": str(c)} for c in categories],
        "annotations": truth_objects(truth),
    }  # fmt: skip


def _pycocotools(
    iou_type: IouType,
    sizes_wh: Sequence[tuple[int, int]],
    categories: Sequence[int],
    truth: Instances,
    found: Instances,
) -> Any:
    return _pycocotools_lists(iou_type, _dataset(sizes_wh, categories, truth), found_objects(found))


def _pycocotools_lists(iou_type: IouType, annotated: dict[str, Any], results: list[dict[str, Any]]) -> Any:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth: Any = COCO()
        truth.dataset = annotated
        truth.createIndex()
        return COCOeval(truth, truth.loadRes([dict(row) for row in results]), iou_type)  # it adds fields


def _hotcoco_lists(iou_type: IouType, annotated: dict[str, Any], results: list[dict[str, Any]]) -> Any:
    import hotcoco

    truth = hotcoco.COCO(annotated)
    return hotcoco.COCOeval(truth, truth.load_res(results), iou_type)


def _hotcoco(
    iou_type: IouType,
    sizes_wh: Sequence[tuple[int, int]],
    categories: Sequence[int],
    truth: Instances,
    found: Instances,
) -> Any:
    import hotcoco

    if iou_type == "keypoints":
        return _hotcoco_lists(iou_type, _dataset(sizes_wh, categories, truth), found_objects(found))
    annotated = truth_columns(_images(sizes_wh), [{"id": c, "name": str(c)} for c in categories], truth)
    return hotcoco.COCOeval(annotated, found_columns(annotated, found), iou_type)


def truth_columns(images: list[dict[str, Any]], categories: list[dict[str, Any]], truth: Instances) -> Any:
    """Annotated boxes or masks as hotcoco's dataset, ids from 1, without an object per row."""
    import hotcoco

    masks: Any = None if truth.rles is None else truth.rles.all()
    return hotcoco.COCO.from_arrays(
        images, categories, truth.image, truth.category, truth.boxes_xywh,
        ids=np.arange(1, len(truth) + 1), area=truth.area, iscrowd=truth.crowd.astype(np.int64),
        segmentation=masks,
    )  # fmt: skip


def found_columns(annotated: Any, found: Instances) -> Any:
    """Predicted boxes, or masks with their areas, as hotcoco's results, without an object per row."""
    columns = np.column_stack([found.image, found.boxes_xywh, found.score, found.category]).astype(
        np.float64, copy=False
    )
    if found.rles is None:
        return annotated.load_res(columns)
    results = annotated.load_res(columns, segmentation=found.rles.all())
    results.update_anns(ids=np.arange(1, len(found) + 1), area=found.area)  # the masks' own areas, not the boxes'
    return results
