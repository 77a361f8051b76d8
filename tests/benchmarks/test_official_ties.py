"""The range of AP over the orders of equal confidences in official files, against pycocotools and lvis-api asked for every order."""

from __future__ import annotations

import copy
import json
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from benchmarks.engine import found_objects, truth_objects
from benchmarks.official import Table, coco, lvis
from benchmarks.originals import OriginalMissing, lvis_api
from benchmarks.scorers._instances import sizes_of
from tests.benchmarks.road import bench
from tests.benchmarks.test_intervals import MODULES, rows_of
from tests.benchmarks.test_lvis import evaluated as lvis_evaluated
from tests.benchmarks.test_lvis import official as lvis_official
from tests.benchmarks.test_official import FIELDS, files, listed, original

NAMES = ["AP_worst", "AP_expected", "AP_best"]
Rows = list[dict[str, Any]]


def small_set(seed: int, kind: str, crowded: bool, levels: int) -> tuple[dict[str, Any], Rows]:
    """Two photos, two classes, and up to six results that compete for up to four truths, with as many `levels` of confidence.
    Truths lie apart, or so `crowded` that a result may fit several; now and then one is a crowd."""
    rng = np.random.default_rng(seed)
    truths, answers = int(rng.integers(2, 5)), int(rng.integers(4, 7))
    corners = rng.uniform(0, 5, (truths, 2)) + (20 if crowded else 20 + 45 * np.arange(truths)[:, None])
    boxes = np.hstack([corners, rng.uniform(18, 24, (truths, 2))])
    photo, class_ = rng.integers(1, 3, truths), rng.integers(1, 3, truths)
    crowd = (rng.random(truths) < 0.15) & (np.arange(truths) > 0)
    table = {
        "images": [{"id": n, "width": 260, "height": 260} for n in (1, 2)],
        "categories": [{"id": n, "name": f"class {n}"} for n in (1, 2)],
        "annotations": [
            {
                "id": n + 1, "image_id": int(photo[n]), "category_id": int(class_[n]), "iscrowd": int(crowd[n]),
                "area": float(boxes[n, 2] * boxes[n, 3]), **shape(boxes[n], kind, True),
            }
            for n in range(truths)
        ],
    }  # fmt: skip
    for row in table["annotations"][1:] if kind == "keypoints" else ():
        if rng.random() < 0.4:  # a person without a labelled joint takes one answer, and the others miss
            row |= {"keypoints": [0] * 51, "num_keypoints": 0}
    rows: Rows = []
    for n in rng.integers(0, truths, answers).tolist():
        box = boxes[n] + rng.normal(0, 1.2, 4)
        if rng.random() < 0.2:
            box[:2] += 60
        row = {"image_id": int(photo[n]), "category_id": int(class_[n]), "score": int(rng.integers(1, levels + 1)) / 10}
        rows.append(row | shape(box, kind, False))
    return table, rows


def shape(box: np.ndarray, kind: str, annotated: bool) -> dict[str, Any]:
    """A box, a triangle in it, or a person whose joints lie along its diagonal."""
    x, y, w, h = box.tolist()
    if kind == "bbox":
        return {"bbox": [x, y, w, h]}
    if kind == "segm":
        return {"segmentation": [[x, y, x + w, y, x + w, y + h]]}
    joints = [value for n in range(17) for value in (x + w * n / 16, y + h * n / 16, 2)]
    return {"keypoints": joints} | ({"bbox": [x, y, w, h], "num_keypoints": 17} if annotated else {})


def of_all_orders(rows: Rows, precision_of: Any) -> np.ndarray:
    """(orders, thresholds x classes): the original's AP of every order that keeps to the confidences; NaN where undefined."""
    score = np.array([row["score"] for row in rows])
    found = []
    for order in permutations(range(len(rows))):
        if (np.diff(score[list(order)]) <= 0).all():
            ranked = [rows[n] | {"score": 1 - place / 100} for place, n in enumerate(order)]
            precision = precision_of(ranked)
            found.append(np.where(precision > -1, precision, np.nan).mean(axis=1).ravel())  # over recall levels
    return np.array(found)


def holds(table: Table, values: np.ndarray, exact: bool) -> bool:
    """The three numbers against every order's; True where the order moves anything."""
    values = values[:, ~np.isnan(values[0])]
    if not values.size or np.ptp(values, axis=0).max() <= 1e-12:
        return False
    lowest, highest, single = values.min(axis=0).mean(), values.max(axis=0).mean(), values.mean(axis=1)
    assert list(table.ties) == NAMES
    worst, expected, best = table.ties.values()
    assert worst is not None
    assert expected is not None
    assert best is not None
    if exact:
        assert (worst, best) == pytest.approx((lowest, highest), abs=1e-12)
    assert worst - 1e-12 <= lowest <= highest <= best + 1e-12
    assert lowest - worst < 0.1
    assert best - highest < 0.1
    assert abs(expected - single.mean()) < 5 * single.std() / np.sqrt(20) + 1e-9
    assert worst - 1e-12 <= (table.numbers["AP"] or 0.0) <= best + 1e-12
    return True


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("crowded", [False, True])
@pytest.mark.parametrize("kind", sorted(FIELDS))
def test_the_range_is_that_of_pycocotools_over_all_orders(
    kind: str, crowded: bool, levels: int, tmp_path: Path
) -> None:
    moved = 0
    for seed in range(3):
        truth, rows = small_set(seed, kind, crowded, levels)
        table = coco(*files(tmp_path, truth, rows), kind)  # type: ignore[arg-type]
        assert listed(table) == original(truth, as_runs(rows), kind).stats.tolist()

        def precision(ranked: Rows, truth: dict[str, Any] = truth) -> np.ndarray:
            return original(truth, as_runs(ranked), kind).eval["precision"][:, :, :, 0, -1]

        moved += holds(table, of_all_orders(rows, precision), exact=not crowded)
        assert coco(*files(tmp_path, truth, rows), kind, "official").ties == table.ties  # type: ignore[arg-type]
    assert moved


def as_runs(rows: Rows) -> Rows:
    """pycocotools reads results' masks as run lengths only."""
    from pycocotools import mask as coco_mask

    found = copy.deepcopy(rows)
    for row in found:
        if "segmentation" in row:
            (rle,) = coco_mask.frPyObjects(row["segmentation"], 260, 260)
            row["segmentation"] = {"size": rle["size"], "counts": rle["counts"].decode()}
    return found


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_the_range_is_that_of_lvis_api_over_all_orders(kind: str, tmp_path: Path) -> None:
    """With classes that are not judged, classes of which more may be there, and truths to be ignored."""
    try:
        api = lvis_api()
    except OriginalMissing as missing:
        pytest.skip(str(missing))
    moved = 0
    for seed in range(4):
        truth, rows = small_set(seed, kind, False, 1 + seed % 2)
        for row in truth["annotations"]:
            row["ignore"] = row.pop("iscrowd") or int(row["id"] == 2)
        for number, image in enumerate(truth["images"]):
            image |= {"neg_category_ids": [1] if number else [], "not_exhaustive_category_ids": [] if number else [2]}
        for category in truth["categories"]:
            category["frequency"] = "f"
        table = lvis(*files(tmp_path, truth, rows), kind)  # type: ignore[arg-type]
        expected = lvis_official(api, truth, as_runs(rows), kind)
        assert listed(table) == [expected[name] for name in table.numbers]

        def precision(ranked: Rows, truth: dict[str, Any] = truth) -> np.ndarray:
            return lvis_evaluated(api, truth, as_runs(ranked), kind).eval["precision"][:, :, :, 0]

        moved += holds(table, of_all_orders(rows, precision), exact=True)
    assert moved


def test_what_is_too_large_to_count_neither_hits_nor_misses(tmp_path: Path) -> None:
    """An answer above 10^10 pixels is ignored unless it hits, and so is a truth."""
    truth, _ = small_set(0, "bbox", False, 1)
    huge = [0.0, 0.0, 2e5, 2e5]
    truth["annotations"] = [
        {"id": n, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": box, "area": area}
        for n, (box, area) in enumerate((([10, 10, 20, 20], 400.0), ([90, 90, 20, 20], 2e10)), start=1)
    ]
    boxes = [[11, 10, 20, 20], huge, [91, 90, 20, 20], [200, 200, 9, 9]]
    rows = [{"image_id": 1, "category_id": 1, "score": 1.0, "bbox": box} for box in boxes]
    table = coco(*files(tmp_path, truth, rows), "bbox")
    values = of_all_orders(rows, lambda ranked: original(truth, ranked, "bbox").eval["precision"][:, :, :, 0, -1])
    assert holds(table, values, exact=True)


@pytest.mark.parametrize("kind", sorted(MODULES))
def test_a_suite_and_an_official_file_of_the_same_instances_have_the_same_range(kind: str, tmp_path: Path) -> None:
    rows, setting = rows_of(kind, 7, 12)
    steps = [[round(score, 1) for score in scores] for scores in rows["found_score"].to_list()]
    rows = rows.with_columns(pl.Series("found_score", steps, pl.List(pl.Float64)))
    summary = MODULES[kind].SCORER.summarize(rows, setting)
    truth, found = MODULES[kind].sides(rows)
    table = {
        "images": [{"id": n, "width": w, "height": h} for n, (w, h) in enumerate(sizes_of(rows), start=1)],
        "categories": [{"id": n, "name": str(n)} for n in sorted({*truth.category.tolist(), *found.category.tolist()})],
        "annotations": plain(truth_objects(truth)),
    }
    for number, row in enumerate(table["annotations"]):
        row |= {"bbox": truth.boxes_xywh[number].tolist()}
        if truth.keypoints is not None:
            row["num_keypoints"] = int((truth.keypoints[number, 2::3] > 0).sum())
    given = files(tmp_path, table, plain(found_objects(found)))
    got = coco(*given, {"box": "bbox", "mask": "segm", "keypoint": "keypoints"}[kind])  # type: ignore[arg-type]
    assert got.numbers["AP"] == summary.numbers["AP"]
    assert {name: summary.numbers[name] for name in NAMES} == got.ties
    assert None not in got.ties.values()


def plain(rows: Rows) -> Rows:
    """Rows as JSON has them."""
    for row in rows:
        for name, value in row.items():
            if isinstance(value, dict):
                row[name] = value | {"counts": value["counts"].decode()}
            elif isinstance(value, np.generic):
                row[name] = value.item()
    return rows


def test_masks_in_any_form_and_as_boxes_have_one_range(tmp_path: Path) -> None:
    truth, rows = small_set(1, "segm", False, 1)
    ties = coco(*files(tmp_path, truth, rows), "segm").ties
    assert ties
    assert coco(*files(tmp_path, truth, as_runs(rows)), "segm").ties == ties
    boxed = [row | {"bbox": [0, 0, 5, 5]} for row in as_runs(rows)]
    assert coco(*files(tmp_path, truth, boxed), "segm").ties == ties
    for row in truth["annotations"]:
        row["bbox"] = list(corners(row["segmentation"][0]))
    as_boxes = coco(*files(tmp_path, truth, as_runs(rows)), "bbox")
    values = of_all_orders(rows, lambda few: original(truth, as_runs(few), "bbox").eval["precision"][:, :, :, 0, -1])
    assert holds(as_boxes, values, exact=True)


def corners(polygon: list[float]) -> tuple[float, ...]:
    x, y = polygon[0::2], polygon[1::2]
    return min(x), min(y), max(x) - min(x), max(y) - min(y)


def test_the_commands_show_the_range_where_the_order_moves_something(tmp_path: Path) -> None:
    truth, rows = small_set(1, "bbox", False, 1)
    done = bench("coco", *files(tmp_path, truth, rows), "--json")
    said = json.loads(done.stdout)
    assert list(said["ties"]) == NAMES
    assert len(said["numbers"]) == 12
    assert said["notes"][-1].startswith(f"{len(rows)} results share their confidence with others of their class")
    shown = bench("coco", *files(tmp_path, truth, rows)).stdout
    assert all(f"{name} " in shown for name in NAMES)
    assert f"{said['ties']['AP_best']:.6f}" in shown
    for number, row in enumerate(rows):
        row["score"] = 1 - number / 100
    done = bench("coco", *files(tmp_path, truth, rows), "--json")
    assert json.loads(done.stdout)["ties"] == {}
    assert "AP_worst" not in bench("coco", *files(tmp_path, truth, rows)).output
