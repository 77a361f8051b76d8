"""Regions of a COCO id picture for sources that speak about panoptic segments: those asked for, with what goes wrong said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from converters._label_maps import segment
from converters._notes import Notes
from converters.coco_panoptic import SegmentRow, read_ids
from vtinstruct.geometry import rles_of_label_map
from vtinstruct.record import Category, Region
from vtinstruct.source import SourceError


def segment_regions(
    root: Path,
    picture: str,
    size_wh: tuple[int, int],
    rows: Iterable[SegmentRow],
    categories: Mapping[int, Category],
    notes: Notes,
    photo: str,
) -> dict[int, Region]:
    """The rows' segments by id, in file order. Raises `Fault` when the id picture cannot be used.

    Boxes are the masks' tight ones, area and crowd the file's own; `photo` names the photo in notes.
    """
    masks = rles_of_label_map(read_ids(root, picture, size_wh))
    found: dict[int, Region] = {}
    for row in rows:
        where = f"{photo}, segment {row.id}"
        category, mask_rle = categories.get(row.category_id), masks.get(row.id) if row.id else None
        if row.id in found:
            notes.dropped(where, "segment: id twice", "the first one is kept; unique ids are right")
        elif category is None:
            notes.dropped(where, "category: unknown", f"category_id {row.category_id}; an id of the list is right")
        elif mask_rle is None:
            notes.dropped(where, "segment: no pixel", "its id is not in the picture; an id of the picture is right")
        else:
            area = {} if row.area is None else {"area": row.area}
            found[row.id] = segment(str(row.id), category, mask_rle, crowd=bool(row.iscrowd), **area)
    return found


def picture_folder(root: Path, candidates: Sequence[str], what: str) -> str:
    """The first candidate folder that is there, as a prefix ending in "/". Raises `SourceError` naming them all."""
    for folder in candidates:
        if (root / folder).is_dir():
            return f"{folder}/" if folder else ""
    raise SourceError(f"{root}: no folder of id pictures for {what}; looked for {', '.join(candidates)}")
