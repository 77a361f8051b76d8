"""COCO annotations and results (instances, keypoints), scored as `pycocotools.cocoeval` does.

Format: https://cocodataset.org/#format-results. A result row has `image_id`, `category_id`, `score` and `bbox` (x, y, width,
height), or `segmentation` (RLE or polygons), or `keypoints` (x, y, v, ...). Other skeletons than COCO's are named (their sigmas,
and what their own tools do beyond COCO's, are in `benchmarks/skeletons.py` and `_poses.py`), or given by their sigmas.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.engine import AveragePrecision, IouType, average_precision_of_lists, engine_versions
from benchmarks.official._files import OfficialError, Rows, read_pair
from benchmarks.official._instances import check, table
from benchmarks.official._poses import answered, by_crowd, by_part, fill_areas, joined
from benchmarks.official._table import Table
from benchmarks.official._ties import ties_of
from benchmarks.scorer import Engine
from benchmarks.scorers._ap import coco_rules
from benchmarks.skeletons import SKELETONS, Skeleton
from vtinstruct.values import gc_paused

NEEDED = {"bbox": ("bbox", "area"), "segm": ("segmentation", "area"), "keypoints": ("keypoints", "bbox", "area")}


@gc_paused()
def coco(
    annotations: Path, results: Path, iou_type: IouType = "bbox", engine: Engine = "hotcoco", skeleton: str = "coco",
    sigmas: Sequence[float] = (),
) -> Table:  # fmt: skip
    """The official numbers of a result file against an annotation file, and AP of every class. `sigmas` are a skeleton of its
    own, one a joint (pycocotools' `params.kpt_oks_sigmas`). Raises `OfficialError`."""
    if skeleton not in SKELETONS:
        raise OfficialError(f"no skeleton {skeleton!r:.40}; known: {', '.join(SKELETONS)}")
    if sigmas and (iou_type != "keypoints" or skeleton != "coco"):
        raise OfficialError(
            "sigmas are those of a skeleton of its own: with keypoints and without a skeleton's name they are right"
        )
    if any(not (math.isfinite(sigma) and sigma > 0) for sigma in sigmas):
        raise OfficialError(f"sigmas {list(sigmas)!r:.80}; numbers above 0, one a joint, are right")
    if iou_type == "keypoints":
        joints = tuple(str(number) for number in range(len(sigmas)))
        own = Skeleton("given", joints, tuple(sigmas), "params.kpt_oks_sigmas")
        return _poses(annotations, results, engine, own if sigmas else SKELETONS[skeleton])
    annotated, found = read_pair(annotations, results, (*NEEDED[iou_type], "iscrowd"))
    checked = check(annotated, found, iou_type, annotations, results)
    run = partial(average_precision_of_lists, iou_type, engine=engine)
    ties = ties_of(checked.annotated, checked.kept, iou_type, coco_rules(iou_type))
    return table(f"COCO {iou_type}", checked, run, engine_versions(engine, ("pycocotools",)), ties)


def _poses(annotations: Path, results: Path, engine: Engine, skeleton: Skeleton) -> Table:
    whole = skeleton.name == "wholebody"
    needed = [field for field in NEEDED["keypoints"] if not (skeleton.by_box and field == "area")]
    needed += ["iscrowd", *(() if whole else ("num_keypoints",))]
    annotated, found = read_pair(annotations, results, needed)
    answers = found
    if skeleton.by_box:
        fill_areas(annotated, annotations)
    if whole:
        annotated["annotations"] = joined(annotated["annotations"], f"{annotations}: annotations")
        answers = joined(found, f"{results}: ")
        found = answered(answers, "keypoints", "wholebody_score", results)
    checked = check(annotated, found, "keypoints", annotations, results, len(skeleton.joints))

    def numbers_of(truth: dict[str, Any], rows: Rows, of: Skeleton = skeleton) -> AveragePrecision:
        return average_precision_of_lists("keypoints", truth, rows, engine, None if of.name == "coco" else of.sigmas)

    title = f"{'COCO' if skeleton.name == 'coco' else skeleton.name} keypoints"
    ties = ties_of(checked.annotated, checked.kept, "keypoints", coco_rules("keypoints"), skeleton.sigmas)
    got = table(title, checked, numbers_of, engine_versions(engine, ("pycocotools",)), ties)
    numbers = dict(got.numbers)
    if skeleton.name == "crowdpose":
        numbers = {name: value for name, value in numbers.items() if name[-1] not in "ml"}  # as its own tool
        numbers |= by_crowd(checked.annotated, checked.kept, annotations, lambda a, b: numbers_of(a, b).numbers)
    if whole:
        known = {row["id"] for row in annotated["categories"]}
        answers = [row for row in answers if row["category_id"] in known]
        numbers |= by_part(
            annotated, checked.annotated, answers, lambda part: lambda a, b: numbers_of(a, b, part).numbers, results
        )
    return replace(got, numbers=numbers)
