"""COCO captions (2014 and 2017): five sentences for every photo.

Format: cocodataset.org, "Data format", image captioning. Sentences are in file order, without the blanks and line
breaks that surround some of the official ones.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from converters._coco_json import ImageRow
from converters._coco_layout import LAYOUT, find_splits
from converters._coco_split import ANNOTATION_LICENCE, CocoSplit, open_table
from converters._notes import Notes
from vtinstruct.record import Origin, Photo, Record
from vtinstruct.source import Source

NAME, KIND = "coco_captions", "captions"
SPLITS = ("train2017", "val2017", "train2014", "val2014")


class CaptionRow(msgspec.Struct, gc=False):
    """A row of `annotations`."""

    id: int
    image_id: int
    caption: str


def find(root: Path) -> tuple[str, ...]:
    """The splits whose file is there."""
    return find_splits(root, KIND, SPLITS)


def open_split(root: Path, split: str) -> CocoSplit:
    """Parse one split. Raises `SourceError`."""
    table, photos, path, relative, faults = open_table(root, split, NAME, KIND, CaptionRow)

    def make(image: ImageRow, photo: Photo, notes: Notes) -> Record:
        captions: list[str] = []
        for row in table.by_image[image.id]:
            caption = " ".join(row.caption.split())
            if caption:
                captions.append(caption)
            else:
                where = f"image {image.id}, annotation {row.id}"
                notes.dropped(where, "caption: empty", f"{row.caption!r}; a sentence is right")
        origin = Origin(relative, f"image {image.id}")
        return Record(str(image.id), NAME, split, ANNOTATION_LICENCE, origin, photo, captions=tuple(captions))

    return CocoSplit(NAME, split, relative, (path,), (), table.images, photos, make, faults)


SOURCE = Source(
    name=NAME,
    title="COCO captions",
    homepage="https://cocodataset.org",
    licence=ANNOTATION_LICENCE,
    offers=frozenset({"image", "captions"}),
    splits=SPLITS,
    layout=LAYOUT.format(kind=KIND),
    version="1",
    find=find,
    open=open_split,
)
