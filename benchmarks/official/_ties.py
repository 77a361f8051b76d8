"""How far the order of equal confidences carries AP of official files: their rows as columns, and the suites' own range of orders
(`benchmarks/ties.py`). Detectors that have no confidences write the same one for all; others round theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

import numpy as np
import polars as pl

from benchmarks.arrow import as_arrow
from benchmarks.columns import Floats, Instances, Rles
from benchmarks.engine import IouType
from benchmarks.matching import Bools, Similar, pairs
from benchmarks.official._files import Rows
from benchmarks.scorer import Setting
from benchmarks.scorers._ap import Rules, conditions_of
from benchmarks.scorers._lvis import FEDERATED
from benchmarks.scorers.ap_box import box_similar
from benchmarks.scorers.ap_keypoint import pose_similar
from benchmarks.scorers.ap_mask import mask_similar
from benchmarks.ties import UNMOVED, tie_range, tied
from vtinstruct.geometry import polygons_to_rle, rle_box, rle_from_runs
from vtinstruct.run_lengths import read_masks
from vtinstruct.units import Rle

NAMES = ("AP_worst", "AP_expected", "AP_best")
LARGEST = 1e100  # coordinates whose products are numbers


@dataclass(frozen=True, slots=True)
class Ties:
    """The three numbers (none where the order of equal confidences moves nothing), and a line for what a reader must know."""

    numbers: Mapping[str, float | None] = field(default_factory=dict[str, float | None])
    notes: tuple[str, ...] = ()


def ties_of(
    annotated: Mapping[str, Any], found: Rows, iou_type: IouType, rules: Rules, sigmas: Sequence[float] = ()
) -> Ties:
    """The range of `found` against `annotated`, both checked and not yet seen by an engine (pycocotools changes them). `rules`
    are the suites'; `sigmas` those of the joints of poses."""
    photos = {image: n for n, image in enumerate(sorted(row["id"] for row in annotated["images"]), start=1)}
    classes = {class_: n for n, class_ in enumerate(sorted(row["id"] for row in annotated["categories"]))}
    true_rows = [row for row in annotated["annotations"] if row["category_id"] in classes]
    answers = replace(_bare(found, photos, classes), score=_column(found, "score"))
    equal = tied(answers)
    if not equal or not true_rows:
        return Ties()
    sizes = {row["id"]: (row["width"], row["height"]) for row in annotated["images"]}
    truth = replace(_bare(true_rows, photos, classes), crowd=_column(true_rows, "iscrowd") != 0)
    with np.errstate(all="ignore"):  # any finite number may stand for an area or a coordinate
        truth = replace(_shaped(truth, true_rows, iou_type, sizes), area=_column(true_rows, "area"))
        answers = _shaped(answers, found, iou_type, sizes)
        if not max(np.abs(side.boxes_xywh).max(initial=0.0) for side in (truth, answers)) <= LARGEST:
            return Ties(notes=(f"coordinates beyond {LARGEST:.0e}: how far equal confidences carry AP is not told",))
        near = pairs(truth, answers, _similarity(iou_type, sigmas)(truth, answers))
    conditions = conditions_of(_lists(annotated, classes), truth, answers, rules, Setting())
    conditions = replace(conditions, ignore=_ignored(true_rows), areas=answers.area)
    scored = np.unique(answers.score).size > 1  # the form asks for a confidence also of who has none
    numbers, _ = tie_range(truth, answers, near, conditions, len(photos), 0, scored)
    if not numbers or numbers["AP_best"] - numbers["AP_worst"] <= UNMOVED:
        return Ties()
    note = (
        f"{equal:,} results share their confidence with others of their class: AP is that of their order in the file, AP_worst "
        "to AP_best say how far other orders go"
    )
    return Ties({name: numbers.get(name) for name in NAMES}, (note,))


def _similarity(iou_type: IouType, sigmas: Sequence[float]) -> Callable[[Instances, Instances], Similar]:
    return {"bbox": box_similar, "segm": mask_similar, "keypoints": partial(pose_similar, sigmas=sigmas)}[iou_type]


def _bare(rows: Rows, photos: Mapping[int, int], classes: Mapping[int, int]) -> Instances:
    image = np.fromiter((photos[row["image_id"]] for row in rows), np.int64, len(rows))
    category = np.fromiter((classes[row["category_id"]] for row in rows), np.int64, len(rows))
    return Instances(image, category, np.zeros((len(rows), 4)))


def _column(rows: Rows, name: str) -> Floats:
    return np.array([row.get(name, 0) for row in rows], dtype=np.float64)


def _ignored(rows: Rows) -> Bools:
    """Crowds, and poses without a labelled joint, whatever `ignore` says (as in the original)."""
    unlabelled = np.array([row.get("num_keypoints", 1) == 0 for row in rows], dtype=np.bool_)
    return (_column(rows, "iscrowd") != 0) | unlabelled


def _lists(annotated: Mapping[str, Any], classes: Mapping[int, int]) -> pl.DataFrame:
    """LVIS's two lists of every photo, in the order of `photos`."""
    images = sorted(annotated["images"], key=lambda row: row["id"])
    fields = ("neg_category_ids", "not_exhaustive_category_ids")
    lists = [[[classes[c] for c in image.get(name, ()) if c in classes] for image in images] for name in fields]
    return pl.DataFrame(dict(zip(FEDERATED, lists, strict=True)), schema=FEDERATED)


def _shaped(side: Instances, rows: Rows, iou_type: IouType, sizes: Mapping[int, tuple[int, int]]) -> Instances:
    """A side with its boxes, masks or poses, and the areas that the official scripts take of results."""
    if iou_type == "keypoints":
        poses = np.array([row["keypoints"] for row in rows], dtype=np.float64)
        boxes = _boxes(rows) if all("bbox" in row for row in rows) else _extents(poses)
        return replace(side, boxes_xywh=boxes, keypoints=poses, area=boxes[:, 2] * boxes[:, 3])
    if iou_type == "bbox" and all("bbox" in row for row in rows):
        boxes = _boxes(rows)
        return replace(side, boxes_xywh=boxes, area=boxes[:, 2] * boxes[:, 3])
    masks = [_rle(row["segmentation"], sizes[row["image_id"]]) for row in rows]
    counts = pl.Series([one.counts for one in masks], dtype=pl.Binary)
    rles = Rles(counts, np.array([one.size_hw for one in masks], dtype=np.int64).reshape(-1, 2))
    area = read_masks(as_arrow(counts), rles.sizes_hw).area_px.astype(np.float64)
    if iou_type == "segm":
        return replace(side, rles=rles, area=area)
    corners = np.array([rle_box(one) for one in masks]).reshape(-1, 4)  # masks scored as boxes
    return replace(side, boxes_xywh=np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]]), area=area)


def _boxes(rows: Rows) -> Floats:
    return np.array([row["bbox"] for row in rows], dtype=np.float64).reshape(-1, 4)


def _extents(poses: Floats) -> Floats:
    x, y = poses[:, 0::3], poses[:, 1::3]
    low = np.stack([x.min(axis=1), y.min(axis=1)], axis=1)
    return np.hstack([low, np.stack([x.max(axis=1), y.max(axis=1)], axis=1) - low])


def _rle(value: Any, size_wh: tuple[int, int]) -> Rle:
    """A checked mask, in whichever of COCO's three forms."""
    if isinstance(value, list):
        return polygons_to_rle(cast(list[list[float]], value), size_wh)
    if isinstance(value["counts"], list):
        return rle_from_runs(cast(list[int], value["counts"]), value["size"])
    return Rle(tuple(value["size"]), value["counts"].encode())
