"""Who stands where in a drawn scene: things, their size by distance, and room between them."""

from dataclasses import dataclass, replace
from random import Random

from vtinstruct.sample.drawing.backdrops import Backdrop
from vtinstruct.sample.drawing.brush import Rgb, Texture
from vtinstruct.sample.drawing.person import PERSON_HEIGHT_M, PERSON_REACH, Body, pose_body
from vtinstruct.sample.drawing.shapes import SHAPES

COLOURS: dict[str, Rgb] = {
    "red": (214, 48, 44),
    "orange": (240, 134, 34),
    "yellow": (246, 208, 46),
    "green": (38, 140, 70),
    "blue": (42, 92, 200),
    "purple": (128, 66, 170),
    "pink": (240, 128, 172),
    "white": (238, 238, 234),
    "black": (58, 56, 64),
}


@dataclass(frozen=True)
class Plan:
    """Where and how one thing will be drawn: feet at (x, y) pixels, height in pixels, and its body parts' offsets."""

    category: str
    colour: str
    texture: Texture
    depth_m: float
    x: float
    y: float
    height_px: float
    half_width_px: float
    body: Body | None
    offsets: tuple[tuple[float, float], ...] = ((0.0, 0.0),)

    @property
    def crowd(self) -> bool:
        return len(self.offsets) > 1


def plan_things(rng: Random, backdrop: Backdrop, size_wh: tuple[int, int]) -> list[Plan]:
    wanted = rng.choice((1, 2, 3, 3, 4, 4, 5, 6))
    names = [rng.choice(tuple(SHAPES)) for _ in range(wanted)]
    if wanted >= 2 and rng.random() < 0.5:
        names[1] = names[0]  # several of one kind make "the red one" worth saying
    if rng.random() < 0.55:
        names[-1] = "person"
        if wanted >= 3 and rng.random() < 0.35:
            names[-2] = "person"
    plans: list[Plan] = []
    for name in names:
        for _ in range(24):
            plan = _plan_one(name, rng, backdrop, size_wh)
            if all(_overlap(plan, other) < 0.42 for other in plans) and all(
                abs(plan.depth_m - other.depth_m) > 0.04 for other in plans
            ):
                plans.append(plan)
                break
    if len(plans) >= 2 and rng.random() < 0.14:
        plans.append(_plan_group(rng, backdrop, size_wh))
    return plans


def _plan_one(name: str, rng: Random, backdrop: Backdrop, size_wh: tuple[int, int]) -> Plan:
    width, height = size_wh
    depth_m = 1.0 / rng.uniform(1 / 3.3, 1 / 1.5)  # even in nearness: the picture fills evenly from far to near
    real = (PERSON_HEIGHT_M if name == "person" else SHAPES[name].height_m) * rng.uniform(0.85, 1.25)
    half = PERSON_REACH[0] * 0.55 if name == "person" else SHAPES[name].half_width
    height_px = max(real * backdrop.focal_px / depth_m, height * 0.125, height * 0.06 / half)
    foot_y = min(backdrop.ground_y(depth_m), height - 2.0)
    colours = [colour for colour in COLOURS if name != "tree" or colour in ("green", "orange", "yellow", "pink", "red")]
    textures: tuple[Texture, ...] = ("plain", "plain", "plain", "striped", "checked", "dotted")
    if name != "person":
        textures = SHAPES[name].textures
    margin = half * height_px * 0.55
    return Plan(
        name,
        rng.choice(colours),
        rng.choice(textures),
        depth_m,
        rng.uniform(margin, width - margin),
        foot_y,
        height_px,
        half * height_px,
        pose_body(rng) if name == "person" else None,
    )


def _plan_group(rng: Random, backdrop: Backdrop, size_wh: tuple[int, int]) -> Plan:
    """A far row of five to eight things of one kind, annotated as one crowd."""
    name = rng.choice(("tree", "ball", "cone", "star"))
    base = _plan_one(name, rng, backdrop, size_wh)
    depth_m = rng.uniform(3.4, 3.7)
    tall = size_wh[1] * (0.2 if name == "tree" else 0.12)
    step = tall * SHAPES[name].half_width * 1.5
    count = rng.randint(5, 8)
    offsets = tuple(((k - (count - 1) / 2) * step, rng.uniform(-1.5, 1.5)) for k in range(count))
    return replace(
        base,
        depth_m=depth_m,
        texture="plain",
        x=rng.uniform(0.25, 0.75) * size_wh[0],
        y=backdrop.ground_y(depth_m),
        height_px=tall,
        half_width_px=step * count / 2,
        offsets=offsets,
    )


def _overlap(first: Plan, second: Plan) -> float:
    """Shared area of two planned boxes over the smaller of them."""
    across = min(first.x + first.half_width_px, second.x + second.half_width_px) - max(
        first.x - first.half_width_px, second.x - second.half_width_px
    )
    down = min(first.y, second.y) - max(first.y - first.height_px, second.y - second.height_px)
    smaller = min(2 * plan.half_width_px * plan.height_px for plan in (first, second))
    return max(across, 0.0) * max(down, 0.0) / smaller
