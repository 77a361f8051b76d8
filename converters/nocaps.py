"""nocaps: captions of Open Images photos with things that COCO's captions never name; ten a photo, for evaluation only.

Format: nocaps.org, COCO captions plus `open_images_id` and `domain`. The captions of the test split are held back; those of
val are public, and where only its list of photos is there, val has no captions either.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from converters._notes import Notes
from converters._photos import Photos, photos_in
from converters._questions import grouped, open_file, there
from converters._rows import Slotted, rows_below, rows_below_keys
from converters._texts import one_line
from vtinstruct.record import Drop, Origin, Record
from vtinstruct.source import Source, SourceError

NAME = "nocaps"
LICENCE = "LicenseRef-nocaps"
FILES = {
    "val": ("nocaps_val_4500_captions.json", "nocaps_val_image_info.json"),
    "test": ("nocaps_test_image_info.json",),
}
FOLDERS = ("annotations", "nocaps", "data/nocaps")
PHOTO_FOLDERS = {
    "val": ("val", "validation", "images/val", "images", ""),
    "test": ("test", "images/test", "images", ""),
}
LAYOUT = """\
<root>/nocaps_val_4500_captions.json        (or in annotations/, nocaps/; or nocaps_val_image_info.json: no captions)
<root>/nocaps_test_image_info.json          photos only: the captions are held back
<root>/{val,test}/<open_images_id>.jpg      (or validation/, images/<split>/, images/)"""


class ImageRow(msgspec.Struct, gc=False):
    """A photo."""

    id: int
    file_name: str
    width: int
    height: int
    open_images_id: str = ""


class CaptionRow(msgspec.Struct, gc=False):
    """A sentence."""

    image_id: int
    caption: str


@dataclass(frozen=True)
class _Split:
    split: str
    file: str
    photos: Photos
    captions: dict[int, list[str]]

    def record(self, row: ImageRow, notes: Notes) -> Record:
        open_id = row.open_images_id or row.file_name.rpartition(".")[0]
        photo = self.photos.photo(row.file_name, f"openimages:{open_id}", (row.width, row.height))
        captions = tuple(words for caption in self.captions.get(row.id, []) if (words := one_line(caption)))
        empty = len(self.captions.get(row.id, [])) - len(captions)
        if empty:
            notes.dropped(f"image {row.id}", "caption: empty", f"{empty} of its captions say nothing")
        origin = Origin(self.file, f"image {row.id}")
        return Record(str(row.id), NAME, self.split, LICENCE, origin, photo, captions=captions)


def find(root: Path) -> tuple[str, ...]:
    """The splits whose file is there."""
    return tuple(split for split in FILES if _file(root, split))


def _file(root: Path, split: str) -> str:
    """The first of a split's files that is there; "" when none is."""
    return next((name for name in FILES[split] if there(root, name, *FOLDERS)), "")


def open_split(root: Path, split: str) -> Slotted[ImageRow]:
    """Parse one file. Raises `SourceError`."""
    if split not in FILES:
        raise SourceError(f"{split!r} is no split of {NAME} in {root}; known: {', '.join(FILES)}")
    path = open_file(root, _file(root, split) or FILES[split][0], split, *FOLDERS, known=find(root))
    file = path.relative_to(root).as_posix()
    faults: list[Drop] = []
    notes = Notes(NAME, split, file, faults.append)
    captions: dict[int, list[str]] = {}
    if path.name.endswith("_captions.json"):
        tables = rows_below_keys(path, {"images": ImageRow, "annotations": CaptionRow}, notes)
        captions = grouped((row.image_id, row.caption) for _, row in tables["annotations"])
        listed = tables["images"]
    else:
        listed = rows_below(path, "images", ImageRow, notes)
    images: dict[int, ImageRow] = {}
    for n, row in listed:
        if row.id in images:
            notes.dropped(f"images {n}", "image: id twice", f"image {row.id}; the first one is kept")
        else:
            images[row.id] = row
    for id_ in captions.keys() - images.keys():
        notes.dropped(f"image {id_}", "caption: unknown image", f"{len(captions[id_])} captions; a listed id is right")
    photos = photos_in(root, PHOTO_FOLDERS[split], (row.file_name for row in images.values()), f"split {split!r}")
    reader = _Split(split, file, photos, captions)
    return Slotted(
        NAME, split, file, [path], list(images.values()), reader.record, lambda row: f"image {row.id}", faults
    )


SOURCE = Source(
    name=NAME,
    title="nocaps",
    homepage="https://nocaps.org",
    licence=LICENCE,
    offers=frozenset({"image", "captions"}),
    splits=tuple(FILES),
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
