"""The embedded sample's pictures: little drawn scenes of which everything is known, exactly.

`draw_scene(seed, index)` paints a room, a meadow or a beach with up to six things of ten kinds, and returns the photo
with visible masks, joints, depth, stuff labels and sentences. The result depends on (seed, index, size) alone.
"""

import hashlib
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from vtinstruct.sample.drawing.backdrops import FARTHEST_M, NEAREST_M, Backdrop, draw_backdrop
from vtinstruct.sample.drawing.brush import Brush, mix
from vtinstruct.sample.drawing.layout import COLOURS, Plan, plan_things
from vtinstruct.sample.drawing.person import PERSON_BULGE_M, PERSON_REACH, draw_person
from vtinstruct.sample.drawing.shapes import DARK, SHAPES, WHITE, Look
from vtinstruct.sample.drawing.thing import Expression, Thing
from vtinstruct.sample.drawing.wording import describe, refer

CATEGORIES = ("person", *SHAPES)
EMPTY_EVERY = 29  # one scene in so many has no thing at all: evaluation needs photos without annotations


@dataclass(frozen=True)
class Scene:
    """A drawn photo with its whole truth; see `draw_scene`.

    photo: (H, W, 3) uint8. things: far to near. stuff: (H, W) uint8, position + 1 in `backdrops.STUFF` where no thing
    is in front, else 0. depth_m: (H, W) float32, 0 where a sensor would have missed.
    """

    photo: NDArray[np.uint8]
    place: str
    things: tuple[Thing, ...]
    stuff: NDArray[np.uint8]
    depth_m: NDArray[np.float32]
    captions: tuple[str, ...]
    expressions: tuple[Expression, ...]


@dataclass(frozen=True)
class _Layer:
    """A drawn thing before hiding: colour premultiplied (H, W, 3), coverage (H, W), both photo-sized."""

    plan: Plan
    colour: NDArray[np.float32]
    coverage: NDArray[np.float32]


def draw_scene(seed: int, index: int, size_wh: tuple[int, int] = (160, 120)) -> Scene:
    """Scene number `index` of the collection `seed`, of the given (width, height)."""
    key = hashlib.sha256(f"vt-instruct sample {seed} {index}".encode()).digest()
    rng = Random(key)
    backdrop = draw_backdrop(rng, size_wh)
    plans = [] if index % EMPTY_EVERY == EMPTY_EVERY - 1 else plan_things(rng, backdrop, size_wh)
    layers = [_draw_layer(plan, rng, size_wh) for plan in sorted(plans, key=lambda plan: -plan.depth_m)]
    layers, masks = _visible(layers)
    photo = _compose(backdrop, layers, rng)
    things = tuple(_thing(layer, k, masks, layers, size_wh) for k, layer in enumerate(layers))
    stuff = backdrop.labels.copy()
    for mask in masks:
        stuff[mask] = 0
    depth_m = _depth(backdrop, layers, masks, rng)
    return Scene(
        photo,
        backdrop.place,
        things,
        stuff,
        depth_m,
        describe(things, backdrop.place, rng),
        refer(things, float(size_wh[0]), CATEGORIES, tuple(COLOURS), rng),
    )


def _draw_layer(plan: Plan, rng: Random, size_wh: tuple[int, int]) -> _Layer:
    width, height = size_wh
    colour = np.zeros((height, width, 3), np.float32)
    coverage = np.zeros((height, width), np.float32)
    base = COLOURS[plan.colour]
    second = mix(base, WHITE, 0.62) if plan.colour != "white" else (150.0, 152.0, 160.0)
    look = Look(base, plan.texture, second if plan.colour != "yellow" else mix(base, DARK, 0.4))
    reach = PERSON_REACH if plan.body is not None else (SHAPES[plan.category].half_width + 0.06, 0.06, 0.04)
    for shift_x, shift_y in plan.offsets:
        brush = Brush(plan.x + shift_x, plan.y + shift_y, plan.height_px, reach)
        if plan.body is not None:
            draw_person(brush, look, plan.body)
        else:
            SHAPES[plan.category].draw(brush, look, rng)
        patch, cover = brush.reduced()
        top, left = max(brush.top, 0), max(brush.left, 0)
        bottom, right = min(brush.top + brush.height, height), min(brush.left + brush.width, width)
        if bottom <= top or right <= left:
            continue
        window = np.s_[top - brush.top : bottom - brush.top, left - brush.left : right - brush.left]
        patch, cover = patch[window], cover[window]
        spot = np.s_[top:bottom, left:right]
        colour[spot] = colour[spot] * (1 - cover)[..., None] + patch
        coverage[spot] = coverage[spot] * (1 - cover) + cover
    return _Layer(plan, colour, coverage)


def _visible(layers: list[_Layer]) -> tuple[list[_Layer], list[NDArray[np.bool_]]]:
    """Visible masks, far to near; a thing with too little to be seen is taken out of the scene."""
    while True:
        covered = np.zeros(layers[0].coverage.shape if layers else (0, 0), np.bool_)
        masks: list[NDArray[np.bool_]] = []
        poor: list[int] = []
        for k in range(len(layers) - 1, -1, -1):
            whole = layers[k].coverage >= 0.5
            mask = whole & ~covered
            covered |= whole
            masks.append(mask)
            rows, columns = int(mask.any(1).sum()), int(mask.any(0).sum())
            if mask.sum() < 0.45 * whole.sum() or min(rows, columns) < 9:
                poor.append(k)
        if not poor:
            return layers, masks[::-1]
        layers = [layer for k, layer in enumerate(layers) if k != poor[0]]


def _compose(backdrop: Backdrop, layers: list[_Layer], rng: Random) -> NDArray[np.uint8]:
    """Soft shadows on the ground, then every thing over it, far to near, then a little grain."""
    height, width = backdrop.labels.shape
    shadow = np.zeros((height, width), np.float32)
    y, x = np.arange(height, dtype=np.float32)[:, None] + 0.5, np.arange(width, dtype=np.float32)[None, :] + 0.5
    for layer in layers:
        plan = layer.plan
        for shift_x, shift_y in plan.offsets:
            half = (plan.half_width_px if not plan.crowd else plan.height_px * 0.4) * 0.95
            off_x = x - plan.x - shift_x - 0.28 * half
            distance = (off_x / (half * 1.15)) ** 2 + ((y - plan.y - shift_y) / (half * 0.3)) ** 2
            shadow = np.maximum(shadow, np.clip(1.5 - distance * 1.2, 0, 1).astype(np.float32))
    blurred = Image.fromarray((shadow * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.6))
    dark = np.asarray(blurred, np.float32) / 255 * 0.42
    dark[: int(backdrop.ground_y(FARTHEST_M))] = 0
    rgb = backdrop.rgb * (1 - dark)[..., None]
    for layer in layers:
        rgb = rgb * (1 - layer.coverage)[..., None] + layer.colour
    grain = np.frombuffer(rng.randbytes(height * width), np.uint8).reshape(height, width, 1).astype(np.float32)
    return np.clip(rgb + (grain - 127.5) * 0.022 + 0.5, 0, 255).astype(np.uint8)


def _thing(
    layer: _Layer, k: int, masks: list[NDArray[np.bool_]], layers: list[_Layer], size_wh: tuple[int, int]
) -> Thing:
    plan, mask = layer.plan, masks[k]
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box_xyxy = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    keypoints = None
    if plan.body is not None:
        keypoints = np.zeros((17, 3), np.float64)
        for joint, (x, y) in enumerate(plan.body.joints):
            photo_x = round(plan.x + x * plan.height_px, 2)
            photo_y = round(plan.y + (y - 1) * plan.height_px, 2)
            column, row = int(np.floor(photo_x)), int(np.floor(photo_y))
            if not (0 <= column < size_wh[0] and 0 <= row < size_wh[1]):
                continue
            hidden = joint in plan.body.hidden or any(nearer.coverage[row, column] >= 0.5 for nearer in layers[k + 1 :])
            keypoints[joint] = (photo_x, photo_y, 1 if hidden else 2)
    share = plan.height_px / size_wh[1]
    return Thing(
        plan.category,
        plan.colour,
        plan.texture,
        "small" if share < 0.19 else "large" if share > 0.42 else "",
        plan.body.pose if plan.body is not None else "",
        plan.crowd,
        mask,
        box_xyxy,
        round(plan.depth_m, 3),
        keypoints,
    )


def _depth(
    backdrop: Backdrop, layers: list[_Layer], masks: list[NDArray[np.bool_]], rng: Random
) -> NDArray[np.float32]:
    """Distance (H, W) in metres; 0 beside the right edge of near things and in a few specks, as sensors miss it."""
    depth_m = backdrop.depth_m.copy()
    height, width = depth_m.shape
    missing = np.zeros((height, width), np.bool_)
    columns = np.arange(width, dtype=np.float32)[None, :] + 0.5
    for layer, mask in zip(layers, masks, strict=True):
        plan = layer.plan
        bulge = PERSON_BULGE_M if plan.body is not None else SHAPES[plan.category].bulge_m
        half = plan.half_width_px
        round_part = np.sqrt(np.clip(1 - ((columns - plan.x) / half) ** 2, 0, 1)) if not plan.crowd else 0 * columns
        relief = np.broadcast_to(plan.depth_m + bulge * (0.5 - round_part), mask.shape)
        depth_m[mask] = relief[mask]
        beside = np.zeros_like(mask)
        beside[:, 1:] = mask[:, :-1]
        missing |= beside & ~mask & (depth_m > plan.depth_m + 1.0)
    for _ in range(rng.randint(2, 5)):
        y, x = rng.randrange(height - 2), rng.randrange(width - 3)
        missing[y : y + 2, x : x + 3] = True
    depth_m = np.clip(depth_m, NEAREST_M, FARTHEST_M)
    depth_m[missing] = 0.0
    return depth_m.astype(np.float32)
