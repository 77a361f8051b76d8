"""The stuff behind the things: sky, hills, grass, sand, sea, wall, floor and rug, with their labels and depth.

The camera stands `CAMERA_M` above flat ground and looks level: a ground point `y` pixels below the horizon lies
`focal_px * CAMERA_M / y` metres away. Pictures are painted OVERSAMPLE times larger and averaged down.
"""

from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from vtinstruct.sample.drawing.brush import Float, Rgb, average_blocks

CAMERA_M = 1.15
OVERSAMPLE = 2
NEAREST_M, FARTHEST_M = 0.5, 10.0
STUFF = ("sky", "hill", "grass", "sand", "sea", "wall", "floor", "rug")  # label map value = position + 1; 0 is nothing


@dataclass(frozen=True)
class Backdrop:
    """Photo-sized background: rgb (H, W, 3) float 0..255, labels (H, W) uint8, depth_m (H, W), and the camera."""

    rgb: Float
    labels: NDArray[np.uint8]
    depth_m: Float
    horizon_y: float
    focal_px: float
    place: str

    def ground_y(self, depth_m: float) -> float:
        """Photo row (pixels) where ground at `depth_m` metres is seen."""
        return self.horizon_y + self.focal_px * CAMERA_M / depth_m


def smooth_noise(rng: Random, shape_hw: tuple[int, int], cells_hw: tuple[int, int]) -> Float:
    """Soft random field (H, W) in 0..1, bilinear between `cells_hw` random values."""
    rows, columns = cells_hw[0] + 1, cells_hw[1] + 1
    grid = np.frombuffer(rng.randbytes(rows * columns), np.uint8).reshape(rows, columns).astype(np.float32) / 255
    y = np.linspace(0, cells_hw[0] - 1e-3, shape_hw[0], dtype=np.float32)
    x = np.linspace(0, cells_hw[1] - 1e-3, shape_hw[1], dtype=np.float32)
    row, column = y.astype(np.intp), x.astype(np.intp)
    down, across = (y - row)[:, None], (x - column)[None, :]
    down, across = down * down * (3 - 2 * down), across * across * (3 - 2 * across)
    lines = grid[:, column] * (1 - across) + grid[:, column + 1] * across  # few rows yet, all columns
    return lines[row] * (1 - down) + lines[row + 1] * down


def _either(where: NDArray[np.bool_], yes: float, no: float) -> Float:
    return np.where(where, np.float32(yes), np.float32(no))


def _ramp(top: Rgb, bottom: Rgb, share: Float) -> Float:
    share = np.clip(share, 0, 1)[..., None]
    return np.asarray(top, np.float32) * (1 - share) + np.asarray(bottom, np.float32) * share


class _Canvas:
    """Oversampled picture under construction with its pixel rows, columns and ground distances."""

    def __init__(self, rng: Random, size_wh: tuple[int, int]) -> None:
        self.width, self.height = size_wh
        self.horizon_y = self.height * rng.uniform(0.3, 0.4)
        self.focal_px = self.height * 0.75
        self.shape = (self.height * OVERSAMPLE, self.width * OVERSAMPLE)
        self.y: Float = ((np.arange(self.shape[0], dtype=np.float32) + 0.5) / OVERSAMPLE)[:, None]
        self.x: Float = ((np.arange(self.shape[1], dtype=np.float32) + 0.5) / OVERSAMPLE)[None, :]
        below = np.maximum(self.y - self.horizon_y, 1e-3)
        self.ground_m: Float = np.minimum(self.focal_px * CAMERA_M / below, 60.0)
        self.across_m: Float = (self.x - self.width / 2) * self.ground_m / self.focal_px
        self.rgb: Float = np.zeros((*self.shape, 3), np.float32)
        self.labels = np.zeros(self.shape, np.uint8)
        self.depth_m: Float = np.full(self.shape, FARTHEST_M, np.float32)

    def lay(self, where: NDArray[np.bool_] | None, name: str, rgb: Float, depth_m: Float | float) -> None:
        """Cover the pixels `where` (all of them for None) with a kind of stuff."""
        if where is None:
            self.rgb[:], self.labels[:], self.depth_m[:] = rgb, STUFF.index(name) + 1, depth_m
            return
        where = np.broadcast_to(where, self.shape)
        np.copyto(self.rgb, rgb, where=where[..., None], casting="same_kind")
        np.copyto(self.labels, np.uint8(STUFF.index(name) + 1), where=where)
        np.copyto(self.depth_m, depth_m, where=where, casting="same_kind")

    def finish(self, place: str) -> Backdrop:
        middle = OVERSAMPLE // 2
        return Backdrop(
            average_blocks(self.rgb, OVERSAMPLE),
            self.labels[middle::OVERSAMPLE, middle::OVERSAMPLE].copy(),
            np.clip(self.depth_m[middle::OVERSAMPLE, middle::OVERSAMPLE], NEAREST_M, FARTHEST_M).copy(),
            self.horizon_y,
            self.focal_px,
            place,
        )


def draw_backdrop(rng: Random, size_wh: tuple[int, int]) -> Backdrop:
    """A room, a meadow or a beach of the given (width, height)."""
    canvas = _Canvas(rng, size_wh)
    place = rng.choice(("room", "room", "meadow", "beach"))
    {"room": _room, "meadow": _meadow, "beach": _beach}[place](canvas, rng)
    return canvas.finish(place)


def _sky(canvas: _Canvas, rng: Random) -> None:
    evening = rng.random() < 0.25
    top, low = ((150, 150, 196), (250, 214, 186)) if evening else ((128, 180, 226), (218, 234, 242))
    rgb = _ramp(top, low, canvas.y / canvas.horizon_y)
    clouds = smooth_noise(rng, canvas.shape, (9, 7)) * 0.65 + smooth_noise(rng, canvas.shape, (22, 16)) * 0.35
    rgb = rgb + np.clip((clouds - 0.5) * 3.2, 0, 0.85)[..., None] * (np.array((252, 250, 248), np.float32) - rgb)
    canvas.lay(None, "sky", rgb, FARTHEST_M)


def _meadow(canvas: _Canvas, rng: Random) -> None:
    _sky(canvas, rng)
    if rng.random() < 0.75:
        wave = smooth_noise(rng, (1, canvas.shape[1]), (1, rng.randint(3, 6)))
        crest = canvas.horizon_y - canvas.height * (0.04 + 0.16 * wave)
        tint = rng.choice(((134, 158, 150), (150, 160, 172), (140, 164, 130)))
        rgb = _ramp(tint, (188, 202, 190), (canvas.y - crest) / (canvas.height * 0.22))
        canvas.lay((canvas.y >= crest) & (canvas.y <= canvas.horizon_y + 1), "hill", rgb, 9.0)
    far, near = rng.choice(
        (((180, 202, 136), (134, 172, 96)), ((196, 206, 140), (156, 178, 98)), ((168, 198, 150), (116, 164, 104)))
    )
    rgb = _ramp(far, near, (canvas.y - canvas.horizon_y) / (canvas.height - canvas.horizon_y))
    stripes = _either(np.floor(canvas.across_m * 0.9 + 40) % 2 < 0.5, 1.0, 0.955) if rng.random() < 0.5 else 1.0
    grain = 0.93 + 0.14 * smooth_noise(rng, canvas.shape, (60, 50))
    canvas.lay(canvas.y > canvas.horizon_y, "grass", rgb * (grain * stripes)[..., None], canvas.ground_m)


def _beach(canvas: _Canvas, rng: Random) -> None:
    _sky(canvas, rng)
    shore = canvas.horizon_y + canvas.height * rng.uniform(0.06, 0.1)
    wave = shore + canvas.height * 0.025 * (smooth_noise(rng, (1, canvas.shape[1]), (1, 5)) - 0.5)
    water = _ramp((104, 160, 186), (150, 206, 206), (canvas.y - canvas.horizon_y) / (shore - canvas.horizon_y))
    water = water * (0.95 + 0.1 * smooth_noise(rng, canvas.shape, (90, 8)))[..., None]
    canvas.lay(canvas.y > canvas.horizon_y, "sea", water, canvas.ground_m)
    sand = _ramp((238, 222, 184), (222, 198, 150), (canvas.y - shore) / (canvas.height - shore))
    grain = 0.95 + 0.1 * smooth_noise(rng, canvas.shape, (70, 70))
    foam = np.clip(1 - np.abs(canvas.y - wave) / 1.6, 0, 1)[..., None]
    canvas.lay(canvas.y > wave, "sand", (sand * grain[..., None]) * (1 - foam) + 250 * foam, canvas.ground_m)


WALLS: tuple[Rgb, ...] = ((226, 216, 204), (204, 214, 220), (214, 222, 206), (230, 208, 204), (216, 208, 226))
FLOORS: tuple[Rgb, ...] = ((196, 166, 132), (176, 150, 126), (188, 182, 174), (160, 140, 124))


def _room(canvas: _Canvas, rng: Random) -> None:
    back_m = rng.uniform(3.9, 4.8)
    wall, floor = rng.choice(WALLS), rng.choice(FLOORS)
    seam = canvas.horizon_y + canvas.focal_px * CAMERA_M / back_m
    light = 1.05 - 0.16 * (canvas.x / canvas.width) - 0.08 * (canvas.y / canvas.height)
    pattern: Float | float = 1.0
    kind = rng.choice(("plain", "plain", "stripes", "panels"))
    if kind == "stripes":
        pattern = _either(np.floor(canvas.x / rng.uniform(5, 9)) % 2 < 0.5, 1.0, 0.955)
    if kind == "panels":
        pattern = _either((canvas.x % 26 < 1) | (np.abs(canvas.y - seam * 0.62) < 0.7), 0.9, 1.0)
    rgb = np.asarray(wall, np.float32) * (light * pattern)[..., None]
    canvas.lay(None, "wall", rgb, back_m)
    skirting = (canvas.y > seam - canvas.height * 0.035) & (canvas.y <= seam)
    canvas.lay(skirting, "wall", np.asarray((244, 240, 234), np.float32) * light[..., None], back_m)
    if rng.random() < 0.5:
        _picture(canvas, rng, seam, back_m)
    if rng.random() < 0.6:
        row = np.floor(canvas.across_m * 2.4 + 40)
        boards = 0.94 + 0.1 * (row * 0.618 % 1.0)
        boards = boards * _either((canvas.across_m * 2.4 + 40) % 1.0 < 0.05, 0.86, 1.0)
    else:
        boards = _either((np.floor(canvas.across_m * 1.6 + 40) + np.floor(canvas.ground_m * 1.6)) % 2 < 0.5, 1.0, 0.9)
    glow = 0.9 + 0.16 * (canvas.y - seam) / (canvas.height - seam)
    canvas.lay(canvas.y > seam, "floor", np.asarray(floor, np.float32) * (boards * glow)[..., None], canvas.ground_m)
    if rng.random() < 0.45:
        colour = np.asarray(
            rng.choice(((176, 196, 204), (214, 190, 170), (196, 184, 206), (206, 206, 178))), np.float32
        )
        middle_x, middle_m = rng.uniform(-0.5, 0.5), rng.uniform(2.1, 2.5)
        rim = ((canvas.across_m - middle_x) / 1.25) ** 2 + ((canvas.ground_m - middle_m) / 0.75) ** 2
        weave = _either((rim > 0.72) & (rim < 0.84), 0.82, 1.0)
        canvas.lay((rim <= 1) & (canvas.y > seam), "rug", colour * weave[..., None], canvas.ground_m)


def _picture(canvas: _Canvas, rng: Random, seam: float, back_m: float) -> None:
    """A framed picture or window on the wall; it stays part of the wall, as frames do in coarse stuff labels."""
    left, top = canvas.width * rng.uniform(0.08, 0.68), seam * rng.uniform(0.12, 0.25)
    right, bottom = left + canvas.width * rng.uniform(0.14, 0.24), top + seam * rng.uniform(0.3, 0.42)
    frame = (canvas.x > left) & (canvas.x < right) & (canvas.y > top) & (canvas.y < bottom)
    inner = (canvas.x > left + 2) & (canvas.x < right - 2) & (canvas.y > top + 2) & (canvas.y < bottom - 2)
    canvas.lay(frame, "wall", np.asarray((150, 126, 104), np.float32), back_m)
    share = (canvas.y - top) / (bottom - top) + 0.25 * smooth_noise(rng, canvas.shape, (6, 8))
    canvas.lay(inner, "wall", _ramp((190, 214, 224), (226, 214, 188), share * 1.2 - 0.2), back_m)
