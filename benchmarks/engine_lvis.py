"""LVIS average precision behind the same two engines as COCO's.

LVIS is annotated class by class: a class is judged in a photo only where it is annotated, or listed as certainly absent
(`negatives`); where more of it may be there than is annotated (`not_exhaustive`), unmatched answers do not count. At most 300
answers a photo enter, all classes together, *before* the classes that are not judged are left out. There are no crowds.

Definition: lvis-dataset/lvis-api, `lvis/results.py` and `lvis/eval.py`; Gupta et al., "LVIS" (CVPR 2019), section 3.3.
"""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from benchmarks.columns import Instances
from benchmarks.engine import AveragePrecision, check_columns, comparable, found_columns, found_objects, truth_columns
from benchmarks.engine import truth_objects as annotated_objects
from benchmarks.originals import lvis_api, old_numpy
from benchmarks.scorer import Engine

MOST = 300  # answers a photo
NUMBERS = (
    "AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf", "AR@300", "ARs@300", "ARm@300", "ARl@300",
)  # fmt: skip
FREQUENCIES = ("r", "c", "f")


@dataclass(frozen=True, slots=True)
class Federation:
    """What is known of the photos beyond their annotations, photo by photo: class ids certainly absent, and class ids of
    which more may be there. `frequency` is r, c or f by class id."""

    negatives: Sequence[Sequence[int]]
    not_exhaustive: Sequence[Sequence[int]]
    frequency: Mapping[int, str]


def lvis_average_precision(
    iou_type: Literal["bbox", "segm"], sizes_wh: Sequence[tuple[int, int]], federation: Federation, truth: Instances,
    found: Instances, engine: Engine = "hotcoco",
) -> AveragePrecision:  # fmt: skip
    """LVIS AP of `found` against `truth` over photos 1..len(sizes_wh). The classes are those of `federation.frequency`;
    where one has none of r, c, f, the three numbers by frequency are None. Raises `EngineError`, `OriginalMissing`."""
    frequency = federation.frequency
    for columns in (truth, found):
        check_columns(columns, len(sizes_wh), list(frequency))
    known = all(value in FREQUENCIES for value in frequency.values())
    images = [
        {"id": n, "width": w, "height": h, "neg_category_ids": list(absent), "not_exhaustive_category_ids": list(more)}
        for n, ((w, h), absent, more) in enumerate(
            zip(sizes_wh, federation.negatives, federation.not_exhaustive, strict=True), start=1
        )
    ]
    categories = [
        {"id": id_, "name": str(id_), "frequency": value if known else "f"} for id_, value in sorted(frequency.items())
    ]
    if engine == "official" and len(found):
        annotated = {"images": images, "categories": categories, "annotations": annotated_objects(truth)}
        result = _lvis_api(iou_type, annotated, found_objects(found))
    else:
        dataset = truth_columns(images, categories, truth)
        result = _hotcoco(iou_type, dataset, found_columns(dataset, comparable(truth, found)))
    if not known:
        result.numbers.update(dict.fromkeys(("APr", "APc", "APf")))
    return result


def lvis_average_precision_of_lists(
    iou_type: Literal["bbox", "segm"], annotated: dict[str, Any], results: list[dict[str, Any]], engine: Engine = "hotcoco"
) -> AveragePrecision:  # fmt: skip
    """LVIS AP of the official layout, checked (`benchmarks/official/_files.py`). Raises `OriginalMissing`."""
    import hotcoco

    if engine == "official" and results:
        return _lvis_api(iou_type, annotated, results)
    dataset = hotcoco.COCO(annotated)
    return _hotcoco(iou_type, dataset, dataset.load_res(results))


def _hotcoco(iou_type: str, annotated: Any, found: Any) -> AveragePrecision:
    import hotcoco

    evaluator = hotcoco.LVISeval(annotated, found.cap_detections_per_image(MOST), iou_type)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its table
        evaluator.run()
    arrays: Any = evaluator.eval
    return _result(evaluator.get_results(), arrays["precision"], arrays["recall"], evaluator.params.catIds)


def _lvis_api(iou_type: str, annotated: dict[str, Any], results: list[dict[str, Any]]) -> AveragePrecision:
    api = lvis_api()
    with old_numpy():
        truth = api.LVIS.__new__(api.LVIS)  # its constructor reads files only
        truth.logger = api.eval.logging.getLogger("lvis.lvis")
        truth.dataset = copy.deepcopy(annotated)
        truth._create_index()
        evaluator = api.LVISEval(truth, api.LVISResults(truth, copy.deepcopy(results), MOST), iou_type)
        evaluator.run()
    arrays = evaluator.eval
    return _result(evaluator.get_results(), arrays["precision"], arrays["recall"], evaluator.params.cat_ids)


def _result(numbers: Mapping[str, float], precision: Any, recall: Any, categories: Sequence[int]) -> AveragePrecision:
    """Both engines' arrays with COCO's last axis (one limit of answers)."""
    shown = {name: float(numbers[name]) if numbers[name] >= 0 else None for name in NUMBERS}
    precision, recall = np.asarray(precision, dtype=np.float64), np.asarray(recall, dtype=np.float64)
    return AveragePrecision(
        shown,
        precision.reshape((*precision.shape[:4], 1)),
        tuple(map(int, categories)),
        recall.reshape((*recall.shape[:3], 1)),
    )
