"""Writes the sample as TUM RGB-D: a sequence of ten scenes each, colour and depth listed by times of their own.

Depth comes 4 to 11 ms after its photo, as a Kinect's does; a map holds metres x 5000 in 16 bits, 0 = missing.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

from vtinstruct.sample._shot import Shot

FIRST_TIME = 1_005_000_000.0  # seconds; before any of the benchmark's
SHOTS_PER_SEQUENCE = 10


class TumRgbd:
    """Photos and depth maps of all scenes; those for evaluation are validation sequences."""

    folder = "tum_rgbd"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._lines: dict[tuple[str, str], list[str]] = defaultdict(list)

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        ending = "_validation" if shot.split == "val" else ""
        sequence = f"rgbd_dataset_drawn{shot.index // SHOTS_PER_SEQUENCE + 1}{ending}"
        time = FIRST_TIME + shot.index / 30
        photo, depth = f"rgb/{time:.6f}.png", f"depth/{time + 0.004 + 0.001 * (shot.index % 8):.6f}.png"
        levels = np.round(np.minimum(shot.scene.depth_m, 13) * 5000).astype(np.uint16)
        for kind, path, pixels in (("rgb", photo, shot.scene.photo), ("depth", depth, levels)):
            target = self._root / sequence / path
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(target, "PNG")
            self._lines[sequence, kind].append(f"{target.stem} {path}\n")

    def finish(self) -> tuple[str, ...]:
        """Write the lists of every sequence."""
        for (sequence, kind), lines in self._lines.items():
            what = "color images" if kind == "rgb" else "depth maps"
            head = f"# {what}\n# file: '{sequence}.bag'\n# timestamp filename\n"
            (self._root / sequence / f"{kind}.txt").write_text(head + "".join(lines), "utf-8")
        validation = any(sequence.endswith("_validation") for sequence, _ in self._lines)
        train = any(not sequence.endswith("_validation") for sequence, _ in self._lines)
        return (*(("train",) if train else ()), *(("validation",) if validation else ()))


WRITER = TumRgbd
