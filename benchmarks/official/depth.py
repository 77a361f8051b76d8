"""Two folders of depth maps, scored as the NYUv2 and KITTI evaluation scripts do.

Maps are 16-bit grey PNG, metres = value / `levels` (KITTI 256, NYUv2 1000), or `.npy` arrays of metres; 0 is missing. Names pair
annotations with answers. The definitions are in `benchmarks/depth.py`: each number is the mean over maps of the map's own.
"""

from __future__ import annotations

import importlib.metadata
import math
from pathlib import Path

from benchmarks.depth import ALIGNMENTS, CROPS, MEANINGS, Floats, Protocol, errors
from benchmarks.official._files import OfficialError
from benchmarks.official._table import Table
from benchmarks.official.miou import pair
from vtinstruct.photos import PhotoError, depth_of


def depth(
    annotations: Path, results: Path, levels: float = 256.0, crop: str = "none", cap_m: float = 80.0,
    alignment: str = "none",
) -> Table:  # fmt: skip
    """The ten numbers under one protocol, which stands in their names. Raises `OfficialError`."""
    for value, known, what in ((crop, CROPS, "crop"), (alignment, ALIGNMENTS, "alignment")):
        if value not in known:
            raise OfficialError(f"no {what} {value!r}; known: {', '.join(known)}")
    if not (math.isfinite(levels) and levels > 0 and math.isfinite(cap_m) and cap_m > 0):
        raise OfficialError(f"{levels} levels a metre and a cap of {cap_m} m; numbers above 0 are right")
    protocol = Protocol(crop, cap_m, alignment)
    rows: list[dict[str, float]] = []
    left_out = 0
    for true_path, found_path in pair(annotations, results, (".png", ".npy")):
        true, found = _metres(true_path, levels), _metres(found_path, levels)
        if true.shape != found.shape:
            raise OfficialError(
                f"{found_path}: {found.shape[::-1]} pixels; the annotation's {true.shape[::-1]} are right"
            )
        got = errors(true, found, protocol)
        if got is None:
            left_out += 1
        else:
            rows.append(got)
    numbers = {
        f"{name}{protocol.name}": math.fsum(row[name] for row in rows) / len(rows) if rows else None
        for name in MEANINGS
    }
    notes = [f"{len(rows)} maps; {CROPS[crop]}; {ALIGNMENTS[alignment]}"]
    if left_out:
        notes.append(f"{left_out} maps left out: no annotated pixel below {cap_m:g} m, or no frame for crop {crop}")
    return Table("depth maps", numbers, (), tuple(notes), {"numpy": importlib.metadata.version("numpy")})


def _metres(path: Path, levels: float) -> Floats:
    try:
        return depth_of(path, 1.0 if path.suffix == ".npy" else 1.0 / levels).astype(float)
    except PhotoError as error:
        raise OfficialError(f"{path}: {error}") from error
