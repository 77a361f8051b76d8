"""COCO instances (2014 and 2017): boxes and masks of 80 kinds of things, crowds kept; and other people's files of their form.

Format: cocodataset.org, "Data format", object detection. Also reads any file `instances_<split>.json` of that form, and what
Objects365, Roboflow, CVAT, Label Studio and FiftyOne write (`_coco_others`), under a licence of its own: theirs is not known.
"""

from __future__ import annotations

from pathlib import Path

from converters._coco_layout import LAYOUT, annotation_file, find_splits
from converters._coco_others import OTHERS_LICENCE, other_files
from converters._coco_split import ANNOTATION_LICENCE, CocoSplit, open_instances
from vtinstruct.source import Source, inside

NAME, KIND = "coco_instances", "instances"
SPLITS = ("train2017", "val2017", "train2014", "val2014")


def find(root: Path) -> tuple[str, ...]:
    """The splits whose file is there."""
    return tuple(dict.fromkeys((*find_splits(root, KIND, SPLITS), *other_files(root))))


def open_split(root: Path, split: str) -> CocoSplit:
    """Parse one split. Raises `SourceError`."""
    other = other_files(root).get(split) if split not in find_splits(root, KIND, SPLITS) else None
    path = annotation_file(root, KIND, split) if other is None else inside(root, other)
    return open_instances(root, split, NAME, path, ANNOTATION_LICENCE if split in SPLITS else OTHERS_LICENCE)


SOURCE = Source(
    name=NAME,
    title="COCO instances",
    homepage="https://cocodataset.org",
    licence=f"{ANNOTATION_LICENCE} AND {OTHERS_LICENCE}",
    offers=frozenset({"image", "boxes", "masks"}),
    splits=SPLITS,
    layout=LAYOUT.format(kind=KIND)
    + """
Also other files of COCO's form, under their own split names:
<root>/<split>/_annotations.coco.json           Roboflow, photos beside it
<root>/annotations/zhiyuan_objv2_{train,val}.json, <root>/{train,val}/patch<n>/...     Objects365
<root>/{train,val,test}.json, annotations.json, labels.json, result.json (or in annotations/, or in <split>/)""",
    version="2",
    find=find,
    open=open_split,
)
