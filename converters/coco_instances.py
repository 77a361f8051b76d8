"""COCO instances (2014 and 2017): boxes and masks of 80 kinds of things, crowds kept.

Format: cocodataset.org, "Data format", object detection. Also reads any file `instances_<split>.json` of that form.
"""

from __future__ import annotations

from pathlib import Path

from converters._coco_layout import LAYOUT, find_splits
from converters._coco_split import ANNOTATION_LICENCE, CocoSplit, open_instances
from vtinstruct.source import Source

NAME, KIND = "coco_instances", "instances"
SPLITS = ("train2017", "val2017", "train2014", "val2014")


def find(root: Path) -> tuple[str, ...]:
    """The splits whose file is there."""
    return find_splits(root, KIND, SPLITS)


def open_split(root: Path, split: str) -> CocoSplit:
    """Parse one split. Raises `SourceError`."""
    return open_instances(root, split, NAME, KIND)


SOURCE = Source(
    name=NAME,
    title="COCO instances",
    homepage="https://cocodataset.org",
    licence=ANNOTATION_LICENCE,
    offers=frozenset({"image", "boxes", "masks"}),
    splits=SPLITS,
    layout=LAYOUT.format(kind=KIND),
    version="1",
    find=find,
    open=open_split,
)
