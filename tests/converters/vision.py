"""What the tests of the sources of masks and depth share: scenes written by one writer, oracles, faults by reason."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from tests.converters.language import read, shot, tiny_photo
from vtinstruct import plugins
from vtinstruct.record import Drop, Record, Region

__all__ = ["SCENES", "by_id", "decoded", "grey", "read", "read_spoken", "reasons", "shot", "tiny_photo", "write"]

SCENES = (0, 3, 4, 6, 9, 14, 28, 33, 57)  # 4, 9 and 14 are for evaluation; 28 and 57 are empty


def write(name: str, out: Path, scenes: Iterable[int] = SCENES) -> tuple[Path, tuple[str, ...]]:
    """The scenes in the format of one source: its root and its splits."""
    writer = importlib.import_module(f"vtinstruct.sample.{name}").WRITER(out, 0)
    for index in scenes:
        writer.add(shot(index))
    splits = writer.finish()
    return out / writer.folder, splits


def decoded(region: Region) -> NDArray[np.bool_]:
    """The mask by pycocotools, not by our own decoder."""
    assert region.mask_rle is not None
    native: Any = {"size": list(region.mask_rle.size_hw), "counts": region.mask_rle.counts}
    return coco_mask.decode(native).astype(bool)


def by_id(records: Iterable[Record]) -> dict[str, Record]:
    """Records by id."""
    return {record.id: record for record in records}


def reasons(drops: Iterable[Drop]) -> Counter[str]:
    """How often each reason was given."""
    return Counter(drop.reason for drop in drops)


def grey(path: Path, labels: Any, dtype: Any = np.uint8) -> Path:
    """A grey label picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(labels, dtype)).save(path)
    return path


def read_spoken(name: str, root: Path, split: str) -> tuple[list[Record], list[Drop]]:
    """`read` for sources whose regions are the ones spoken about: they show more facts than the source may offer."""
    source = plugins.load("converters", name)
    opened = source.open(root, split)
    drops: list[Drop] = list(opened.faults)
    records = list(opened.records(0, len(opened), drops.append))
    assert records == list(source.open(root, split).records(0, len(opened), lambda drop: None))
    assert len({record.id for record in records}) == len(records)
    assert all(path.is_file() for path in opened.files)
    assert all(drop.source == name and drop.file and drop.row and drop.reason for drop in drops)
    return records, drops
