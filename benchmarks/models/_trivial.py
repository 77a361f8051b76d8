"""What the trivial baselines share: a pass over the samples, and averages of the training split.

They see what a model sees: the photo's size, the question's marks and its words. Never the annotation, with one stated
exception: the class names of the vocabulary, which any detector knows too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.model import Request
from vtinstruct import plugins
from vtinstruct.dialogue import Dialogue, Part, Parts, Reference, Triplet
from vtinstruct.geometry import GeometryError, polygons_to_rle, rle_box, rle_from_runs
from vtinstruct.prediction import Header, Prediction, PredictionsWriter
from vtinstruct.task import Task
from vtinstruct.trp import render
from vtinstruct.units import Box, Depth, Mask, Point, Unit, UnitKind
from vtinstruct.version import VERSION

Edges = tuple[float, float, float, float]
Floats = NDArray[np.float64]
Answerer = Callable[[Dialogue], Parts]
DEPTH_SCALE = 0.001  # metres per stored level: 16 bits reach 65 m


def write_answers(request: Request, name: str, answerer: Answerer) -> None:
    """Answer every sample of the request that the file does not hold yet."""
    header = Header(f"baseline:{name}", request.dataset.hash, versions={"vtinstruct": VERSION})
    with PredictionsWriter(request.out, header) as writer:
        for split in request.splits:
            for task in (task for task in request.dataset.tasks(split) if task in request.tasks):
                for truth in request.dataset.dialogues(task, split, request.limit):
                    if (truth.id, None) not in writer.done:
                        writer.write(_prediction(truth.id, answerer(truth)))


def _prediction(id_: str, parts: Parts) -> Prediction:
    references = tuple(r for part in parts if isinstance(part, Triplet) for r in part.references)
    return Prediction(id_, render(parts), references)


def unit_kind(truth: Dialogue) -> UnitKind | None:
    """What the task of a sample answers with, from the task's own entry; None for words alone."""
    task: Task = plugins.load("vtinstruct.tasks", truth.task)
    return cast(UnitKind, task.units[0]) if task.units else None


def asked(truth: Dialogue) -> str:
    """The words a sample asks about: its class or expression, as the question has them."""
    return truth.evaluation.concepts[0] if truth.evaluation.concepts else "object"


def marked_box(truth: Dialogue) -> Edges | None:
    """The box of the question's first mark; a point is widened by a tenth of the photo."""
    prompt = next((prompt for _, prompt in truth.prompts()), None)
    if prompt is None or truth.photo is None:
        return None
    width, height = truth.photo.size_wh
    match prompt.mark:
        case Box():
            return prompt.mark.box_xyxy
        case Mask():
            return rle_box(prompt.mark.mask_rle)
        case Point():
            (x, y), reach = prompt.mark.point_xy, 0.1 * max(width, height)
            return (max(0.0, x - reach), max(0.0, y - reach), min(width, x + reach), min(height, y + reach))


def scaled(box: Floats, size_wh: tuple[int, int]) -> Edges:
    """A box in 0..1 of the photo as pixel edges."""
    x0, y0, x1, y1 = (box * np.array([*size_wh, *size_wh])).tolist()
    return (x0, y0, x1, y1)


def box_mask(box: Edges, size_wh: tuple[int, int]) -> Mask:
    """A box filled in; empty where it is too thin to hold a pixel."""
    x0, y0, x1, y1 = box
    try:
        return Mask(polygons_to_rle([[x0, y0, x1, y0, x1, y1, x0, y1]], size_wh))
    except GeometryError:
        return Mask(rle_from_runs([size_wh[0] * size_wh[1]], (size_wh[1], size_wh[0])))


def shaped(kind: UnitKind, box: Edges, size_wh: tuple[int, int], score: float | None = None) -> Reference:
    """A box as what is asked for: a box, the point in its middle, or the mask it fills."""
    match kind:
        case "box":
            unit: Unit = Box(box)
        case "point":
            unit = Point(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
        case _:
            unit = box_mask(box, size_wh)
    return Reference(unit, score)


def listed(triplets: Sequence[Triplet]) -> Parts:
    """Triplets with commas between them."""
    parts: list[Part] = []
    for triplet in triplets:
        parts += [", ", triplet] if parts else [triplet]
    return tuple(parts)


def flat_depth(request: Request, size_wh: tuple[int, int], metres: float) -> Parts:
    """A depth map of one value, in a file beside the answers; one file serves all photos of a size."""
    name = f"{request.out.stem}.depth/flat_{size_wh[0]}x{size_wh[1]}.png"
    path = request.out.parent / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        level = int(np.clip(round(metres / DEPTH_SCALE), 1, 65535))
        Image.fromarray(np.full((size_wh[1], size_wh[0]), level, dtype=np.uint16)).save(path)
    return (Triplet("depth", "depth", (Reference(Depth(name, DEPTH_SCALE)),)),)
