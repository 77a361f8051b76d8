"""Interactive segmentation by clicks: the next click, a session of them, and how many were needed.

The protocol of Xu et al., "Deep Interactive Object Selection" (CVPR 2016) as RITM (Sofiiuk et al., ICIP 2022) runs it: every
click goes to the middle of the largest error, the pixel farthest from the error's border, on what is missing (positive) or on
what is too much (negative); a session ends at `LIMIT` clicks. NoC@q is the mean number of clicks until IoU >= q, `LIMIT` where
it is never reached. A model takes part as a function of the clicks so far; no file can answer for it, because each click
depends on the last answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # pyright: ignore[reportMissingTypeStubs]

Bools = NDArray[np.bool_]
LIMIT = 20


@dataclass(frozen=True, slots=True)
class Click:
    """A click on a pixel's centre, in pixel edges; `positive` says "this too", otherwise "not this"."""

    point_xy: tuple[float, float]
    positive: bool


Segmenter = Callable[[tuple[Click, ...]], Bools]


def next_click(true: Bools, found: Bools, clicked: Sequence[Click] = ()) -> Click | None:
    """Where a person would click next, (H, W) masks; None when nothing is wrong. A pixel is never clicked twice."""
    open_ = np.ones_like(true)
    for click in clicked:
        open_[int(click.point_xy[1]), int(click.point_xy[0])] = False
    missing, too_much = (_depth(error & open_) for error in (true & ~found, found & ~true))
    positive = bool(missing.max(initial=0.0) >= too_much.max(initial=0.0))
    depth = missing if positive else too_much
    if not depth.any():
        return None
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return Click((float(x) + 0.5, float(y) + 0.5), positive)


def _depth(error: Bools) -> NDArray[np.float64]:
    """How far each pixel of an error lies from its border; the photo's own border is one."""
    padded, transform = np.pad(error, 1), cast(Any, ndimage)
    return np.asarray(transform.distance_transform_edt(padded), dtype=np.float64)[1:-1, 1:-1]


def session(segment: Segmenter, true: Bools, limit: int = LIMIT) -> list[float]:
    """IoU after every click, until nothing is wrong or the limit is reached. `true` must have a pixel."""
    if not true.any():
        raise ValueError("a session needs an annotated mask with a pixel in it")
    found, clicks, ious = np.zeros_like(true), list[Click](), list[float]()
    while len(clicks) < limit:
        click = next_click(true, found, clicks)
        if click is None:
            break
        clicks.append(click)
        found = segment(tuple(clicks))
        ious.append(float((found & true).sum() / (found | true).sum()))
    return ious


def clicks_needed(ious: Sequence[float], level: float, limit: int = LIMIT) -> int:
    """The clicks until IoU >= level, `limit` where it is never reached."""
    return next((n for n, iou in enumerate(ious[:limit], start=1) if iou >= level), limit)


def number_of_clicks(sessions: Sequence[Sequence[float]], level: float, limit: int = LIMIT) -> float | None:
    """NoC@level, and None without a session."""
    counts = [clicks_needed(ious, level, limit) for ious in sessions]
    return sum(counts) / len(counts) if counts else None
