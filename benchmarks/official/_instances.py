"""What COCO's and LVIS's result files share: rows of boxes, masks or poses, made fit for the engines, and the table of numbers.

Masks with a `bbox` beside them: the original takes areas from the box then, and the numbers by size move. The plain numbers are
those of the masks' areas; where every row has a box, the original's stand beside them as `name[script]`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from benchmarks.engine import AveragePrecision, IouType
from benchmarks.official._files import OfficialError, Rows, numbers_of
from benchmarks.official._table import Table
from benchmarks.skeletons import SKELETONS
from vtinstruct.geometry import MAX_COORDINATE, GeometryError, check_rle, polygons_to_rle, rle_from_runs
from vtinstruct.units import Rle

FIELD: dict[IouType, str] = {"bbox": "bbox", "segm": "segmentation", "keypoints": "keypoints"}
BODY = len(SKELETONS["coco"].joints)
BY_SIZE = ("APs", "APm", "APl", "ARs", "ARm", "ARl")
Run = Callable[[dict[str, Any], Rows], AveragePrecision]


@dataclass(frozen=True, slots=True)
class Checked:
    """Annotations and the result rows that can match anything; `boxed`: the same rows with the boxes that the original takes
    areas from, where it does; a line for what a reader must know."""

    annotated: dict[str, Any]
    kept: Rows
    boxed: Rows
    notes: tuple[str, ...]


def check(
    annotated: dict[str, Any], found: Rows, iou_type: IouType, annotations: Path, results: Path, joints: int = BODY
) -> Checked:
    """Annotations and results, fit for native code. Raises `OfficialError`."""
    _check_truth(annotated, iou_type, annotations, joints)
    sizes, classes = sizes_of(annotated), {row["id"] for row in annotated["categories"]}
    field, kept, unknown = _field(found, iou_type), Rows(), Counter[int]()
    for number, row in enumerate(found):
        where = f"{results}: [{number}]"
        if row["image_id"] not in sizes:
            raise OfficialError(
                f"{where} is for image {row['image_id']}, which is not annotated; a listed image is right"
            )
        _check_geometry(row, field, where, sizes[row["image_id"]], joints)
        if row["category_id"] not in classes:
            unknown[row["category_id"]] += 1
            continue
        if field != "bbox" and row.get("bbox"):
            _check_box(row, where)
        if field == "segmentation" and isinstance(row[field], list):  # the original reads run lengths only
            row[field] = _drawn(cast(list[list[float]], row[field]), sizes[row["image_id"]])
        kept.append(row)
    notes: list[str] = list(annotated["notes"])
    if unknown:
        notes.append(f"{unknown.total()} results of classes that are not annotated match nothing: {dict(unknown)}")
    boxes = sum(bool(row.get("bbox")) for row in kept) if field != "bbox" else 0
    if iou_type == "segm" and boxes:
        notes.append(
            f"{boxes} results have a bbox beside their mask; areas are the masks', in [script] the boxes' as in the original"
        )
    slim = ("image_id", "category_id", "score", field)  # native code need not know what else a row says
    boxed = _only(kept, (*slim, "bbox")) if boxes == len(kept) else Rows()
    kept = boxed if iou_type == "keypoints" and boxed else _only(kept, slim)  # of poses, every tool takes a box's area
    return Checked(annotated, kept, boxed if iou_type == "segm" else Rows(), tuple(notes))


def _only(rows: Rows, fields: Sequence[str]) -> Rows:
    return [{field: row[field] for field in fields} for row in rows]


def _field(found: Rows, iou_type: IouType) -> str:
    """Where the shapes are: boxes of masks are the masks' own when the first result has no other (as the original decides)."""
    first = found[0] if found else {}
    return (
        "segmentation" if iou_type == "bbox" and not first.get("bbox") and "segmentation" in first else FIELD[iou_type]
    )


def table(title: str, checked: Checked, run: Run, engine: Mapping[str, str]) -> Table:
    """What an evaluation gives, with the original's numbers by size where they are others."""
    result = run(checked.annotated, checked.kept)
    numbers = dict(result.numbers)
    if checked.boxed:
        boxed = run(checked.annotated, checked.boxed).numbers
        numbers |= {f"{name}[script]": value for name, value in boxed.items() if name.split("@")[0] in BY_SIZE}
    names = {row["id"]: str(row.get("name", row["id"])) for row in checked.annotated["categories"]}
    return Table(title, numbers, tuple(per_class(result, names)), checked.notes, engine)


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


def _check_truth(annotated: dict[str, Any], iou_type: IouType, path: Path, joints: int) -> None:
    sizes = sizes_of(annotated)
    for number, row in enumerate(annotated["annotations"]):
        where = f"{path}: annotations[{number}]"
        numbers_of({"area": [row["area"]]}, "area", 1, where)
        _check_geometry(row, FIELD[iou_type], where, sizes.get(row["image_id"]), joints)
        if iou_type == "keypoints":
            numbers_of(row, "bbox", 4, where)


def _drawn(polygons: list[list[float]], size_hw: tuple[object, object]) -> dict[str, Any]:
    height, width = cast(tuple[int, int], size_hw)
    return {"size": [height, width], "counts": polygons_to_rle(polygons, (width, height)).counts.decode()}


def _check_geometry(
    row: dict[str, Any], field: str, where: str, size_hw: tuple[object, object] | None, joints: int
) -> None:
    if field == "bbox":
        _check_box(row, where)
    elif field == "keypoints":
        if len(numbers_of(row, "keypoints", None, where)) != 3 * joints:
            fitting = [one.name for one in SKELETONS.values() if 3 * len(one.joints) == len(row["keypoints"])]
            hint = f"; skeletons that fit: {', '.join(fitting)}" if fitting else ""
            raise OfficialError(
                f"{where} has {len(row['keypoints'])} numbers for keypoints; {joints} x (x, y, v) are right{hint}"
            )
    else:
        row["segmentation"] = checked_mask(row.get("segmentation"), where, size_hw)


def _check_box(row: Mapping[str, Any], where: str) -> None:
    _, _, width, height = numbers_of(row, "bbox", 4, where)
    if width < 0 or height < 0:
        raise OfficialError(f"{where} has bbox {row['bbox']}; [x, y, width, height] with sides >= 0 is right")


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
