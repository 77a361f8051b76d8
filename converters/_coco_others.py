"""Instances in COCO's form that are not COCO's: where the tools that write them, and Objects365, put their files.

Known: Roboflow (`<split>/_annotations.coco.json`), Objects365 (`zhiyuan_objv2_<split>.json`), Label Studio (`result.json`),
FiftyOne (`labels.json` beside `data/`), and what people call such files by hand. CVAT and Datumaro write COCO's own names.
"""

from __future__ import annotations

import re
from pathlib import Path

from converters._coco_layout import file_ends, looks_like_coco, names_in

OTHERS_LICENCE = "LicenseRef-COCO-style"  # of files that are not COCO's: theirs is not known
UNSPLIT = "train"  # a file whose name and folder name no split: what people annotate they train on
_SPLITS = r"train|training|val|valid|validation|test|testing"
_WORDS = r"annotations?|labels|coco|coco_annotations|instances|result|results"
_OBJECTS365 = re.compile(r"zhiyuan_objv2_(train|val)\.json")
_NAMED = re.compile(rf"(?:(?:{_WORDS})[_.-])?({_SPLITS})(?:[_.-](?:{_WORDS}))?\.json", re.I)
_NAMELESS = re.compile(rf"(?:{_WORDS}|_annotations\.coco)\.json", re.I)
FOLDERS = ("annotations/", "", "Annotations/", "annotation/")


def other_files(root: Path) -> dict[str, str]:
    """Splits -> file relative to the root, of files in COCO's form under other names than `instances_<split>.json`."""
    found: dict[str, str] = {}
    for folder in FOLDERS:
        for name in names_in(root / folder):
            match = _OBJECTS365.fullmatch(name) or _NAMED.fullmatch(name)
            if match and _is_one(root, f"{folder}{name}"):
                found.setdefault(match[1].lower(), f"{folder}{name}")
    for split in names_in(root):
        for name in names_in(root / split) if re.fullmatch(_SPLITS, split, re.I) else ():
            if _NAMELESS.fullmatch(name) and _is_one(root, f"{split}/{name}"):
                found.setdefault(split.lower(), f"{split}/{name}")
    if not found:
        for folder in FOLDERS:
            for name in names_in(root / folder):
                if _NAMELESS.fullmatch(name) and _is_one(root, f"{folder}{name}"):
                    found.setdefault(UNSPLIT, f"{folder}{name}")
    return found


def pose_files(root: Path) -> dict[str, str]:
    """Those of `other_files` whose rows or categories have keypoints."""
    return {split: file for split, file in other_files(root).items() if b'"keypoints"' in file_ends(root / file)}


def _is_one(root: Path, relative: str) -> bool:
    return (root / relative).is_file() and looks_like_coco(root / relative)
