"""COCO-ReM: COCO 2017's photos with refined masks and exhaustive instances of the 80 classes.

Format: kdexd/coco-rem (ECCV 2024), COCO's own: `instances_trainrem.json`, `instances_valrem.json`, masks as run lengths. Photos
are COCO's `train2017` and `val2017`.
"""

from __future__ import annotations

from pathlib import Path

from converters._coco_layout import find_file
from converters._coco_split import ANNOTATION_LICENCE, CocoSplit, open_instances
from vtinstruct.source import Source, SourceError

NAME = "coco_rem"
PHOTOS = {"trainrem": "train2017", "valrem": "val2017"}
FOLDERS = ("", "annotations/", "coco_rem/", "COCO-ReM/")
LAYOUT = """\
<root>/instances_{trainrem,valrem}.json     (or in annotations/, coco_rem/, COCO-ReM/)
<root>/{train2017,val2017}/<file_name>      (or below images/, coco/)"""


def _places(split: str) -> list[str]:
    return [f"{folder}instances_{split}.json" for folder in FOLDERS]


def find(root: Path) -> tuple[str, ...]:
    """The splits whose file is there."""
    return tuple(split for split in PHOTOS if any((root / place).is_file() for place in _places(split)))


def open_split(root: Path, split: str) -> CocoSplit:
    """Parse one split. Raises `SourceError`."""
    if split not in PHOTOS:
        raise SourceError(f"{split!r} is no split of {NAME}; {', '.join(PHOTOS)} are right")
    path = find_file(root, _places(split), f"split {split!r}", find(root))
    folder = PHOTOS[split]
    folders = (folder, f"images/{folder}", f"coco/{folder}", f"coco/images/{folder}")
    return open_instances(root, split, NAME, path, folders=folders)


SOURCE = Source(
    name=NAME,
    title="COCO-ReM",
    homepage="https://cocorem.xyz",
    licence=ANNOTATION_LICENCE,
    offers=frozenset({"image", "boxes", "masks"}),
    splits=tuple(PHOTOS),
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
