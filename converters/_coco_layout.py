"""Where COCO-style folders keep their files: the official layout and its everyday variants, looked up by name only."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from converters._notes import Fault
from vtinstruct.containers import has_member, split_container
from vtinstruct.source import SourceError, inside

ANNOTATION_FOLDERS = (
    "annotations", "annotations/annotations", "", "annotations_trainval2017/annotations",
    "annotations_trainval2014/annotations", "panoptic_annotations_trainval2017/annotations",
)  # fmt: skip
SPLIT = r"(\w+(?:\.\w+)*)"
PEEK = 1 << 16
PROBES = 50  # photos looked for before a folder is given up: downloads are often partial

LAYOUT = """\
<root>/annotations/{kind}_<split>.json      (or annotations/annotations/, or beside the photo folders)
<root>/<split>/<file_name>                  (or images/<split>/, or images/)"""


def find_splits(root: Path, kind: str, official: Sequence[str]) -> tuple[str, ...]:
    """Splits with a file `<kind>_<split>.json`, the official ones first; `root` need not exist. A file of another name than
    an official one also has to look like COCO's."""
    pattern = re.compile(rf"{re.escape(kind)}_{SPLIT}\.json")
    found = {
        match[1]
        for folder in ANNOTATION_FOLDERS
        for name in names_in(root / folder)
        if (match := pattern.fullmatch(name)) and (match[1] in official or looks_like_coco(root / folder / name))
    }
    return (*(split for split in official if split in found), *sorted(found - set(official)))


def names_in(folder: Path) -> list[str]:
    """The names in a folder, in order; none where there is no such folder."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def looks_like_coco(path: Path) -> bool:
    """Whether a JSON file starts and ends as one with images and annotations does: a look at its ends only."""
    ends = file_ends(path)
    keys = (b'"images"', b'"annotations"', b'"categories"')
    return ends.lstrip()[:1] == b"{" and sum(key in ends for key in keys) > 1


def file_ends(path: Path) -> bytes:
    """The first and the last `PEEK` bytes of a file; none of one that cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(PEEK)
            file.seek(max(0, path.stat().st_size - PEEK))
            return head + file.read(PEEK)
    except OSError:
        return b""


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
    """The folder a split's photos are in, relative to the source's root, and how it spells their names. It may lie in a
    tar or zip: `train2017.zip/train2017`."""

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
            if isinstance(error, NotADirectoryError) and has_member(self.root / relative):
                return relative
            detail = f"no file {relative}; download it, or leave its row out"
            raise Fault("photo: missing", detail, (relative,)) from error
        if not stat.S_ISREG(found.st_mode):
            raise Fault("photo: missing", f"{relative} is no file; a picture is right", (relative,))
        return relative

    def is_there(self) -> bool:
        """Whether there is such a folder, or such a container."""
        return (self.root / self.folder).is_dir() or split_container(self.root / self.folder / "x") is not None


Candidate = str | tuple[str, Callable[[str], str]]


def photo_folder(
    root: Path, candidates: Sequence[Candidate], names: Iterable[str], what: str, others: Sequence[Candidate] = ()
) -> PhotoFolder:
    """The first candidate folder below `root` that holds one of the photos named; `others` are looked at after them.

    A candidate may come with a function that spells a name the folder's way. Without any names there is nothing to
    look for, and the first candidate is returned. Raises `SourceError` naming the places looked at, without `others`.
    """
    folders = [
        PhotoFolder(root, *candidate) if isinstance(candidate, tuple) else PhotoFolder(root, candidate)
        for candidate in (*candidates, *others)
    ]
    following = iter(names)
    probes = list(islice(following, PROBES))
    if not probes:
        return folders[0]
    for folder in folders:
        if any(_holds(folder, name) for name in probes):
            break
    else:  # a small part of a large set may be there: look for every photo
        folder = _holding_any(folders, following)
    if folder is None:
        named = folders[: len(candidates)]
        places = ", ".join(f"{folder.folder or '.'}/{folder.spell(probes[0])}" for folder in named)
        raise SourceError(f"{root}: no photos for {what}; looked for {places} (and all others it names)")
    if split_container(root / folder.folder / "x") is None:
        inside(root, folder.folder)
    return folder


def _holds(folder: PhotoFolder, name: str) -> bool:
    try:
        folder.path_of(name)
    except Fault:
        return False
    return True


def _holding_any(folders: Sequence[PhotoFolder], names: Iterable[str]) -> PhotoFolder | None:
    """The folder that holds the first name that any of them holds. Folders are listed, so that a million names are no
    million times as many questions to the disk."""
    there = {folder.folder: set(names_in(folder.root / folder.folder)) for folder in folders}
    listed = [folder for folder in folders if there[folder.folder]]
    for name in names if listed else ():
        for folder in listed:
            first = folder.spell(name).replace("\\", "/").partition("/")[0]
            if first in there[folder.folder] and _holds(folder, name):
                return folder
    return None


def newer_name(file_name: str) -> str:
    """A COCO photo's name of 2014 or 2015 as it is spelt since 2017."""
    return re.sub(r"^COCO_(?:train|val|test)201[45]_", "", file_name)


def _spelt(file_name: str) -> str:
    """The name without folders, and as COCO spells it since 2017."""
    return newer_name(file_name.replace("\\", "/").rpartition("/")[2])


def _last_two(file_name: str) -> str:
    return "/".join(file_name.replace("\\", "/").split("/")[-2:])


def coco_photo_folder(root: Path, split: str, annotations: Path, names: Iterable[str]) -> PhotoFolder:
    """The photos of a COCO split: in `<split>/`, `images/<split>/`, `images/`, beside the annotation file, in `<split>.zip`, or
    in whatever folder not far below the root holds one of them."""
    beside = annotations.parent.resolve().relative_to(root.resolve()).as_posix()
    usual = [
        split, f"images/{split}", f"{split}/images", "images", beside if beside != "." else "", "", f"{split}/{split}",
        f"data/{split}", "data", f"coco/{split}", f"coco/images/{split}", f"{split}.zip/{split}",
        f"images/{split}.zip/{split}",
    ]  # fmt: skip
    folders = list(dict.fromkeys(usual))
    others = [folder for folder in _folders_below(root) if folder not in folders]
    # First with the name as it is written, everywhere; then without its folders and in COCO's newer spelling, or with
    # the last of them only (Objects365: images/v1/patch8/<name> in the file, train/patch8/<name> on disk).
    spelt: list[Candidate] = [(folder, spell) for spell in (_spelt, _last_two) for folder in (*folders, *others)]
    return photo_folder(root, folders, names, f"split {split!r}", [*others, *spelt])


def _folders_below(root: Path, levels: int = 3, most: int = 200) -> list[str]:
    """Folders below the root, the higher ones first, links not followed; not more than `most`."""
    found: list[str] = []
    level = [""]
    for _ in range(levels):
        below: list[str] = []
        for folder in level:
            try:
                entries = sorted(
                    entry.name for entry in os.scandir(root / folder) if entry.is_dir(follow_symlinks=False)
                )
            except OSError:
                continue
            below += [f"{folder}/{name}".lstrip("/") for name in entries if not name.startswith(".")]
        found += below
        level = below[:most]
    return found[:most]
