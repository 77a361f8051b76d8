"""NYU Depth v2 as recorded: folders of one place each with frames `r-<time>-<ticks>.ppm` and `d-<time>-<ticks>.pgm`.

Depth is in the Kinect's own numbers and seen from beside the photo: `vtinstruct.depth_codes` makes metres of it, where the photo
shows them. As in the toolbox (get_synched_frames.m) every depth frame takes the colour frame nearest in time, never an earlier
one than the frame before took.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from converters._coco_layout import names_in
from converters._notes import Notes

SPLIT = "raw"
CODE = "kinect.npy"
_FRAME = re.compile(r"([dr])-(\d+(?:\.\d+)?)-\d+\.(?:ppm|pgm)")


@dataclass(frozen=True, slots=True)
class Raw:
    """A depth frame and its photo, relative to the root."""

    photo: str
    depth: str
    name: str


def is_there(root: Path) -> bool:
    """Whether the root is a place, or the folders below it (one or two levels) are."""
    return next(_places(root), None) is not None


def _places(root: Path) -> Iterator[str]:
    """Folders with frames, in name order: `<place>` or `<part>/<place>`; links are not followed."""
    for here, folders, names in os.walk(root):
        depth = len(Path(here).relative_to(root).parts)
        folders[:] = sorted(folders) if depth < 2 else []
        if any(name.startswith("d-") and _FRAME.fullmatch(name) for name in names):
            yield "" if depth == 0 else Path(here).relative_to(root).as_posix()


def listed(root: Path, notes: Notes) -> list[Raw]:
    """The pairs of all places. A depth frame of a place without photos goes to `notes`."""
    found: list[Raw] = []
    for place in _places(root):
        base = f"{place}/".lstrip("/")
        frames: dict[str, list[tuple[float, str]]] = {"d": [], "r": []}
        for name in names_in(root / place):
            if match := _FRAME.fullmatch(name):
                frames[match[1]].append((float(match[2]), name))
        depths, photos = sorted(frames["d"]), sorted(frames["r"])
        nearest = 0
        for time, name in depths:
            if not photos:
                notes.dropped(f"{base}{name}", "depth: no photo", "a frame r-<time>-<ticks>.ppm beside it is right")
                continue
            while nearest + 1 < len(photos) and abs(photos[nearest + 1][0] - time) <= abs(photos[nearest][0] - time):
                nearest += 1
            found.append(Raw(f"{base}{photos[nearest][1]}", f"{base}{name}", f"{base}{name.rpartition('.')[0]}"))
    return found
