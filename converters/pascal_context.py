"""Pascal Context: the photos of VOC 2010 with every pixel labelled, by 459 names or by the 59 frequent ones.

Format: the project's page (`trainval.tar.gz`: a MATLAB file a photo with `LabelMap`, `labels.txt`; `59_context_labels.tar.gz`:
PNG, `59_labels.txt`). The split is VOC 2010's. Things of one class are not told apart, so all classes are read as stuff.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters._coco_json import read_bytes
from converters._coco_layout import find_file
from converters._label_maps import (
    MAX_PIXELS,
    below,
    first_folder,
    header_size,
    photo_like,
    read_labels,
    semantic_regions,
)
from converters._notes import Fault, Notes
from converters._rows import Slotted
from vtinstruct.record import Category, Drop, Origin, Record
from vtinstruct.source import Source, SourceError

NAME = "pascal_context"
SPLITS = ("59_train", "59_val", "459_train", "459_val")
LICENCE = "LicenseRef-Pascal-VOC"  # Flickr's terms for the photos; the labels state none
VOC_BASES = ("VOCdevkit/VOC2010", "VOC2010", "")
_PHOTO_NAME = re.compile(r"[\w@][\w@.()+,-]*(?:/[\w@.()+,-]+)*")  # official names are digits; other tools have folders
NAMELESS = {"empty", "background", "unknown"}
LAYOUT = """\
<root>/59_labels.txt and <root>/59_context_labels/<name>.png     for 59_train, 59_val
<root>/labels.txt and <root>/trainval/<name>.mat                 for 459_train, 459_val
<root>/VOCdevkit/VOC2010/ImageSets/Main/{train,val}.txt          (or VOC2010/, or beside the labels)
<root>/VOCdevkit/VOC2010/JPEGImages/<name>.jpg"""


@dataclass(frozen=True)
class _Kind:
    """One of the two releases: its list of names, the folders its labels may be in, how a label file ends."""

    names: tuple[str, ...]
    folders: tuple[str, ...]
    ending: str


KINDS = {
    "59": _Kind(("59_labels.txt", "59_context_labels/59_labels.txt"), ("59_context_labels",), "png"),
    "459": _Kind(("labels.txt", "trainval/labels.txt", "459_labels.txt"), ("trainval", "trainval/trainval"), "mat"),
}


@dataclass(frozen=True)
class _Split:
    root: Path
    split: str
    labels: str
    photos: str
    ending: str
    categories: Mapping[int, Category]
    void: frozenset[int]

    def record(self, name: str, notes: Notes) -> Record:
        label_file, photo_file = f"{self.labels}/{name}.{self.ending}", f"{self.photos}{name}.jpg"
        notes = Notes(NAME, self.split, label_file, notes.report)
        if self.ending == "mat":
            below(self.root, photo_file)
            labels = _label_map(below(self.root, label_file), label_file, header_size(self.root, photo_file))
        else:
            labels = read_labels(self.root, label_file)
        photo = photo_like(self.root, photo_file, f"pascal_voc:{name}", labels, label_file)
        return Record(
            id=name,
            source=NAME,
            split=self.split,
            licence=LICENCE,
            origin=Origin(label_file, name),
            photo=photo,
            regions=semantic_regions(labels, self.categories, self.void, notes, name),
            exhaustive=True,
        )


def _label_map(path: Path, name: str, size_wh: tuple[int, int]) -> NDArray[Any]:
    """`LabelMap` (H, W) of a MATLAB file. Its shape is asked for before any of it is unpacked. Raises `Fault`."""
    from scipy.io import loadmat, whosmat

    try:
        shapes = {variable: shape for variable, shape, _ in whosmat(path, appendmat=False)}
        if shapes.get("LabelMap") != size_wh[::-1] or size_wh[0] * size_wh[1] > MAX_PIXELS:
            detail = (
                f"{name}: LabelMap of {shapes.get('LabelMap')}; the photo's {size_wh[::-1]} (rows, columns) is right"
            )
            raise Fault("mat: another size", detail)
        found = np.asarray(loadmat(path, appendmat=False, variable_names=["LabelMap"])["LabelMap"])
    except Fault:
        raise
    except Exception as error:  # scipy's reader raises whatever a broken file makes it trip over
        raise Fault("mat: unreadable", f"{name}: {error}; the official file is right") from error
    if found.dtype.kind not in "iuf" or found.ndim != 2 or not np.array_equal(found, np.trunc(found)):
        raise Fault("mat: no labels", f"{name}: LabelMap of {found.dtype}; whole numbers are right")
    return found.astype(np.int64)


def read_names(path: Path) -> tuple[dict[int, Category], frozenset[int]]:
    """The classes of a list `1: accordion` by label, and the labels that mean nothing. Raises `SourceError`."""
    try:
        lines = read_bytes(path).decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: not UTF-8 at byte {error.start}; the official file is right") from error
    found: dict[int, Category] = {}
    void = {0}
    for number, line in enumerate(lines, 1):
        match = re.fullmatch(r"\s*(\d{1,4})\s*:\s*(.+?)\s*", line)
        if match is None and line.strip():
            raise SourceError(f"{path}: line {number}: {line!r:.60}; a line such as '1: accordion' is right")
        if match is not None and match[2] in NAMELESS:
            void.add(int(match[1]))
        elif match is not None:
            found[int(match[1])] = Category(int(match[1]), match[2], thing=False)
    return found, frozenset(void)


def read_list(path: Path, notes: Notes) -> list[str]:
    """The names of a list of photos, one a line. Lines that are no name, or a name twice, go to `notes`; so does a list
    without any, which some splits have."""
    found: dict[str, None] = {}
    if path.stat().st_size == 0:
        notes.dropped("whole file", "list: empty", "no photo belongs to this split; one name a line is right")
        return []
    for number, line in enumerate(read_bytes(path).decode("utf-8", errors="replace").splitlines(), 1):
        name = line.strip()
        if _PHOTO_NAME.fullmatch(name) and ".." not in name and name not in found:
            found[name] = None
        elif name:
            notes.dropped(
                f"line {number}", "list: no photo name, or one twice", f"{name[:40]!r}; a name, once, is right"
            )
    return list(found)


def find(root: Path) -> tuple[str, ...]:
    """The splits whose labels are there."""
    there = {key for key, kind in KINDS.items() if any((root / folder).is_dir() for folder in kind.folders)}
    return tuple(split for split in SPLITS if split.partition("_")[0] in there)


def open_split(root: Path, split: str) -> Slotted[str]:
    """Read the list of one split and the names of the classes. Raises `SourceError`."""
    if split not in SPLITS:
        raise SourceError(f"{split!r} is no split of {NAME}; {', '.join(SPLITS)} are right")
    key, _, part = split.partition("_")
    kind = KINDS[key]
    folder = first_folder(root, kind.folders, f"split {split!r}")
    info = find_file(root, kind.names, f"the {key} classes")
    bases = [f"{base}/" if base else "" for base in VOC_BASES]
    listed = find_file(root, [f"{base}ImageSets/Main/{part}.txt" for base in bases], f"the {part} photos of VOC 2010")
    photos = first_folder(root, [f"{base}JPEGImages" for base in bases], "the photos of VOC 2010") + "/"
    faults: list[Drop] = []
    relative = listed.relative_to(root).as_posix()
    names = read_list(listed, Notes(NAME, split, relative, faults.append))
    categories, void = read_names(info)
    reader = _Split(root, split, folder, photos, kind.ending, categories, void)
    labels = (root / folder / f"{name}.{kind.ending}" for name in names)
    files = (listed, info, *(path for path in labels if path.is_file()))
    vocabulary = tuple(categories.values())
    return Slotted(NAME, split, relative, files, names, reader.record, str, faults, vocabulary)


SOURCE = Source(
    name=NAME,
    title="Pascal Context",
    homepage="https://cs.stanford.edu/~roozbeh/pascal-context/",
    licence=LICENCE,
    offers=frozenset({"image", "masks", "stuff", "segments_all"}),
    splits=SPLITS,
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
