"""SUN RGB-D: indoor photos of four kinds of cameras with depth.

Format: rgbd.cs.princeton.edu, SUNRGBD.zip and SUNRGBDtoolbox.zip: a folder a frame, with `image/`, `depth_bfx/` (holes filled
from neighbouring frames; what the toolbox reads) and `depth/`. Depth is in millimetres turned three bits to the left
(`vtinstruct.depth_codes`). The split is in the toolbox's `allsplit.mat`; without it all frames are the split `whole`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converters._coco_layout import PhotoFolder, names_in
from converters._label_maps import size_with_depth
from converters._notes import Fault, Notes
from converters._rows import Slotted
from vtinstruct.record import Drop, Origin, Photo, Record
from vtinstruct.source import Source, SourceError, inside
from vtinstruct.units import Depth

NAME = "sunrgbd"
SPLITS = ("train", "test")
WHOLE = "whole"
LICENCE = "LicenseRef-SUN-RGB-D"
LISTS = {"train": "alltrain", "test": "alltest"}
SPLIT_FILES = (
    "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat", "traintestSUNRGBD/allsplit.mat", "allsplit.mat",
)  # fmt: skip
MAX_LIST = 1 << 24  # bytes; the official file has 380 kB
CAMERAS = ("kv1", "kv2", "realsense", "xtion")
BASES = ("SUNRGBD", "")
DEPTHS = ("depth_bfx", "depth")
CODE = "sun3d.npy"
LAYOUT = """\
<root>/SUNRGBD/{kv1,kv2,realsense,xtion}/.../<frame>/image/<name>.jpg          (or straight below the root)
<root>/SUNRGBD/.../<frame>/depth_bfx/<name>.png                                 (or depth/)
<root>/SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat                             (without: one split `whole`)"""


@dataclass(frozen=True)
class _Split:
    root: Path
    split: str
    base: str

    def record(self, frame: str, notes: Notes) -> Record:
        """A frame by its folder below SUNRGBD/."""
        folder = f"{self.base}/{frame}".lstrip("/")
        photo = PhotoFolder(self.root, "").path_of(self._only(f"{folder}/image", (".jpg", ".jpeg", ".png"), notes))
        depth_folder = next((name for name in DEPTHS if (self.root / folder / name).is_dir()), DEPTHS[0])
        depth = PhotoFolder(self.root, "").path_of(self._only(f"{folder}/{depth_folder}", (".png",), notes))
        size_wh = size_with_depth(self.root, photo, depth)
        return Record(
            id=frame,
            source=NAME,
            split=self.split,
            licence=LICENCE,
            origin=Origin(depth, frame),
            photo=Photo(photo, size_wh, _identity(frame)),
            depth=Depth(f"{depth}/{CODE}", 1.0),
        )

    def _only(self, folder: str, endings: tuple[str, ...], notes: Notes) -> str:
        """The picture in a folder that should hold one."""
        names = [name for name in names_in(self.root / folder) if name.lower().endswith(endings)]
        if not names:
            what = "photo" if folder.endswith("/image") else "depth"
            detail = f"no picture in {folder}; download it, or leave its frame out"
            raise Fault(f"{what}: missing", detail, (folder,))
        if len(names) > 1:
            notes.mended(folder, "frame: several pictures", f"{', '.join(names[:3])}; one is right, the first is read")
        return f"{folder}/{names[0]}"


def _identity(frame: str) -> str:
    """NYU's labelled photos are among them, cropped: `NYU0001` is its first, which counts from 0 as `nyuv2:labeled/0`."""
    nyu = re.fullmatch(r"kv1/NYUdata/NYU(\d{4})", frame)
    return f"nyuv2:labeled/{int(nyu[1]) - 1}" if nyu and int(nyu[1]) else f"{NAME}:{frame}"


def _base(root: Path) -> str | None:
    """The folder with the cameras' folders, relative to the root."""
    for base in BASES:
        if any((root / base / camera).is_dir() for camera in CAMERAS):
            return base
    return None


def _split_file(root: Path) -> Path | None:
    found = next((name for name in SPLIT_FILES if (root / name).is_file()), None)
    return None if found is None else inside(root, found)


def find(root: Path) -> tuple[str, ...]:
    """`train` and `test` where the list is there, else `whole`."""
    if _base(root) is None:
        return ()
    return (WHOLE,) if _split_file(root) is None else SPLITS


def _listed(path: Path, split: str, faults: list[Drop]) -> list[str]:
    """The frames of a split, as `kv1/NYUdata/NYU0001`. Raises `SourceError`."""
    from scipy.io import loadmat

    key = LISTS[split]
    try:
        if path.stat().st_size > MAX_LIST:
            raise SourceError(f"{path}: more than {MAX_LIST} bytes; the official file is right")
        found: Any = loadmat(path, appendmat=False, variable_names=[key])[key]
        rows = [str(np.asarray(row).reshape(-1)[0]) for row in np.asarray(found).reshape(-1)]
    except SourceError:
        raise
    except Exception as error:  # scipy's reader raises whatever a broken file makes it trip over
        raise SourceError(f"{path}: {error!r:.100}; the official file with {key} is right") from error
    notes = Notes(NAME, split, path.name, faults.append)
    frames: dict[str, None] = {}
    for row in rows:
        _, folder, frame = row.strip().rstrip("/").rpartition("SUNRGBD/")
        if not folder or not frame or frame in frames:
            reason = "list: frame twice" if frame in frames else "list: no frame"
            notes.dropped(
                row[:80] or "empty", reason, f"{row[:80]!r}; /n/fs/sun3d/data/SUNRGBD/<frame>, once, is right"
            )
        else:
            frames[frame] = None
    return list(frames)


def _all(root: Path, base: str) -> list[str]:
    """Every frame below the cameras' folders, in name order; links to folders are not followed."""
    found: list[str] = []
    for camera in CAMERAS:
        for here, folders, _ in os.walk(root / base / camera):
            if "image" in folders and any(name in folders for name in DEPTHS):
                found.append(Path(here).relative_to(root / base).as_posix())
                folders.clear()
            folders.sort()
    return found


def open_split(root: Path, split: str) -> Slotted[str]:
    """List the frames of one split. Raises `SourceError`."""
    if split not in (*SPLITS, WHOLE):
        raise SourceError(f"{split!r} is no split of {NAME} in {root}; {', '.join(SPLITS)} are right")
    base, lists = _base(root), _split_file(root)
    if base is None:
        raise SourceError(f"{root}: no frames; looked for {', '.join(f'SUNRGBD/{name}/' for name in CAMERAS)}")
    if split != WHOLE and lists is None:
        raise SourceError(f"{root}: no list of split {split!r}; looked for {', '.join(SPLIT_FILES)}")
    faults: list[Drop] = []
    frames = _all(root, base) if split == WHOLE or lists is None else _listed(lists, split, faults)
    where = base or "." if split == WHOLE or lists is None else lists.relative_to(root).as_posix()
    files = [] if split == WHOLE or lists is None else [lists]
    return Slotted(NAME, split, where, files, frames, _Split(root, split, base).record, lambda frame: frame, faults)


SOURCE = Source(
    name=NAME,
    title="SUN RGB-D",
    homepage="https://rgbd.cs.princeton.edu",
    licence=LICENCE,
    offers=frozenset({"image", "depth"}),
    splits=SPLITS,
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
