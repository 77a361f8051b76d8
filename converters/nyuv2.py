"""NYU Depth v2: indoor photos, each with its depth map.

Reads the labelled .mat and single .h5 frames (`_nyu_hdf5`, metres), and 16-bit depth pictures in millimetres, 0 = missing:
`official_splits/{train,test}/<scene>/` with `rgb_N.jpg` beside `sync_depth_N.png`, in which the official 795 / 654 split is
usually shared (and `sync/<scene>/`, the larger training set, as split `sync`), or `images/` beside `annotations/` with equal
names, with or without a folder per split (without: split `whole`). Raw Kinect frames (`d-*.pgm`, `_nyu_raw`) are the split `raw`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from converters import _nyu_hdf5, _nyu_raw
from converters._coco_layout import PhotoFolder, names_in
from converters._label_maps import size_with_depth
from converters._notes import Fault, Notes
from converters._nyu_hdf5 import Stored
from converters._nyu_raw import Raw
from converters._pictures import grey_size
from converters._rows import Slotted
from vtinstruct.record import Category, Drop, Origin, Photo, Record
from vtinstruct.source import Report, Source, SourceError, inside
from vtinstruct.units import Depth

NAME = "nyuv2"
SPLITS = ("train", "test")
LICENCE = "LicenseRef-NYU-Depth-v2"
METRES_PER_LEVEL = 0.001
PEEKS = 20  # pairs looked at to tell depth from other pictures
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png")

LAYOUT = """\
<root>/nyu_depth_v2_labeled.mat + <root>/splits.mat                              (without: one split `labeled`)
or <root>/official_splits/<train|test>/<scene>/rgb_<n>.jpg + sync_depth_<n>.png  (or sync/<scene>/)
or <root>/<train|val>/.../<n>.h5 with `rgb` and `depth`                          (or straight below the root: `whole`)
or <root>/<place>/r-<time>-<ticks>.ppm + d-<time>-<ticks>.pgm                    (raw frames: split `raw`)
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
    named = set(_folders(root / "images")) & set(_folders(root / "annotations"))
    found |= {name for name in named if re.fullmatch(r"\w+", name) and _is_depth(root, f"/{name}")}
    if _is_depth(root, ""):
        found.add("whole")
    found |= set(_nyu_hdf5.find(root))
    if _nyu_raw.is_there(root):
        found.add(_nyu_raw.SPLIT)
    return (*(split for split in SPLITS if split in found), *sorted(found - set(SPLITS)))


def _is_depth(root: Path, part: str) -> bool:
    """Whether `images<part>` and `annotations<part>` hold a photo with a 16-bit picture: other data sets have such folders."""
    depths = {name[:-4] for name in names_in(root / f"annotations{part}") if name.endswith(".png")}
    shared = (name.rpartition(".")[0] for name in names_in(root / f"images{part}"))
    for stem in islice((stem for stem in shared if stem in depths), PEEKS):
        try:
            grey_size(root / f"annotations{part}/{stem}.png", stem)
        except Fault:
            continue
        return True
    return False


def _folders(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    except OSError:
        return []


def _files(root: Path, folder: str) -> list[str]:
    """File names in a folder below the root, sorted. Raises `SourceError` when the folder leaves the root."""
    return sorted(entry.name for entry in os.scandir(inside(root, folder)) if not entry.is_dir())


def open_split(root: Path, split: str) -> NyuSplit | Slotted[Stored] | Slotted[Raw]:
    """List the pairs of one split. Raises `SourceError` when its folders are missing."""
    scenes = "sync" if split == "sync" else f"official_splits/{split}"
    faults: list[Drop] = []
    notes = Notes(NAME, split, scenes, faults.append)
    pairs: list[Pair] = []
    if re.fullmatch(r"\w+", split) and (root / scenes).is_dir():
        for scene in ["", *_folders(root / scenes)]:
            folder = f"{scenes}/{scene}".rstrip("/")
            pairs += _beside(_files(root, folder), folder, notes)
    elif split in _nyu_hdf5.find(root):
        return _stored(root, split)
    elif split == _nyu_raw.SPLIT and _nyu_raw.is_there(root):
        return _raw(root)
    elif split in find(root):
        part = "" if split == "whole" else f"/{split}"
        pairs = _apart(root, f"images{part}", f"annotations{part}", notes)
    else:
        known = ", ".join(find(root)) or "none"
        raise SourceError(
            f"{root}: no folder for split {split!r}; looked for {scenes}/, images/{split}/; splits found: {known}"
        )
    return NyuSplit(root, split, pairs, faults)


def _stored(root: Path, split: str) -> Slotted[Stored]:
    """A split out of HDF5 files."""
    frames, files = _nyu_hdf5.listed(root, split)

    def make(frame: Stored, notes: Notes) -> Record:
        photo = Photo(frame.photo, _nyu_hdf5.size_of(root, frame), f"{NAME}:{frame.name}")
        origin = Origin(frame.photo.rpartition("/images/")[0] or frame.photo.removesuffix("/rgb.ppm"), frame.name)
        return Record(frame.name, NAME, split, LICENCE, origin, photo, depth=Depth(frame.depth, 1.0))

    where = files[0].relative_to(root).as_posix()
    return Slotted(NAME, split, where, files, frames, make, lambda frame: frame.name, [])


def _raw(root: Path) -> Slotted[Raw]:
    """The raw frames."""
    split = _nyu_raw.SPLIT
    faults: list[Drop] = []

    def make(frame: Raw, notes: Notes) -> Record:
        folder = PhotoFolder(root, "")
        photo, depth = folder.path_of(frame.photo), folder.path_of(frame.depth)
        size_wh = size_with_depth(root, photo, depth)
        identity = f"{NAME}:raw/{frame.photo.rpartition('.')[0]}"
        origin, unit = Origin(frame.depth, frame.name), Depth(f"{depth}/{_nyu_raw.CODE}", 1.0)
        return Record(frame.name, NAME, split, LICENCE, origin, Photo(photo, size_wh, identity), depth=unit)

    frames = _nyu_raw.listed(root, Notes(NAME, split, ".", faults.append))
    return Slotted(NAME, split, ".", (), frames, make, lambda frame: frame.name, faults)


def _identity(row: str) -> str:
    """`nyuv2:labeled/<n>` for photo n of the labelled set, from 0, which the official split's folders call rgb_<n>."""
    number = re.fullmatch(r"official_splits/(?:train|test)/.*rgb_(\d+)", row)
    return f"{NAME}:labeled/{int(number[1])}" if number else f"{NAME}:{row}"


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
                    raise Fault("depth: missing", f"no file {pair.depth} for {pair.photo}", (pair.depth,))
                depth = folder.path_of(pair.depth)
                size_wh = grey_size(self.root / depth, depth)
            except Fault as fault:
                notes.fault(pair.photo, fault)
                continue
            row = pair.photo.rpartition(".")[0]
            yield Record(
                id=row,
                source=NAME,
                split=self.split,
                licence=LICENCE,
                origin=Origin(pair.depth, row),
                photo=Photo(photo, size_wh, _identity(row)),
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
    version="2",
    find=find,
    open=open_split,
)
