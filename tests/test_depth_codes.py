"""Codes of depth pictures against plain arithmetic on the files' own bytes."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vtinstruct.containers import ContainerError, has_member, read_member, split_container
from vtinstruct.depth_codes import (
    DEPTH_BENT,
    DEPTH_CENTRE,
    DEPTH_FOCAL,
    PHOTO_BENT,
    PHOTO_CENTRE,
    PHOTO_FOCAL,
    CodeError,
    decode,
    kinect,
    kinect_metres,
    sun3d,
)


def test_every_value_of_sun3d() -> None:
    levels = np.arange(65536, dtype=np.uint16)
    bits = [f"{value:016b}" for value in range(65536)]
    wanted = [min(int(bit[-3:] + bit[:-3], 2) / 1000, 8) for bit in bits]  # the last three bits go first
    assert sun3d(levels) == pytest.approx(np.array(wanted), abs=1e-6)


def test_every_value_of_the_kinect() -> None:
    swapped = np.arange(65536, dtype=np.uint16).byteswap()
    for raw, metres in enumerate(kinect_metres(swapped).tolist()):
        wanted = 0.0 if raw < 600 or raw >= 1093 else min(351.3 / (1092.5 - raw), 10)
        assert metres == pytest.approx(wanted), raw


def seen_at(x: float, y: float, bent: tuple[float, ...]) -> tuple[float, float]:
    """Brown's distortion, written out for one point."""
    k1, k2, p1, p2, k3 = bent
    r = math.hypot(x, y)
    radial = 1 + k1 * r**2 + k2 * r**4 + k3 * r**6
    return radial * x + 2 * p1 * x * y + p2 * (r**2 + 2 * x**2), radial * y + p1 * (r**2 + 2 * y**2) + 2 * p2 * x * y


# camera_params.m: `R = inv(-[...])'` of nearly nothing but -1 on the diagonal, and `T = [t_x; t_z; t_y]`.
TURN = ((9.9997798940829263e-01, 5.0518419386157446e-03, 4.3011152014118693e-03),
        (-5.0359919480810989e-03, 9.9998051861143999e-01, -3.6879781309514218e-03),
        (-4.3196624923060242e-03, 3.6662365748484798e-03, 9.9998394948385538e-01))  # fmt: skip
SHIFT = (2.5031875059141302e-02, -2.9342312935846411e-04, 6.6238747008330102e-04)


@pytest.mark.parametrize(("row", "column", "raw"), [(240, 320, 900), (30, 80, 700), (400, 560, 1000), (200, 400, 1050)])
def test_one_point_lands_where_the_toolbox_puts_it(row: int, column: int, raw: int) -> None:
    levels = np.full((480, 640), 2047, np.uint16)
    levels[row, column] = raw
    found = kinect(levels.byteswap())
    ((at_row, at_column),) = np.argwhere(found)
    depth = 351.3 / (1092.5 - raw)
    assert found[at_row, at_column] == pytest.approx(depth)
    # The straight ray whose distorted picture is this pixel, by bisection of the error of each axis in turn.
    u, v = (column + 1 - DEPTH_CENTRE[0]) / DEPTH_FOCAL[0], (row + 1 - DEPTH_CENTRE[1]) / DEPTH_FOCAL[1]
    x, y = u, v
    for _ in range(200):
        du, dv = seen_at(x, y, DEPTH_BENT)
        x, y = x + (u - du) / 2, y + (v - dv) / 2
    point = (x * depth, y * depth, depth)
    # Orthonormal to 1e-5, so the inverse is the transpose; both cameras' axes are then turned back.
    turned = [-sum(TURN[k][i] * point[k] for k in range(3)) + SHIFT[i] for i in range(3)]
    px, py = seen_at(turned[0] / turned[2], turned[1] / turned[2], PHOTO_BENT)
    assert at_column == pytest.approx(px * PHOTO_FOCAL[0] + PHOTO_CENTRE[0] - 1, abs=0.52)
    assert at_row == pytest.approx(py * PHOTO_FOCAL[1] + PHOTO_CENTRE[1] - 1, abs=0.52)


def test_the_nearest_point_covers_the_others() -> None:
    near = np.full((480, 640), 2047, np.uint16)
    near[200:260, 300:340] = 700  # 0.9 m
    behind = np.where(near == 700, near, 1050).astype(np.uint16)  # 8.3 m
    alone, covered = kinect(near.byteswap()), kinect(behind.byteswap())
    assert np.array_equal(covered[alone > 0], alone[alone > 0])
    assert (covered > 8).sum() > 150_000


def edges_met(depth: np.ndarray, grey: np.ndarray) -> float:
    """How much stronger a photo's edges are where depth jumps by 15 cm than on average."""
    known = (depth[:, 1:] > 0) & (depth[:, :-1] > 0)
    jumps = known & (np.abs(np.diff(depth, axis=1)) > 0.15)
    strength = np.abs(np.diff(grey, axis=1))
    return float(strength[jumps].mean() / strength.mean())


def test_the_real_raw_frame_meets_its_photo(shared_data: Callable[[str], Path]) -> None:
    given = shared_data("depth_open3d_rgbd") / "RGBD" / "other_formats"
    data = (given / "NYU_depth.pgm").read_bytes()
    # The file itself: a header of 17 bytes, and 16-bit numbers whose low byte comes first.
    raw = np.frombuffer(data[17:], "<u2").reshape(480, 640)
    assert data[:17] == b"P5 640 480 65535\n"
    assert (raw.min(), raw.max(), int((raw == 2047).sum())) == (839, 2047, 22199)
    levels = np.asarray(Image.open(io.BytesIO(data))).astype(np.uint16)
    metres = kinect_metres(levels)
    wanted = [0.0 if value == 2047 else 351.3 / (1092.5 - value) for value in raw.reshape(-1).tolist()]
    assert metres.reshape(-1) == pytest.approx(np.array(wanted))
    found = decode(data, "kinect.npy")
    assert set(np.unique(found)) <= set(np.unique(metres.astype(np.float32)))
    assert 0.2 < (found == 0).mean() < 0.23  # the photo sees more than the depth camera
    grey = np.asarray(Image.open(given / "NYU_color.ppm").convert("L")).astype(float)
    ours = edges_met(found, grey)
    assert ours > 1.3 * edges_met(metres, grey)
    moved = [edges_met(np.roll(found, (dy, dx), (0, 1)), grey) for dy, dx in ((0, 6), (0, -6), (6, 0), (-6, 0))]
    assert ours > max(moved)


def test_a_path_runs_through_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.array([[8, 80]], np.uint16)).save(path)
    assert split_container(path / "sun3d.npy") == (path, "sun3d.npy")
    assert has_member(path / "sun3d.npy")
    found = np.load(io.BytesIO(read_member(path, "sun3d.npy", 1 << 20)))
    assert found == pytest.approx(np.array([[0.001, 0.01]]))
    for other in (path / "other.npy", tmp_path / "none.png" / "sun3d.npy", path):
        assert split_container(other) is None
    with pytest.raises(ContainerError, match="too large"):
        read_member(path, "sun3d.npy", 10)
    with pytest.raises(ContainerError, match="640 x 480"):
        read_member(path, "kinect.npy", 1 << 20)


def test_other_pictures_are_refused(tmp_path: Path) -> None:
    def png(picture: Image.Image) -> bytes:
        target = io.BytesIO()
        picture.save(target, "PNG")
        return target.getvalue()

    whole = png(Image.fromarray(np.ones((50, 50), np.uint16)))
    for data in (b"", b"no picture", png(Image.new("L", (4, 4))), png(Image.new("RGB", (4, 4))), whole[:60]):
        with pytest.raises(CodeError) as caught:
            decode(data, "sun3d.npy")
        assert "right" in str(caught.value)
