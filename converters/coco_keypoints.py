"""COCO person keypoints (2014 and 2017): the 17 joints of every person, with boxes and masks.

Format: cocodataset.org, "Data format", keypoint detection. Persons without a labelled joint and crowds are kept: OKS
scoring ignores them by their box. The regions carry boxes and masks, but the source does not offer them as facts:
they are the persons of COCO instances once more, and nothing else of the photo.
"""

from __future__ import annotations

from pathlib import Path

from converters._coco_layout import LAYOUT, annotation_file, find_splits
from converters._coco_split import ANNOTATION_LICENCE, CocoSplit, open_instances
from vtinstruct.source import Source

NAME, KIND = "coco_keypoints", "person_keypoints"
SPLITS = ("train2017", "val2017", "train2014", "val2014")


def find(root: Path) -> tuple[str, ...]:
    """The splits whose file is there."""
    return find_splits(root, KIND, SPLITS)


def open_split(root: Path, split: str) -> CocoSplit:
    """Parse one split. Raises `SourceError`."""
    return open_instances(root, split, NAME, annotation_file(root, KIND, split))


SOURCE = Source(
    name=NAME,
    title="COCO person keypoints",
    homepage="https://cocodataset.org",
    licence=ANNOTATION_LICENCE,
    offers=frozenset({"image", "keypoints"}),
    splits=SPLITS,
    layout=LAYOUT.format(kind=KIND),
    version="1",
    find=find,
    open=open_split,
)
