"""Writes the sample as SUN RGB-D: a folder a frame, depth in turned millimetres, and the toolbox's list of the splits.

The list is a MATLAB file of cells; its header, which would hold the time it was written at, is made plain.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false
# (scipy ships no types)

import io
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from vtinstruct.sample._shot import Shot, write_whole

CAMERAS = ("kv2/drawn", "realsense/drawn", "xtion/drawn")  # not kv1, where NYU's photos are
THEIRS = "/n/fs/sun3d/data/SUNRGBD"  # the folder the official list names
HEADER = b"MATLAB 5.0 MAT-file".ljust(116)


class Sunrgbd:
    """Photos and depth maps of all scenes."""

    folder = "sunrgbd"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._frames: dict[str, list[str]] = {"train": [], "test": []}

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        frame = f"{CAMERAS[shot.index % 3]}_{shot.scene.place}/{shot.index:07d}"
        self._frames["train" if shot.split == "train" else "test"].append(f"{THEIRS}/{frame}")
        folder = self._root / "SUNRGBD" / frame
        shot.place_photo(folder / "image" / f"{shot.index:07d}.jpg")
        millimetres = np.round(np.minimum(shot.scene.depth_m, 60) * 1000).astype(np.uint16)
        turned = (millimetres << np.uint16(3)) | (millimetres >> np.uint16(13))
        path = folder / "depth_bfx" / f"{shot.index:07d}_depth.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(turned).save(path, "PNG")
        (folder / "scene.txt").write_text(shot.scene.place, "utf-8")

    def finish(self) -> tuple[str, ...]:
        """Write the list of the splits."""
        lists: dict[str, object] = {}
        for split, frames in self._frames.items():
            cells = np.empty((1, len(frames)), dtype=object)
            cells[0, :] = frames
            lists[f"all{split}"] = cells
        target = io.BytesIO()
        savemat(target, lists)
        write_whole(
            self._root / "SUNRGBDtoolbox" / "traintestSUNRGBD" / "allsplit.mat", HEADER + target.getvalue()[116:]
        )
        return tuple(split for split, frames in self._frames.items() if frames)


WRITER = Sunrgbd
