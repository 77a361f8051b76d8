"""A small canvas for one drawn thing: a bitmap with its outline, painted three times larger than the photo.

Coordinates are in *object heights*: x is 0 in the middle and grows to the right, y is 0 at the top and 1 on the
ground. Colours are float RGB 0..255. Everything is plain arithmetic on arrays, so equal inputs give equal bytes.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Bool = NDArray[np.bool_]
Float = NDArray[np.floating[Any]]  # float32 in fact; numpy types arithmetic with plain numbers as wider
Rgb = tuple[float, float, float]
Texture = Literal["plain", "striped", "dotted", "checked"]

OVERSAMPLE = 3
LIGHT = (-0.48, -0.62, 0.62)  # direction towards the light: upper left, in front; unit length


def average_blocks(picture: Float, side: int) -> Float:
    """Picture (h * side, w * side, ...) float32 averaged over blocks of side x side: (h, w, ...)."""
    total = picture[0::side, 0::side].copy()
    for row in range(side):
        for column in range(side):
            if row or column:
                total += picture[row::side, column::side]
    return total / np.float32(side * side)


def mix(first: Rgb, second: Rgb, share: float) -> Rgb:
    """Colour on the way from `first` (share 0) to `second` (share 1)."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


class Brush:
    """Canvas of one thing: `rgb` (h, w, 3) float32 and `alpha` (h, w) bool, with shape masks and a paint call.

    `left`, `top` place the canvas on the photo in whole photo pixels; `height_px` is the object's height there.
    """

    def __init__(self, centre_x: float, bottom_y: float, height_px: float, reach: tuple[float, float, float]) -> None:
        """`reach` is how far the thing may extend (left/right, above its top, below the ground) in object heights."""
        side, above, below = reach
        self.left = int(centre_x - side * height_px) - 1
        self.top = int(bottom_y - (1 + above) * height_px) - 1
        right = int(centre_x + side * height_px) + 2
        bottom = int(bottom_y + below * height_px) + 2
        self.width, self.height = right - self.left, bottom - self.top
        self.scale = height_px * OVERSAMPLE
        self.origin = ((centre_x - self.left) * OVERSAMPLE, (bottom_y - height_px - self.top) * OVERSAMPLE)
        columns = np.arange(self.width * OVERSAMPLE, dtype=np.float32) + 0.5
        rows = np.arange(self.height * OVERSAMPLE, dtype=np.float32) + 0.5
        self.x: Float = ((columns - self.origin[0]) / self.scale)[None, :].astype(np.float32)
        self.y: Float = ((rows - self.origin[1]) / self.scale)[:, None].astype(np.float32)
        self.rgb: Float = np.zeros((rows.size, columns.size, 3), np.float32)
        self.alpha: Bool = np.zeros((rows.size, columns.size), np.bool_)

    def polygon(self, points: Sequence[tuple[float, float]]) -> Bool:
        """Mask (h, w) of a filled polygon."""
        picture = Image.new("L", (self.alpha.shape[1], self.alpha.shape[0]))
        corners = [(x * self.scale + self.origin[0] - 0.5, y * self.scale + self.origin[1] - 0.5) for x, y in points]
        ImageDraw.Draw(picture).polygon(corners, fill=1)
        return np.asarray(picture).astype(np.bool_)

    def ellipse(self, x: float, y: float, radius_x: float, radius_y: float) -> Bool:
        """Mask (h, w) of an axis-aligned ellipse."""
        return ((self.x - x) / radius_x) ** 2 + ((self.y - y) / radius_y) ** 2 <= 1.0

    def capsule(
        self, start: tuple[float, float], end: tuple[float, float], radius: float, end_radius: float | None = None
    ) -> Bool:
        """Mask (h, w) of a line with round ends that may taper from `radius` to `end_radius`."""
        largest = max(radius, end_radius or radius) + 2 / self.scale  # two fine pixels to spare
        columns = np.flatnonzero(
            (self.x[0] >= min(start[0], end[0]) - largest) & (self.x[0] <= max(start[0], end[0]) + largest)
        )
        rows = np.flatnonzero(
            (self.y[:, 0] >= min(start[1], end[1]) - largest) & (self.y[:, 0] <= max(start[1], end[1]) + largest)
        )
        mask = np.zeros(self.alpha.shape, np.bool_)
        if columns.size == 0 or rows.size == 0:
            return mask
        window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        x, y = self.x[:, window[1]], self.y[window[0]]
        along_x, along_y = end[0] - start[0], end[1] - start[1]
        length2 = max(along_x**2 + along_y**2, 1e-6)
        share = np.clip(((x - start[0]) * along_x + (y - start[1]) * along_y) / length2, 0.0, 1.0)
        gap2 = (x - start[0] - share * along_x) ** 2 + (y - start[1] - share * along_y) ** 2
        thick = radius + share * ((radius if end_radius is None else end_radius) - radius)
        mask[window] = gap2 <= thick**2
        return mask

    def paint(self, mask: Bool, colour: Rgb, shade: Float | float = 1.0, decor: tuple[Bool, Rgb] | None = None) -> None:
        """Fill `mask` with `colour` times `shade`; `decor` is (texture mask, its colour) laid on top first."""
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if rows.size == 0:
            return
        window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]  # most parts are far smaller than a canvas
        part = mask[window]
        field = np.empty((*part.shape, 3), np.float32)
        field[:] = colour
        if decor is not None:
            np.copyto(field, np.asarray(decor[1], np.float32), where=decor[0][window][..., None])
        field *= shade if isinstance(shade, float) else np.broadcast_to(shade, mask.shape)[window][..., None]
        np.copyto(self.rgb[window], np.clip(field, 0.0, 255.0), where=part[..., None])
        self.alpha[window] |= part

    def texture(self, kind: Texture, pitch: float = 0.2, tilt: float = 0.0) -> Bool | None:
        """Mask (h, w) of the second colour of a texture with period `pitch`, or None for a plain surface."""
        across, down = self.x + tilt * self.y + 8.0, self.y - tilt * self.x + 8.0
        if kind == "striped":
            return np.broadcast_to((down / pitch) % 1.0 < 0.45, self.alpha.shape)
        if kind == "dotted":
            odd = np.floor(down / pitch) % 2 * 0.5
            return ((across / pitch + odd) % 1.0 - 0.5) ** 2 + ((down / pitch) % 1.0 - 0.5) ** 2 < 0.085
        if kind == "checked":
            return (np.floor(across / pitch) + np.floor(down / pitch)) % 2 < 0.5
        return None

    def sphere_shade(self, x: float, y: float, radius: float) -> Float:
        """Brightness (h, w) of a ball lit from the upper left."""
        across, down = (self.x - x) / radius, (self.y - y) / radius
        towards = np.sqrt(np.clip(1.0 - across**2 - down**2, 0.0, 1.0))
        return (0.55 + 0.62 * np.clip(across * LIGHT[0] + down * LIGHT[1] + towards * LIGHT[2], -0.3, 1.0)).astype(
            np.float32
        )

    def pillar_shade(self, x: float, half_width: Float | float) -> Float:
        """Brightness (h, w) of an upright round body of the given half width, lit from the left."""
        across = np.clip((self.x - x) / np.maximum(half_width, 1e-3), -1.0, 1.0)
        return (0.72 - 0.34 * across + 0.3 * (1.0 - across**2)).astype(np.float32)

    def reduced(self) -> tuple[Float, Float]:
        """Photo-sized (colour (h, w, 3) premultiplied by coverage, coverage (h, w) 0..1), by averaging blocks."""
        return average_blocks(self.rgb, OVERSAMPLE), average_blocks(self.alpha.astype(np.float32), OVERSAMPLE)
