"""COCO panoptic annotations and results (JSON and id pictures), scored as `panopticapi.evaluation.pq_compute` does.

Format: https://cocodataset.org/#format-results, panoptic: `annotations` with `image_id`, `file_name` and `segments_info`; the
pictures hold ids as R + 256 G + 65536 B, 0 is void. The numbers are the bits of the original's single process, whatever the cores
here: IoUs are added image by image in the file's order, by annotated id within one. (The original's own command splits the images
over as many processes as there are cores, and its last bit varies with them.)

hotcoco counts, with a class of its own for every image and class, so that what it gives is mostly one match, one IoU. Where a
class has several matches in an image it gives their sum only, and the pictures are read once more here for each.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.engine import engine_versions
from benchmarks.official._files import OfficialError, Rows, is_number, rows_of, table_of
from benchmarks.official._table import Table
from benchmarks.originals import panoptic_api
from benchmarks.scorer import Engine
from benchmarks.scorers.pq import quality_of
from benchmarks.sums import in_order
from vtinstruct.photos import FORMATS

Sums = tuple[float, int, int, int]  # of IoU, TP, FP, FN of one class
ID = 0xFFFFFF  # the largest
GROUPS = {"All": "", "Things": "_th", "Stuff": "_st"}


@dataclass(frozen=True, slots=True)
class Pictures:
    """Checked rows, a pair an image in the annotations' order, the classes by id, and where the pictures lie."""

    pairs: list[tuple[dict[str, Any], dict[str, Any]]]
    categories: dict[int, dict[str, Any]]
    folders: tuple[Path, Path]
    results: Path


def panoptic(
    annotations: Path, results: Path, annotation_folder: Path | None = None, result_folder: Path | None = None,
    engine: Engine = "hotcoco",
) -> Table:  # fmt: skip
    """PQ, SQ and RQ of all classes, things and stuff, and of every class. A folder of id pictures is, when not given, the
    JSON's path without `.json`. Raises `OfficialError`."""
    folders = (annotation_folder or annotations.with_suffix(""), result_folder or results.with_suffix(""))
    pictures = _read(annotations, results, folders)
    got = _official(pictures) if engine == "official" else _averages(_counted(pictures), pictures.categories)
    numbers: dict[str, float | None] = {}
    for group, ending in GROUPS.items():
        whole = got.get(group)
        for name in ("PQ", "SQ", "RQ"):
            numbers[f"{name}{ending}"] = float(whole[name.lower()]) if whole else None
    classes = tuple(
        {"class": str(pictures.categories[id_].get("name", id_)), "id": id_,
         **{name: float(values[name.lower()]) for name in ("PQ", "SQ", "RQ")}}
        for id_, values in sorted(got["per_class"].items())
    )  # fmt: skip
    return Table("COCO panoptic", numbers, classes, (), engine_versions(engine, ("panopticapi-lite",)))


def _counted(pictures: Pictures) -> dict[int, Sums]:
    """The sums of every class."""
    apart: dict[tuple[int, int], int] = {}  # (image in order, class) -> the class it is to hotcoco

    def own(row: Mapping[str, Any], image: int) -> dict[str, Any]:
        segments = [
            {**s, "category_id": apart.setdefault((image, s["category_id"]), len(apart))} for s in row["segments_info"]
        ]
        return {"image_id": image, "file_name": row["file_name"], "segments_info": segments}

    sides = [[own(row, image) for image, row in enumerate(rows)] for rows in zip(*pictures.pairs, strict=True)]
    counted: Mapping[int, Any] = _hotcoco(sides, len(apart), pictures) if sides else {}
    several = sorted({image for (image, _), place in apart.items() if counted[place]["tp"] > 1})
    with ThreadPoolExecutor() as threads:
        pairs = [pictures.pairs[image] for image in several]
        again = dict(zip(several, threads.map(_matches, pairs, repeat(pictures.folders)), strict=True))
    sums: dict[int, Sums] = {}
    for (image, category), place in sorted(apart.items()):
        one = counted[place]
        iou, tp, fp, fn = sums.get(category, (0.0, 0, 0, 0))
        for value in again[image][category] if one["tp"] > 1 else (one["iou"],):
            iou += value
        sums[category] = (iou, tp + one["tp"], fp + one["fp"], fn + one["fn"])
    return sums


def _hotcoco(sides: list[Rows], classes: int, pictures: Pictures) -> Mapping[int, dict[str, Any]]:
    from hotcoco.panoptic import PanopticEval

    true, found = ({"images": [], "annotations": rows} for rows in sides)
    true["categories"] = [{"id": place, "name": str(place), "isthing": 1} for place in range(classes)]
    folders = dict(zip(("gt_folder", "pred_folder"), map(str, pictures.folders), strict=True))
    try:
        evaluator = PanopticEval(true, found, **folders)
        evaluator.evaluate()
    except (ValueError, KeyError, OSError, RuntimeError) as error:
        ids = [row["image_id"] for row, _ in pictures.pairs]
        words = re.sub(r"\bimage (\d+)", lambda found: f"image {ids[int(found[1])]}", str(error), count=1)
        raise OfficialError(f"{pictures.results}: {words}") from error
    return evaluator.results()["per_class"]


def _matches(pair: tuple[dict[str, Any], dict[str, Any]], folders: tuple[Path, Path]) -> dict[int, list[float]]:
    """Class -> the IoU of every match of one image, in the original's order: by annotated id."""
    maps = [_ids(folder / row["file_name"]) for folder, row in zip(folders, pair, strict=True)]
    change = maps[0][1:] != maps[0][:-1]
    change |= maps[1][1:] != maps[1][:-1]
    starts = np.concatenate(([0], np.flatnonzero(change) + 1))  # of stretches of one pair of ids
    first, second = (ids[starts].astype(np.int64) & ID for ids in maps)
    keys, place = np.unique(first * (ID + 1) + second, return_inverse=True)
    pixels = np.bincount(place, weights=np.diff(starts, append=maps[0].size)).astype(int).tolist()
    both = {divmod(key, ID + 1): n for key, n in zip(cast(list[int], keys.tolist()), pixels, strict=True)}
    area: dict[int, int] = {}
    for (_, answer), n in both.items():
        area[answer] = area.get(answer, 0) + n
    annotated, answered = ({s["id"]: s for s in row["segments_info"]} for row in pair)
    ious: dict[int, list[float]] = {}
    for (t, f), n in both.items():
        if t in annotated and f in answered and not annotated[t]["iscrowd"]:
            category = annotated[t]["category_id"]
            iou = n / (area[f] + annotated[t]["area"] - n - both.get((0, f), 0))
            if category == answered[f]["category_id"] and iou > 0.5:
                ious.setdefault(category, []).append(iou)
    return ious


def _ids(path: Path) -> NDArray[np.uint32]:
    """The ids of a picture, flat, in the lower three bytes."""
    with Image.open(path, formats=FORMATS) as picture:
        rgb = picture if picture.mode == "RGB" else picture.convert("RGB")
        return np.frombuffer(rgb.tobytes("raw", "RGBX"), dtype="<u4")


def _averages(sums: Mapping[int, Sums], categories: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """The means of the original's `pq_average`, added in the order of the classes in the file; no group without a class."""
    got: dict[str, Any] = {"per_class": {}}
    names = ("pq", "sq", "rq")
    values = {id_: quality_of(*sums[id_]) for id_ in categories if id_ in sums and any(sums[id_][1:])}
    for group, thing in (("All", None), ("Things", 1), ("Stuff", 0)):
        inside = [one for id_, one in values.items() if thing is None or categories[id_]["isthing"] == thing]
        if inside:
            got[group] = {name: in_order(one[k] for one in inside) / len(inside) for k, name in enumerate(names)}
    for id_ in categories:  # of a class in neither file the original says 0
        got["per_class"][id_] = dict(zip(names, values.get(id_, (0.0, 0.0, 0.0)), strict=True))
    return got


def _official(pictures: Pictures) -> dict[str, Any]:
    """The original's single-process function, and its averages; it divides by zero where a group has no class."""
    api = panoptic_api()
    try:
        # it prints how far it is, and a traceback before it raises
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            stat = api.pq_compute_single_core(0, pictures.pairs, *map(str, pictures.folders), pictures.categories)
    except Exception as error:  # decoders raise whatever a broken picture makes them trip over
        raise OfficialError(f"{pictures.results}: {error}") from error
    got: dict[str, Any] = {"per_class": {}}
    for group, thing in (("All", None), ("Things", True), ("Stuff", False)):
        with contextlib.suppress(ZeroDivisionError):
            got[group], per_class = stat.pq_average(pictures.categories, thing)
            got["per_class"] = got["per_class"] or per_class
    return got


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
    return Pictures([(row, found[image]) for image, row in true.items()], categories, folders, results)


def _categories(path: Path) -> dict[int, dict[str, Any]]:
    rows = table_of(path, "categories")
    for number, row in enumerate(rows):
        if not isinstance(row.get("id"), int) or row.get("isthing") not in (0, 1):
            raise OfficialError(f"{path}: categories[{number}] has no whole id or no isthing of 0 or 1")
    return {row["id"]: row for row in rows}


def _check_row(row: Mapping[str, Any], where: str, folder: Path, known: Mapping[int, Any] | None) -> None:
    """One image's row; an answer's classes must be `known`, an annotation (None) needs areas."""
    name = row.get("file_name")
    if not isinstance(row.get("image_id"), (int, str)) or not isinstance(name, str) or Path(name).name != name:
        raise OfficialError(f"{where} has no image_id or no file_name in the folder of id pictures")
    if not (folder / name).is_file():
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
