"""Label pictures: what a pixel is, written as a number, and how such a picture becomes regions.

A label picture is grey of 8, 16 or 32 bits, or has a palette (then the index is the label, not its colour). Photos are
never decoded here; their size comes from the header and must be the label picture's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from converters._coco_layout import PhotoFolder
from converters._notes import Fault, Notes
from converters._photos import photo_size
from converters._pictures import grey_size
from vtinstruct.geometry import rle_area, rle_box, rles_of_label_map
from vtinstruct.record import Category, Photo, Region
from vtinstruct.source import SourceError, inside
from vtinstruct.units import Rle

FORMATS = ("PNG", "TIFF", "PPM", "BMP")  # lossless ones; labels do not survive JPEG
MAX_PIXELS = 1 << 26  # 8k x 8k; the largest official label picture (ADE20K) has 12 million


def below(root: Path, relative: str) -> Path:
    """The annotation file at `relative`. Raises `Fault` when it is missing or leaves the root."""
    try:
        path = inside(root, relative)
    except SourceError as error:
        raise Fault("file: path leaves the root", str(error)) from error
    except (OSError, ValueError) as error:
        raise Fault("file: no name", f"{relative[:80]!r}: {error}") from error
    if not path.is_file():
        raise Fault("file: missing", f"no file {relative}; download it, or leave its photo out", (relative,))
    return path


def _decoded(root: Path, relative: str, modes: Collection[str], right: str) -> NDArray[Any]:
    path = below(root, relative)
    try:
        with Image.open(path, formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                detail = f"{relative}: {picture.width} x {picture.height}; at most {MAX_PIXELS} pixels are right"
                raise Fault("picture: too large", detail)
            if picture.mode not in modes:
                raise Fault("picture: another kind", f"{relative} has mode {picture.mode}; {right} is right")
            return np.asarray(picture)
    except Fault:
        raise
    except Exception as error:  # Pillow's readers raise whatever a broken file makes them trip over
        raise Fault("picture: unreadable", f"{relative}: {error}; a whole picture is right") from error


def read_labels(root: Path, relative: str) -> NDArray[Any]:
    """Labels (H, W), whole numbers, of a grey or palette picture. Raises `Fault`."""
    labels = _decoded(root, relative, ("1", "L", "P", "I", "I;16", "I;16B", "I;16L"), "grey or a palette")
    return labels.astype(np.uint8) if labels.dtype == np.bool_ else labels


def read_colours(root: Path, relative: str) -> NDArray[np.uint8]:
    """Pixels (H, W, 3) of a true-colour picture whose colours are codes. Raises `Fault`."""
    return _decoded(root, relative, ("RGB", "RGBA"), "RGB")[..., :3]


def header_size(root: Path, relative: str, what: str = "photo") -> tuple[int, int]:
    """(width, height) in pixels as stored of the picture at `relative`, from its header alone. Raises `Fault`."""
    return photo_size(root / relative, relative, what)


def size_with_depth(root: Path, photo: str, depth: str) -> tuple[int, int]:
    """(width, height) of the photo at `photo`, which its 16-bit depth picture must have too; by their headers. Raises `Fault`."""
    size_wh, depth_wh = header_size(root, photo), grey_size(below(root, depth), depth)
    if depth_wh != size_wh:
        detail = f"{photo} is {size_wh}, {depth} {depth_wh} (width, height); one size is right"
        raise Fault("photo: another size", detail)
    return size_wh


def photo_like(root: Path, relative: str, identity: str, labels: NDArray[Any], name: str) -> Photo:
    """The photo at `relative`, which must have the size of its label picture `name`. Raises `Fault` when it has not."""
    path = PhotoFolder(root, "").path_of(relative)
    size_wh = header_size(root, path)
    if size_wh != labels.shape[1::-1]:
        detail = (
            f"{path} is {size_wh[0]} x {size_wh[1]}, {name} {labels.shape[1]} x {labels.shape[0]}; one size is right"
        )
        raise Fault("photo: another size", detail)
    return Photo(path, size_wh, identity)


def segment(id_: str, category: Category, mask_rle: Rle, **more: Any) -> Region:
    """A region that is all its mask: tight box and area in pixels come from it, `more` are fields of `Region`."""
    from_mask: dict[str, Any] = {
        "box_xyxy": rle_box(mask_rle),
        "area": float(rle_area(mask_rle)),
        "thing": category.thing,
    }
    return Region(id_, category.name, category.id, mask_rle=mask_rle, **{**from_mask, **more})


def semantic_regions(
    labels: NDArray[Any], categories: Mapping[int, Category], void: Collection[int], notes: Notes, where: str
) -> tuple[Region, ...]:
    """One region per class, by label. Several things of a class are one mask, so no region counts as a thing or has a
    box: a box around all cars of a street is nobody's box.

    Labels in `void` mean nothing; one that is neither void nor a category goes to `notes`, its pixels count as void.
    """
    found: list[Region] = []
    for label, mask_rle in rles_of_label_map(labels).items():
        if label in categories:
            found.append(segment(str(label), categories[label], mask_rle, thing=False, box_xyxy=None))
        elif label not in void:
            detail = f"{rle_area(mask_rle)} pixels count as void; a label of the vocabulary is right"
            notes.dropped(f"{where}, label {label}", "label: unknown", detail)
    return tuple(found)


def files_below(root: Path, folder: str, wanted: Callable[[str], bool]) -> Iterator[str]:
    """Paths (relative to the root, forward slashes) of the files below `folder` whose name is wanted, in name order.

    Links to folders are not followed, so a loop of links is no loop here.
    """
    for here, folders, names in os.walk(root / folder):
        folders.sort()
        base = PurePosixPath(Path(here).relative_to(root).as_posix())
        for name in sorted(names):
            if wanted(name):
                yield (base / name).as_posix()


def first_folder(root: Path, candidates: Collection[str], what: str) -> str:
    """The first of `candidates` that is a folder below the root. Raises `SourceError` naming them all."""
    if not root.is_dir():
        raise SourceError(f"{root}: no such folder; the source's root is right")
    for folder in candidates:
        if (root / folder).is_dir():
            inside(root, folder)
            return folder
    raise SourceError(f"{root}: no folder for {what}; looked for {', '.join(f'{folder}/' for folder in candidates)}")
