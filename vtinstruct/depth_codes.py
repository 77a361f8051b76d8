"""Depth pictures whose numbers are no multiple of metres, and what they mean.

A path runs through such a picture to its meaning, as through an archive to a member (`vtinstruct.containers`):
`0001.png/sun3d.npy` is the picture `0001.png` in metres as SUN3D codes them, `d-1.pgm/kinect.npy` a raw frame of NYU's Kinect.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Levels = NDArray[np.uint16]
Metres = NDArray[np.float32]
MAX_PIXELS = 1 << 26

# The colour and the depth camera of NYU Depth v2: toolbox_nyu_depth_v2, camera_params.m. Focal lengths and centres in pixels
# counted from 1; distortion is Brown's (k1, k2, p1, p2, k3).
PHOTO_FOCAL, PHOTO_CENTRE = (518.85790117450188, 519.46961112127485), (325.58244941119034, 253.73616633400465)
PHOTO_BENT = (2.0796615318809061e-01, -5.8613825163911781e-01, 7.2231363135888329e-04, 1.0479627195765181e-03,
              4.9856986684705107e-01)  # fmt: skip
DEPTH_FOCAL, DEPTH_CENTRE = (582.62448167737955, 582.69103270988637), (313.04475870804731, 238.44389626620386)
DEPTH_BENT = (-9.9897236553084481e-02, 3.9065324602765344e-01, 1.9290592870229277e-03, -1.9422022475975055e-03,
              -5.1031725053400578e-01)  # fmt: skip
# From the depth camera to the colour camera, metres. The file gives the negated inverse, and axes that point backwards.
ROTATION = -np.linalg.inv(
    np.array(
        [
            [9.9997798940829263e-01, 5.0518419386157446e-03, 4.3011152014118693e-03],
            [-5.0359919480810989e-03, 9.9998051861143999e-01, -3.6879781309514218e-03],
            [-4.3196624923060242e-03, 3.6662365748484798e-03, 9.9998394948385538e-01],
        ]
    )
)
SHIFT = np.array([2.5031875059141302e-02, -2.9342312935846411e-04, 6.6238747008330102e-04])
KINECT_SIZE = (480, 640)  # rows, columns
KINECT_NEAREST, KINECT_FARTHEST = 600, 10.0  # a raw value, metres
STEPS = 20  # of turning the distortion back, which converges after a few


class CodeError(Exception):
    """A picture that is not of its code: what is wrong, and what would be right."""


def decode(data: bytes, code: str) -> Metres:
    """Metres (H, W), 0 = missing, of a grey 16-bit picture in one of `CODES`. Raises `CodeError`."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "PPM")) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise CodeError(f"{picture.width} x {picture.height}; at most {MAX_PIXELS} pixels are right")
            if not (picture.mode.startswith("I;16") or picture.mode == "I"):
                raise CodeError(f"picture mode {picture.mode}; one channel of 16 bits is right")
            levels = np.asarray(picture)
    except CodeError:
        raise
    except Exception as error:  # Pillow's readers raise whatever a broken file makes them trip over
        raise CodeError(f"{error}; a whole grey picture is right") from error
    return CODES[code](levels.astype(np.uint16))


def sun3d(levels: Levels) -> Metres:
    """SUN3D and SUN RGB-D: millimetres turned three bits to the left; what is farther than 8 m counts as 8 m.
    Source: SUNRGBDtoolbox, read3dPoints.m."""
    millimetres = (levels >> np.uint16(3)) | (levels << np.uint16(13))
    return np.minimum(millimetres.astype(np.float32) / np.float32(1000), np.float32(8))


def kinect_metres(levels: Levels) -> NDArray[np.float64]:
    """Metres of NYU's raw frames where they were measured, in the depth camera's own view; 0 = missing.

    The pictures claim to be big-endian, as PGM is, and are not: bytes are swapped first. Source: toolbox_nyu_depth_v2,
    depth_rel2depth_abs.m and project_depth_map.m.
    """
    raw = levels.byteswap().astype(np.float64)
    metres = np.divide(351.3, 1092.5 - raw, out=np.zeros(raw.shape), where=(raw >= KINECT_NEAREST) & (raw < 1092.5))
    return np.minimum(metres, KINECT_FARTHEST)


def kinect(levels: Levels) -> Metres:
    """A raw frame of NYU's Kinect as its colour camera sees it: every measured point is put where the photo, as stored, shows it.

    The toolbox straightens photo and frame first, by resampling; here both stay as they are, and the lenses' distortion goes into
    where a point falls. Of points that fall on one pixel the nearest counts. Pixels no point falls on are missing (0).
    """
    if levels.shape != KINECT_SIZE:
        raise CodeError(f"{levels.shape[1]} x {levels.shape[0]}; the 640 x 480 of NYU's Kinect are right")
    metres = kinect_metres(levels)
    measured = metres > 0
    depth = metres[measured]
    x, y = _rays()[:, measured]
    points = ROTATION @ np.stack((x * depth, y * depth, depth)) + SHIFT[:, None]  # (3, N)
    bent = _bent(points[:2] / points[2], PHOTO_BENT)
    places = np.rint(bent * np.array(PHOTO_FOCAL)[:, None] + np.array(PHOTO_CENTRE)[:, None]).astype(np.int64) - 1
    height, width = KINECT_SIZE
    inside = (places[0] >= 0) & (places[0] < width) & (places[1] >= 0) & (places[1] < height)
    nearest = np.full(KINECT_SIZE, np.inf)
    np.minimum.at(nearest, (places[1][inside], places[0][inside]), depth[inside])
    return np.where(np.isinf(nearest), 0, nearest).astype(np.float32)


@cache
def _rays() -> NDArray[np.float64]:
    """Where the points lie that the depth camera's pixels show, in focal lengths from its centre: (2, H, W)."""
    rows, columns = np.indices(KINECT_SIZE) + 1.0
    seen = (np.stack((columns, rows)) - np.array(DEPTH_CENTRE)[:, None, None]) / np.array(DEPTH_FOCAL)[:, None, None]
    return _straight(seen, DEPTH_BENT)


def _bent(at: NDArray[np.float64], by: tuple[float, ...]) -> NDArray[np.float64]:
    """Where a lens shows points (2, ...), in focal lengths from the centre."""
    k1, k2, p1, p2, k3 = by
    x, y = at
    r2 = x * x + y * y
    far = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return np.stack(
        (x * far + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y * far + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y)
    )


def _straight(seen: NDArray[np.float64], by: tuple[float, ...]) -> NDArray[np.float64]:
    """The points (2, ...) that a lens shows at `seen`: the inverse of `_bent`, step by step."""
    at = seen
    for _ in range(STEPS):
        at = at + (seen - _bent(at, by))
    return at


CODES: dict[str, Callable[[Levels], Metres]] = {"sun3d.npy": sun3d, "kinect.npy": kinect}
