"""Two folders of label maps (PNG), scored as mmsegmentation, Cityscapes and ADE20K do: one confusion over all pixels.

A pixel's grey value (or palette index) is its class. Pixels annotated `ignore` (255) do not count. ADE20K's maps count from 1
and 0 is "other": `reduce_zero_label` takes 1 off and ignores 0. Cityscapes' `labelIds` become train ids by its own table
(cityscapesScripts, `helpers/labels.py`): `cityscapes`.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.official._files import OfficialError
from benchmarks.official._pictures import grey_values
from benchmarks.official._table import Table

Labels = NDArray[np.int64]
IGNORED, NOT = 255, -1  # in a file; in a map read from it
CITYSCAPES = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation", "terrain", "sky",
    "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
)  # fmt: skip
# label id of every train id, in order
CITYSCAPES_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)


def miou(
    annotations: Path, results: Path, classes: int | Sequence[str] = (), *, ignore: int = IGNORED,
    reduce_zero_label: bool = False, cityscapes: bool = False,
) -> Table:  # fmt: skip
    """mIoU, mIoU[absent=0], aAcc, mAcc, fwIoU over all pairs of pictures of the same name (Cityscapes' endings
    `_gtFine_labelIds` may differ). `classes`: their number, or names. Raises `OfficialError`."""
    names = (
        list(CITYSCAPES) if cityscapes else [str(c) for c in (range(classes) if isinstance(classes, int) else classes)]
    )
    if not names:
        raise OfficialError("how many classes there are must be said: a number, or their names")
    pairs = pair(annotations, results)
    table = _table(ignore, reduce_zero_label, cityscapes)
    counts = np.zeros((len(names), len(names) + 1), dtype=np.int64)  # the last column: no class of the list
    for true_path, found_path in pairs:
        true, found = table[grey_values(true_path)], table[grey_values(found_path)]
        if true.shape != found.shape:
            raise OfficialError(
                f"{found_path}: {found.shape[::-1]} pixels; the annotation's {true.shape[::-1]} are right"
            )
        strange = true[(true >= len(names)) & (true != NOT)]
        if strange.size:
            raise OfficialError(f"{true_path}: class {int(strange[0])}; 0..{len(names) - 1} or {ignore} are right")
        kept = true != NOT
        answered = np.where((found[kept] != NOT) & (found[kept] < len(names)), found[kept], len(names))
        flat = true[kept] * (len(names) + 1) + answered
        counts += np.bincount(flat, minlength=counts.size).reshape(counts.shape)
    versions = {"numpy": importlib.metadata.version("numpy")}
    return Table("label maps", *summary(counts, names), (f"{len(pairs)} pairs of pictures",), versions)


def summary(counts: Labels, names: Sequence[str]) -> tuple[dict[str, float | None], tuple[dict[str, Any], ...]]:
    """The numbers of a confusion, (C, C + 1) pixels by annotated and answered class, and those of every class."""
    inter, true, found = np.diag(counts).astype(float), counts.sum(axis=1), counts[:, :-1].sum(axis=0)
    union, total = true + found - inter, int(true.sum())
    if not total:
        return dict.fromkeys(("mIoU", "mIoU[absent=0]", "aAcc", "mAcc", "fwIoU")), ()
    iou = np.divide(inter, union, out=np.full(len(names), np.nan), where=union > 0)
    accuracy = np.divide(inter, true, out=np.full(len(names), np.nan), where=true > 0)
    numbers: dict[str, float | None] = {
        "mIoU": float(np.nanmean(iou)), "mIoU[absent=0]": float(np.nansum(iou) / len(names)),
        "aAcc": float(inter.sum() / total), "mAcc": float(np.nanmean(accuracy)),
        "fwIoU": float(np.nansum(true / total * iou)),
    }  # fmt: skip
    classes = tuple(
        {"class": name, "id": index, "IoU": None if np.isnan(i) else float(i), "Acc": None if np.isnan(a) else float(a)}
        for index, (name, i, a) in enumerate(zip(names, iou.tolist(), accuracy.tolist(), strict=True))
    )
    return numbers, classes


def pair(annotations: Path, results: Path, endings: Sequence[str] = (".png",)) -> list[tuple[Path, Path]]:
    """Every annotation picture below a folder and its answer, by path and name, or by the name's stem without Cityscapes'
    ending. An annotation without an answer, or with two, is refused."""
    for folder in (annotations, results):
        if not folder.is_dir():
            raise OfficialError(f"{folder}: no folder; the folder of the pictures is right")
    true = [path for path in sorted(annotations.rglob("*")) if path.suffix in endings]
    by_key: dict[str, list[Path]] = {}
    for path in (path for path in sorted(results.rglob("*")) if path.suffix in endings):
        by_key.setdefault(key_of(path), []).append(path)
    if any(path.name.endswith("_gtFine_labelIds.png") for path in true):
        true = [path for path in true if path.name.endswith("_gtFine_labelIds.png")]  # beside them lie other kinds
    if not true:
        raise OfficialError(f"{annotations}: no picture ({', '.join(endings)}) in it")
    found: list[tuple[Path, Path]] = []
    for path in true:
        same = results / path.relative_to(annotations)
        answers = [same] if same.is_file() else by_key.get(key_of(path), [])
        if len(answers) != 1:
            raise OfficialError(
                f"{results}: {len(answers)} answers to {path.relative_to(annotations)}; exactly one is right"
            )
        found.append((path, answers[0]))
    return found


def key_of(path: Path) -> str:
    """What an annotation and its answer have in common: Cityscapes' first three words, or the whole stem, in which KITTI
    calls a depth map by another word than its photo."""
    stem = path.stem.replace("_groundtruth_depth_", "_image_")
    return stem.split("_gtFine")[0].split("_leftImg8bit")[0].removesuffix("_pred")


def _table(ignore: int, reduce_zero_label: bool, cityscapes: bool) -> Labels:
    """Stored value -> class, `NOT` where it does not count; values beyond are no class."""
    table = np.arange(1 << 16, dtype=np.int64)
    if cityscapes:
        table[:] = NOT
        table[list(CITYSCAPES_IDS)] = np.arange(len(CITYSCAPES))
        return table
    table -= reduce_zero_label  # 0 becomes -1, which is `NOT`
    if 0 <= ignore < table.size:
        table[ignore] = NOT
    return table
