"""Two folders of depth maps, or two arrays of them, scored as the NYUv2 and KITTI evaluation scripts do.

Maps are 16-bit grey PNG, metres = value / `levels` (KITTI 256, NYUv2 1000), or `.npy` arrays of metres; 0 is missing. Names pair
annotations with answers (KITTI's `_groundtruth_depth_` with `_image_`). Instead of folders, two `.npy` arrays (N, H, W) of
metres do. The definitions are in `benchmarks/depth.py`: each number is the mean over maps of the map's own.
"""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.depth import ALIGNMENTS, CROPS, MEANINGS, NEAREST, Floats, Protocol, errors
from benchmarks.official._files import OfficialError
from benchmarks.official._pictures import array_of
from benchmarks.official._table import Table
from benchmarks.official.miou import pair
from benchmarks.sums import in_order
from vtinstruct.photos import PhotoError, depth_of

BENCHMARK_HW = (352, 1216)  # what KITTI's depth benchmark keeps of a photo


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
    left_out = placed = unfilled = 0
    for where, true, found in (
        _stacks(annotations, results) if annotations.is_file() else _files(annotations, results, levels)
    ):
        if found.shape == BENCHMARK_HW and true.shape[0] >= BENCHMARK_HW[0] and true.shape[1] > BENCHMARK_HW[1]:
            found, placed = _placed(found, true.shape), placed + 1
        if true.shape != found.shape:
            raise OfficialError(f"{where}: {found.shape[::-1]} pixels; the annotation's {true.shape[::-1]} are right")
        unfilled += int(((found == 0) & (true > NEAREST)).sum())
        got = errors(true, found, protocol)
        if got is None:
            left_out += 1
        else:
            rows.append(got)
    numbers = {
        f"{name}{protocol.name}": in_order(row[name] for row in rows) / len(rows) if rows else None for name in MEANINGS
    }
    notes = [f"{len(rows)} maps; {CROPS[crop]}; {ALIGNMENTS[alignment]}"]
    if placed:
        notes.append(
            f"{placed} answers of 1216 x 352 pixels are placed in the annotated frame: in the middle, at the bottom"
        )
    if unfilled and alignment.startswith("lsq"):
        notes.append(
            f"{unfilled} answered pixels are 0, which is missing: not fitted, and errors; a constant added to a relative map "
            "that reaches 0 is right"
        )
    if left_out:
        notes.append(f"{left_out} maps left out: no annotated pixel below {cap_m:g} m, or no frame for crop {crop}")
    return Table("depth maps", numbers, (), tuple(notes), {"numpy": importlib.metadata.version("numpy")})


def _placed(found: Floats, size_hw: tuple[int, ...]) -> Floats:
    """A map of KITTI's benchmark crop in its photo's frame, unfilled around (BTS, `--do_kb_crop`)."""
    whole = np.zeros(size_hw)
    top, left = size_hw[0] - BENCHMARK_HW[0], int((size_hw[1] - BENCHMARK_HW[1]) / 2)
    whole[top:, left : left + BENCHMARK_HW[1]] = found
    return whole


def _files(annotations: Path, results: Path, levels: float) -> Iterator[tuple[str, Floats, Floats]]:
    for true_path, found_path in pair(annotations, results, (".png", ".npy")):
        yield str(found_path), _metres(true_path, levels), _metres(found_path, levels)


def _stacks(annotations: Path, results: Path) -> Iterator[tuple[str, Floats, Floats]]:
    """Maps of two arrays (N, H, W) of metres, in order."""
    true, found = _stack(annotations), _stack(results)
    if len(true) != len(found):
        raise OfficialError(f"{results}: {len(found)} maps; one to each of the {len(true)} annotated ones is right")
    for number, pair_ in enumerate(zip(true, found, strict=True)):
        maps = [one.astype(np.float64) for one in pair_]
        for path, one in zip((annotations, results), maps, strict=True):
            if not np.isfinite(one).all() or (one < 0).any():
                raise OfficialError(
                    f"{path}: map {number} has negative or not finite values; metres >= 0, 0 = missing, are right"
                )
        yield f"{results}: map {number}", maps[0], maps[1]


def _stack(path: Path) -> NDArray[Any]:
    if path.suffix != ".npy":
        raise OfficialError(
            f"{path}: no .npy array of (maps, height, width) in metres; that, or a folder of maps, is right"
        )
    return array_of(path, ("maps", "height", "width"))


def _metres(path: Path, levels: float) -> Floats:
    try:
        return depth_of(path, 1.0 if path.suffix == ".npy" else 1.0 / levels).astype(float)
    except PhotoError as error:
        raise OfficialError(f"{path}: {error}") from error
