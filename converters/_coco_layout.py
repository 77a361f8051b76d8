"""Where COCO-style folders keep their files: the official layout and its everyday variants, looked up by name only."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from converters._notes import Fault
from vtinstruct.source import SourceError, inside

ANNOTATION_FOLDERS = ("annotations", "annotations/annotations", "")
SPLIT = r"(\w+(?:\.\w+)*)"
PROBES = 50  # photos looked for before a folder is given up: downloads are often partial

LAYOUT = """\
<root>/annotations/{kind}_<split>.json      (or annotations/annotations/, or beside the photo folders)
<root>/<split>/<file_name>                  (or images/<split>/, or images/)"""


def find_splits(root: Path, kind: str, official: Sequence[str]) -> tuple[str, ...]:
    """Splits with a file `<kind>_<split>.json`, the official ones first; `root` need not exist."""
    pattern = re.compile(rf"{re.escape(kind)}_{SPLIT}\.json")
    found = {
        match[1]
        for folder in ANNOTATION_FOLDERS
        for name in _names(root / folder)
        if (match := pattern.fullmatch(name))
    }
    return (*(split for split in official if split in found), *sorted(found - set(official)))


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def annotation_file(root: Path, kind: str, split: str) -> Path:
    """`<kind>_<split>.json` of the source at `root`. Raises `SourceError` naming the places looked at."""
    if not re.fullmatch(SPLIT, split):
        raise SourceError(f"{split!r} is no split; letters, digits, underscores and single dots are right")
    name = f"{kind}_{split}.json"
    places = [f"{folder}/{name}" if folder else name for folder in ANNOTATION_FOLDERS]
    return find_file(root, places, f"split {split!r}", find_splits(root, kind, ()))


def find_file(root: Path, places: Sequence[str], what: str, known: Sequence[str] = ()) -> Path:
    """The first of `places` (relative to `root`) that is a file. Raises `SourceError` naming them all."""
    if not root.is_dir():
        raise SourceError(f"{root}: no such folder; the source's root is right")
    for place in places:
        if (root / place).is_file():
            return inside(root, place)
    there = f"; splits found: {', '.join(known)}" if known else ""
    raise SourceError(f"{root}: no file for {what}; looked for {', '.join(places)}{there}")


@dataclass(frozen=True, slots=True)
class PhotoFolder:
    """The folder a split's photos are in, relative to the source's root, and how it spells their names."""

    root: Path
    folder: str
    spell: Callable[[str], str] = str

    def path_of(self, file_name: str) -> str:
        """Path of a photo relative to the root. Raises `Fault` when it leaves the root or is not there."""
        name = self.spell(file_name)
        relative = PurePosixPath(self.folder, name.replace("\\", "/")).as_posix()
        if not file_name or "\0" in name:
            raise Fault("photo: no file name", f"{file_name!r}; a name such as 000000000139.jpg is right")
        try:
            # One look at the file itself is enough for a plain name in a folder known to be inside; anything with
            # folders, links or dots goes the long way.
            if "/" in name or "\\" in name or stat.S_ISLNK(os.lstat(self.root / relative).st_mode):
                inside(self.root, relative)
            found = os.stat(self.root / relative)
        except SourceError as error:
            raise Fault("photo: path leaves the root", str(error)) from error
        except (OSError, ValueError) as error:
            raise Fault("photo: missing", f"no file {relative}; download it, or leave its row out") from error
        if not stat.S_ISREG(found.st_mode):
            raise Fault("photo: missing", f"{relative} is no file; a picture is right")
        return relative


def photo_folder(
    root: Path, candidates: Sequence[str | tuple[str, Callable[[str], str]]], names: Iterable[str], what: str
) -> PhotoFolder:
    """The first candidate folder below `root` that holds one of the first photos named.

    A candidate may come with a function that spells a name the folder's way. Without any names there is nothing to
    look for, and the first candidate is returned. Raises `SourceError` naming the places looked at.
    """
    folders = [
        PhotoFolder(root, *candidate) if isinstance(candidate, tuple) else PhotoFolder(root, candidate)
        for candidate in candidates
    ]
    probes = [name for _, name in zip(range(PROBES), names, strict=False)]
    if not probes:
        return folders[0]
    for folder in folders:
        for name in probes:
            try:
                folder.path_of(name)
            except Fault:
                continue
            inside(root, folder.folder)
            return folder
    places = ", ".join(f"{folder.folder or '.'}/{folder.spell(probes[0])}" for folder in folders)
    raise SourceError(f"{root}: no photos for {what}; looked for {places} (and {len(probes) - 1} more names)")


def coco_photo_folder(root: Path, split: str, annotations: Path, names: Iterable[str]) -> PhotoFolder:
    """The photos of a COCO split: in `<split>/`, `images/<split>/`, `images/`, or beside the annotation file."""
    beside = annotations.parent.resolve().relative_to(root.resolve()).as_posix()
    candidates = [split, f"images/{split}", f"{split}/images", "images", beside if beside != "." else "", ""]
    return photo_folder(root, list(dict.fromkeys(candidates)), names, f"split {split!r}")
