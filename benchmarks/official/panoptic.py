"""COCO panoptic annotations and results (JSON and id pictures), scored as `panopticapi.evaluation.pq_compute` does.

Format: https://cocodataset.org/#format-results, panoptic: `annotations` with `image_id`, `file_name` and `segments_info`; the
pictures hold ids as R + 256 G + 65536 B, 0 is void. hotcoco gives the same bits whatever the number of cores. The original adds
IoUs in an order that depends on them, so its last bit varies; `--engine official` takes its single-process sum.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from benchmarks.engine import engine_versions
from benchmarks.official._files import OfficialError, is_number, read_json, rows_of
from benchmarks.official._table import Table
from benchmarks.originals import panoptic_api
from benchmarks.scorer import Engine

GROUPS = {"All": "", "Things": "_th", "Stuff": "_st"}


def panoptic(
    annotations: Path, results: Path, annotation_folder: Path | None = None, result_folder: Path | None = None,
    engine: Engine = "hotcoco",
) -> Table:  # fmt: skip
    """PQ, SQ and RQ of all classes, things and stuff, and of every class. A folder of id pictures is, when not given, the
    JSON's path without `.json`. Raises `OfficialError`."""
    true_folder = annotation_folder or annotations.with_suffix("")
    found_folder = result_folder or results.with_suffix("")
    names = _check(annotations, results, true_folder, found_folder)
    paths = [os.fspath(path) for path in (annotations, results, true_folder, found_folder)]
    with contextlib.redirect_stdout(io.StringIO()):  # both print their table
        got = _official(paths) if engine == "official" else _hotcoco(paths)
    numbers: dict[str, float | None] = {}
    for group, ending in GROUPS.items():
        whole = got.get(group) or {"n": 0}
        for name in ("PQ", "SQ", "RQ"):
            numbers[f"{name}{ending}"] = float(whole[name.lower()]) if whole["n"] else None
    classes = tuple(
        # of a class in neither file the original says 0, hotcoco -1
        {"class": names[id_], "id": id_, **{name: max(float(values[name.lower()]), 0.0) for name in ("PQ", "SQ", "RQ")}}
        for id_, values in sorted((int(id_), values) for id_, values in got["per_class"].items())
    )  # fmt: skip
    return Table("COCO panoptic", numbers, classes, (), engine_versions(engine, ("panopticapi-lite",)))


def _hotcoco(paths: list[str]) -> Mapping[str, Any]:
    from hotcoco.panoptic import pq_compute

    try:
        return pq_compute(*paths)
    except (ValueError, KeyError, OSError, RuntimeError) as error:
        raise OfficialError(f"{paths[1]}: {error}") from error


def _official(paths: list[str]) -> Mapping[str, Any]:
    """The original's single-process function, and its averages; it divides by zero where a group has no class."""
    api, (true, found) = panoptic_api(), (read_json(Path(path)) for path in paths[:2])
    categories = {row["id"]: row for row in true["categories"]}
    answers = {row["image_id"]: row for row in found["annotations"]}
    try:
        pairs = [(row, answers[row["image_id"]]) for row in true["annotations"]]
    except KeyError as error:
        raise OfficialError(f"{paths[1]}: no prediction for the image with id {error}") from error
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # it prints a traceback before it raises
            stat = api.pq_compute_single_core(0, pairs, paths[2], paths[3], categories)
    except (KeyError, OSError) as error:
        raise OfficialError(f"{paths[1]}: {error}") from error
    got: dict[str, Any] = {}
    for group, thing in (("All", None), ("Things", True), ("Stuff", False)):
        with contextlib.suppress(ZeroDivisionError):
            got[group], per_class = stat.pq_average(categories, thing)
            got["per_class"] = got.get("per_class", per_class)
    return {"per_class": {}, **got}


def _check(annotations: Path, results: Path, true_folder: Path, found_folder: Path) -> dict[int, str]:
    """What the engines would take without a word, or die of; gives the class names."""
    true, found = read_json(annotations), read_json(results)
    for path, table, keys in (
        (annotations, true, ("annotations", "categories")), (results, found, ("annotations",))
    ):  # fmt: skip
        if not isinstance(table, dict):
            raise OfficialError(
                f"{path}: {type(cast(object, table)).__name__}; an object with {', '.join(keys)} is right"
            )
        for key in keys:
            rows_of(cast(dict[str, Any], table).get(key), f"{path}: {key}")
    for path, folder, table in ((annotations, true_folder, true), (results, found_folder, found)):
        if not folder.is_dir():
            raise OfficialError(f"{folder}: no folder; the id pictures that {path.name} names are right")
        seen = set[object]()
        for number, row in enumerate(table["annotations"]):
            _check_row(row, f"{path}: annotations[{number}]", folder, needs_area=path is annotations)
            if row["image_id"] in seen:
                raise OfficialError(f"{path}: image {row['image_id']} stands twice; one annotation an image is right")
            seen.add(row["image_id"])
    for number, row in enumerate(true["categories"]):
        if not isinstance(row.get("id"), int) or row.get("isthing") not in (0, 1):
            raise OfficialError(f"{annotations}: categories[{number}] has no whole id or no isthing of 0 or 1")
    return {row["id"]: str(row.get("name", row["id"])) for row in true["categories"]}


def _check_row(row: Mapping[str, Any], where: str, folder: Path, needs_area: bool) -> None:
    name = row.get("file_name")
    if "image_id" not in row or not isinstance(name, str) or Path(name).name != name:
        raise OfficialError(f"{where} has no image_id or no file_name in the folder of id pictures")
    if not (folder / name).is_file():
        raise OfficialError(f"{folder / name}: not there; the id picture that {where} names is right")
    seen = set[int]()
    for segment in rows_of(row.get("segments_info"), f"{where}: segments_info"):
        number = segment.get("id")
        if not isinstance(number, int) or not 0 < number < 1 << 24 or not isinstance(segment.get("category_id"), int):
            raise OfficialError(f"{where}: segment {number!r:.40}; an id in 1..16777215 and a category_id are right")
        if number in seen:
            raise OfficialError(f"{where}: segment {number} stands twice; unique ids are right")
        seen.add(number)
        if needs_area and not (is_number(segment.get("area")) and segment.get("iscrowd") in (0, 1)):
            raise OfficialError(f"{where}: segment {number} has no finite area or no iscrowd of 0 or 1")
