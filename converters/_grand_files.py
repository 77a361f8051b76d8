"""Where GranD's annotations lie: loose, in folders, or in the parts' tars; and what beside them is SA-1B's own."""

from __future__ import annotations

import os
import re
from pathlib import Path

from converters._coco_layout import names_in
from converters._sa1b import SHARD
from vtinstruct.containers import members

FOLDERS = ("annotations", "GranD", "")
PHOTO_FOLDERS = ("images", "sam_images", "SA-1B", "")
_ANNOTATION = re.compile(r"sa_.*\.json", re.DOTALL)
_PART = re.compile(r"part_\w+\.(?:tar\.gz|tgz)")


def listed(root: Path) -> list[str]:
    """Annotation files relative to the root, loose ones and those in tars, in order of their numbers, which is that of
    SA-1B's tars; links are not followed. Where one is there twice, the loose one counts."""
    for folder in FOLDERS:
        found: dict[str, str] = {}
        tars: list[str] = []
        for top, folders, names in os.walk(root / folder):
            if Path(top) == root:
                folders[:] = [name for name in folders if name not in PHOTO_FOLDERS]
            place = Path(top).relative_to(root).as_posix()
            for name in sorted(names):
                path = name if place == "." else f"{place}/{name}"
                if _ANNOTATION.fullmatch(name):
                    found.setdefault(name, path)
                elif name.endswith(".tar") and not SHARD.fullmatch(name):
                    tars.append(path)
        for tar in sorted(tars):
            for path in members(root / tar):
                if _ANNOTATION.fullmatch(name := path.rpartition("/")[2]):
                    found.setdefault(name, f"{tar}/{path}")
        if found:
            return [found[name] for name in sorted(found, key=_number)]
    return []


def _number(name: str) -> tuple[int, str]:
    digits = name[3:-5]
    return (int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else -1, name)


def compressed_part(root: Path) -> str:
    """A part that is still compressed; "" where there is none."""
    return next((f"{f}/{n}".lstrip("/") for f in FOLDERS for n in names_in(root / f) if _PART.fullmatch(n)), "")
