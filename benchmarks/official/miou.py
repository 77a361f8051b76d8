"""Two folders of label maps (PNG), scored as mmsegmentation, Cityscapes and ADE20K do: one confusion over all pixels.
`mIoU[annotated]` leaves out classes that were answered only, as detectron2's `SemSegEvaluator` does.

A pixel's grey value (or palette index) is its class. Pixels annotated `ignore` (255) do not count. ADE20K's maps count from 1
and 0 is "other": `reduce_zero_label` takes 1 off and ignores 0 (`"annotations"`: answers count from 0 already, as
mmsegmentation's and transformers' models say them). Cityscapes' `labelIds` are scored as `_cityscapes.py` says: `cityscapes`.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.official._cityscapes import CATEGORIES, CLASSES, COUNTED, LAST, Objects, count
from benchmarks.official._cityscapes import summary as city_summary
from benchmarks.official._files import OfficialError
from benchmarks.official._pictures import grey_values
from benchmarks.official._table import Table

Labels = NDArray[np.int64]
IGNORED, NOT = 255, -1  # in a file; in a map read from it
COMMON = 1 << 18  # pairs of values that are counted one by one: more than those of 8 bits


def miou(
    annotations: Path, results: Path, classes: int | Sequence[str] = (), *, ignore: int = IGNORED,
    reduce_zero_label: bool | Literal["annotations"] = False, cityscapes: bool = False,
) -> Table:  # fmt: skip
    """mIoU, the same of annotated classes alone and with absent ones as 0, aAcc, mAcc, fwIoU over all pairs of pictures of
    the same name (Cityscapes' endings may differ). `classes`: their number, or names. Raises `OfficialError`."""
    pairs = pair(annotations, results, key=_place if cityscapes else key_of)
    versions = {"numpy": importlib.metadata.version("numpy")}
    if cityscapes:
        return _cityscapes(pairs, versions)
    names = [str(name) for name in (range(classes) if isinstance(classes, int) else classes)]
    if not names:
        raise OfficialError("how many classes there are must be said: a number, or their names")
    tables = _table(ignore, bool(reduce_zero_label)), _table(ignore, reduce_zero_label is True)
    counts = np.zeros((len(names), len(names) + 1), dtype=np.int64)  # the last column: no class of the list
    for true_path, found_path in pairs:
        *stored, pixels = _together(*_maps(true_path, found_path))
        true, found = (table[values] for table, values in zip(tables, stored, strict=True))
        strange = true[true >= len(names)]
        if strange.size:
            raise OfficialError(f"{true_path}: class {int(strange[0])}; 0..{len(names) - 1} or {ignore} are right")
        kept = true != NOT
        answered = np.where((found != NOT) & (found < len(names)), found, len(names))
        np.add.at(counts, (true[kept], answered[kept]), pixels[kept])
    return Table("label maps", *summary(counts, names), (f"{len(pairs)} pairs of pictures",), versions)


def _cityscapes(pairs: Sequence[tuple[Path, Path]], versions: dict[str, str]) -> Table:
    counts, objects = np.zeros((LAST + 1, LAST + 2), dtype=np.int64), Objects()
    beside = [path.with_name(path.name.replace("labelIds", "instanceIds")) for path, _ in pairs]
    whole = all(path.is_file() and path != true for path, (true, _) in zip(beside, pairs, strict=True))
    for (true_path, found_path), object_path in zip(pairs, beside, strict=True):
        true, found = _maps(true_path, found_path)
        if true.max() > LAST:
            raise OfficialError(f"{true_path}: label id {int(true.max())}; Cityscapes' 0..{LAST} are right")
        counts += count(true, found)
        if whole:
            objects.add(_maps(object_path, found_path)[0], found)
    own, by_class = city_summary(counts, objects if whole else None)
    columns = [*COUNTED, *sorted(set(range(LAST + 2)) - set(COUNTED))]
    trained = counts[np.ix_(COUNTED, columns)]
    trained = np.column_stack((trained[:, : len(COUNTED)], trained[:, len(COUNTED) :].sum(axis=1)))
    numbers, classes = summary(trained, list(CLASSES))
    rows = tuple({**row, "iIoU": by_class[row["class"]]["iIoU"]} for row in classes)
    rows += tuple({"class": f"[{name}]", "id": name, "Acc": None, **by_class[name]} for name in CATEGORIES)
    notes = [f"{len(pairs)} pairs of pictures; the last classes, in brackets, are categories"]
    if not whole:
        notes.append("iIoU needs a picture *_gtFine_instanceIds.png beside every *_gtFine_labelIds.png")
    return Table("Cityscapes label maps", numbers | own, rows, tuple(notes), versions)


def _maps(true_path: Path, found_path: Path) -> tuple[Labels, Labels]:
    true, found = grey_values(true_path), grey_values(found_path)
    if true.shape != found.shape:
        raise OfficialError(f"{found_path}: {found.shape[::-1]} pixels; the annotation's {true.shape[::-1]} are right")
    return true, found


def _together(true: Labels, found: Labels) -> tuple[Labels, Labels, Labels]:
    """The values that pixels of two maps have together, (P,) of each, and how many pixels have them."""
    width = int(found.max()) + 1
    flat = (true * width + found).ravel()
    if (int(true.max()) + 1) * width <= COMMON:
        counts = np.bincount(flat)
        both = np.flatnonzero(counts)
        return both // width, both % width, counts[both]
    both, counts = np.unique(flat, return_counts=True)
    return both // width, both % width, counts


def summary(counts: Labels, names: Sequence[str]) -> tuple[dict[str, float | None], tuple[dict[str, Any], ...]]:
    """The numbers of a confusion, (C, C + 1) pixels by annotated and answered class, and those of every class."""
    inter, true, found = np.diag(counts).astype(float), counts.sum(axis=1), counts[:, :-1].sum(axis=0)
    union, total = true + found - inter, int(true.sum())
    if not total:
        return dict.fromkeys(("mIoU", "mIoU[annotated]", "mIoU[absent=0]", "aAcc", "mAcc", "fwIoU")), ()
    iou = np.divide(inter, union, out=np.full(len(names), np.nan), where=union > 0)
    there = true > 0
    accuracy = np.divide(inter, true, out=np.full(len(names), np.nan), where=true > 0)
    numbers: dict[str, float | None] = {
        "mIoU": float(np.nanmean(iou)), "mIoU[annotated]": float(iou[there].sum() / there.sum()),
        "mIoU[absent=0]": float(np.nansum(iou) / len(names)), "aAcc": float(inter.sum() / total),
        "mAcc": float(np.nanmean(accuracy)), "fwIoU": float((iou[there] * (true / total)[there]).sum()),
    }  # fmt: skip
    classes = tuple(
        {"class": name, "id": index, "IoU": None if np.isnan(i) else float(i), "Acc": None if np.isnan(a) else float(a)}
        for index, (name, i, a) in enumerate(zip(names, iou.tolist(), accuracy.tolist(), strict=True))
    )
    return numbers, classes


def key_of(path: Path) -> str:
    """What an annotation and its answer have in common: the stem without Cityscapes' endings, in which KITTI calls a depth map
    by another word than its photo."""
    stem = path.stem.replace("_groundtruth_depth_", "_image_")
    return stem.split("_gtFine")[0].split("_leftImg8bit")[0].removesuffix("_pred")


def _place(path: Path) -> str:
    """Cityscapes' city, sequence and frame; what follows is the kind of picture, or whatever the answer calls itself."""
    return "_".join(path.stem.split("_")[:3])


def pair(
    annotations: Path, results: Path, endings: Sequence[str] = (".png",), key: Callable[[Path], str] = key_of
) -> list[tuple[Path, Path]]:
    """Every annotation picture below a folder and its answer, by path and name, or by the key of both names. An annotation
    without an answer, or with two, is refused."""
    for folder in (annotations, results):
        if not folder.is_dir():
            raise OfficialError(f"{folder}: no folder; the folder of the pictures is right")
    true = [path for path in sorted(annotations.rglob("*")) if path.suffix in endings]
    by_key: dict[str, list[Path]] = {}
    for path in (path for path in sorted(results.rglob("*")) if path.suffix in endings):
        by_key.setdefault(key(path), []).append(path)
    if any(path.name.endswith("_gtFine_labelIds.png") for path in true):
        true = [path for path in true if path.name.endswith("_gtFine_labelIds.png")]  # beside them lie other kinds
    if not true:
        raise OfficialError(f"{annotations}: no picture ({', '.join(endings)}) in it")
    found: list[tuple[Path, Path]] = []
    for path in true:
        same = results / path.relative_to(annotations)
        answers = [same] if same.is_file() else by_key.get(key(path), [])
        if len(answers) != 1:
            raise OfficialError(
                f"{results}: {len(answers)} answers to {path.relative_to(annotations)}; exactly one is right"
            )
        found.append((path, answers[0]))
    return found


def _table(ignore: int, reduce_zero_label: bool) -> Labels:
    """Stored value -> class, `NOT` where it does not count; values beyond are no class."""
    table = np.arange(1 << 16, dtype=np.int64) - reduce_zero_label  # 0 becomes -1, which is `NOT`
    if 0 <= ignore < table.size:
        table[ignore] = NOT
    return table
