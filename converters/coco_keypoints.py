"""COCO person keypoints (2014 and 2017): the 17 joints of every person, with boxes and masks.

Format: cocodataset.org, "Data format", keypoint detection. COCO-WholeBody's files (jin-s13/COCO-WholeBody, data_format.md)
have the same rows and more; their 17 joints of the body are read. So are poses in the files that Roboflow and other
tools write (`_coco_others`), with the skeletons of their categories. Persons without a labelled joint and crowds are kept: OKS
scoring ignores them by their box. The regions carry boxes and masks, but the source does not offer them as facts:
they are the persons of COCO instances once more, and nothing else of the photo.
"""

from __future__ import annotations

import re
from pathlib import Path

from converters._coco_layout import ANNOTATION_FOLDERS, LAYOUT, annotation_file, find_splits, names_in
from converters._coco_others import OTHERS_LICENCE, pose_files
from converters._coco_split import ANNOTATION_LICENCE, CocoSplit, open_instances
from vtinstruct.source import Source, inside

NAME, KIND = "coco_keypoints", "person_keypoints"
SPLITS = ("train2017", "val2017", "train2014", "val2014")
_WHOLE_BODY = re.compile(r"coco_wholebody_(train|val)_v\d\.\d\.json")


def find(root: Path) -> tuple[str, ...]:
    """The splits whose file is there."""
    return tuple(dict.fromkeys((*find_splits(root, KIND, SPLITS), *_others(root))))


def _others(root: Path) -> dict[str, str]:
    """Splits -> file relative to the root, of files under other names."""
    found: dict[str, str] = {}
    for folder in ANNOTATION_FOLDERS:
        for name in names_in(root / folder):
            if match := _WHOLE_BODY.fullmatch(name):
                found.setdefault(f"wholebody_{match[1]}", f"{folder}/{name}".lstrip("/"))
    return found | pose_files(root)


def open_split(root: Path, split: str) -> CocoSplit:
    """Parse one split. Raises `SourceError`."""
    other = _others(root).get(split) if split not in find_splits(root, KIND, SPLITS) else None
    path = annotation_file(root, KIND, split) if other is None else inside(root, other)
    return open_instances(root, split, NAME, path, ANNOTATION_LICENCE if split in SPLITS else OTHERS_LICENCE)


SOURCE = Source(
    name=NAME,
    title="COCO person keypoints",
    homepage="https://cocodataset.org",
    licence=f"{ANNOTATION_LICENCE} AND {OTHERS_LICENCE}",
    offers=frozenset({"image", "keypoints"}),
    splits=SPLITS,
    layout=LAYOUT.format(kind=KIND)
    + """
Also <root>/annotations/coco_wholebody_{train,val}_v1.0.json as wholebody_train, wholebody_val, and other files of COCO's
form with keypoints, under their own split names (see coco_instances)""",
    version="2",
    find=find,
    open=open_split,
)
