"""COCO annotations and results (instances, person keypoints), scored as `pycocotools.cocoeval` does.

Format: https://cocodataset.org/#format-results. A result row has `image_id`, `category_id`, `score` and `bbox` (x, y, width,
height), or `segmentation` (RLE or polygons), or `keypoints` (x, y, v, ...).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from benchmarks.engine import AveragePrecision, IouType, average_precision_of_lists, engine_versions
from benchmarks.official._files import OfficialError, Rows, numbers_of, read_annotated, read_results
from benchmarks.official._table import Table
from benchmarks.scorer import Engine
from vtinstruct.geometry import MAX_COORDINATE, GeometryError, check_rle, polygons_to_rle, rle_from_runs
from vtinstruct.units import Rle

FIELD = {"bbox": "bbox", "segm": "segmentation", "keypoints": "keypoints"}
NEEDED = {
    "bbox": ("bbox", "area", "iscrowd"), "segm": ("segmentation", "area", "iscrowd"),
    "keypoints": ("keypoints", "num_keypoints", "bbox", "area", "iscrowd"),
}  # fmt: skip


def coco(annotations: Path, results: Path, iou_type: IouType = "bbox", engine: Engine = "hotcoco") -> Table:
    """The official numbers of a result file against an annotation file, and AP of every class. Raises `OfficialError`."""
    annotated, found = read_annotated(annotations, NEEDED[iou_type]), read_results(results)
    names = {row["id"]: str(row.get("name", row["id"])) for row in annotated["categories"]}
    check_truth(annotated, iou_type, annotations)
    kept, notes = check_found(found, annotated, iou_type, results)
    result = average_precision_of_lists(iou_type, annotated, kept, engine)
    return Table(
        f"COCO {iou_type}",
        result.numbers,
        tuple(per_class(result, names)),
        tuple(notes),
        engine_versions(engine, ("pycocotools",)),
    )


def per_class(result: AveragePrecision, names: Mapping[int, str]) -> list[dict[str, Any]]:
    """AP and AP50 of every class with ground truth, in id order: mean over thresholds and recall levels, all areas."""
    found: list[dict[str, Any]] = []
    for index, category in enumerate(result.categories):
        values = result.precision[:, :, index, 0, -1]
        if values.size and float(values.max()) > -1:
            ap, ap50 = float(values[values > -1].mean()), float(values[0].mean())
            found.append({"class": names.get(category, str(category)), "id": category, "AP": ap, "AP50": ap50})
    return found


def sizes_of(annotated: Mapping[str, Any]) -> dict[int, tuple[object, object]]:
    """Image id -> (height, width) as the file has it."""
    return {image["id"]: (image.get("height"), image.get("width")) for image in annotated["images"]}


def check_truth(annotated: dict[str, Any], iou_type: str, path: Path) -> None:
    """Geometry of the annotations, fit for native code. Raises `OfficialError`."""
    sizes = sizes_of(annotated)
    for number, row in enumerate(annotated["annotations"]):
        where = f"{path}: annotations[{number}]"
        numbers_of({"area": [row["area"]]}, "area", 1, where)
        _check_geometry(row, iou_type, where, sizes.get(row["image_id"]))
        if iou_type == "keypoints":
            numbers_of(row, "bbox", 4, where)


def check_found(found: Rows, annotated: dict[str, Any], iou_type: str, path: Path) -> tuple[Rows, list[str]]:
    """The result rows that can match anything, fit for native code, and what was left out. Raises `OfficialError`."""
    sizes, classes = sizes_of(annotated), {row["id"] for row in annotated["categories"]}
    kept: Rows = []
    unknown, boxed = Counter[int](), 0
    for number, row in enumerate(found):
        where = f"{path}: [{number}]"
        if row["image_id"] not in sizes:
            raise OfficialError(
                f"{where} is for image {row['image_id']}, which is not annotated; a listed image is right"
            )
        _check_geometry(row, iou_type, where, sizes[row["image_id"]])
        if row["category_id"] not in classes:
            unknown[row["category_id"]] += 1
            continue
        boxed += iou_type == "segm" and "bbox" in row
        if iou_type == "segm" and isinstance(row["segmentation"], list):  # the original reads run lengths only
            row["segmentation"] = _drawn(cast(list[list[float]], row["segmentation"]), sizes[row["image_id"]])
        kept.append({key: row[key] for key in ("image_id", "category_id", "score", FIELD[iou_type])})
    notes: list[str] = []
    if unknown:
        notes.append(f"{unknown.total()} results of classes that are not annotated match nothing: {dict(unknown)}")
    if boxed:
        notes.append(
            f"{boxed} results have a bbox beside their mask; areas are the masks' (the original takes the box's)"
        )
    return kept, notes


def _drawn(polygons: list[list[float]], size_hw: tuple[object, object]) -> dict[str, Any]:
    height, width = cast(tuple[int, int], size_hw)
    return {"size": [height, width], "counts": polygons_to_rle(polygons, (width, height)).counts.decode()}


def _check_geometry(row: dict[str, Any], iou_type: str, where: str, size_hw: tuple[object, object] | None) -> None:
    if iou_type == "bbox":
        _, _, width, height = numbers_of(row, "bbox", 4, where)
        if width < 0 or height < 0:
            raise OfficialError(f"{where} has bbox {row['bbox']}; [x, y, width, height] with sides >= 0 is right")
    elif iou_type == "keypoints":
        if len(numbers_of(row, "keypoints", None, where)) != 51:
            raise OfficialError(f"{where} has {len(row['keypoints'])} numbers for keypoints; 17 x (x, y, v) are right")
    else:
        row["segmentation"] = checked_mask(row.get("segmentation"), where, size_hw)


def checked_mask(value: object, where: str, size_hw: tuple[object, object] | None) -> Any:
    """Polygons as they are (finite, at least three points), run lengths checked against the image's size."""
    if size_hw is None or not all(isinstance(side, int) and side > 0 for side in size_hw):
        raise OfficialError(f"{where} is of an image of size {size_hw}; a listed one with height and width is right")
    if isinstance(value, list) and value:
        for number, part in enumerate(cast(list[Any], value)):
            values = numbers_of({"segmentation": part}, "segmentation", None, f"{where}, part {number}")
            if len(values) < 6 or len(values) % 2 or max(map(abs, values)) > MAX_COORDINATE:
                raise OfficialError(f"{where}, part {number} has {len(values)} numbers; a polygon of 3 points is right")
        return cast(Any, value)
    fields = cast(Mapping[str, Any], value if isinstance(value, dict) else {})
    size, counts = fields.get("size"), fields.get("counts")
    if size != list(size_hw):
        raise OfficialError(f"{where} has a mask of size {size!r:.40}; polygons or an RLE of {list(size_hw)} are right")
    try:
        if isinstance(counts, list):
            runs = cast(list[int], counts)
            rle_from_runs(runs, cast(tuple[int, int], size_hw))
            return {"size": size, "counts": runs}
        if not isinstance(counts, str) or not counts.isascii():
            raise GeometryError("mask: no run lengths", f"counts is {counts!r:.40}; a COCO RLE string is right")
        check_rle(Rle(cast(tuple[int, int], size_hw), counts.encode()))
    except GeometryError as error:
        raise OfficialError(f"{where}: {error}") from error
    return {"size": size, "counts": counts}
