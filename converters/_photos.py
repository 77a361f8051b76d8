"""Photos that annotations name without a size, or that lie in one of several folders.

Only the header of a picture file is read, never its pixels.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from converters._coco_layout import Candidate, PhotoFolder, photo_folder
from converters._notes import Fault
from vtinstruct.containers import read_member, split_container
from vtinstruct.record import Photo

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
MAX_PIXELS = 1 << 28
MAX_BYTES = 1 << 29
COCO_NAME = re.compile(r"(?:COCO_(?:train|val|test)20\d\d_)?(\d{12})\.\w+")


def photo_size(path: Path, name: str, what: str = "photo") -> tuple[int, int]:
    """(width, height) in pixels as stored, from the header. Raises `Fault`."""
    try:
        with Image.open(path if path.is_file() else _unpacked(path), formats=FORMATS) as picture:
            width, height = picture.size
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Fault(f"{what}: missing", f"no file {name}; download it, or leave its row out") from error
    except Exception as error:  # Pillow's readers raise whatever a broken header makes them trip over
        raise Fault(f"{what}: unreadable", f"{name}: {error}; a whole picture is right") from error
    return checked_size(width, height, name)


def _unpacked(path: Path) -> Path | io.BytesIO:
    """A photo in a container (a tar, zip or HDF5 file) as bytes."""
    found = split_container(path)
    return path if found is None else io.BytesIO(read_member(*found, MAX_BYTES))


def checked_size(width: int, height: int, name: str) -> tuple[int, int]:
    """(width, height) as an annotation gives it. Raises `Fault` unless it can be a photo's."""
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise Fault("image: no size", f"{name}: {width} x {height}; pixels above 0 are right")
    return width, height


@dataclass(frozen=True, slots=True)
class Photos:
    """The folders that may hold a split's photos, in the order they are looked at."""

    folders: tuple[PhotoFolder, ...]

    def path_of(self, name: str) -> str:
        """The photo's path relative to the root. Raises `Fault` when it is in none of the folders."""
        last, looked_for = Fault("photo: missing", f"no file {name}"), list[str]()
        for folder in self.folders:
            try:
                return folder.path_of(name)
            except Fault as fault:
                last = fault
                looked_for.extend(fault.looked_for)
                if fault.reason != "photo: missing":
                    raise
        raise Fault(last.reason, last.detail, tuple(looked_for))

    def photo(self, name: str, identity: str, size_wh: tuple[int, int] | None = None) -> Photo:
        """The photo called `name`; its size from the header where the annotation has none. Raises `Fault`."""
        path = self.path_of(name)
        if size_wh is not None:
            return Photo(path, checked_size(*size_wh, name), identity)
        try:
            return Photo(path, photo_size(self.folders[0].root / path, name), identity)
        except Fault as fault:  # another file in its place is another photo
            raise Fault(fault.reason, fault.detail, (path,)) from fault


def photos_in(root: Path, folders: Sequence[Candidate], names: Iterable[str], what: str) -> Photos:
    """The photos of a split in any of `folders`. Raises `SourceError` when none of the names is in any of them."""
    unique = list(dict.fromkeys(folders))
    first = photo_folder(root, unique, names, what)
    others = [PhotoFolder(root, *one) if isinstance(one, tuple) else PhotoFolder(root, one) for one in unique]
    return Photos((first, *(other for other in others if other != first and other.is_there())))


def coco_identity(name: str) -> str:
    """`coco:57870` for any official spelling of COCO photo 57870; another file is known by its own name."""
    match = COCO_NAME.fullmatch(name.replace("\\", "/").rpartition("/")[2])
    return f"coco:{int(match[1])}" if match else f"file:{name}"
