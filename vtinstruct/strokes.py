"""How deep a pixel lies in a mask, and strokes that follow a mask's shape: what `prompts.py` draws with.

Everything works on a mask cut out to its own box (h, w); points are x, y in the pixel edges of that cut-out. Distances
to the border are counted in layers on a coarse grid, so that cost does not grow with the photo.
"""

from __future__ import annotations

import heapq
import math
from random import Random

import numpy as np

from vtinstruct.geometry import BoolArray, FloatArray, IntArray

STROKE_GRID = 16  # cells a side on which a stroke's way is searched: its cost is the number of cells


def eroded(mask: BoolArray, layers: int) -> BoolArray:
    """The mask without its outer layers; the crop's edge counts as outside. 4 and 8 neighbours take turns, which comes
    near to a round pen."""
    found = np.pad(mask, 1)
    for layer in range(layers):
        found = _peel(found, layer)
    return found[1:-1, 1:-1]


def _peel(padded: BoolArray, layer: int) -> BoolArray:
    # In the middle only: the padding stays outside for ever.
    inner = padded[1:-1, 1:-1] & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    if layer % 2:
        inner &= padded[:-2, :-2] & padded[:-2, 2:] & padded[2:, :-2] & padded[2:, 2:]
    found = np.zeros_like(padded)
    found[1:-1, 1:-1] = inner
    return found


def _sampled_depth(crop: BoolArray, cells: int) -> tuple[IntArray, int, int]:
    """Layers to the border for every cell of a coarse grid (0 outside), and the grid's steps (y, x) in pixels.

    A cell is inside when its middle pixel is, so a cell's middle pixel is always a pixel of the mask.
    """
    step_y, step_x = -(-crop.shape[0] // cells), -(-crop.shape[1] // cells)
    grid = np.pad(crop[step_y // 2 :: step_y, step_x // 2 :: step_x], 1)
    depth = grid.astype(np.int64)
    layer = 0
    while True:
        grid = _peel(grid, layer)
        if not grid.any():
            return depth[1:-1, 1:-1], step_y, step_x
        depth += grid
        layer += 1


def deep_cells(crop: BoolArray, cells: int) -> tuple[IntArray, IntArray, IntArray]:
    """Rows and columns (pixels of the crop) of the grid's inside cells, and their depth in layers."""
    depth, step_y, step_x = _sampled_depth(crop, cells)
    rows, columns = np.nonzero(depth)
    if rows.size == 0:  # so thin that the grid fell through: any pixel is as near to the border as another
        rows, columns = np.nonzero(crop)
        return rows, columns, np.ones(rows.size, dtype=np.int64)
    return rows * step_y + step_y // 2, columns * step_x + step_x // 2, depth[rows, columns]


def way_through(crop: BoolArray, rng: Random) -> tuple[FloatArray, float]:
    """The middle pixels (n, 2) x, y of the cells of a way through the mask, and the room beside it in pixels."""
    depth, step_y, step_x = _sampled_depth(crop, STROKE_GRID)
    if not depth.any():
        rows, columns = np.nonzero(crop)
        index = rng.randrange(rows.size)
        return np.array([[float(columns[index]), float(rows[index])]]), 1.0
    rows_cols = _cheapest(depth, rng)
    way = np.array([[c * step_x + step_x // 2, r * step_y + step_y // 2] for r, c in rows_cols], dtype=np.float64)
    return way, float(depth.max()) * min(step_x, step_y)


def _cheapest(depth: IntArray, rng: Random) -> list[tuple[int, int]]:
    """Dijkstra from a random inner cell to one of the farthest; a step costs more the nearer it is to the border."""
    inner = np.argwhere(3 * depth >= int(depth.max()))
    start = tuple(int(value) for value in inner[rng.randrange(len(inner))])
    levels = depth.tolist()
    height, width = depth.shape
    cost: dict[tuple[int, int], float] = {(start[0], start[1]): 0.0}
    back: dict[tuple[int, int], tuple[int, int]] = {}
    queue = [(0.0, start[0], start[1])]
    done: list[tuple[int, int]] = []
    while queue:
        spent, row, column = heapq.heappop(queue)
        if spent > cost[row, column]:
            continue
        done.append((row, column))
        for dy, dx, length in _STEPS:
            r, c = row + dy, column + dx
            if 0 <= r < height and 0 <= c < width and (level := levels[r][c]):
                total = spent + length * (1.0 + 4.0 / level)
                if total < cost.get((r, c), math.inf):
                    cost[r, c] = total
                    back[r, c] = (row, column)
                    heapq.heappush(queue, (total, r, c))
    far = done[int(len(done) * 0.8) :] or done  # done is in order of cost: the last fifth is the far end
    deep = [cell for cell in far if 3 * levels[cell[0]][cell[1]] >= int(depth.max())] or far
    cell = deep[rng.randrange(len(deep))]
    way = [cell]
    while cell in back:
        cell = back[cell]
        way.append(cell)
    return way


_STEPS = [(dy, dx, math.hypot(dy, dx)) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]


def smooth(way: FloatArray, radius: float) -> FloatArray:
    """A way (n, 2) with its corners cut (Chaikin, three times) and points at most half a radius apart."""
    points = way if len(way) < 5 else np.concatenate((way[:-1:3], way[-1:]))
    points = points + 0.5
    if len(points) < 2:
        return points
    for _ in range(3):
        near, far = points[:-1], points[1:]
        cut = np.stack((0.75 * near + 0.25 * far, 0.25 * near + 0.75 * far), axis=1).reshape(-1, 2)
        points = np.concatenate((points[:1], cut, points[-1:]))
    lengths = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))))
    total = float(lengths[-1])
    at: FloatArray = np.linspace(0.0, total, 2 + int(total / (0.5 * radius)), dtype=np.float64)
    return np.stack((np.interp(at, lengths, points[:, 0]), np.interp(at, lengths, points[:, 1])), axis=1)


def stamp(points: FloatArray, radius: float, shape: tuple[int, ...]) -> BoolArray:
    """Discs around points (n, 2) x, y in pixel edges on an empty mask; the pixel that holds a point is always in."""
    mask = np.zeros((shape[0], shape[1]), dtype=np.bool_)
    xs, ys = np.arange(0, shape[1], dtype=np.float64) + 0.5, np.arange(0, shape[0], dtype=np.float64)[:, None] + 0.5
    for x, y in points.tolist():
        column, row = min(int(x), shape[1] - 1), min(int(y), shape[0] - 1)
        left, right = max(int(x - radius), 0), min(int(x + radius) + 1, shape[1])
        top, bottom = max(int(y - radius), 0), min(int(y + radius) + 1, shape[0])
        mask[top:bottom, left:right] |= (xs[left:right] - x) ** 2 + (ys[top:bottom] - y) ** 2 <= radius * radius
        mask[row, column] = True
    return mask
