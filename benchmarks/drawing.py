"""Answers over photos, as SVG: boxes, masks, skeletons, points and depth, one colour per concept.

A drawing is a picture shrunk to a thumbnail (JPEG, in the page itself) and marks in the photo's own pixel frame, so that
lines stay sharp.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray
from PIL import Image

from vtinstruct.dialogue import Prompt, Triplet
from vtinstruct.drawing import LIMBS, outline
from vtinstruct.geometry import GeometryError
from vtinstruct.photos import PhotoError, read_depth, read_inverse_depth
from vtinstruct.units import Box, Depth, Keypoints, Mask, Point, Rle

SIDE = 300  # pixels of a thumbnail's longer side
MOST = 60  # instances drawn in one picture
# Anchors of a dark violet - red - yellow ramp, near to far
RAMP = np.array(
    [[252, 253, 191], [254, 176, 120], [241, 96, 93], [183, 55, 121], [114, 31, 129], [44, 17, 95], [8, 6, 30]], float
)


@dataclass(frozen=True, slots=True)
class Canvas:
    """The frame of one photo: its size, how lines are scaled to look alike on every photo, and concepts' colours."""

    size_wh: tuple[int, int]
    inks: Mapping[str, str]

    @property
    def line(self) -> float:
        return max(self.size_wh) / 160

    def open(self, ground: str) -> str:
        width, height = self.size_wh
        return f'<svg class="photo" viewBox="0 0 {width} {height}" role="img">{ground}'


def data_uri(picture: Image.Image, kind: str) -> str:
    """A picture inside the page."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **({"quality": 82} if kind == "JPEG" else {"optimize": True}))
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def thumbnail(picture: Image.Image) -> str:
    """A photo, small, as a data URI."""
    small = picture.copy()
    small.thumbnail((SIDE, SIDE))
    return data_uri(small.convert("RGB"), "JPEG")


def image_tag(uri: str, size_wh: tuple[int, int], more: str = "") -> str:
    """An SVG image that fills the frame."""
    return f'<image href="{uri}" width="{size_wh[0]}" height="{size_wh[1]}" preserveAspectRatio="none" {more}/>'


def draw(
    ground: str, canvas: Canvas, triplets: Sequence[Triplet], folder: Path, marks: Sequence[Prompt] = ()
) -> Markup:  # fmt: skip
    """One panel: the ground, what the triplets point at, and the marks of the question. Geometry that cannot be drawn (an
    unreadable depth map) is left out of the picture; its fault is listed by the scores."""
    flat = [(canvas.inks[t.concept], r.unit) for t in triplets for r in t.references if r.unit is not None][:MOST]
    names = [t.concept for t in triplets for r in t.references if r.unit is not None][:MOST]
    found = [canvas.open(ground)]
    found += [_depth(unit, folder, canvas.size_wh) for _, unit in flat if isinstance(unit, Depth)]
    found += [_mask(unit.mask_rle, canvas, ink) for ink, unit in flat if isinstance(unit, Mask)]
    for (ink, unit), name in zip(flat, names, strict=True):
        match unit:
            case Box():
                found.append(_box(name, unit, canvas, ink))
            case Keypoints():
                found.append(_pose(unit, canvas, ink))
            case Point():
                found.append(_point(unit, canvas, ink))
            case _:
                pass
    found += [_mark(prompt, canvas) for prompt in marks]
    return Markup("".join([*found, "</svg>"]))


def _box(concept: str, box: Box, canvas: Canvas, ink: str) -> str:
    x0, y0, x1, y1 = box.box_xyxy
    line, size = canvas.line, 4.6 * canvas.line
    label = concept if len(concept) <= 22 else concept[:21] + "…"
    wide, tag_y = (0.63 * len(label) + 0.7) * size, max(0.0, y0 - 1.3 * size)
    tag_x = min(max(0.0, x0), max(0.0, canvas.size_wh[0] - wide))
    return (
        f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" fill="none" stroke="{ink}" '
        f'stroke-width="{line:.2f}" rx="{line:.2f}"/>'
        f'<rect x="{tag_x:.1f}" y="{tag_y:.1f}" width="{wide:.1f}" height="{1.3 * size:.1f}" rx="{line:.2f}" '
        f'fill="{ink}"/><text x="{tag_x + 0.35 * size:.1f}" y="{tag_y + 0.98 * size:.1f}" '
        f'style="font-size:{size:.1f}px" class="tag">{escape(label)}</text>'
    )


def _pose(pose: Keypoints, canvas: Canvas, ink: str) -> str:
    line, points = canvas.line, pose.keypoints_xyv
    limbs = [(points[a], points[b]) for a, b in LIMBS if len(points) == 17]
    path = "".join(f"M{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}" for a, b in limbs if a[2] and b[2])
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{1.3 * line:.2f}" fill="#fff" stroke="{ink}" stroke-width="{0.7 * line:.2f}"/>'
        for x, y, v in points
        if v
    )
    return f'<path d="{path}" fill="none" stroke="{ink}" stroke-width="{1.2 * line:.2f}" stroke-linecap="round"/>{dots}'


def _point(point: Point, canvas: Canvas, ink: str) -> str:
    x, y = point.point_xy
    line = canvas.line
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{2.4 * line:.2f}" fill="{ink}" stroke="#fff" stroke-width="{line:.2f}"/>'
    )


def _mark(prompt: Prompt, canvas: Canvas) -> str:
    match prompt.mark:
        case Point():
            return _point(prompt.mark, canvas, "#ffd60a")
        case Mask():
            return _mask(prompt.mark.mask_rle, canvas, "#ffd60a", 0.9)
        case Box():
            x0, y0, x1, y1 = prompt.mark.box_xyxy
            line = canvas.line
            return (
                f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" fill="none" '
                f'stroke="#ffd60a" stroke-width="{line:.2f}" stroke-dasharray="{3 * line:.2f} {2 * line:.2f}"/>'
            )


def _mask(rle: Rle, canvas: Canvas, ink: str, alpha: float = 0.45) -> str:
    try:
        path = outline(rle)
    except GeometryError:
        return ""
    return (
        f'<path d="{path}" fill="{ink}" fill-opacity="{alpha}" fill-rule="evenodd" stroke="{ink}" '
        f'stroke-width="{0.7 * canvas.line:.2f}" stroke-linejoin="round"/>'
    )


def _depth(depth: Depth, folder: Path, size_wh: tuple[int, int]) -> str:
    try:
        if depth.frame == "metres":
            metres = read_depth(folder, depth, size_wh).astype(np.float64)
        else:  # any scale is as good as another: from 0.5 m for the nearest to 20 m for the farthest
            inverse, known = read_inverse_depth(folder, depth, size_wh)
            low, high = (float(inverse[known].min()), float(inverse[known].max())) if known.any() else (0.0, 0.0)
            share = (inverse.astype(np.float64) - low) / max(high - low, 1e-9)
            metres = known / (1 / 20 + (1 / 0.5 - 1 / 20) * share.clip(0, 1))
    except PhotoError:
        return ""
    return image_tag(data_uri(depth_picture(metres), "JPEG"), size_wh)


def ramp_css() -> str:
    """The colours of `depth_picture`, near to far, as a CSS gradient."""
    return f"linear-gradient(90deg, {', '.join('rgb(' + ' '.join(str(int(v)) for v in stop) + ')' for stop in RAMP)})"


def depth_picture(metres: NDArray[np.float64]) -> Image.Image:
    """Near is light, far is dark, on a logarithmic scale of 0.5 to 20 m; missing is grey. The same depth has the same
    colour in every picture, so that truth and answer can be compared by eye."""
    place = np.clip((np.log(np.maximum(metres, 1e-3)) - np.log(0.5)) / (np.log(20.0) - np.log(0.5)), 0, 1)
    steps = place * (len(RAMP) - 1)
    low = np.minimum(steps.astype(np.int64), len(RAMP) - 2)
    part = (steps - low)[..., None]
    rgb = RAMP[low] * (1 - part) + RAMP[low + 1] * part
    rgb[metres <= 0] = 128
    picture = Image.fromarray(rgb.astype(np.uint8))
    picture.thumbnail((SIDE, SIDE))
    return picture
