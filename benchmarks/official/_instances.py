"""What COCO's and LVIS's result files share: rows of boxes, masks or poses, made fit for the engines, and the table of numbers.

Masks with a `bbox` beside them: the original takes areas from the box then, and the numbers by size move. The plain numbers are
those of the masks' areas; where every row has a box, the original's stand beside them as `name[script]`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard, cast

import numpy as np

from benchmarks.engine import AveragePrecision, IouType
from benchmarks.official._files import OfficialError, Rows, is_number, numbers_of
from benchmarks.official._table import Table
from benchmarks.official._ties import Ties
from benchmarks.skeletons import SKELETONS
from vtinstruct.geometry import MAX_COORDINATE, GeometryError, check_rle, polygons_to_rle, rle_from_runs, rle_to_coco
from vtinstruct.run_lengths import read_masks, strings
from vtinstruct.units import Rle

FIELD: dict[IouType, str] = {"bbox": "bbox", "segm": "segmentation", "keypoints": "keypoints"}
BODY = len(SKELETONS["coco"].joints)
IMAGE_FIELDS = ("crowdIndex", "neg_category_ids", "not_exhaustive_category_ids")
BY_SIZE = ("APs", "APm", "APl", "ARs", "ARm", "ARl")
Size = tuple[object, object]  # height, width, as a file has them
Run = Callable[[dict[str, Any], Rows], AveragePrecision]


@dataclass(frozen=True, slots=True)
class Checked:
    """Annotations and the result rows that can match anything; `boxed`: the same rows with the boxes that the original takes
    areas from, where it does; a line for what a reader must know; class ids as the file has them, where they are others."""

    annotated: dict[str, Any]
    kept: Rows
    boxed: Rows
    notes: tuple[str, ...]
    originals: Mapping[int, int | str]


def check(
    annotated: dict[str, Any], found: Rows, iou_type: IouType, annotations: Path, results: Path, joints: int = BODY
) -> Checked:
    """Annotations and results, fit for native code. Raises `OfficialError`."""
    notes: list[str] = [*annotated["notes"], *_unlisted(annotated)]
    sizes, classes = sizes_of(annotated), {row["id"] for row in annotated["categories"]}
    if iou_type == "segm":
        notes += _sizes_of_masks(sizes, (*annotated["annotations"], *found))
    _check_truth(annotated, iou_type, annotations, joints, sizes)
    field, kept, unknown = _field(found, iou_type), Rows(), Counter[int]()
    outlined = _outlined(found, str(results)) if field == "segmentation" and iou_type == "segm" else 0
    sound = _sound(found, field, sizes)
    for number, row in enumerate(found):
        where = f"{results}: [{number}]"
        _check_geometry(row, field, where, sizes[row["image_id"]], joints, sound[number])
        if row["category_id"] not in classes:
            unknown[row["category_id"]] += 1
            continue
        if field != "bbox" and row.get("bbox"):
            _check_box(row, where)
        if field == "segmentation" and isinstance(row[field], list):  # the original reads run lengths only
            row[field] = _drawn(cast(list[list[float]], row[field]), sizes[row["image_id"]])
        kept.append(row)
    if not found:
        notes.append("there is not one result: all that is annotated counts as not found, where the original stops")
    if unknown:
        counts = {annotated["originals"].get(category, category): n for category, n in unknown.items()}
        notes.append(f"{unknown.total()} results of classes that are not annotated match nothing: {counts}")
    if outlined:
        notes.append(f"{outlined} results have a bbox and no mask; as in the original their mask is the box")
    boxes = sum(bool(row.get("bbox")) for row in kept) if field != "bbox" else 0
    if iou_type == "segm" and boxes:
        notes.append(
            f"{boxes} results have a bbox beside their mask; areas are the masks', in [script] the boxes' as in the original"
        )
    slim = ("image_id", "category_id", "score", field)  # native code need not know what else a row says
    boxed = _only(kept, (*slim, "bbox")) if boxes == len(kept) else Rows()
    kept = boxed if iou_type == "keypoints" and boxed else _only(kept, slim)  # of poses, every tool takes a box's area
    more = boxed if iou_type == "segm" else Rows()
    return Checked(_slim(annotated, iou_type), kept, more, tuple(notes), annotated["originals"])


def _unlisted(annotated: dict[str, Any]) -> list[str]:
    """Take away annotations of images that are not listed: no tool judges them. A note says how many."""
    listed = {image["id"] for image in annotated["images"]}
    kept = [row for row in annotated["annotations"] if row["image_id"] in listed]
    gone = len(annotated["annotations"]) - len(kept)
    annotated["annotations"] = kept
    return [f"{gone} annotations are of images that are not listed, and do not count"] if gone else []


def _slim(annotated: Mapping[str, Any], iou_type: IouType) -> dict[str, Any]:
    """What is scored, and no more: native code refuses a field of a strange type that no number needs."""
    images: Rows = []
    for image in annotated["images"]:
        sides = {side: image[side] if is_side(image.get(side)) else 0 for side in ("width", "height")}
        images.append({"id": image["id"], **sides, **{field: image[field] for field in IMAGE_FIELDS if field in image}})
    categories = _only(annotated["categories"], ("id", "name", "frequency"))
    for row in categories:
        row["name"] = str(row.get("name", row["id"]))
    fields = ("id", "image_id", "category_id", "area", "iscrowd", "ignore", FIELD[iou_type])
    of_poses = ("bbox", "num_keypoints") if iou_type == "keypoints" else ()
    rows = _only(annotated["annotations"], (*fields, *of_poses))
    return {"images": images, "categories": categories, "annotations": rows}


def _outlined(found: Rows, results: str) -> int:
    """Give results without a mask their box as one, as the original does where the first result has a box; how many."""
    several = [n for n, row in enumerate(found) if "segmentation" not in row] if found and found[0].get("bbox") else []
    for number in several:
        _check_box(found[number], f"{results}: [{number}]")
        x, y, width, height = found[number]["bbox"]
        found[number]["segmentation"] = [[x, y, x, y + height, x + width, y + height, x + width, y]]
    return len(several)


def _only(rows: Rows, fields: Sequence[str]) -> Rows:
    return [{field: row[field] for field in fields if field in row} for row in rows]


def _field(found: Rows, iou_type: IouType) -> str:
    """Where the shapes are: boxes of masks are the masks' own when the first result has no other (as the original decides)."""
    first = found[0] if found else {}
    return (
        "segmentation" if iou_type == "bbox" and not first.get("bbox") and "segmentation" in first else FIELD[iou_type]
    )


def table(title: str, checked: Checked, run: Run, engine: Mapping[str, str], ties: Ties) -> Table:
    """What an evaluation gives, with the original's numbers by size where they are others, and the range of equal confidences."""
    result = run(checked.annotated, checked.kept)
    numbers = dict(result.numbers)
    if checked.boxed:
        boxed = run(checked.annotated, checked.boxed).numbers
        numbers |= {f"{name}[script]": value for name, value in boxed.items() if name.split("@")[0] in BY_SIZE}
    names = {row["id"]: row["name"] for row in checked.annotated["categories"]}
    classes = tuple(
        {"class": names.get(id_, str(id_)), "id": checked.originals.get(id_, id_), "AP": ap, "AP50": ap50}
        for id_, (ap, ap50) in result.by_class().items()
    )
    return Table(title, numbers, classes, (*checked.notes, *ties.notes), engine, ties.numbers)


def sizes_of(annotated: Mapping[str, Any]) -> dict[int, Size]:
    """Image id -> (height, width) as the file has it, 480.0 being 480."""
    for image in annotated["images"]:
        for side in ("width", "height"):
            if isinstance(image.get(side), float) and image[side].is_integer():
                image[side] = int(image[side])
    return {image["id"]: (image.get("height"), image.get("width")) for image in annotated["images"]}


def _sizes_of_masks(sizes: dict[int, Size], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where all masks of an image are run lengths of one size, that is the size: the original compares masks with each other,
    never with the image. A note says of how many images it is not the listed one."""
    found: dict[int, set[Size]] = {}
    for row in rows:
        shape = row.get("segmentation")
        size: Any = cast(Mapping[str, Any], shape).get("size") if isinstance(shape, dict) else None
        own: Size = cast(Any, tuple)(size) if isinstance(size, list) and len(cast(Any, size)) == 2 else (None, None)
        found.setdefault(row["image_id"], set()).add(own if all(map(is_side, own)) else (None, None))
    several = {
        image: next(iter(own)) for image, own in found.items()
        if len(own) == 1 and (None, None) not in own and next(iter(own)) != sizes[image]
    }  # fmt: skip
    sizes.update(several)
    return (
        [f"the masks of {len(several)} images have one size that is not the image's, and are compared as they are"]
        if several
        else []
    )


def _check_truth(
    annotated: dict[str, Any], iou_type: IouType, path: Path, joints: int, sizes: Mapping[int, Size]
) -> None:
    sound = _sound(annotated["annotations"], FIELD[iou_type], sizes)
    for number, row in enumerate(annotated["annotations"]):
        where = f"{path}: annotations[{number}]"
        numbers_of({"area": [row["area"]]}, "area", 1, where)
        for field in ("iscrowd", "num_keypoints") if iou_type == "keypoints" else ("iscrowd",):
            if field in row:
                row[field] = _flag(row[field], field, where)
        if "ignore" in row:
            row["ignore"] = int(bool(row["ignore"]))
        _check_geometry(row, FIELD[iou_type], where, sizes.get(row["image_id"]), joints, sound[number])
        if iou_type == "keypoints":
            numbers_of(row, "bbox", 4, where)


def _flag(value: object, field: str, where: str) -> int:
    """What only matters as nothing or something: a crowd, a number of labelled joints."""
    if not isinstance(value, bool) and not is_number(value):
        raise OfficialError(f"{where} has {field} {value!r:.40}; a whole number is right")
    return int(bool(value))


def is_side(value: object) -> TypeGuard[int]:
    """Whether a value is a picture's width or height."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 31


def _drawn(polygons: list[list[float]], size_hw: tuple[object, object]) -> dict[str, Any]:
    height, width = cast(tuple[int, int], size_hw)
    return rle_to_coco(polygons_to_rle(polygons, (width, height)))


def _sound(rows: Rows, field: str, sizes: Mapping[int, Size]) -> Sequence[bool]:
    """Which rows' masks are run lengths that fill their image, looked at together: one by one takes ten times as long, and is for
    what is not, to say why."""
    found = [False] * len(rows)
    chosen, counts, sides = list[int](), list[str](), list[Size]()
    for number, row in enumerate(rows) if field == "segmentation" else ():
        shape, size_hw = row.get(field), sizes.get(row["image_id"])
        text = cast(Mapping[str, Any], shape).get("counts") if isinstance(shape, dict) else None
        if isinstance(text, str) and text.isascii() and size_hw is not None and all(map(is_side, size_hw)):
            chosen.append(number)
            counts.append(text)
            sides.append(size_hw)
    masks = read_masks(strings(counts), np.array(sides, dtype=np.int64).reshape(-1, 2))
    for number in np.array(chosen, dtype=np.int64)[masks.sound].tolist():
        found[number] = True
    return found


def _check_geometry(
    row: dict[str, Any], field: str, where: str, size_hw: Size | None, joints: int, sound: bool
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
        row["segmentation"] = checked_mask(row.get("segmentation"), where, size_hw, sound)


def _check_box(row: Mapping[str, Any], where: str) -> None:
    _, _, width, height = numbers_of(row, "bbox", 4, where)
    if width < 0 or height < 0:
        raise OfficialError(f"{where} has bbox {row['bbox']}; [x, y, width, height] with sides >= 0 is right")


def checked_mask(value: object, where: str, size_hw: Size | None, sound: bool = False) -> Any:
    """Polygons as they are (finite, at least three points), run lengths checked against the image's size; `sound`: that has been
    done for the string."""
    if size_hw is None or not all(map(is_side, size_hw)):
        raise OfficialError(f"{where} is of an image of size {size_hw}; a listed one with height and width is right")
    if isinstance(value, list) and value:
        for number, part in enumerate(cast(list[Any], value)):
            values = numbers_of({"segmentation": part}, "segmentation", None, f"{where}, part {number}")
            if len(values) < 6 or len(values) % 2 or max(map(abs, values)) > MAX_COORDINATE:
                raise OfficialError(f"{where}, part {number} has {len(values)} numbers; a polygon of 3 points is right")
        return cast(Any, value)
    if not isinstance(value, dict):
        raise OfficialError(f"{where} has segmentation {value!r:.40}; polygons or an RLE of {list(size_hw)} are right")
    fields = cast(Mapping[str, Any], value)
    size, counts = list(cast(tuple[int, int], size_hw)), fields.get("counts")
    if fields.get("size") != size:  # 480.0 is 480 here and below, but not to native code
        raise OfficialError(
            f"{where} has a mask of size {fields.get('size')!r:.40}; polygons or an RLE of {size} are right"
        )
    try:
        if isinstance(counts, list):
            runs = cast(list[int], counts)
            rle_from_runs(runs, cast(tuple[int, int], size_hw))
            return {"size": size, "counts": runs}
        if not isinstance(counts, str) or not counts.isascii():
            raise GeometryError("mask: no run lengths", f"counts is {counts!r:.40}; a COCO RLE string is right")
        if not sound:
            check_rle(Rle(cast(tuple[int, int], size_hw), counts.encode()))
    except GeometryError as error:
        raise OfficialError(f"{where}: {error}") from error
    return {"size": size, "counts": counts}
