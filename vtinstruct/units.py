"""The five kinds of geometry a dialogue can point with, and their names on the wire.

Frames (the same everywhere inside the project): absolute pixels of the original photo, float64, pixel *edges*, so
a photo of width W spans 0..W and a box of one whole pixel is 1 x 1. Depth is in metres, 0 means missing; or
relative, which says so (`Depth.frame`).

Each kind has a value class here, `unit_to_wire` writes it as plain JSON values and `unit_from_wire` reads it back;
the two are inverse (`tests/vtinstruct/test_units.py`). The wire names are the ones of the TRP markup:
`<Unit>box</Unit>` carries `Box` and so on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, TypeGuard, cast, get_args

from vtinstruct.values import value

UnitKind = Literal["box", "mask", "keypoint", "depth", "point"]
DepthFrame = Literal["metres", "relative_inverse"]
UNIT_KINDS: tuple[UnitKind, ...] = get_args(UnitKind)
DEPTH_FRAMES: tuple[DepthFrame, ...] = get_args(DepthFrame)

# COCO's own order (cocoapi, person_keypoints annotations); left and right are the person's.
COCO_KEYPOINTS: tuple[str, ...] = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip


class UnitError(ValueError):
    """A unit on the wire that is no unit: the message says which field is wrong and what would be right."""


@value
class Rle:
    """A binary mask as COCO compressed run lengths: `size_hw` (height, width) in pixels, `counts` ASCII bytes.

    The bytes are COCO's LEB128-like string (cocoapi, `common/maskApi.c`, `rleToString`). Checked for soundness by
    `geometry.check_rle`, not here: records are made by the million.
    """

    size_hw: tuple[int, int]
    counts: bytes


@value
class Box:
    """An axis-parallel box, `(x0, y0, x1, y1)` in absolute pixel edges."""

    box_xyxy: tuple[float, float, float, float]


@value
class Mask:
    """A binary mask of the whole photo."""

    mask_rle: Rle


@value
class Keypoints:
    """A pose: K triples `(x, y, v)`, v = 0 unlabelled, 1 labelled but hidden, 2 visible (COCO's meaning)."""

    keypoints_xyv: tuple[tuple[float, float, int], ...]


@value
class Depth:
    """A depth map in a file, in one of two frames.

    `metres`: metres = stored value * `scale`; stored 0 = missing. `relative_inverse`: stored value * `scale` is inverse
    depth, larger is nearer, and 1 / metres = a * that + b with a > 0 and b both unknown: no number of it is a distance, only
    orders and scores that fit a and b mean anything, and a stored 0 is far, not missing. Where `valid_rle` is given, the
    map is missing outside of it.

    `path` is relative to the folder that holds the file which names it (a source's root, a dataset, a predictions
    file), with forward slashes. `.png` (16-bit grey) everywhere we write; converters may name other readable files.
    """

    path: str
    scale: float
    frame: DepthFrame = "metres"
    valid_rle: Rle | None = None


@value
class Point:
    """A single position `(x, y)` in absolute pixel edges."""

    point_xy: tuple[float, float]


Unit = Box | Mask | Keypoints | Depth | Point

KIND_OF: dict[type, UnitKind] = {Box: "box", Mask: "mask", Keypoints: "keypoint", Depth: "depth", Point: "point"}


def kind_of(unit: Unit) -> UnitKind:
    """The wire name of a unit's kind."""
    return KIND_OF[type(unit)]


def unit_to_wire(unit: Unit) -> dict[str, Any]:
    """A unit as JSON values: `{"kind": ..., <frame-named field>: ...}`; inverse of `unit_from_wire`."""
    match unit:
        case Box():
            return {"kind": "box", "box_xyxy": list(unit.box_xyxy)}
        case Mask():
            return {"kind": "mask", "mask_rle": _rle_to_wire(unit.mask_rle)}
        case Keypoints():
            return {"kind": "keypoint", "keypoints_xyv": [list(point) for point in unit.keypoints_xyv]}
        case Depth():
            depth: dict[str, Any] = {"path": unit.path, "scale": unit.scale}
            if unit.frame != "metres":
                depth["frame"] = unit.frame
            if unit.valid_rle is not None:
                depth["valid_rle"] = _rle_to_wire(unit.valid_rle)
            return {"kind": "depth", "depth": depth}
        case Point():
            return {"kind": "point", "point_xy": list(unit.point_xy)}


def _rle_to_wire(rle: Rle) -> dict[str, Any]:
    return {"size_hw": list(rle.size_hw), "counts": rle.counts.decode("ascii")}


def unit_from_wire(wire: Mapping[str, Any]) -> Unit:
    """Read a unit from JSON values. Raises `UnitError` on an unknown kind, a missing field, NaN or infinity.

    Masks are read, not validated run by run (`geometry.check_rle` does that where native code comes next).
    """
    kind = wire.get("kind")
    match kind:
        case "box":
            x0, y0, x1, y1 = _numbers(wire, "box_xyxy", 4)
            if x1 < x0 or y1 < y0:
                raise UnitError(
                    f"box_xyxy [{x0}, {y0}, {x1}, {y1}] has swapped corners; x0 <= x1 and y0 <= y1 is right"
                )
            return Box((x0, y0, x1, y1))
        case "mask":
            return Mask(_rle(wire.get("mask_rle")))
        case "keypoint":
            return Keypoints(_keypoints(wire.get("keypoints_xyv")))
        case "depth":
            return _depth(wire.get("depth"))
        case "point":
            x, y = _numbers(wire, "point_xy", 2)
            return Point((x, y))
        case _:
            raise UnitError(f"unknown unit kind {kind!r}; known: {', '.join(UNIT_KINDS)}")


def is_finite_number(value: object) -> TypeGuard[float]:
    """Whether a JSON value is a finite number that a float can hold: a whole number of 400 digits is none."""
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def _numbers(wire: Mapping[str, Any], field: str, n: int) -> list[float]:
    values = wire.get(field)
    if not isinstance(values, (list, tuple)) or len(cast(list[object], values)) != n:
        raise UnitError(f"{field} is {values!r:.80}; a list of {n} numbers is right")
    found = list(cast(list[object], values))
    if not all(is_finite_number(value) for value in found):
        raise UnitError(f"{field} is {found!r:.80}; {n} finite numbers are right")
    return [float(cast(float, value)) for value in found]


def _rle(wire: object) -> Rle:
    if not isinstance(wire, Mapping):
        raise UnitError(f"mask_rle is {wire!r:.80}; an object with size_hw and counts is right")
    fields = cast(Mapping[str, Any], wire)
    height, width = _numbers(fields, "size_hw", 2)
    if height != int(height) or width != int(width) or height < 1 or width < 1:
        raise UnitError(f"mask_rle size_hw is [{height}, {width}]; two whole numbers above 0 are right")
    counts = fields.get("counts")
    if not isinstance(counts, str) or not counts.isascii():
        raise UnitError("mask_rle counts is not a COCO compressed RLE string")
    return Rle((int(height), int(width)), counts.encode("ascii"))


def _keypoints(wire: object) -> tuple[tuple[float, float, int], ...]:
    if not isinstance(wire, (list, tuple)):
        raise UnitError(f"keypoints_xyv is {wire!r:.80}; a list of [x, y, v] is right")
    found: list[tuple[float, float, int]] = []
    for index, point in enumerate(cast(list[object], wire)):
        x, y, v = _numbers({"keypoints_xyv": point}, "keypoints_xyv", 3)
        if v not in (0.0, 1.0, 2.0):
            raise UnitError(f"keypoints_xyv[{index}] has v = {v}; 0 unlabelled, 1 hidden or 2 visible is right")
        found.append((x, y, int(v)))
    return tuple(found)


def _depth(wire: object) -> Depth:
    if not isinstance(wire, Mapping):
        raise UnitError(f"depth is {wire!r:.80}; an object with path and scale is right")
    fields = cast(Mapping[str, Any], wire)
    path, scale = fields.get("path"), fields.get("scale")
    if not isinstance(path, str) or not path:
        raise UnitError(f"depth path is {path!r:.80}; a relative file path is right")
    if not is_finite_number(scale) or float(scale) <= 0:
        raise UnitError(f"depth scale is {scale!r:.80}; metres per stored level, above 0, is right")
    frame, valid = fields.get("frame", "metres"), fields.get("valid_rle")
    if frame not in DEPTH_FRAMES:
        raise UnitError(f"depth frame is {frame!r:.80}; {' or '.join(DEPTH_FRAMES)} is right")
    return Depth(path, float(scale), frame, None if valid is None else _rle(valid))
