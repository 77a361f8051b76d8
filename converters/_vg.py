"""Visual Genome's photos: their sizes, and which of them are COCO's."""

from __future__ import annotations

from pathlib import Path

import msgspec

from converters._coco_json import paused_gc
from converters._notes import Notes
from converters._rows import list_rows

IMAGE_DATA = "image_data.json"
PHOTO_FOLDERS = (
    "VG_100K", "VG_100K_2", "images/VG_100K", "images2/VG_100K_2", "images/VG_100K_2", "images", "", "vg/VG_100K", "vg/VG_100K_2",
    "VG_100K/VG_100K", "VG_100K_2/VG_100K_2", "visual_genome/images",
)  # fmt: skip


class ImageRow(msgspec.Struct, gc=False):
    """A row of `image_data.json`; version 1.0 calls its id `id`."""

    width: int
    height: int
    image_id: int = -1
    id: int = -1
    coco_id: int | None = None

    def __post_init__(self) -> None:
        self.image_id = self.image_id if self.image_id >= 0 else self.id


def read_images(path: Path, notes: Notes) -> dict[int, ImageRow]:
    """Photos by id, in file order; of two with one id the first is kept."""
    found: dict[int, ImageRow] = {}
    with paused_gc():
        for n, row in list_rows(path, ImageRow, notes):
            if row.image_id < 0:
                notes.dropped(f"row {n}", "image: no id", "`image_id` (or `id`, in version 1.0) is right")
            elif row.image_id in found:
                notes.dropped(f"row {n}", "image: id twice", f"image {row.image_id}; the first one is kept")
            else:
                found[row.image_id] = row
    return found


def known_images(root: Path, notes: Notes) -> tuple[dict[int, ImageRow], list[Path]]:
    """The same for sources that use Visual Genome's photos: empty where `image_data.json` is not beside them."""
    path = root / IMAGE_DATA
    return (read_images(path, notes), [path]) if path.is_file() else ({}, [])


def vg_identity(image_id: int, images: dict[int, ImageRow]) -> str:
    """`coco:<id>` where Visual Genome says the photo is COCO's, else `vg:<id>`."""
    row = images.get(image_id)
    return f"coco:{row.coco_id}" if row is not None and row.coco_id is not None else f"vg:{image_id}"
