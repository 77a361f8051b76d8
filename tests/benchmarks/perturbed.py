"""Answers a model might give: the truth with losses, shifts, doubles and wrong classes; and the same as COCO results."""

from __future__ import annotations

from typing import Any

import numpy as np

from vtinstruct.dialogue import Dialogue, Reference
from vtinstruct.geometry import decode_rle, encode_mask
from vtinstruct.units import Box, Keypoints, Mask


def perturbed(truth: Dialogue, rng: np.random.Generator, classes: dict[int, str]) -> list[tuple[str, Reference]]:
    """Instances a model might give: some lost, some moved, some doubled, some of another class, scores with many ties."""
    found: list[tuple[str, Reference]] = []
    for _, triplet, reference in truth.references():
        for _ in range(int(rng.choice([0, 1, 1, 1, 2]))):
            name = triplet.concept if rng.random() > 0.1 else str(rng.choice(sorted(classes.values())))
            score = float(np.round(rng.random(), 1))
            found.append((name, Reference(moved(reference, rng, truth), score)))
    rng.shuffle(found)  # type: ignore[arg-type]
    return found


def moved(reference: Reference, rng: np.random.Generator, truth: Dialogue) -> Any:
    match reference.unit:
        case Box():
            x0, y0, x1, y1 = reference.unit.box_xyxy
            shift = rng.normal(0, 0.08, 4) * max(x1 - x0, y1 - y0)
            return Box(
                (
                    x0 + shift[0],
                    y0 + shift[1],
                    max(x1 + shift[2], x0 + shift[0] + 1),
                    max(y1 + shift[3], y0 + shift[1] + 1),
                )
            )
        case Mask():
            mask = decode_rle(reference.unit.mask_rle)
            return Mask(encode_mask(np.roll(mask, tuple(rng.integers(-6, 7, 2)), (0, 1))))
        case Keypoints():
            noise = rng.normal(0, 4, (len(reference.unit.keypoints_xyv), 2))
            return Keypoints(
                tuple((x + a, y + b, 2) for (x, y, _), (a, b) in zip(reference.unit.keypoints_xyv, noise, strict=True))
            )
        case _:
            raise AssertionError(reference)


def coco_results(image_id: int, category_id: int, reference: Reference) -> dict[str, Any]:
    result: dict[str, Any] = {"image_id": image_id, "category_id": category_id, "score": reference.score}
    match reference.unit:
        case Box():
            x0, y0, x1, y1 = reference.unit.box_xyxy
            result["bbox"] = [x0, y0, x1 - x0, y1 - y0]
        case Mask():
            rle = reference.unit.mask_rle
            result["segmentation"] = {"size": list(rle.size_hw), "counts": rle.counts}
        case Keypoints():
            result["keypoints"] = [value for point in reference.unit.keypoints_xyv for value in point]
        case _:
            raise AssertionError(reference)
    return result
