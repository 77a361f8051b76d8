"""NYU Depth v2 as picture folders: indoor photos, each with a 16-bit depth picture in millimetres, 0 = missing.

Reads the folders in which the official 795 / 654 split is usually shared: `official_splits/{train,test}/<scene>/` with
`rgb_N.jpg` beside `sync_depth_N.png` (and `sync/<scene>/`, the larger training set, as split `sync`), or `images/`
beside `annotations/` with equal names, with or without a folder per split (without: split `all`). Raw Kinect frames
and the labelled .mat file are other formats.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from converters._coco_layout import PhotoFolder
from converters._notes import Fault, Notes
from converters._pictures import grey_size
from vtinstruct.record import Category, Drop, Origin, Photo, Record
from vtinstruct.source import Report, Source, SourceError, inside
from vtinstruct.units import Depth

NAME = "nyuv2"
SPLITS = ("train", "test")
LICENCE = "LicenseRef-NYU-Depth-v2"
METRES_PER_LEVEL = 0.001
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png")

LAYOUT = """\
<root>/official_splits/<train|test>/<scene>/rgb_<n>.jpg + sync_depth_<n>.png     (or sync/<scene>/)
or <root>/images/<split>/<name>.jpg + <root>/annotations/<split>/<name>.png      (or without <split>)"""


@dataclass(frozen=True, slots=True)
class Pair:
    """A photo and its depth picture, both named relative to the source's root; the second may not be there."""

    photo: str
    depth: str


def find(root: Path) -> tuple[str, ...]:
    """The splits whose folders are there."""
    found = {name for name in _folders(root / "official_splits") if re.fullmatch(r"\w+", name)}
    if (root / "sync").is_dir():
        found.add("sync")
    if (root / "images").is_dir() and (root / "annotations").is_dir():
        named = set(_folders(root / "images")) & set(_folders(root / "annotations"))
        found |= {name for name in named if re.fullmatch(r"\w+", name)} or {"all"}
    return (*(split for split in SPLITS if split in found), *sorted(found - set(SPLITS)))


def _folders(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    except OSError:
        return []


def _files(root: Path, folder: str) -> list[str]:
    """File names in a folder below the root, sorted. Raises `SourceError` when the folder leaves the root."""
    return sorted(entry.name for entry in os.scandir(inside(root, folder)) if not entry.is_dir())


def open_split(root: Path, split: str) -> NyuSplit:
    """List the pairs of one split. Raises `SourceError` when its folders are missing."""
    scenes = "sync" if split == "sync" else f"official_splits/{split}"
    faults: list[Drop] = []
    notes = Notes(NAME, split, scenes, faults.append)
    pairs: list[Pair] = []
    if re.fullmatch(r"\w+", split) and (root / scenes).is_dir():
        for scene in ["", *_folders(root / scenes)]:
            folder = f"{scenes}/{scene}".rstrip("/")
            pairs += _beside(_files(root, folder), folder, notes)
    elif split in find(root):
        part = "" if split == "all" else f"/{split}"
        pairs = _apart(root, f"images{part}", f"annotations{part}", notes)
    else:
        known = ", ".join(find(root)) or "none"
        raise SourceError(
            f"{root}: no folder for split {split!r}; looked for {scenes}/, images/{split}/; splits found: {known}"
        )
    return NyuSplit(root, split, pairs, faults)


def _beside(names: Sequence[str], folder: str, notes: Notes) -> list[Pair]:
    """`rgb_N.jpg` with `sync_depth_N.png` of the same folder."""
    numbers: dict[str, str] = {}
    for name in names:
        match = re.fullmatch(r"rgb_(\w+)(\.\w+)", name)
        if match and match[2].lower() in PHOTO_SUFFIXES:
            numbers.setdefault(match[1], name)
    for name in names:
        match = re.fullmatch(r"sync_depth_(\w+)\.png", name)
        if match and match[1] not in numbers:
            notes.dropped(f"{folder}/{name}", "depth: no photo", f"rgb_{match[1]}.jpg beside it is right")
    return [Pair(f"{folder}/{name}", f"{folder}/sync_depth_{number}.png") for number, name in numbers.items()]


def _apart(root: Path, photos: str, depths: str, notes: Notes) -> list[Pair]:
    """`images/NAME.jpg` with `annotations/NAME.png`."""
    names = [name for name in _files(root, photos) if name.lower().endswith(PHOTO_SUFFIXES)]
    stems = {name.rpartition(".")[0] for name in names}
    for name in _files(root, depths):
        if name.endswith(".png") and name[:-4] not in stems:
            notes.dropped(f"{depths}/{name}", "depth: no photo", f"a picture {photos}/{name[:-4]}.jpg is right")
    return [Pair(f"{photos}/{name}", f"{depths}/{name.rpartition('.')[0]}.png") for name in names]


@dataclass
class NyuSplit:
    """The pairs of a split (`vtinstruct.source.Opened`): every photo a slot; the pictures are opened when asked for."""

    root: Path
    split: str
    pairs: Sequence[Pair]
    faults: Sequence[Drop]
    files: Sequence[Path] = ()  # no list is read: the names of the pictures are the annotation
    vocabulary: Sequence[Category] = ()

    def __len__(self) -> int:
        return len(self.pairs)

    def records(self, start: int, stop: int, report: Report) -> Iterator[Record]:
        """Records of slots start..stop-1. The photo's size is the depth picture's: they are pixel by pixel the same."""
        folder = PhotoFolder(self.root, "")
        for pair in self.pairs[max(start, 0) : max(stop, 0)]:
            notes = Notes(NAME, self.split, pair.depth, report)
            try:
                photo = folder.path_of(pair.photo)
                if not (self.root / pair.depth).exists():
                    raise Fault("depth: missing", f"no file {pair.depth} for {pair.photo}")
                depth = folder.path_of(pair.depth)
                size_wh = grey_size(self.root / depth, depth)
            except Fault as fault:
                notes.dropped(pair.photo, fault.reason, fault.detail)
                continue
            row = pair.photo.rpartition(".")[0]
            yield Record(
                id=row,
                source=NAME,
                split=self.split,
                licence=LICENCE,
                origin=Origin(pair.depth, row),
                photo=Photo(photo, size_wh, f"{NAME}:{row}"),
                depth=Depth(depth, METRES_PER_LEVEL),
            )


SOURCE = Source(
    name=NAME,
    title="NYU Depth v2",
    homepage="https://cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html",
    licence=LICENCE,
    offers=frozenset({"image", "depth"}),
    splits=SPLITS,
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
