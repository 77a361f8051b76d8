"""NYU Depth v2 in HDF5: the labelled set as its authors publish it, and single frames as FastDepth's authors pack them.

`nyu_depth_v2_labeled.mat` (MATLAB 7.3) holds 1,449 photos (`images`) and filled depth maps in metres (`depths`);
`splits.mat` beside it the official 795 / 654, counted from 1. A frame `<n>.h5` holds `rgb` (3, H, W) and `depth` (H, W) in
metres. Photos and maps are read out of these files when asked for (`vtinstruct.containers`); to list them only shapes
are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converters._coco_layout import names_in
from converters._label_maps import files_below
from converters._notes import Fault
from vtinstruct.containers import ContainerError, member_shape, open_hdf5, own_array
from vtinstruct.source import SourceError, inside

LABELED, SPLIT_FILE = "nyu_depth_v2_labeled.mat", "splits.mat"
INDICES = {"train": "trainNdxs", "test": "testNdxs"}
WHOLE = "labeled"  # the split without splits.mat
FRAMES = {"train": "train", "val": "val", "whole": ""}  # folders of frames
MAX_SPLITS = 1 << 20  # bytes; the official file has 3 kB


@dataclass(frozen=True, slots=True)
class Stored:
    """A photo and its map, both members of an HDF5 file; `name` tells them from others of the set."""

    photo: str
    depth: str
    name: str


def find(root: Path) -> list[str]:
    """The splits that HDF5 files give, by names only."""
    found = [split for split, folder in FRAMES.items() if _has_frames(root, folder)]
    if (root / LABELED).is_file():
        found += list(INDICES) if (root / SPLIT_FILE).is_file() else [WHOLE]
    return found


def _has_frames(root: Path, folder: str) -> bool:
    if not folder:
        return any(name.endswith(".h5") for name in names_in(root))
    return next(files_below(root, folder, lambda name: name.endswith(".h5")), None) is not None


def listed(root: Path, split: str) -> tuple[list[Stored], list[Path]]:
    """The photos of a split, and the files that say which they are. Raises `SourceError`."""
    if (root / LABELED).is_file() and (split in INDICES or split == WHOLE):
        container = inside(root, LABELED)
        files = [container, *([inside(root, SPLIT_FILE)] if split in INDICES else [])]
        numbers = _numbers(container, files[-1] if split in INDICES else None, split)
        return [
            Stored(f"{LABELED}/images/{n}.ppm", f"{LABELED}/depths/{n}.npy", f"labeled/{n}") for n in numbers
        ], files
    folder = FRAMES[split]
    paths = list(files_below(root, folder, lambda name: name.endswith(".h5"))) if folder else [
        name for name in names_in(root) if name.endswith(".h5")
    ]  # fmt: skip
    return [Stored(f"{path}/rgb.ppm", f"{path}/depth.npy", path[:-3]) for path in paths], [
        root / path for path in paths
    ]


def _numbers(container: Path, split_file: Path | None, split: str) -> Sequence[int]:
    """Positions of the split's photos, from 0."""
    try:
        with open_hdf5(container) as file:
            images, depths = own_array(file, "images"), own_array(file, "depths")
            if images is None or depths is None or len(images) != len(depths):
                raise SourceError(f"{container}: no `images` and `depths` of one length; the official file is right")
            count = len(images)
    except ContainerError as error:
        raise SourceError(f"{container}: {error.detail}") from error
    if split_file is None:
        return range(count)
    from scipy.io import loadmat

    try:
        if split_file.stat().st_size > MAX_SPLITS:
            raise SourceError(f"{split_file}: more than {MAX_SPLITS} bytes; the official file is right")
        found = np.asarray(loadmat(split_file, appendmat=False, variable_names=[INDICES[split]])[INDICES[split]])
        numbers = [int(n) - 1 for n in found.reshape(-1)]
    except SourceError:
        raise
    except Exception as error:  # scipy's reader raises whatever a broken file makes it trip over
        raise SourceError(f"{split_file}: {error!r:.100}; the official file with {INDICES[split]} is right") from error
    if len(set(numbers)) != len(numbers) or any(not 0 <= n < count for n in numbers):
        raise SourceError(
            f"{split_file}: {INDICES[split]} are no places of {count} photos; each once, 1 to {count} is right"
        )
    return numbers


def size_of(root: Path, stored: Stored) -> tuple[int, int]:
    """(width, height) of a photo and its map, from their shapes alone. Raises `Fault`."""
    container, _, depth = _split(root, stored.depth)
    _, _, photo = _split(root, stored.photo)
    try:
        shape, picture = member_shape(container, depth), member_shape(container, photo)
    except ContainerError as error:
        raise Fault(f"file: {error.reason}", error.detail) from error
    if shape is None or len(shape) != 2 or picture is None:
        raise Fault(
            "depth: missing", f"{container.name} has no rgb and depth of a photo; (3, H, W) and (H, W) are right"
        )
    if sorted(picture) != sorted((*shape, 3)):
        raise Fault(
            "photo: another size", f"{stored.photo} has the shape {picture}, its map {shape}; one size is right"
        )
    return shape[1], shape[0]


def _split(root: Path, path: str) -> tuple[Path, str, str]:
    ending = next(ending for ending in (".mat/", ".h5/") if ending in path)
    outer, _, member = path.partition(ending)
    return root / f"{outer}{ending[:-1]}", ending, member
