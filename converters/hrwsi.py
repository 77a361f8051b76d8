"""HR-WSI: web stereo photos with relative disparity and masks of where it holds.

Format: KexianHust/Structure-Guided-Ranking-Loss (CVPR 2020): `imgs/`, `gts/`, `valid_masks/` of the same names. Disparity from
unrectified stereo is inverse depth up to an unknown scale and shift, so its
frame is `relative_inverse`, never metres. The mask of where it holds is read with its record.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image

from converters._coco_layout import PhotoFolder
from converters._label_maps import below, files_below, first_folder, header_size, read_labels
from converters._notes import Fault, Notes
from converters._rows import Slotted
from vtinstruct.geometry import encode_mask
from vtinstruct.record import Drop, Origin, Photo, Record
from vtinstruct.source import Source, SourceError
from vtinstruct.units import Depth

NAME = "hrwsi"
SPLITS = ("train", "val")
LICENCE = "LicenseRef-HR-WSI"  # none is stated; the photos are Flickr's
BASES = ("", "HR-WSI")
LAYOUT = """\
<root>/{train,val}/imgs/<name>.jpg          (all of it may be in HR-WSI/)
<root>/{train,val}/gts/<name>.png           relative disparity, larger is nearer
<root>/{train,val}/valid_masks/<name>.png   0 where the disparity does not hold"""


@dataclass(frozen=True)
class _Split:
    root: Path
    split: str
    folder: str

    def record(self, name: str, notes: Notes) -> Record:
        photo = PhotoFolder(self.root, "").path_of(f"{self.folder}/imgs/{name}.jpg")
        disparity, valid = f"{self.folder}/gts/{name}.png", f"{self.folder}/valid_masks/{name}.png"
        size_wh = header_size(self.root, photo)
        found, levels = _grey_size(below(self.root, disparity), disparity)
        holds = read_labels(self.root, valid)
        for path, other in ((disparity, found), (valid, holds.shape[::-1])):
            if other != size_wh:
                raise Fault(
                    "photo: another size", f"{photo} is {size_wh}, {path} {other} (width, height); one size is right"
                )
        if not holds.any():
            raise Fault("depth: holds nowhere", f"{valid} is 0 everywhere; pixels above 0 are right")
        return Record(
            id=name,
            source=NAME,
            split=self.split,
            licence=LICENCE,
            origin=Origin(disparity, name),
            photo=Photo(photo, size_wh, f"{NAME}:{name}"),
            depth=Depth(disparity, 1 / levels, "relative_inverse", encode_mask(holds != 0)),
        )


def _grey_size(path: Path, name: str) -> tuple[tuple[int, int], int]:
    """(width, height) of a grey picture and its largest value, from its header alone. Raises `Fault`."""
    try:
        with Image.open(path, formats=("PNG",)) as picture:
            mode, size_wh = picture.mode, picture.size
    except Exception as error:  # Pillow's readers raise whatever a broken header makes them trip over
        raise Fault("picture: unreadable", f"{name}: {error}; a whole picture is right") from error
    if mode not in ("1", "L", "I", "I;16"):
        raise Fault("picture: another kind", f"{name} has mode {mode}; grey is right")
    return size_wh, {"1": 1, "L": 255}.get(mode, 65535)


def _places(split: str) -> list[str]:
    return [f"{base}/{split}" if base else split for base in BASES]


def find(root: Path) -> tuple[str, ...]:
    """The splits whose disparities are there."""
    return tuple(split for split in SPLITS if any((root / place / "gts").is_dir() for place in _places(split)))


def open_split(root: Path, split: str) -> Slotted[str]:
    """List one split: a slot for every name that has a photo or a disparity. Raises `SourceError`."""
    if split not in SPLITS:
        raise SourceError(f"{split!r} is no split of {NAME}; {', '.join(SPLITS)} are right")
    folder = first_folder(root, [f"{place}/gts" for place in _places(split)], f"split {split!r}").removesuffix("/gts")
    maps = list(files_below(root, f"{folder}/gts", lambda name: name.endswith(".png")))
    photos = files_below(root, f"{folder}/imgs", lambda name: name.endswith(".jpg"))
    names = sorted({PurePosixPath(path).stem for path in (*maps, *photos)})
    faults: list[Drop] = []
    files = tuple(root / path for path in maps)
    return Slotted(NAME, split, folder, files, names, _Split(root, split, folder).record, str, faults)


SOURCE = Source(
    name=NAME,
    title="HR-WSI",
    homepage="https://kexianhust.github.io/Structure-Guided-Ranking-Loss/",
    licence=LICENCE,
    offers=frozenset({"image", "depth"}),
    splits=SPLITS,
    layout=LAYOUT,
    version="2",
    find=find,
    open=open_split,
)
