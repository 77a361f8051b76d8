"""How each kind of thing but a person is drawn: one function per category, all on a `Brush`.

A shape fills the height 0..1 of its brush and stands on y = 1; `SHAPES` says how tall it is in metres, how wide in
heights, and how far it bulges towards the viewer in metres (for the depth map).
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np

from vtinstruct.sample.drawing.brush import Brush, Rgb, Texture, mix

WHITE: Rgb = (250.0, 248.0, 240.0)
DARK: Rgb = (52.0, 50.0, 58.0)
WOOD: Rgb = (132.0, 92.0, 60.0)


@dataclass(frozen=True)
class Look:
    """What a thing is painted with: its main colour, the texture and its second colour."""

    colour: Rgb
    texture: Texture
    second: Rgb


def _decor(brush: Brush, look: Look, pitch: float = 0.2, tilt: float = 0.0):
    mask = brush.texture(look.texture, pitch, tilt)
    return None if mask is None else (mask, look.second)


def ball(brush: Brush, look: Look, rng: Random) -> None:
    """A ball with a highlight."""
    shade = brush.sphere_shade(0.0, 0.5, 0.5)
    brush.paint(brush.ellipse(0, 0.5, 0.5, 0.5), look.colour, shade, _decor(brush, look, 0.3, rng.uniform(-0.6, 0.6)))
    brush.paint(brush.ellipse(-0.19, 0.27, 0.09, 0.07), mix(look.colour, WHITE, 0.75))


def box(brush: Brush, look: Look, rng: Random) -> None:
    """A crate seen from a corner: front, top and one side."""
    turn = rng.choice((-1.0, 1.0))
    low, back = 0.22, 0.17

    def corner(x: float, y: float) -> tuple[float, float]:
        return x * turn, y

    front = [corner(-0.46, low), corner(0.29, low), corner(0.29, 1.0), corner(-0.46, 1.0)]
    top = [corner(-0.46, low), corner(-0.46 + back, 0.0), corner(0.46, 0.0), corner(0.29, low)]
    side = [corner(0.29, low), corner(0.46, 0.0), corner(0.46, 1.0 - low), corner(0.29, 1.0)]
    brush.paint(brush.polygon(front), look.colour, 0.96, _decor(brush, look, 0.2))
    brush.paint(brush.polygon(top), mix(look.colour, WHITE, 0.3), 1.08)
    brush.paint(brush.polygon(side), look.colour, 0.72 if turn > 0 else 0.84)


def cone(brush: Brush, look: Look, rng: Random) -> None:
    """A traffic-cone-like body with a round foot."""
    tip, half = rng.uniform(0.02, 0.06), 0.4
    body = brush.polygon([(-tip, 0.0), (tip, 0.0), (half, 0.93), (-half, 0.93)]) | brush.ellipse(0, 0.92, half, 0.08)
    shade = brush.pillar_shade(0.0, tip + (half - tip) * np.clip(brush.y / 0.93, 0.05, 1.0))
    brush.paint(body, look.colour, shade, _decor(brush, look, 0.3))


def star(brush: Brush, look: Look, rng: Random) -> None:
    """A five-pointed star whose ten facets catch the light differently."""
    centre, outer, inner = (0.0, 0.545), 0.55, 0.25
    tilt = rng.uniform(-0.12, 0.12)
    rim = [
        (
            centre[0] + float(np.sin(tilt + k * np.pi / 5)) * (outer if k % 2 == 0 else inner),
            centre[1] - float(np.cos(tilt + k * np.pi / 5)) * (outer if k % 2 == 0 else inner),
        )
        for k in range(10)
    ]
    brush.paint(brush.polygon(rim), look.colour, 1.0, _decor(brush, look, 0.22))
    if look.texture == "plain":
        for k in range(10):
            facet = brush.polygon([centre, rim[k], rim[(k + 1) % 10]])
            brush.paint(facet, look.colour, (1.14, 0.8, 0.86, 0.72, 0.94, 0.7, 1.06, 0.84, 1.2, 0.92)[k])


def ring(brush: Brush, look: Look, rng: Random) -> None:
    """An upright ring: its mask has a hole."""
    hole = rng.uniform(0.24, 0.29)
    middle, half = (0.5 + hole) / 2, (0.5 - hole) / 2
    distance = np.sqrt(brush.x**2 + (brush.y - 0.5) ** 2)
    bulge = np.clip((distance - middle) / half, -1.0, 1.0)
    lit = (-brush.x * 0.6 - (brush.y - 0.5) * 0.8) / np.maximum(distance, 1e-3)
    shade = 0.66 + 0.42 * np.sqrt(1.0 - bulge**2) + 0.2 * bulge * lit
    decor = None
    if look.texture != "plain":
        spokes = np.floor((np.arctan2(brush.y - 0.5, brush.x) / np.pi + 1.0) * 6.0) % 2 < 0.5
        decor = (spokes, look.second)
    brush.paint((distance <= 0.5) & (distance >= hole), look.colour, shade.astype(np.float32), decor)


def cup(brush: Brush, look: Look, rng: Random) -> None:
    """A mug with a handle and a dark inside."""
    turn = rng.choice((-1.0, 1.0))
    from_handle = ((brush.x - turn * 0.4) / 0.27) ** 2 + ((brush.y - 0.52) / 0.26) ** 2
    brush.paint((from_handle <= 1.0) & (from_handle >= 0.32), look.colour, 0.85 if turn < 0 else 0.68)
    body = brush.polygon([(-0.42, 0.1), (0.42, 0.1), (0.34, 0.93), (-0.34, 0.93)]) | brush.ellipse(0, 0.92, 0.34, 0.08)
    brush.paint(body, look.colour, brush.pillar_shade(0.0, 0.42 - 0.08 * brush.y), _decor(brush, look, 0.24))
    brush.paint(brush.ellipse(0, 0.1, 0.42, 0.1), mix(look.colour, WHITE, 0.45))
    brush.paint(brush.ellipse(0, 0.11, 0.36, 0.075), mix(look.colour, DARK, 0.62))


def lamp(brush: Brush, look: Look, rng: Random) -> None:
    """A standing lamp; the shade carries the colour."""
    brush.paint(brush.ellipse(0, 0.96, 0.2, 0.04), DARK, 1.15)
    brush.paint(brush.capsule((0, 0.35), (0, 0.95), 0.032), DARK, 1.4)
    low = rng.uniform(0.38, 0.44)
    shade_part = brush.polygon([(-0.15, 0.0), (0.15, 0.0), (0.29, low), (-0.29, low)])
    glow = 0.86 + 0.4 * np.clip(1.0 - (brush.x / 0.24) ** 2, 0.0, 1.0) * np.clip(
        1.2 - np.abs(brush.y - low) * 2.2, 0, 1
    )
    brush.paint(shade_part, look.colour, glow.astype(np.float32), _decor(brush, look, 0.14))
    brush.paint(brush.ellipse(0, low, 0.27, 0.025), (255.0, 240.0, 190.0))


def tree(brush: Brush, look: Look, rng: Random) -> None:
    """A fir of three tiers or a round crown on a trunk."""
    brush.paint(
        brush.polygon([(-0.05, 0.6), (0.05, 0.6), (0.075, 1.0), (-0.075, 1.0)]), WOOD, brush.pillar_shade(0.0, 0.07)
    )
    if rng.random() < 0.5:
        for low, half, high in ((0.82, 0.34, 0.4), (0.6, 0.28, 0.2), (0.38, 0.21, 0.0)):
            tier = brush.polygon([(0, high), (half, low - 0.03), (0, low), (-half, low - 0.03)])
            brush.paint(tier, look.colour, brush.pillar_shade(0.0, half) * (1.05 - 0.25 * (brush.y - high)))
        return
    puffs = [(0.0, 0.22, 0.22), (-0.17, 0.4, 0.2), (0.17, 0.4, 0.2), (0.0, 0.45, 0.24)]
    for x, y, radius in puffs:
        shift_x, shift_y = rng.uniform(-0.03, 0.03), rng.uniform(0.0, 0.04)
        brush.paint(
            brush.ellipse(x + shift_x, y + shift_y, radius, radius),
            look.colour,
            brush.sphere_shade(x + shift_x, y + shift_y, radius) * 0.95,
        )


def car(brush: Brush, look: Look, rng: Random) -> None:
    """A small car from the side, driving left or right."""
    turn = rng.choice((-1.0, 1.0))

    def flip(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(x * turn, y) for x, y in points]

    cabin = [(-0.52, 0.42), (-0.38, 0.02), (0.2, 0.0), (0.45, 0.42)]
    hull = [(-0.93, 0.5), (-0.86, 0.38), (0.5, 0.38), (0.9, 0.48), (0.96, 0.6), (0.96, 0.82), (-0.95, 0.82)]
    shade = np.broadcast_to(1.2 - 0.45 * brush.y, brush.alpha.shape)
    decor = _decor(brush, look, 0.24)
    brush.paint(brush.polygon(flip(cabin)), look.colour, shade)
    brush.paint(brush.polygon(flip(hull)), look.colour, shade, decor)
    glass = (186.0, 218.0, 232.0)
    brush.paint(brush.polygon(flip([(-0.4, 0.4), (-0.31, 0.1), (-0.07, 0.1), (-0.07, 0.4)])), glass)
    brush.paint(brush.polygon(flip([(0.0, 0.4), (0.0, 0.1), (0.16, 0.1), (0.34, 0.4)])), glass, 1.06)
    brush.paint(brush.ellipse(0.9 * turn, 0.56, 0.05, 0.07), (255.0, 236.0, 150.0))
    for x in (-0.54, 0.56):
        brush.paint(brush.ellipse(x * turn, 0.8, 0.2, 0.2), DARK, 0.8)
        brush.paint(brush.ellipse(x * turn, 0.8, 0.095, 0.095), (205.0, 205.0, 210.0))


Draw = Callable[[Brush, Look, Random], None]


@dataclass(frozen=True)
class Shape:
    """Draw function with the real height (m), half width in heights, bulge towards the viewer (m) and its textures."""

    draw: Draw
    height_m: float
    half_width: float
    bulge_m: float
    textures: tuple[Texture, ...] = ("plain", "plain", "striped", "dotted", "checked")


SHAPES: dict[str, Shape] = {
    "ball": Shape(ball, 0.62, 0.5, 0.3),
    "box": Shape(box, 0.72, 0.46, 0.3),
    "cone": Shape(cone, 0.85, 0.4, 0.25, ("plain", "striped", "striped")),
    "star": Shape(star, 0.8, 0.54, 0.08, ("plain", "plain", "plain", "dotted", "checked")),
    "ring": Shape(ring, 0.78, 0.5, 0.08, ("plain", "plain", "striped")),
    "cup": Shape(cup, 0.62, 0.64, 0.25),
    "lamp": Shape(lamp, 1.4, 0.29, 0.2, ("plain", "plain", "striped", "dotted")),
    "tree": Shape(tree, 1.6, 0.38, 0.35, ("plain",)),
    "car": Shape(car, 0.78, 0.97, 0.4, ("plain", "plain", "striped")),
}
