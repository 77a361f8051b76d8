"""Masks as polygons, the other way round than usual: exact outlines of a drawn mask along its pixel edges.

pycocotools rasterises such outlines back to the very same pixels (`tests/vtinstruct/test_sample.py`), so the sample's
polygons are no approximation. A part with a hole is cut in two upright halves, because COCO polygons have no holes.
"""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

Vertex = tuple[int, int]


def outlines(mask: NDArray[np.bool_]) -> list[list[float]]:
    """COCO polygons `[x0, y0, x1, y1, ...]` in pixel edges, one for every 4-connected part of mask (H, W)."""
    loops = _loops(mask)
    holes = [loop for loop in loops if _turning_area(loop) < 0]
    if not holes:
        return [[float(value) for vertex in loop for value in vertex] for loop in loops]
    columns = [x for x, _ in holes[0]]
    cut = (min(columns) + max(columns)) // 2
    left, right = mask.copy(), mask.copy()
    left[:, cut:] = False
    right[:, :cut] = False
    return outlines(left) + outlines(right)


def _turning_area(loop: list[Vertex]) -> int:
    """Twice the signed area: above 0 for outer outlines, below 0 for holes (y grows downwards)."""
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(loop, loop[1:] + loop[:1], strict=True))


def _loops(mask: NDArray[np.bool_]) -> list[list[Vertex]]:
    """Closed walks along the pixel edges, inside on the right hand, corners only."""
    inside = np.pad(mask, 1)
    core = inside[1:-1, 1:-1]
    following: defaultdict[Vertex, list[Vertex]] = defaultdict(list)
    for border, start, stop in (
        (core & ~inside[:-2, 1:-1], (0, 0), (1, 0)),
        (core & ~inside[1:-1, 2:], (1, 0), (1, 1)),
        (core & ~inside[2:, 1:-1], (1, 1), (0, 1)),
        (core & ~inside[1:-1, :-2], (0, 1), (0, 0)),
    ):
        for y, x in zip(*(axis.tolist() for axis in np.nonzero(border)), strict=True):
            following[(x + start[0], y + start[1])].append((x + stop[0], y + stop[1]))
    loops: list[list[Vertex]] = []
    for first in sorted(following):
        while following[first]:
            loops.append(_walk(following, first))
    return loops


def _walk(following: defaultdict[Vertex, list[Vertex]], first: Vertex) -> list[Vertex]:
    corners: list[Vertex] = []
    here, step = first, (0, 0)
    while True:
        ways = following[here]
        right = (here[0] - step[1], here[1] + step[0])
        # Two ways lead on where pixels touch at a corner only: turning right stays with the same pixel.
        there = right if right in ways else ways[0]
        ways.remove(there)
        next_step = (there[0] - here[0], there[1] - here[1])
        if next_step != step:
            corners.append(here)
        here, step = there, next_step
        if here == first:  # the leftmost corner left: where pixels touch there, the other one is walked already
            break
    first_step = (corners[1][0] - corners[0][0], corners[1][1] - corners[0][1])
    if first_step[0] * step[1] == first_step[1] * step[0]:  # started in the middle of a straight edge
        corners.pop(0)
    return corners
