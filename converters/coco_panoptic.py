"""COCO panoptic (2017): every pixel belongs to one thing, one stuff segment, or to void.

Format: cocodataset.org, "Data format", panoptic segmentation: ids are coded in a PNG as R + 256 G + 65536 B, 0 is
void. The id picture is read when its record is asked for; photos are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import msgspec
import numpy as np
from numpy.typing import NDArray

from converters._coco_json import CategoryRow, ImageRow
from converters._coco_layout import LAYOUT, annotation_file, file_ends, find_splits
from converters._coco_regions import clipped_box
from converters._coco_split import ANNOTATION_LICENCE, CocoSplit, open_table
from converters._notes import Fault, Notes
from converters._pictures import read_rgb
from vtinstruct.geometry import GeometryError, rles_of_label_map
from vtinstruct.record import Drop, Origin, Photo, Record, Region
from vtinstruct.source import Source, SourceError, inside
from vtinstruct.units import Rle

NAME, KIND = "coco_panoptic", "panoptic"
SPLITS = ("train2017", "val2017")


class SegmentRow(msgspec.Struct, gc=False):
    """A row of `segments_info`."""

    id: int
    category_id: int
    area: float | None = None
    bbox: list[float] | None = None
    iscrowd: int | bool = 0


class PanopticRow(msgspec.Struct, gc=False):
    """A row of `annotations`: one id picture; it has no id of its own."""

    image_id: int
    file_name: str
    segments_info: list[SegmentRow]


def find(root: Path) -> tuple[str, ...]:
    """The splits whose file is there; files of instances under panoptic's name are none."""
    return tuple(split for split in find_splits(root, KIND, SPLITS) if not _holds_instances(root, split))


def _holds_instances(root: Path, split: str) -> bool:
    """Whether `panoptic_<split>.json` is what panopticapi's `panoptic2detection_coco_format.py` writes beside a panoptic file:
    the same segments once more, each a row of its own with its mask in it."""
    ends = file_ends(annotation_file(root, KIND, split))
    return b'"segmentation"' in ends and b'"segments_info"' not in ends


def _not_read(root: Path, split: str) -> list[Drop]:
    """Of the files that `find` leaves out, one fault each, told with the first split."""
    if split not in find(root)[:1]:
        return []
    left_out = [other for other in find_splits(root, KIND, SPLITS) if _holds_instances(root, other)]
    names = [annotation_file(root, KIND, other).relative_to(root).as_posix() for other in left_out]
    detail = "its rows have masks of their own and no segments_info; rows that name an id picture are right"
    return [Drop(NAME, split, name, "", "file: instances, not panoptic", detail) for name in names]


def open_split(root: Path, split: str) -> CocoSplit:
    """Parse one split. Raises `SourceError`, also when the folder of id pictures is missing."""
    table, photos, path, relative, faults = open_table(root, split, NAME, KIND, PanopticRow)
    base = PurePosixPath(relative).parent
    names = (f"{KIND}_{split}", f"{KIND}_segmentation/{split}")
    folders = [
        (place / name).as_posix() for name in names for place in (base, PurePosixPath("annotations"), base.parent)
    ]
    folder = next((found for found in folders if (root / found).is_dir()), None)
    if folder is None:
        raise SourceError(f"{root}: no folder of id pictures; looked for {', '.join(dict.fromkeys(folders))}")

    def make(image: ImageRow, photo: Photo, notes: Notes) -> Record:
        rows = table.by_image[image.id]
        if len(rows) > 1:
            notes.dropped(f"image {image.id}", "panoptic: several id pictures", f"{len(rows)}; the first one is kept")
        found = ()
        if rows:
            labels = read_ids(root, f"{folder}/{rows[0].file_name}", photo.size_wh)
            found = _segments(labels, rows[0].segments_info, table.categories, image, notes)
        origin = Origin(relative, f"image {image.id}")
        return Record(
            str(image.id), NAME, split, ANNOTATION_LICENCE, origin, photo, regions=found, exhaustive=bool(rows)
        )

    vocabulary = tuple(row.category() for row in table.categories.values())
    return CocoSplit(
        NAME, split, relative, (path,), vocabulary, table.images, photos, make, [*faults, *_not_read(root, split)]
    )


def read_ids(root: Path, relative: str, size_wh: tuple[int, int]) -> NDArray[np.uint32]:
    """The ids (H, W) of an id picture. Raises `Fault` when it is missing, broken or of another size."""
    try:
        path = inside(root, relative)
    except SourceError as error:
        raise Fault("panoptic: path leaves the root", str(error)) from error
    rgb = read_rgb(path, relative).astype(np.uint32)
    if rgb.shape[:2] != size_wh[::-1]:
        detail = f"{relative} is {rgb.shape[1]} x {rgb.shape[0]}; the photo's {size_wh[0]} x {size_wh[1]} is right"
        raise Fault("panoptic: another size", detail)
    return (rgb[..., 0] | rgb[..., 1] << 8 | rgb[..., 2] << 16).astype(np.uint32, copy=False)


def _segments(
    labels: NDArray[np.uint32],
    rows: Sequence[SegmentRow],
    categories: Mapping[int, CategoryRow],
    image: ImageRow,
    notes: Notes,
) -> tuple[Region, ...]:
    """Rows with their pixels, in file order; ids in only one of the two places go to `notes`."""
    masks = rles_of_label_map(labels)
    masks.pop(0, None)
    found: dict[int, Region] = {}
    for row in rows:
        where = f"image {image.id}, segment {row.id}"
        try:
            if row.id in found:
                raise Fault("segment: id twice", "the first one is kept; unique ids are right")
            found[row.id] = _segment(row, masks.get(row.id), categories, image, notes, where)
        except (Fault, GeometryError) as fault:
            notes.fault(where, fault)
    listed = {row.id for row in rows}
    for number in sorted(set(masks) - listed):
        detail = "its pixels count as void; an id of segments_info is right"
        notes.dropped(f"image {image.id}, segment {number}", "segment: in the picture only", detail)
    return tuple(found.values())


def _segment(
    row: SegmentRow,
    mask_rle: Rle | None,
    categories: Mapping[int, CategoryRow],
    image: ImageRow,
    notes: Notes,
    where: str,
) -> Region:
    category = categories.get(row.category_id)
    if category is None:
        raise Fault("category: unknown", f"category_id {row.category_id} is not in `categories`; a listed id is right")
    if mask_rle is None:
        raise Fault("segment: no pixel", "its id is not in the picture; an id of the picture is right")
    box_xyxy = clipped_box(row.bbox, mask_rle, (image.width, image.height), notes, where)
    thing = bool(category.isthing)
    return Region(
        str(row.id), category.name, row.category_id, box_xyxy, mask_rle, (), row.area, bool(row.iscrowd), thing
    )


SOURCE = Source(
    name=NAME,
    title="COCO panoptic",
    homepage="https://cocodataset.org",
    licence=ANNOTATION_LICENCE,
    offers=frozenset({"image", "boxes", "masks", "stuff", "segments_all"}),
    splits=SPLITS,
    layout=LAYOUT.format(kind=KIND)
    + "\n<root>/annotations/panoptic_<split>/<id picture>.png    (or panoptic_<split>/, as Detectron2 has it)",
    version="1",
    find=find,
    open=open_split,
)
