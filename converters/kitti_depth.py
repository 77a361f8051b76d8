"""KITTI depth (2017 benchmarks): street photos with sparse laser depth, metres = 16-bit value / 256, 0 = missing.

Format: the benchmarks' development kit, readme ("DEPTH PREDICTION/COMPLETION BENCHMARKS 2017"). The annotated maps come
without photos: these are KITTI's raw recordings (`<date>/<drive>/image_0{2,3}/data/`); the selections bring their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from converters._coco_layout import PhotoFolder, names_in
from converters._label_maps import files_below, first_folder, header_size, size_with_depth
from converters._notes import Fault, Notes
from converters._rows import Slotted
from vtinstruct.record import Drop, Origin, Photo, Record
from vtinstruct.source import Source, SourceError
from vtinstruct.units import Depth

NAME = "kitti_depth"
DRIVES, SELECTION, TEST = ("train", "val"), "val_selection_cropped", "test_depth_prediction_anonymous"
COMPLETION = "test_depth_completion_anonymous"
SPLITS = (*DRIVES, SELECTION, TEST, COMPLETION)
LICENCE = "CC-BY-NC-SA-3.0"
METRES_PER_LEVEL = 1 / 256
LAYOUT = """\
<root>/{train,val}/<drive>/proj_depth/groundtruth/image_0{2,3}/<frame>.png     (or in data_depth_annotated/)
<root>/<date>/<drive>/image_0{2,3}/data/<frame>.png      (KITTI raw; or in raw/, kitti_raw/, {train,val}/<drive>/...)
<root>/val_selection_cropped/{image,groundtruth_depth}/<name>.png              (or in depth_selection/)
<root>/test_depth_{prediction,completion}_anonymous/image/<name>.png           (photos without depth)"""
_PLACES = (
    "",
    "data_depth_annotated",
    "depth_selection",
    "data_depth_selection/depth_selection",
    "data_depth_selection",
)
BASES = (*_PLACES, *(f"kitti_depth/{place}".rstrip("/") for place in _PLACES))
_MAP = re.compile(r"((\d{4}_\d\d_\d\d)_drive_\d{4}_sync)/proj_depth/groundtruth/(image_0[23])/(\d{10})\.png")
_SELECTED = re.compile(r"(\d{4}_\d\d_\d\d_drive_\d{4}_sync)_image_(\d{10})_(image_0[23])\.png")
_TEST = re.compile(r"(\d{10})\.png")


@dataclass(frozen=True)
class Frame:
    """One slot: its id, the photo's identity, where its photo may be, and its depth map ("" where there is none)."""

    id: str
    identity: str
    photos: tuple[str, ...]
    depth: str


@dataclass(frozen=True)
class _Split:
    root: Path
    split: str

    def record(self, frame: Frame, notes: Notes) -> Record:
        photo, depth = self._photo(frame), None
        if frame.depth:
            size_wh = size_with_depth(self.root, photo, frame.depth)
            depth = Depth(frame.depth, METRES_PER_LEVEL)
        else:
            size_wh = header_size(self.root, photo)
        origin = Origin(frame.depth or photo, frame.id)
        return Record(frame.id, NAME, self.split, LICENCE, origin, Photo(photo, size_wh, frame.identity), depth=depth)

    def _photo(self, frame: Frame) -> str:
        folder = PhotoFolder(self.root, "")
        for candidate in frame.photos:
            try:
                return folder.path_of(candidate)
            except Fault as fault:
                if fault.reason != "photo: missing":
                    raise
        detail = f"no photo of {frame.id}; looked for {', '.join(frame.photos)}"
        raise Fault("photo: missing", detail, tuple(frame.photos))


def _raw_photos(split: str, date: str, drive: str, camera: str, number: str) -> tuple[str, ...]:
    """Where people keep the raw photo of an annotated map: KITTI's own tree first."""
    tail = f"{drive}/{camera}/data/{number}"
    dates = tuple(f"{base}{date}" for base in ("", "raw/", "kitti_raw/", "raw_data/", "input/"))
    folders = (*dates, split, f"data_rgb/{split}", f"kitti_rgb/{split}")
    return tuple(f"{folder}/{tail}.{ending}" for folder in folders for ending in ("png", "jpg"))


def _annotated(root: Path, folder: str, split: str, notes: Notes) -> list[Frame]:
    found: list[Frame] = []
    for path in files_below(root, folder, lambda name: name.endswith(".png")):
        inner = path.removeprefix(f"{folder}/")
        if "/groundtruth/" not in inner:
            continue  # the raw laser picture and the photos may lie in the same tree
        match = _MAP.fullmatch(inner)
        if match is None:
            detail = f"{inner}; <drive>/proj_depth/groundtruth/image_02/0000000005.png is right"
            notes.dropped(inner, "depth: not a known path", detail)
            continue
        drive, date, camera, number = match.groups()
        id_ = f"{drive}/{camera}/{number}"
        found.append(Frame(id_, f"kitti_raw:{id_}", _raw_photos(split, date, drive, camera, number), path))
    return found


def _selected(root: Path, folder: str, split: str, notes: Notes) -> list[Frame]:
    found: list[Frame] = []
    pattern = _SELECTED if split == SELECTION else _TEST
    for path in files_below(root, f"{folder}/image", lambda name: name.endswith(".png")):
        name = path.rpartition("/")[2]
        match = pattern.fullmatch(name)
        if match is None:
            notes.dropped(name, "photo: not a known name", f"{name}; a name as in the development kit is right")
        elif split != SELECTION:
            asked = "test" if split == TEST else "completion_test"  # the two have photos of their own
            found.append(Frame(match[1], f"kitti_depth_{asked}:{match[1]}", (path,), ""))
        else:
            drive, number, camera = match.groups()
            depth = f"{folder}/groundtruth_depth/{drive}_groundtruth_depth_{number}_{camera}.png"
            found.append(Frame(name[:-4], f"kitti_raw:{drive}/{camera}/{number}", (path,), depth))
    return found


def _places(split: str) -> list[str]:
    return [f"{base}/{split}" if base else split for base in BASES]


def find(root: Path) -> tuple[str, ...]:
    """The splits whose folder is there, with a drive's annotation or a selection's photos in it."""
    return tuple(split for split in SPLITS if any(_is_ours(root / place, split) for place in _places(split)))


def _is_ours(folder: Path, split: str) -> bool:
    if split not in DRIVES:
        return (folder / "image").is_dir()
    drives = (name for name in names_in(folder) if re.fullmatch(r"\d{4}_\d\d_\d\d_drive_\d{4}_sync", name))
    return any((folder / drive / "proj_depth" / "groundtruth").is_dir() for drive in drives)


def open_split(root: Path, split: str) -> Slotted[Frame]:
    """List one split. Raises `SourceError` when it is not there, or nothing in it is KITTI's."""
    if split not in SPLITS:
        raise SourceError(f"{split!r} is no split of {NAME}; {', '.join(SPLITS)} are right")
    places = _places(split)
    ours = [place for place in places if _is_ours(root / place, split)]
    folder = first_folder(root, ours or places, f"split {split!r}")
    faults: list[Drop] = []
    notes = Notes(NAME, split, folder, faults.append)
    frames = (_annotated if split in DRIVES else _selected)(root, folder, split, notes)
    if not frames:
        wanted = "<drive>/proj_depth/groundtruth/image_0{2,3}/" if split in DRIVES else "image/"
        raise SourceError(f"{root / folder}: nothing to read; looked for {wanted}*.png")
    files = tuple(root / frame.depth for frame in frames if frame.depth and (root / frame.depth).is_file())
    return Slotted(NAME, split, folder, files, frames, _Split(root, split).record, lambda frame: frame.id, faults)


SOURCE = Source(
    name=NAME,
    title="KITTI depth",
    homepage="https://www.cvlibs.net/datasets/kitti/eval_depth.php?benchmark=depth_prediction",
    licence=LICENCE,
    offers=frozenset({"image", "depth"}),
    splits=SPLITS,
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
