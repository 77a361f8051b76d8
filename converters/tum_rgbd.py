"""TUM RGB-D: sequences of a hand-held Kinect, colour and depth frames with times of their own.

Format: cvg.cit.tum.de/data/datasets/rgbd-dataset/file_formats. `rgb.txt` and `depth.txt` list a time and a file a line; metres =
16-bit value / 5000, 0 = missing; depth is registered to colour already. A colour frame and a depth frame belong together
as the benchmark's `associate.py` says: less than 0.02 s apart, nearest pairs first, each frame once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converters._coco_layout import PhotoFolder, names_in
from converters._label_maps import size_with_depth
from converters._notes import Notes
from converters._rows import Slotted
from vtinstruct.record import Drop, Origin, Photo, Record
from vtinstruct.source import Source, SourceError, inside
from vtinstruct.units import Depth

NAME = "tum_rgbd"
SPLITS = ("train", "validation")
VALIDATION = "_validation"  # how the names of the sequences end whose camera path is not given out
LICENCE = "CC-BY-4.0"
METRES_PER_LEVEL = 1 / 5000
SECONDS_APART = 0.02
LISTS = ("rgb.txt", "depth.txt")
LAYOUT = """\
<root>/<sequence>/rgb.txt, depth.txt               a time in seconds and a file a line   (or straight below the root)
<root>/<sequence>/rgb/<time>.png
<root>/<sequence>/depth/<time>.png                 16 bits, metres x 5000"""


@dataclass(frozen=True)
class Frame:
    """One slot: its id, and its two pictures relative to the root."""

    id: str
    photo: str
    depth: str


@dataclass(frozen=True)
class _Split:
    root: Path
    split: str

    def record(self, frame: Frame, notes: Notes) -> Record:
        photo = PhotoFolder(self.root, "").path_of(frame.photo)
        size_wh = size_with_depth(self.root, photo, frame.depth)
        return Record(
            id=frame.id,
            source=NAME,
            split=self.split,
            licence=LICENCE,
            origin=Origin(frame.depth, frame.id),
            photo=Photo(photo, size_wh, f"{NAME}:{frame.id}"),
            depth=Depth(frame.depth, METRES_PER_LEVEL),
        )


def associated(first: Sequence[float], second: Sequence[float]) -> list[tuple[int, int]]:
    """Positions in two lists of times that belong together: less than `SECONDS_APART` apart, the nearest pairs taken
    first, each time once; in the order of the first list."""
    order = np.argsort(np.asarray(second, np.float64), kind="stable")
    times = np.asarray(second, np.float64)[order]
    near: list[tuple[float, float, float, int, int]] = []
    for n, time in enumerate(first):
        start = int(np.searchsorted(times, time - 2 * SECONDS_APART))
        for m in order[start : int(np.searchsorted(times, time + 2 * SECONDS_APART, "right"))].tolist():
            if abs(time - second[m]) < SECONDS_APART:
                near.append((abs(time - second[m]), time, second[m], n, m))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for *_, n, m in sorted(near):
        if n not in pairs and m not in taken:
            pairs[n] = m
            taken.add(m)
    return sorted(pairs.items())


def _listed(root: Path, folder: str, name: str, notes: Notes) -> dict[float, str]:
    """Time -> file relative to the root, of one list. Raises `SourceError`."""
    path = inside(root, f"{folder}/{name}".lstrip("/"))
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror or error}); a readable file is right") from error
    found: dict[float, str] = {}
    files: set[str] = set()
    for number, line in enumerate(lines, 1):
        words = line.replace(",", " ").split()
        if not words or line.startswith("#"):
            continue
        time = _time(words[0])
        if time is None or len(words) < 2 or time in found or words[1] in files:
            again = time is not None and len(words) > 1
            detail = f"{line[:60]!r}; a time and a file, each once, are right"
            notes.dropped(f"line {number}", "list: frame twice" if again else "list: unreadable line", detail)
        else:
            found[time] = f"{folder}/{words[1]}".lstrip("/")
            files.add(words[1])
    return found


def _time(word: str) -> float | None:
    try:
        time = float(word)
    except ValueError:
        return None
    return time if math.isfinite(time) else None


def _frames(root: Path, folder: str, split: str, faults: list[Drop]) -> Iterator[Frame]:
    """The frames of one sequence that belong together; the others are said to have no partner."""
    notes = [Notes(NAME, split, f"{folder}/{name}".lstrip("/"), faults.append) for name in LISTS]
    photos, depths = (_listed(root, folder, name, said) for name, said in zip(LISTS, notes, strict=True))
    pairs = associated(list(photos), list(depths))
    for listed, said, used, other in (
        (photos, notes[0], {n for n, _ in pairs}, "depth"),
        (depths, notes[1], {m for _, m in pairs}, "photo"),
    ):
        for n, (time, path) in enumerate(listed.items()):
            if n not in used:
                detail = f"none within {SECONDS_APART} s of {time!r} is left; times that near are right"
                said.dropped(path, f"frame: no {other}", detail)
    photo_paths, depth_paths = list(photos.values()), list(depths.values())
    for n, m in pairs:
        yield Frame(photo_paths[n].rpartition(".")[0].replace("/rgb/", "/"), photo_paths[n], depth_paths[m])


def _sequences(root: Path) -> dict[str, list[str]]:
    """Split -> folders of its sequences, by name; "" where the root is one itself."""
    if all((root / name).is_file() for name in LISTS):
        return {"train": [""]}
    found: dict[str, list[str]] = {}
    for name in names_in(root):
        if all((root / name / list_).is_file() for list_ in LISTS):
            found.setdefault("validation" if name.endswith(VALIDATION) else "train", []).append(name)
    return found


def find(root: Path) -> tuple[str, ...]:
    """The splits with a sequence."""
    found = _sequences(root)
    return tuple(split for split in SPLITS if split in found)


def open_split(root: Path, split: str) -> Slotted[Frame]:
    """List the pairs of all sequences of a split. Raises `SourceError`."""
    if split not in SPLITS:
        raise SourceError(f"{split!r} is no split of {NAME} in {root}; {', '.join(SPLITS)} are right")
    folders = _sequences(root).get(split, [])
    if not folders:
        raise SourceError(f"{root}: no sequence for split {split!r}; looked for <sequence>/rgb.txt and depth.txt")
    faults: list[Drop] = []
    frames = [frame for folder in folders for frame in _frames(root, folder, split, faults)]
    files = [root / folder / name for folder in folders for name in LISTS]
    where = f"{folders[0]}/{LISTS[0]}".lstrip("/")
    return Slotted(NAME, split, where, files, frames, _Split(root, split).record, lambda frame: frame.id, faults)


SOURCE = Source(
    name=NAME,
    title="TUM RGB-D",
    homepage="https://cvg.cit.tum.de/data/datasets/rgbd-dataset",
    licence=LICENCE,
    offers=frozenset({"image", "depth"}),
    splits=SPLITS,
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
