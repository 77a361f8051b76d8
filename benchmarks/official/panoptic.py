"""COCO panoptic annotations and results (JSON and id pictures), scored as `panopticapi.evaluation.pq_compute` does.

Format: https://cocodataset.org/#format-results, panoptic: `annotations` with `image_id`, `file_name` and `segments_info`; the
pictures hold ids as R + 256 G + 65536 B, 0 is void. The numbers are the bits of the original's single process, whatever the cores
here: IoUs are added image by image in the file's order, by annotated id within one. (The original's own command splits the images
over as many processes as there are cores, and its last bit varies with them.)

The counting is that of the suite (`scorers/pq.py`); here the pictures are read.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.crew import Crew, Do
from benchmarks.engine import engine_versions
from benchmarks.official._files import OfficialError, is_number, rows_of, table_of
from benchmarks.official._pictures import rgb_values
from benchmarks.official._table import Table
from benchmarks.originals import panoptic_api
from benchmarks.scorer import Engine, Row
from benchmarks.scorers._label_maps import NOTHING, Region, overlaps
from benchmarks.scorers.pq import COUNTED, average, matches, quality_of, sums

PIECE = 50  # pairs of pictures that a process takes at once
BLOCK = 3 << 16  # bytes of a picture compared at once: what comes of it stays in the cache
NAMES = ("PQ", "SQ", "RQ")
GROUPS = {"All": "", "Things": "_th", "Stuff": "_st"}


Pair = tuple[dict[str, Any], dict[str, Any]]  # an image's row in the annotations and in the results


@dataclass(frozen=True, slots=True)
class Where:
    """The folders of id pictures, annotated and answered, and the file of the answers' rows."""

    folders: tuple[Path, Path]
    results: Path


@dataclass(frozen=True, slots=True)
class Pictures:
    """Checked rows, a pair an image in the annotations' order, the classes by id, and where the pictures lie."""

    pairs: list[Pair]
    categories: dict[int, dict[str, Any]]
    where: Where


@dataclass(frozen=True, slots=True)
class Quality:
    """PQ, SQ and RQ of each group and class, and what computed them."""

    means: Mapping[str, Sequence[float | None]]
    classes: Mapping[int, Sequence[float]]
    versions: Mapping[str, str]


def panoptic(
    annotations: Path, results: Path, annotation_folder: Path | None = None, result_folder: Path | None = None,
    engine: Engine = "hotcoco", workers: int = 1,
) -> Table:  # fmt: skip
    """PQ, SQ and RQ of all classes, things and stuff, and of every class. A folder of id pictures is, when not given, the
    JSON's path without `.json`. `workers` processes read the pictures, to the same bits; the original's have one. Raises
    `OfficialError`, and `WorkerDied` where one does."""
    folders = (annotation_folder or annotations.with_suffix(""), result_folder or results.with_suffix(""))
    pictures = _read(annotations, results, folders)
    got = _official(pictures) if engine == "official" else _ours(pictures, workers)
    numbers = {
        f"{name}{ending}": value
        for group, ending in GROUPS.items()
        for name, value in zip(NAMES, got.means[group], strict=True)
    }
    classes = tuple(
        {"class": str(pictures.categories[id_].get("name", id_)), "id": id_, **dict(zip(NAMES, values, strict=True))}
        for id_, values in sorted(got.classes.items())
    )
    return Table("COCO panoptic", numbers, classes, (), got.versions)


def _ours(pictures: Pictures, workers: int) -> Quality:
    pieces = [pictures.pairs[start : start + PIECE] for start in range(0, len(pictures.pairs), PIECE)]
    with Crew(workers) as crew:
        rows = list(chain.from_iterable(crew.share(_counter, pictures.where, pieces, len(pieces))))
    counted = sums({name: [row[name] for row in rows] for name in COUNTED})
    things = {id_: category["isthing"] for id_, category in pictures.categories.items()}
    means = {
        group: average(counted, [id_ for id_, thing in things.items() if wanted in (None, thing)])
        for group, wanted in (("All", None), ("Things", 1), ("Stuff", 0))
    }
    # of a class in neither file the original says 0
    classes = {id_: quality_of(*counted[id_]) if id_ in counted else (0.0, 0.0, 0.0) for id_ in things}
    return Quality(means, classes, {name: importlib.metadata.version(name) for name in ("numpy", "kornia-rs")})


def _counter(where: Where) -> Do:
    return lambda pairs: [_row(pair, where) for pair in pairs]


def _row(pair: Pair, where: Where) -> Row:
    """What one image adds: `matches` of its regions by id, as the original adds IoUs; of a class's crowds the last in the
    file is the one that excuses."""
    annotated, answered = (row["segments_info"] for row in pair)
    annotated = sorted(annotated, key=lambda segment: math.inf if segment["iscrowd"] else segment["id"])
    answered = sorted(answered, key=lambda segment: segment["id"])
    overlap = _overlap(pair, where, [s["id"] for s in annotated], [s["id"] for s in answered])
    true = [Region(s["category_id"], area=s["area"], crowd=bool(s["iscrowd"])) for s in annotated]
    row = matches(overlap, true, [Region(s["category_id"]) for s in answered])
    if not all(map(math.isfinite, row["tp_iou"])):
        raise OfficialError(
            f"{where.folders[0] / pair[0]['file_name']}: a segment of area 0 has pixels; their number is right"
        )
    return row


def _overlap(pair: Pair, where: Where, true: list[int], found: list[int]) -> NDArray[np.int64]:
    """(T + 2, F + 1) pixels by annotated and answered id; the last but one row is what the annotation does not list."""
    paths = [folder / row["file_name"] for folder, row in zip(where.folders, pair, strict=True)]
    image = f"{where.results}: image {pair[1]['image_id']}"
    first, second = map(rgb_values, paths)
    if first.shape != second.shape:
        sizes = [f"{maps.shape[1]} x {maps.shape[0]}" for maps in (first, second)]
        raise OfficialError(f"{image}: its picture is {sizes[1]} pixels; {sizes[0]} are right, as annotated")
    (first, second), pixels = _stretches(first, second)
    row, column = _place(first, true), _place(second, found)
    if (column == len(found)).any():
        strange = second[np.argmax(column)]
        raise OfficialError(f"{image}: segment {strange} is in the picture, not in segments_info")
    there = np.zeros(len(found) + 1, dtype=np.bool_)
    there[column] = True
    if not there[:-1].all():
        absent = found[int(np.argmin(there))]
        raise OfficialError(f"{image}: segment {absent} is in segments_info, not in the picture")
    return overlaps(pixels, row, column, len(true) + 1, len(found))


def _stretches(*maps: NDArray[np.uint8]) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
    """The ids of both maps, (S,) each, and the pixels of every stretch along the rows where neither changes."""
    one, other = (side.reshape(-1) for side in maps)
    starts = _changes(one, other)
    red = 3 * starts
    ids = [
        side.take(red) + side[1:].take(red) * np.int64(1 << 8) + side[2:].take(red) * np.int64(1 << 16)
        for side in (one, other)
    ]
    return ids, np.diff(np.append(starts, one.size // 3))


def _changes(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The pixels (S,), ascending and from 0, where either of two pictures (3 N,) has not the colours of the pixel before."""
    size = one.size - 3
    differences = np.zeros((2, min(BLOCK, size + -size % 8)), np.uint8)
    words, others = differences.view(np.uint64)  # few hold any, and only these are looked into byte by byte
    places, found = list[NDArray[np.int64]](), list[NDArray[np.uint64]]()
    for start in range(0, size, BLOCK):
        stop = min(start + BLOCK, size)
        for difference, side in zip(differences, (one, other), strict=True):
            np.bitwise_xor(side[start + 3 : stop + 3], side[start:stop], out=difference[: stop - start])
            difference[stop - start :] = 0
        np.bitwise_or(words, others, out=words)
        some = np.flatnonzero(words != 0)
        places.append(8 * some + (start + 3))
        found.append(words[some])
    if not places:
        return np.zeros(1, np.int64)
    which = np.flatnonzero(np.concatenate(found).view(np.uint8) != 0)
    pixels = np.append(0, (np.concatenate(places)[which >> 3] + (which & 7)) // 3)
    return pixels[np.append(True, pixels[1:] > pixels[:-1])]  # each came up to three times, once a colour


def _place(ids: NDArray[np.int64], known: list[int]) -> NDArray[np.int64]:
    """Where each id stands among K known ones; `NOTHING` for 0, which is void, and K for any other."""
    every = np.array([*known, 0])
    order = np.argsort(every)
    every = every[order]
    order[0] = NOTHING  # ids are above 0
    nearest = np.minimum(np.searchsorted(every, ids), len(known))
    return np.where(every[nearest] == ids, order[nearest], len(known))


def _official(pictures: Pictures) -> Quality:
    """The original's single-process function, and its averages; it divides by zero where a group has no class."""
    api = panoptic_api()
    try:
        # it prints how far it is, and a traceback before it raises
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            stat = api.pq_compute_single_core(0, pictures.pairs, *map(str, pictures.where.folders), pictures.categories)
    except Exception as error:  # decoders raise whatever a broken picture makes them trip over
        raise OfficialError(f"{pictures.where.results}: {error}") from error
    means: dict[str, list[float | None]] = {}
    by_class: dict[int, Any] = {}
    for group, thing in (("All", None), ("Things", True), ("Stuff", False)):
        means[group] = [None, None, None]
        with contextlib.suppress(ZeroDivisionError):
            whole, per_class = stat.pq_average(pictures.categories, thing)
            by_class = by_class or per_class
            means[group] = [float(whole[name.lower()]) for name in NAMES]
    classes = {id_: tuple(float(one[name.lower()]) for name in NAMES) for id_, one in by_class.items()}
    return Quality(means, classes, engine_versions("official", ("panopticapi-lite",)))


def _read(annotations: Path, results: Path, folders: tuple[Path, Path]) -> Pictures:
    """Both files, without what the engines would take without a word, or die of."""
    sides: list[dict[Any, dict[str, Any]]] = []
    categories = _categories(annotations)
    for path, folder in zip((annotations, results), folders, strict=True):
        if not folder.is_dir():
            raise OfficialError(f"{folder}: no folder; the id pictures that {path.name} names are right")
        side: dict[Any, dict[str, Any]] = {}
        for number, row in enumerate(table_of(path, "annotations")):
            where = f"{path}: annotations[{number}]"
            _check_row(row, where, folder, None if path is annotations else categories)
            if row["image_id"] in side:
                raise OfficialError(f"{path}: image {row['image_id']} stands twice; one annotation an image is right")
            side[row["image_id"]] = row
        sides.append(side)
    true, found = sides
    for image in true:
        if image not in found:
            raise OfficialError(f"{results}: no prediction for the image with id {image}; one an image is right")
    return Pictures([(row, found[image]) for image, row in true.items()], categories, Where(folders, results))


def _categories(path: Path) -> dict[int, dict[str, Any]]:
    rows = table_of(path, "categories")
    for number, row in enumerate(rows):
        if not isinstance(row.get("id"), int) or row.get("isthing") not in (0, 1):
            raise OfficialError(f"{path}: categories[{number}] has no whole id or no isthing of 0 or 1")
    return {row["id"]: row for row in rows}


def _check_row(row: Mapping[str, Any], where: str, folder: Path, known: Mapping[int, Any] | None) -> None:
    """One image's row; an answer's classes must be `known`, an annotation (None) needs areas."""
    name = row.get("file_name")
    if not isinstance(row.get("image_id"), (int, str)) or not isinstance(name, str) or os.path.basename(name) != name:
        raise OfficialError(f"{where} has no image_id or no file_name in the folder of id pictures")
    if not os.path.isfile(os.path.join(folder, name)):  # pathlib takes four times as long
        raise OfficialError(f"{folder / name}: not there; the id picture that {where} names is right")
    seen = set[int]()
    for segment in rows_of(row.get("segments_info"), f"{where}: segments_info"):
        number, category = segment.get("id"), segment.get("category_id")
        if not isinstance(number, int) or not 0 < number < 1 << 24 or not isinstance(category, int):
            raise OfficialError(f"{where}: segment {number!r:.40}; an id in 1..16777215 and a category_id are right")
        if number in seen:
            raise OfficialError(f"{where}: segment {number} stands twice; unique ids are right")
        seen.add(number)
        if known is not None and category not in known:
            raise OfficialError(
                f"{where}: segment {number} has unknown category_id {category}; an annotated one is right"
            )
        if known is None:
            area: Any = segment.get("area")
            if not is_number(area) or area < 0 or area != int(area) or segment.get("iscrowd") not in (0, 1):
                raise OfficialError(f"{where}: segment {number} has no area of whole pixels or no iscrowd of 0 or 1")
            segment["area"] = int(area)
