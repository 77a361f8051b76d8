"""LVIS annotations (v0.5, v1) and results, scored as lvis-api does.

Format: https://www.lvisdataset.org/dataset: COCO's, with `neg_category_ids` and `not_exhaustive_category_ids` of every image and
`frequency` of every category. There are no crowds, so no `iscrowd` is needed.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

from benchmarks.engine import engine_versions
from benchmarks.engine_lvis import FREQUENCIES, lvis_average_precision_of_lists
from benchmarks.matching import LARGEST
from benchmarks.official._files import WHOLE, OfficialError, read_pair
from benchmarks.official._instances import FIELD, check, table
from benchmarks.official._table import Table
from benchmarks.official._ties import ties_of
from benchmarks.scorer import Engine
from benchmarks.scorers._lvis import lvis_rules
from vtinstruct.values import gc_paused

Lvis = Literal["bbox", "segm"]


@gc_paused()
def lvis(annotations: Path, results: Path, iou_type: Lvis = "segm", engine: Engine = "hotcoco") -> Table:
    """The official numbers of a result file against an annotation file, and AP of every class. Raises `OfficialError`."""
    annotated, found = read_pair(annotations, results, (FIELD[iou_type], "area"))
    _check_federation(annotated, annotations)
    for row in annotated["annotations"]:
        row.pop("iscrowd", None)  # the original does not look at it
        # the fast engine does not look at this: an area beyond all sizes is ignored by both
        if row.pop("ignore", False):
            row["area"] = 2 * LARGEST
    checked = check(annotated, found, iou_type, annotations, results)
    run = partial(lvis_average_precision_of_lists, iou_type, engine=engine)
    ties = ties_of(checked.annotated, checked.kept, iou_type, lvis_rules(iou_type))
    return table(f"LVIS {iou_type}", checked, run, engine_versions(engine, ("lvis",)), ties)


def _check_federation(annotated: dict[str, Any], path: Path) -> None:
    for number, image in enumerate(annotated["images"]):
        for field in ("neg_category_ids", "not_exhaustive_category_ids"):
            listed: Any = image.get(field)
            if isinstance(listed, list):  # 1.0 is 1
                several = cast(list[Any], listed)
                image[field] = [int(one) if isinstance(one, float) and one.is_integer() else one for one in several]
            if not isinstance(listed, list) or not all(type(one) is int and 0 <= one < WHOLE for one in image[field]):
                raise OfficialError(
                    f"{path}: images[{number}] has no list {field!r} of class ids; LVIS's own annotation file is right"
                )
    for number, category in enumerate(annotated["categories"]):
        if category.get("frequency") not in FREQUENCIES:
            raise OfficialError(
                f"{path}: categories[{number}] has frequency {category.get('frequency')!r}; r, c or f is right"
            )
