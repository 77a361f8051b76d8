"""One mask against one mask, in whole pixels of the original photo. Used by the segmentation scorers."""

from __future__ import annotations

from collections.abc import Sequence

from vtinstruct.dialogue import Reference
from vtinstruct.geometry import rle_area, rle_union
from vtinstruct.units import Mask, Rle


def union_of(references: Sequence[Reference]) -> Rle | None:
    """The union of all decoded masks; None when there is none (an empty mask)."""
    rles = [reference.unit.mask_rle for reference in references if isinstance(reference.unit, Mask)]
    return rle_union(rles) if rles else None


def overlap(found: Rle | None, true: Rle | None) -> tuple[int, int]:
    """Pixels in the intersection and in the union, exact, without decoding. Both None gives (0, 0)."""
    found_area = rle_area(found) if found else 0
    true_area = rle_area(true) if true else 0
    if not found or not true:
        return 0, found_area + true_area
    union = rle_area(rle_union([found, true]))
    return found_area + true_area - union, union
