"""Interactive segmentation by clicks: the next click, a session of them, and how many were needed.

The protocol of Xu et al., "Deep Interactive Object Selection" (CVPR 2016) as RITM (Sofiiuk et al., ICIP 2022) runs it: every
click goes to the middle of the largest error, the pixel farthest from the error's border, on what is missing (positive) or on
what is too much (negative); a session ends at `LIMIT` clicks. NoC@q is the mean number of clicks until IoU >= q, `LIMIT` where
it is never reached. A model takes part as a function of the clicks so far, because each click depends on the last answer; the
IoUs or masks that any tool's sessions left behind are scored by `refvlm-bench noc` (`benchmarks/official/noc.py`).
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


def next_click(true: Bools, found: Bools, clicked: Sequence[Click] = (), ignored: Bools | None = None) -> Click | None:
    """Where a person would click next, (H, W) masks; None when nothing is wrong but what is clicked already. A pixel is never
    clicked twice; `ignored` ones are neither right nor wrong."""
    open_, counts = np.ones_like(true), np.ones_like(true) if ignored is None else ~ignored
    for click in clicked:
        open_[int(click.point_xy[1]), int(click.point_xy[0])] = False
    missing, too_much = (_depth(error & counts) * open_ for error in (true & ~found, found & ~true))
    positive = bool(missing.max(initial=0.0) > too_much.max(initial=0.0))
    depth = missing if positive else too_much
    if not depth.any():
        return None
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return Click((float(x) + 0.5, float(y) + 0.5), positive)


def _depth(error: Bools) -> NDArray[np.float32]:
    """How far each pixel of an error lies from its border; the photo's own border is one."""
    padded, transform = np.pad(error, 1), cast(Any, ndimage)
    return np.asarray(transform.distance_transform_edt(padded), dtype=np.float32)[1:-1, 1:-1]


def click_iou(true: Bools, found: Bools, ignored: Bools | None = None) -> float:
    """IoU over the pixels that count. `true` must have one."""
    counts = np.ones_like(true) if ignored is None else ~ignored
    return float((found & true & counts).sum() / ((found | true) & counts).sum())


def session(segment: Segmenter, true: Bools, limit: int = LIMIT, ignored: Bools | None = None) -> list[float]:
    """IoU after every click, until nothing is wrong or the limit is reached. `true` must have a pixel."""
    if not true.any():
        raise ValueError("a session needs an annotated mask with a pixel in it")
    found, clicks, ious = np.zeros_like(true), list[Click](), list[float]()
    while len(clicks) < limit:
        click = next_click(true, found, clicks, ignored)
        if click is None:
            break
        clicks.append(click)
        found = segment(tuple(clicks))
        ious.append(click_iou(true, found, ignored))
    return ious


def clicks_needed(ious: Sequence[float], level: float, limit: int = LIMIT) -> int:
    """The clicks until IoU >= level, `limit` where it is never reached."""
    return next((n for n, iou in enumerate(ious[:limit], start=1) if iou >= level), limit)


def number_of_clicks(sessions: Sequence[Sequence[float]], level: float, limit: int = LIMIT) -> float | None:
    """NoC@level, and None without a session."""
    counts = [clicks_needed(ious, level, limit) for ious in sessions]
    return sum(counts) / len(counts) if counts else None
