"""A COCO annotation row as a `Region`: box, mask and pose checked before native code sees them.

Rules: a mask is the union of all polygon parts, by pycocotools; crowds stay crowds; ids and area are the file's own; a
box that leaves the photo is clipped (and said so); a row with broken geometry is dropped (and said so).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from converters._coco_json import CategoryRow, ImageRow
from converters._notes import Fault, Notes
from vtinstruct.geometry import (
    GeometryError,
    box_xyxy_of_xywh,
    check_polygon,
    check_rle,
    clip_box,
    polygons_to_rle,
    rle_box,
    rle_from_runs,
)
from vtinstruct.record import Region
from vtinstruct.units import Rle

NOISE = 1e-6  # pixels: x + width seldom gives the photo's width exactly in floats, and that is no fault


class InstanceRow(msgspec.Struct, gc=False):
    """A row of `annotations`. Of a million rows a build may want a few: `bbox`, `segmentation` and `keypoints` stay JSON
    bytes until their record is asked for, which halves the time and the memory of opening a file."""

    id: int
    image_id: int
    category_id: int
    bbox: msgspec.Raw = msgspec.Raw()
    area: float | None = None
    iscrowd: int | bool | None = 0
    segmentation: msgspec.Raw = msgspec.Raw()
    keypoints: msgspec.Raw = msgspec.Raw()


class _RunLengths(msgspec.Struct):
    size: tuple[int, int]
    counts: list[int] | str


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """`{}`."""


_SEGMENTATION = msgspec.json.Decoder(list[list[float]] | _RunLengths | None)
# What some tools write instead, and how it becomes COCO's form.
_OTHER_FORMS: tuple[tuple[Any, Callable[[Any], list[list[float]]]], ...] = (
    (list[float], lambda found: [found]),  # one list for the one polygon
    (list[list[tuple[float, float]]], lambda found: [[n for point in part for n in point] for part in found]),
    (list[list[float]], list),  # numbers as text
    (_Nothing, lambda found: []),
)
_NUMBERS = msgspec.json.Decoder(list[float] | None, strict=False)


def _numbers(raw: msgspec.Raw, reason: str) -> list[float] | None:
    """The list of numbers behind a raw field; None where the row has none. Raises `Fault`."""
    if memoryview(raw).nbytes == 0:
        return None
    try:
        return _NUMBERS.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        detail = f"{error}, found {bytes(raw)[:60]!r}; a list of numbers is right (null may stand for NaN)"
        raise Fault(reason, detail) from error


def regions(
    image: ImageRow, rows: Sequence[InstanceRow], categories: Mapping[int, CategoryRow], notes: Notes
) -> tuple[Region, ...]:
    """The regions of one photo in file order; rows that cannot be used go to `notes`."""
    found: list[Region] = []
    for row in rows:
        where = f"image {image.id}, annotation {row.id}"
        try:
            found.append(_region(image, row, categories, notes, where))
        except (Fault, GeometryError) as fault:
            notes.fault(where, fault)
    return tuple(found)


def _region(
    image: ImageRow, row: InstanceRow, categories: Mapping[int, CategoryRow], notes: Notes, where: str
) -> Region:
    category = categories.get(row.category_id)
    if category is None:
        raise Fault("category: unknown", f"category_id {row.category_id} is not in `categories`; a listed id is right")
    if row.area is not None and not (math.isfinite(row.area) and row.area >= 0):
        raise Fault("area: no size", f"{row.area}; a finite number >= 0 is right")
    size_wh = (image.width, image.height)
    mask_rle = segmentation_mask(row.segmentation, size_wh, notes, where)
    return Region(
        id=str(row.id),
        category=category.name,
        category_id=row.category_id,
        box_xyxy=clipped_box(_numbers(row.bbox, "box: not 4 finite numbers"), mask_rle, size_wh, notes, where),
        mask_rle=mask_rle,
        keypoints_xyv=_pose(_numbers(row.keypoints, "keypoints: no x, y, v"), category),
        area=row.area,
        crowd=bool(row.iscrowd),
        thing=bool(category.isthing),
    )


def clipped_box(
    bbox: Sequence[float] | None, mask_rle: Rle | None, size_wh: tuple[int, int], notes: Notes, where: str
) -> tuple[float, float, float, float] | None:
    """COCO's `bbox` as edges inside the photo; from the mask where the row has none. Raises `GeometryError`."""
    if not bbox:
        if mask_rle is None:
            raise Fault("annotation: no geometry", "neither bbox nor segmentation; one of them is right")
        notes.mended(where, "box: missing", "taken from the mask")
        return rle_box(mask_rle)
    box_xyxy = box_xyxy_of_xywh(bbox)
    if box_xyxy[0] == box_xyxy[2] or box_xyxy[1] == box_xyxy[3]:
        raise Fault("box: empty", f"[x, y, width, height] = {list(bbox)}; sides above 0 are right")
    inside = clip_box(box_xyxy, size_wh)
    if max(abs(a - b) for a, b in zip(box_xyxy, inside, strict=True)) > NOISE:
        detail = f"{list(box_xyxy)} reaches out of {size_wh[0]} x {size_wh[1]}; {list(inside)} is kept"
        notes.mended(where, "box: clipped to the photo", detail)
    return inside


def segmentation_mask(raw: msgspec.Raw, size_wh: tuple[int, int], notes: Notes, where: str) -> Rle | None:
    """The mask of a `segmentation`: polygons, compressed or plain run lengths; None where there is none.

    Raises `Fault` or `GeometryError`. A part of no, one or two points beside sound parts covers no pixel and is left out.
    """
    if memoryview(raw).nbytes == 0:
        return None
    try:
        found = _SEGMENTATION.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        found = _other_form(raw, error, notes, where)
    if not found or not any(found if isinstance(found, list) else [True]):  # [] and [[]] are how tools say: no mask
        return None
    if isinstance(found, _RunLengths):
        size_hw = (size_wh[1], size_wh[0])
        if found.size != size_hw:
            raise Fault(
                "mask: another size", f"[height, width] = {list(found.size)}; the photo's {list(size_hw)} is right"
            )
        if isinstance(found.counts, list):
            return rle_from_runs(found.counts, size_hw)
        rle = Rle(size_hw, found.counts.encode("utf-8"))
        check_rle(rle)
        return rle
    parts = [part for part in found if len(part) not in (0, 2, 4)]
    if parts and len(parts) < len(found):
        detail = f"{len(found) - len(parts)} of {len(found)} parts left out; 3 or more points are right"
        notes.mended(where, "polygon: part of fewer than 3 points", detail)
    for part in parts or found:
        check_polygon(part)
    return polygons_to_rle(parts or found, size_wh)


def _other_form(raw: msgspec.Raw, error: Exception, notes: Notes, where: str) -> list[list[float]]:
    """Polygons in another form than COCO's. Raises `Fault` when it is none of those known."""
    for kind, as_polygons in _OTHER_FORMS:
        try:
            found = as_polygons(msgspec.json.decode(raw, type=kind, strict=False))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if found:
            detail = f"{bytes(raw)[:40]!r}; [[x, y, x, y, ...], ...] is right"
            notes.mended(where, "segmentation: another form", detail)
        return found
    detail = f"{error}, found {bytes(raw)[:60]!r}; lists of coordinates, or size and counts, are right"
    raise Fault("segmentation: unreadable", f"{detail} (null may stand for NaN)") from error


def _pose(keypoints: Sequence[float] | None, category: CategoryRow) -> tuple[tuple[float, float, int], ...]:
    """`[x, y, v, ...]` as triples. Raises `Fault` unless it fits the category's skeleton."""
    if not keypoints:
        return ()
    wanted = len(category.keypoints)
    if len(keypoints) % 3 or (wanted and len(keypoints) != 3 * wanted):
        right = f"3 x {wanted}" if wanted else "a multiple of 3"
        raise Fault("keypoints: wrong number", f"{len(keypoints)} values; {right} is right")
    triples = list(zip(keypoints[0::3], keypoints[1::3], keypoints[2::3], strict=True))
    for x, y, v in triples:
        if not (math.isfinite(x) and math.isfinite(y)) or v not in (0, 1, 2):
            raise Fault("keypoints: no x, y, v", f"[{x}, {y}, {v}]; finite x, y and v of 0, 1 or 2 are right")
    return tuple((x, y, int(v)) for x, y, v in triples)


def check_size(image: ImageRow) -> tuple[int, int]:
    """(width, height) of a photo's row. Raises `Fault` unless both are above 0 and the product is a photo's."""
    if image.width < 1 or image.height < 1 or image.width * image.height > 1 << 28:
        raise Fault("image: no size", f"{image.width} x {image.height}; pixels above 0 are right")
    return image.width, image.height
