"""Official result files, scored in their own layout: equal to the original tools, or a clear refusal (docs/metrics.md)."""

from __future__ import annotations

import contextlib
import copy
import importlib
import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmarks.depth import MEANINGS
from benchmarks.engine import average_precision_of_lists
from benchmarks.official import OfficialError, Table, coco, depth, lvis, miou, noc, panoptic
from benchmarks.official._pictures import rgb_values
from benchmarks.originals import OriginalMissing, lvis_api, panoptic_api
from tests.benchmarks.made import made_coco
from tests.benchmarks.road import bench
from tests.benchmarks.test_lvis import evaluated as lvis_evaluated
from tests.benchmarks.test_lvis import made_lvis
from tests.benchmarks.test_lvis import official as lvis_official
from tests.benchmarks.test_panoptic import answer_to, made_panoptic, write_all, write_ids
from tests.benchmarks.test_panoptic import official as pq_official

FIELDS = {"bbox": "bbox", "segm": "segmentation", "keypoints": "keypoints"}


def plain_coco(seed: int, photos: int = 12) -> dict[str, Any]:
    """A made-up annotation file as an official one has it: ids from 1, polygons and both kinds of run lengths."""
    table = made_coco(seed, photos)
    for number, row in enumerate(table["annotations"], start=1):
        row["id"] = number
        x, y, w, h = row["bbox"]
        if number % 3 == 0 and not row["iscrowd"]:
            row["segmentation"] = [[x, y, x + w, y, x + w, y + h], [x, y, x, y + h, x + w / 2, y + h]]
        elif row["iscrowd"]:
            inside = coco_mask.decode({**row["segmentation"], "counts": row["segmentation"]["counts"].encode()})
            flat = np.concatenate([[0], inside.T.ravel(), [1 - inside.T.ravel()[-1]]])
            edges = (
                np.flatnonzero(np.diff(flat)) if flat[1] == 0 else np.concatenate([[0], np.flatnonzero(np.diff(flat))])
            )
            row["segmentation"] = {"size": [120, 160], "counts": np.diff(np.concatenate([[0], edges])).tolist()}
            if sum(row["segmentation"]["counts"]) != 120 * 160:
                row["segmentation"]["counts"].append(120 * 160 - sum(row["segmentation"]["counts"]))
    return table


def results_of(table: dict[str, Any], kind: str, seed: int) -> list[dict[str, Any]]:
    """Results a detector might write: lost, doubled, moved, misnamed, with ties."""
    rng, rows = np.random.default_rng(seed), []
    truth = COCO_of(table)
    for annotation in table["annotations"]:
        for _ in range(int(rng.choice([0, 1, 1, 2]))):
            class_ = annotation["category_id"] if rng.random() < 0.9 else int(rng.integers(1, 5))
            row: dict[str, Any] = {"image_id": annotation["image_id"], "category_id": class_}
            if kind == "bbox":
                x, y, w, h = annotation["bbox"]
                a, b, c, d = (rng.normal(0, 0.1, 4) * max(w, h)).tolist()
                row["bbox"] = [x + a, y + b, max(1.0, w + c), max(1.0, h + d)]
            elif kind == "segm":
                moved = np.roll(truth.annToMask(annotation), tuple(rng.integers(-4, 5, 2)), (0, 1))
                rle: Any = coco_mask.encode(np.asfortranarray(moved))
                row["segmentation"] = {"size": [int(s) for s in rle["size"]], "counts": rle["counts"].decode()}
            else:
                points = np.array(annotation["keypoints"], dtype=float).reshape(17, 3)
                points[:, :2] += rng.normal(0, 3, (17, 2))
                row["keypoints"] = points.ravel().tolist()
            rows.append({**row, "score": round(float(rng.random()), 1)})
    return rows


def COCO_of(table: dict[str, Any]) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):
        truth: Any = COCO()
        truth.dataset = copy.deepcopy(table)
        truth.createIndex()
    return truth


def original(table: dict[str, Any], rows: list[dict[str, Any]], kind: str) -> Any:
    truth = COCO_of(table)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = COCOeval(truth, truth.loadRes(copy.deepcopy(rows)), kind)
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return evaluator


def files(folder: Path, table: Any, rows: Any) -> tuple[Path, Path]:
    (folder / "gt.json").write_text(json.dumps(table))
    (folder / "dt.json").write_text(json.dumps(rows))
    return folder / "gt.json", folder / "dt.json"


def listed(table: Table) -> list[float]:
    return [-1.0 if value is None else value for value in table.numbers.values()]


# --- COCO ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(FIELDS))
@pytest.mark.parametrize("seed", [1, 2])
def test_coco_files_give_the_official_numbers(kind: str, seed: int, tmp_path: Path) -> None:
    table = plain_coco(seed)
    rows = results_of(table, kind, seed)
    expected = original(table, rows, kind)
    paths = files(tmp_path, table, rows)
    for engine in ("hotcoco", "official"):
        got = coco(*paths, kind, engine)  # type: ignore[arg-type]
        assert listed(got) == [float(v) for v in expected.stats]
    precision = expected.eval["precision"]
    for entry in got.classes:
        values = precision[:, :, sorted(c["id"] for c in table["categories"]).index(entry["id"]), 0, -1]
        assert entry["AP"] == values[values > -1].mean()
    assert 0.02 < expected.stats[0] < 0.98


@pytest.mark.parametrize("kind", sorted(FIELDS))
def test_whole_arrays_of_both_engines_are_the_same(kind: str) -> None:
    table = plain_coco(5)
    rows = results_of(table, kind, 5)
    expected = original(table, rows, kind).eval
    got = average_precision_of_lists(kind, table, rows)  # type: ignore[arg-type]
    assert np.array_equal(got.precision, expected["precision"])
    assert np.array_equal(got.recall, expected["recall"])


@pytest.mark.parametrize("kind", sorted(FIELDS))
def test_real_coco_files_give_the_official_numbers(
    kind: str, tiny_coco: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    table = tiny_coco("person_keypoints_val2017.json" if kind == "keypoints" else "instances_val2017.json")
    rows = results_of(table, kind, 3)
    assert listed(coco(*files(tmp_path, table, rows), kind)) == [float(v) for v in original(table, rows, kind).stats]  # type: ignore[arg-type]


side = st.integers(1, 120)
box = st.tuples(st.integers(0, 60), st.integers(0, 60), side, side).map(lambda b: [float(v) for v in b])
truth_row = st.tuples(st.integers(1, 4), st.integers(1, 3), box, st.booleans(), st.sampled_from([-1, 0, 1, 5000]))
found_row = st.tuples(st.integers(1, 4), st.integers(1, 3), box, st.sampled_from([0.0, 0.25, 0.5, 0.5, 1.0]))


@settings(max_examples=60)
@given(st.lists(truth_row, min_size=1, max_size=14), st.lists(found_row, min_size=1, max_size=40))
def test_random_boxes_give_the_official_numbers(truths: list[Any], founds: list[Any]) -> None:
    table = {
        "images": [{"id": i, "width": 200, "height": 200} for i in range(1, 5)],
        "categories": [{"id": c, "name": str(c)} for c in range(1, 4)],
        "annotations": [
            {"id": n, "image_id": i, "category_id": c, "bbox": b, "area": b[2] * b[3] if a < 0 else float(a),
             "iscrowd": int(crowd)}
            for n, (i, c, b, crowd, a) in enumerate(truths, start=1)
        ],
    }  # fmt: skip
    rows = [{"image_id": i, "category_id": c, "bbox": b, "score": s} for i, c, b, s in founds]
    expected = original(table, rows, "bbox")
    got = average_precision_of_lists("bbox", table, rows)  # type: ignore[arg-type]
    assert [-1.0 if v is None else v for v in got.numbers.values()] == [float(v) for v in expected.stats]
    assert np.array_equal(got.precision, expected.eval["precision"])


def small(n: int = 3) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Two images, squares of one class, and their own boxes as results: every number defined is 1."""
    annotations = [
        {"id": i + 1, "image_id": 1 + i % 2, "category_id": 1, "bbox": [10.0 * i, 10.0, 40.0, 40.0], "area": 1600.0,
         "iscrowd": 0, "segmentation": [[10 * i, 10, 10 * i + 40, 10, 10 * i + 40, 50, 10 * i, 50]]}
        for i in range(n)
    ]  # fmt: skip
    images = [{"id": i, "width": 100, "height": 100} for i in (1, 2)]
    table = {
        "images": images,
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
        "annotations": annotations,
    }
    return table, [{k: a[k] for k in ("image_id", "category_id", "bbox")} | {"score": 0.5} for a in annotations]


def test_ids_from_zero_and_equal_ids_cost_nothing(tmp_path: Path) -> None:
    table, rows = small()
    note = "2 annotations have another's id (or none), which the original mixes up"
    for ids in ([0, 1, 2], [7, 7, 7]):
        for annotation, id_ in zip(table["annotations"], ids, strict=True):
            annotation["id"] = id_
        assert original(table, rows, "bbox").stats[0] < 0.5  # the trap
        for engine in ("hotcoco", "official"):
            got = coco(*files(tmp_path, table, rows), "bbox", engine)
            assert got.numbers["AP"] == pytest.approx(1.0)
            assert got.notes == (
                f"{'1 annotation has id 0, whose match the original takes for none' if ids[0] == 0 else note}; "
                "here ids are counted anew",
            )


def test_a_box_beside_a_mask_moves_no_number_but_the_scripts(tmp_path: Path) -> None:
    table, rows = small()
    for row, annotation in zip(rows, table["annotations"], strict=True):
        row["segmentation"] = annotation["segmentation"]
        row["segmentation"][0][4] = row["bbox"][0] + 8  # not the annotation's
        row["bbox"] = [0.0, 0.0, 100.0, 99.0]
    without = [{k: v for k, v in row.items() if k != "bbox"} for row in rows]
    for engine in ("hotcoco", "official"):
        got = coco(*files(tmp_path, table, rows), "segm", engine)
        script = {name: value for name, value in got.numbers.items() if name.endswith("[script]")}
        plain = {name: value for name, value in got.numbers.items() if name not in script}
        assert plain == coco(*files(tmp_path, table, without), "segm", engine).numbers
        assert "areas are the masks'" in got.notes[0]
        one_only = [rows[0], *without[1:]]  # the original dies of it
        assert coco(*files(tmp_path, table, one_only), "segm", engine).numbers == plain


@pytest.mark.parametrize("kind", ["segm", "keypoints"])
def test_boxes_beside_masks_and_poses_give_the_originals_numbers_by_size(kind: str, tmp_path: Path) -> None:
    table = plain_coco(7)
    rows = results_of(table, kind, 7)
    without = original(table, rows, kind).stats
    for row, box in zip(rows, np.random.default_rng(7).uniform(1, 130, (len(rows), 4)).tolist(), strict=True):
        row["bbox"] = box
    expected = dict(
        zip(coco(*files(tmp_path, table, rows), kind).numbers, original(table, rows, kind).stats, strict=False)
    )  # type: ignore[arg-type]
    assert list(expected.values()) != list(without)  # the boxes do move numbers
    for engine in ("hotcoco", "official"):
        got = coco(*files(tmp_path, table, rows), kind, engine).numbers  # type: ignore[arg-type]
        for name, value in expected.items():
            assert got.get(f"{name}[script]", got[name]) == (value if value > -1 else None), name
        assert ("APm[script]" in got) == (kind == "segm")  # of poses every tool takes the box that is given


def test_masks_scored_as_boxes_are_the_boxes_around_them(tmp_path: Path) -> None:
    table = plain_coco(8)
    rows = results_of(table, "segm", 8)
    expected = [float(v) for v in original(table, rows, "bbox").stats]
    assert 0.02 < expected[0] < 0.98
    for engine in ("hotcoco", "official"):
        assert listed(coco(*files(tmp_path, table, rows), "bbox", engine)) == expected


def test_no_results_no_annotations_and_unknown_classes(tmp_path: Path) -> None:
    table, rows = small()
    for engine in ("hotcoco", "official"):
        none = coco(*files(tmp_path, table, []), "bbox", engine)
        silent = none.numbers
        assert none.notes == (
            "there is not one result: all that is annotated counts as not found, where the original stops",
        )
        assert (silent["AP"], silent["AR100"], silent["APs"]) == (0.0, 0.0, None)
        nothing = coco(*files(tmp_path, {**table, "annotations": []}, rows), "bbox", engine).numbers
        assert set(nothing.values()) == {None}
        strange = [{**row, "category_id": 9} for row in rows]
        got = coco(*files(tmp_path, table, rows + strange), "bbox", engine)
        assert listed(got) == [float(v) for v in original(table, rows + strange, "bbox").stats]
        assert got.notes == ("3 results of classes that are not annotated match nothing: {9: 3}",)


def change(table: Any, rows: Any, where: str, value: Any) -> None:
    """Set `rows.0.score` or `gt.annotations.0.area` and the like; ... removes it."""
    first, *path = where.split(".")
    at: Any = {"gt": table, "rows": rows}[first]
    for step in path[:-1]:
        at = at[int(step)] if step.isdigit() else at[step]
    if value is ...:
        del at[path[-1]]
    else:
        at[int(path[-1]) if path[-1].isdigit() else path[-1]] = value


NAN, INF = float("nan"), float("inf")
GARBAGE = {"size": [100, 100], "counts": "ZZZZ~~"}
BROKEN = [
    ("rows.0.score", NAN, "not JSON"), ("rows.0.score", INF, "not JSON"), ("rows.0.bbox.0", NAN, "not JSON"),
    ("gt.annotations.0.bbox.0", NAN, "not JSON"), ("rows.0.score", None, "a finite number is right"),
    ("rows.0.score", ..., "a finite number is right"), ("rows.0.bbox", [1, 2, 3], "4 finite numbers are right"),
    ("rows.0.bbox.2", -4, "sides >= 0"), ("rows.0.image_id", 9, "not annotated"), ("rows.0.image_id", "9", "whole number"),
    ("rows.0.category_id", 1.5, "whole number"), ("gt.annotations.0.iscrowd", ..., "has no 'iscrowd'"),
    ("gt.annotations.0.area", ..., "has no 'area'"), ("gt.images.1.id", 1, "stands twice"),
    ("gt.categories.1.id", 1, "stands twice"), ("gt.images", ..., "a list of objects is right"),
    ("rows.0", 7, "an object is right"),
]  # fmt: skip


@pytest.mark.parametrize(("where", "value", "words"), BROKEN)
def test_broken_coco_files_are_refused_in_one_line(where: str, value: Any, words: str, tmp_path: Path) -> None:
    table, rows = small()
    change(table, rows, where, value)
    with pytest.raises(OfficialError, match=words) as caught:
        coco(*files(tmp_path, table, rows))
    assert "\n" not in str(caught.value)
    assert ".json" in str(caught.value)


def test_sizes_of_strange_types_are_one_line_or_the_number(tmp_path: Path) -> None:
    """A mask of 100.0 by 100 pixels was a traceback of native code, an image whose height is a list one of our own."""
    table = plain_coco(9)
    rows = results_of(table, "segm", 9)
    expected = listed(coco(*files(tmp_path, table, rows), "segm"))
    rows[0]["segmentation"]["size"] = [120.0, 160]
    assert listed(coco(*files(tmp_path, table, rows), "segm")) == expected
    rows[0]["segmentation"]["size"] = [120, 160]
    for row in table["annotations"]:
        row["segmentation"] = rows[0]["segmentation"]
    for image in table["images"]:
        image["height"] = [120]
    assert "one size that is not the image's" in coco(*files(tmp_path, table, rows), "segm").notes[0]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"size": [50, 50], "counts": "`"}, r"\[100, 100\] are right"),
        (GARBAGE, "RLE"),
        ({"size": [100, 100], "counts": [3]}, "wrong length"),
        ([[1, 2, 3, 4]], "polygon of 3 points"),
        (None, "polygons or an RLE"),
    ],
)
def test_broken_masks_are_refused_in_one_line(value: Any, words: str, tmp_path: Path) -> None:
    table, rows = small()
    for row, annotation in zip(rows, table["annotations"], strict=True):
        row["segmentation"] = annotation["segmentation"]
    rows[1]["segmentation"] = value
    with pytest.raises(OfficialError, match=words):
        coco(*files(tmp_path, table, rows), "segm")


# --- LVIS, panoptic --------------------------------------------------------------------------------------------------


def test_lvis_files_give_the_official_numbers(tmp_path: Path) -> None:
    try:
        api = lvis_api()
    except OriginalMissing as error:
        pytest.skip(str(error))
    table = made_lvis(4)
    for kind in ("bbox", "segm"):
        rows = results_of(table, kind, 4)
        rows += [{**rows[0], "score": i / 400} for i in range(350)]
        expected = lvis_official(api, table, rows, kind)
        for engine in ("hotcoco", "official"):
            got = lvis(*files(tmp_path, table, rows), kind, engine)  # type: ignore[arg-type]
            assert {n: -1.0 if v is None else v for n, v in got.numbers.items()} == expected
        evaluator = lvis_evaluated(api, table, rows, kind)
        precision, order = evaluator.eval["precision"], evaluator.params.cat_ids
        apart = {c: precision[:, :, k, 0] for k, c in enumerate(order) if precision[:, :, k, 0].max() > -1}
        assert {row["id"]: row["AP"] for row in got.classes} == {c: p[p > -1].mean() for c, p in apart.items()}
        assert {row["id"]: row["AP50"] for row in got.classes} == {c: p[0].mean() for c, p in apart.items()}
        assert len(apart) > 2
    boxed = [{**row, "bbox": [0.0, 0.0, 40.0, 60.0]} for row in rows]
    expected = lvis_official(api, table, boxed, "segm")
    got = lvis(*files(tmp_path, table, boxed), "segm").numbers
    assert all(got.get(f"{name}[script]", got[name]) in (value, None) for name, value in expected.items())
    assert got["APm[script]"] == expected["APm"] != got["APm"]
    del table["images"][0]["neg_category_ids"]
    with pytest.raises(OfficialError, match="neg_category_ids"):
        lvis(*files(tmp_path, table, rows))


def panoptic_files(folder: Path, seed: int) -> tuple[Path, Path, Path, Path, dict[str, Any], dict[str, Any]]:
    truth, maps = made_panoptic(seed)
    found, found_maps = answer_to(truth, maps, seed)
    paths = files(folder, truth, found)
    return *paths, write_all(folder / "gt", truth, maps), write_all(folder / "dt", found, found_maps), truth, found


@pytest.mark.parametrize("seed", [3, 4])
def test_panoptic_files_give_the_official_bits(seed: int, tmp_path: Path) -> None:
    try:
        api = panoptic_api()
    except OriginalMissing as error:
        pytest.skip(str(error))
    *paths, true_folder, found_folder, truth, found = panoptic_files(tmp_path, seed)
    expected, by_class = pq_official(api, truth, found, true_folder, found_folder)
    # the folders are where the original looks for them
    for table in (panoptic(*paths), panoptic(*paths, true_folder, found_folder, "official")):
        assert dict(table.numbers) == expected
        assert {c["id"]: (c["PQ"], c["SQ"], c["RQ"]) for c in table.classes} == {
            id_: (c["pq"], c["sq"], c["rq"]) for id_, c in by_class.items()
        }


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_panoptic_files_of_other_makers_give_the_official_bits(seed: int, tmp_path: Path) -> None:
    """Images in any order, called by text as Cityscapes' are; one class with many matches in a photo; annotated pixels and
    segments that are only in the picture, only in the JSON, or of a class that is not listed; areas with a point."""
    try:
        api = panoptic_api()
    except OriginalMissing as error:
        pytest.skip(str(error))
    *_, true_folder, found_folder, truth, found = panoptic_files(tmp_path, seed)
    for side in (truth, found):
        side["annotations"].sort(key=lambda row: str(row["image_id"])[::-1])
        for row in side["annotations"]:
            row["image_id"] = f"frankfurt_{row['image_id']}"
            for segment in row["segments_info"]:
                segment["category_id"] = 2 if segment["category_id"] < 4 else 9
    segments = [row["segments_info"] for row in truth["annotations"]]
    segments[0].pop(0)
    segments[1].append({"id": 1 << 23, "category_id": 1, "iscrowd": 0, "area": 50})
    segments[2][0]["category_id"] = 77
    segments[3][0]["area"] = float(segments[3][0]["area"])
    paths = files(tmp_path, truth, found)
    expected, by_class = pq_official(api, truth, found, true_folder, found_folder)
    for engine in ("hotcoco", "official"):
        got = panoptic(*paths, engine=engine)
        assert dict(got.numbers) == expected
        assert {row["id"]: row["PQ"] for row in got.classes} == {id_: one["pq"] for id_, one in by_class.items()}
    found["annotations"][0]["segments_info"].append({"id": 1 << 23, "category_id": 1})
    with pytest.raises(OfficialError, match=f"image {found['annotations'][0]['image_id']}: .*8388608"):
        panoptic(*files(tmp_path, truth, found))


@pytest.mark.parametrize("block", [24, 96, 3 << 16])
def test_id_pictures_are_cut_wherever_one_of_them_changes(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every one of the three colours, over the rows' ends and the blocks', for sizes that fill no word of eight bytes."""
    reader = importlib.import_module("benchmarks.official.panoptic")
    monkeypatch.setattr(reader, "BLOCK", block)
    rng = np.random.default_rng(block)
    for _ in range(200):
        height, width = rng.integers(1, (12, 40))
        kept = rng.random((2, height * width, 3)) > rng.choice([0.01, 0.1, 1.0])
        kept[:, 0] = False
        last = np.maximum.accumulate(np.where(kept, 0, np.arange(height * width)[:, None]), axis=1)
        maps = np.take_along_axis(rng.integers(0, 256, kept.shape, dtype=np.uint8), last, axis=1)
        first, second = ids = maps.astype(np.int64) @ (1, 256, 65536)
        starts = np.flatnonzero(np.append(True, (first[1:] != first[:-1]) | (second[1:] != second[:-1])))
        found, pixels = reader._stretches(*maps.reshape(2, height, width, 3))
        assert np.array_equal(found, ids[:, starts])
        assert np.array_equal(pixels, np.diff(np.append(starts, height * width)))


def test_several_processes_read_id_pictures_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    *paths, truth, found = panoptic_files(tmp_path, 5)
    alone = panoptic(*paths[:2])
    monkeypatch.setattr("benchmarks.crew.START", -1.0)  # whatever is left, a helper is worth its start
    monkeypatch.setattr(importlib.import_module("benchmarks.official.panoptic"), "PIECE", 1)
    assert panoptic(*paths[:2], workers=2) == alone
    found["annotations"][-1]["segments_info"].append({"id": 1 << 23, "category_id": 1})
    with pytest.raises(OfficialError, match=f"image {found['annotations'][-1]['image_id']}: .*8388608"):
        panoptic(*files(tmp_path, truth, found), workers=2)


def one_picture(folder: Path, name: str, ids: list[list[int]], **more: Any) -> dict[str, Any]:
    """An id picture, and its row with a segment of class 1 for each id in it."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    values = np.array(ids, dtype=np.uint32)
    write_ids(folder / name / "1.png", values)
    segments = [
        {"id": int(i), "category_id": 1, "iscrowd": 0, "area": int((values == i).sum())} | more
        for i in np.unique(values[values > 0])
    ]
    return {"image_id": 1, "file_name": "1.png", "segments_info": segments}


def pq_of(folder: Path, true: dict[str, Any], found: dict[str, Any], engine: Any = "hotcoco") -> float | None:
    truth = {"images": [{"id": 1}], "annotations": [true], "categories": [{"id": 1, "name": "cat", "isthing": 1}]}
    return panoptic(*files(folder, truth, {"annotations": [found]}), folder / "gt", folder / "dt", engine).numbers["PQ"]


def test_a_segment_of_area_0_with_pixels_is_refused_where_its_iou_is_infinite(tmp_path: Path) -> None:
    true, found = (one_picture(tmp_path, side, [[7, 7, 9]]) for side in ("gt", "dt"))
    assert pq_of(tmp_path, true, found) == 1.0
    true["segments_info"][0]["area"] = 0  # of a match on the spot: nothing is left of the union
    with pytest.raises(OfficialError, match="area 0 has pixels"):
        pq_of(tmp_path, true, found)


def test_id_pictures_of_two_sizes_are_refused(tmp_path: Path) -> None:
    true, found = one_picture(tmp_path, "gt", [[7, 7, 9]]), one_picture(tmp_path, "dt", [[7], [7], [9]])
    with pytest.raises(OfficialError, match="image 1: its picture is 1 x 3 pixels; 3 x 1 are right"):
        pq_of(tmp_path, true, found)


def png(width: int, height: int, bits: int, colours: int, rows: bytes, interlaced: int = 0) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, interlaced)
    whole = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + whole


def test_id_pictures_are_read_as_pillow_reads_them(tmp_path: Path) -> None:
    """Plain ones by the quick decoder, all others not; what holds no three colours of an id is refused in one line."""
    values = np.random.default_rng(0).integers(0, 256, (11, 13, 4), dtype=np.uint8)
    path, whole = tmp_path / "1.png", Image.fromarray(values[..., :3])
    for picture, how in (
        (whole, {}), (whole, {"transparency": (1, 2, 3)}), (whole, {"compress_level": 0}), (Image.fromarray(values), {}),
    ):  # fmt: skip
        picture.save(path, **how)
        assert np.array_equal(rgb_values(path), values[..., :3])
    for data in (
        png(1, 1, 8, 2, b"\0\1\2\3", interlaced=1),
        png(2, 1, 16, 2, b"\0" + bytes(range(12))),
        png(2, 2, 8, 2, b"\4" + bytes(range(6)) + b"\3" + bytes(range(6))),
    ):
        path.write_bytes(data)
        with Image.open(path) as picture:
            assert np.array_equal(rgb_values(path), np.asarray(picture.convert("RGB")))
    for picture in (whole.convert("L"), whole.convert("P"), whole.convert("1")):
        picture.save(path)
        with pytest.raises(OfficialError, match=f"mode {picture.mode}; the three colours"):
            rgb_values(path)
    path.write_bytes(png(50_000, 50_000, 8, 2, b"\0" * 9))  # 7.5 GB, said in a hundred bytes
    with pytest.raises(OfficialError, match="unreadable"):
        rgb_values(path)


@pytest.mark.parametrize(
    ("where", "value", "words"),
    [
        ("rows.annotations.0.segments_info.0.category_id", 99, "unknown category_id 99"),
        ("rows.annotations.0.segments_info.0.id", 77, "77|not in segments_info"),
        ("rows.annotations.0.image_id", 99, "no prediction for the image"),
        ("rows.annotations.0.file_name", "none.png", "not there"),
        ("rows.annotations.0.file_name", "../gt.json", "in the folder"),
        ("rows.annotations.1.image_id", 1, "stands twice"),
        ("gt.annotations.0.segments_info.0.area", ..., "no area of whole pixels"),
        ("gt.annotations.0.segments_info.0.area", 9.5, "no area of whole pixels"),
        ("gt.annotations.0.image_id", [1], "no image_id"),
        ("gt.categories.0.isthing", ..., "no isthing"),
        ("rows.annotations", ..., "a list of objects"),
    ],
)
def test_broken_panoptic_files_are_refused_in_one_line(where: str, value: Any, words: str, tmp_path: Path) -> None:
    *_, truth, found = panoptic_files(tmp_path, 3)
    change(truth, found, where, value)
    with pytest.raises(OfficialError, match=words) as caught:
        panoptic(*files(tmp_path, truth, found))
    assert "\n" not in str(caught.value)


# --- label maps ------------------------------------------------------------------------------------------------------


def label_maps(folder: Path, seed: int, low: int = 0, high: int = 6) -> tuple[Path, Path, list[Any], list[Any]]:
    rng, pairs = np.random.default_rng(seed), ([], [])
    for number in range(4):
        true = np.kron(rng.integers(low, high, (4, 5)), np.ones((7, 6))).astype(np.uint8)
        found = np.where(rng.random(true.shape) < 0.7, true, rng.integers(low, high, true.shape)).astype(np.uint8)
        true[rng.random(true.shape) < 0.1] = 255
        for side_, values, name in zip(pairs, (true, found), ("gt", "dt"), strict=True):
            (folder / name).mkdir(exist_ok=True)
            Image.fromarray(values).save(folder / name / f"{number}.png")
            side_.append(values.astype(int))
    return folder / "gt", folder / "dt", *pairs


def by_hand(trues: list[Any], founds: list[Any], classes: int) -> dict[str, float]:
    """mmsegmentation's IoUMetric: three histograms over the set, pixels of 255 left out."""
    inter, found_area, true_area = (np.zeros(classes) for _ in range(3))
    for true, found in zip(trues, founds, strict=True):
        kept = true != 255
        t, f = true[kept], found[kept]
        for area, values in ((inter, t[t == f]), (found_area, f), (true_area, t)):
            area += np.bincount(values[values < classes], minlength=classes)
    iou, there = inter / (true_area + found_area - inter), true_area > 0
    return {
        "mIoU": float(np.nanmean(iou)), "mIoU[annotated]": float(iou[there].sum() / there.sum()),  # detectron2's
        "mIoU[absent=0]": float(np.nansum(iou) / classes), "aAcc": float(inter.sum() / true_area.sum()),
        "mAcc": float(np.nanmean(inter / true_area)), "fwIoU": float((iou * (true_area / true_area.sum()))[there].sum()),
    }  # fmt: skip


def test_label_maps_give_the_numbers_of_three_histograms(tmp_path: Path) -> None:
    true, found, trues, founds = label_maps(tmp_path, 1)
    got = miou(true, found, 6)
    assert dict(got.numbers) == by_hand(trues, founds, 6)
    semantic: Any = pytest.importorskip("hotcoco.semantic")
    hot = semantic.SemanticEval(6, ignore_index=255)
    hot.update_folders(str(true), str(found))
    theirs = hot.results()["metrics"] if "metrics" in hot.results() else hot.results()
    assert {k: theirs[k] for k in ("mIoU", "aAcc", "mAcc", "fwIoU")} == pytest.approx(
        {k: got.numbers[k] for k in ("mIoU", "aAcc", "mAcc", "fwIoU")}, abs=1e-15
    )


def test_label_maps_of_16_bits_give_the_same_numbers(tmp_path: Path) -> None:
    """As ADE20K's full set has them: classes beyond 255, and answers far beyond all classes."""
    _, _, trues, founds = label_maps(tmp_path, 4)
    for side, several in (("gt", trues), ("dt", founds)):
        for number, values in enumerate(several):
            values[(values > 0) & (values != 255)] += 600
            values[:, 0] = 0 if side == "gt" else 65_535
            Image.fromarray(values.astype(np.uint16)).save(tmp_path / side / f"{number}.png")
    with np.errstate(invalid="ignore"):  # of the classes that nobody has
        expected = by_hand(trues, founds, 700)
    assert dict(miou(tmp_path / "gt", tmp_path / "dt", 700).numbers) == expected


def test_ade20k_counts_from_one_and_zero_is_no_class(tmp_path: Path) -> None:
    true, found, trues, founds = label_maps(tmp_path, 2, 0, 7)
    shifted = [np.where(t == 255, 255, np.where(t == 0, 255, t - 1)) for t in trues]
    answers = [np.where(f == 0, 99, f - 1) for f in founds]  # "other" is an answer of no class: wrong
    assert dict(miou(true, found, 6, reduce_zero_label=True).numbers) == by_hand(shifted, answers, 6)
    from_zero = [np.where(f > 5, 99, f) for f in founds]
    expected = by_hand(shifted, from_zero, 6)
    assert dict(miou(true, found, 6, reduce_zero_label="annotations").numbers) == expected
    options = ("--num-classes", 6, "--reduce-zero-label", "--answers-from-zero", "--json")
    assert json.loads(bench("miou", true, found, *options).stdout)["numbers"] == expected


def test_real_ade20k_maps_are_scored(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("ade20k_sceneparsing") / "sampleData"
    got = miou(folder / "annotations", folder / "predictions", 150, reduce_zero_label=True)
    inter, true_area, found_area = (np.zeros(151, dtype=np.int64) for _ in range(3))
    right = labelled = 0
    for path in sorted(
        (folder / "annotations").glob("*.png")
    ):  # ADE20K's evaluation: computeIntersection, areas over imLab > 0
        true, found = (np.asarray(Image.open(p)).astype(int) for p in (path, folder / "predictions" / path.name))
        found = found * (true > 0)
        right, labelled = right + int(((found == true) & (true > 0)).sum()), labelled + int((true > 0).sum())
        for area, values in ((inter, true[true == found]), (true_area, true), (found_area, found)):
            area += np.bincount(values.ravel(), minlength=151)
    union = (true_area + found_area - inter)[1:]
    iou = np.divide(inter[1:], union, out=np.zeros(150), where=union > 0)
    assert got.numbers["mIoU[absent=0]"] == iou.sum() / 150
    assert got.numbers["aAcc"] == right / labelled


def test_cityscapes_ids_become_its_19_classes(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shared_data("mmseg_samples") / "pseudo_cityscapes_dataset" / "gtFine"
    (true_path,) = folder.rglob("*labelIds.png")
    (train_path,) = folder.rglob("*labelTrainIds.png")
    ids = np.asarray(Image.open(true_path)).copy()
    ids[::3] = np.roll(ids, 5, 1)[::3]
    Image.fromarray(ids).save(tmp_path / "frankfurt_000000_000294_leftImg8bit_pred.png")
    got = miou(folder, tmp_path, cityscapes=True)
    stored, train = np.asarray(Image.open(true_path)), np.asarray(Image.open(train_path))
    to_train = {v: int(np.bincount(train[stored == v]).argmax()) for v in np.unique(stored)}  # shrunken: edges differ
    true, found = (np.vectorize(to_train.__getitem__)(values) for values in (stored, ids))
    with np.errstate(invalid="ignore"):
        expected = by_hand([true], [np.where(found == 255, 99, found)], 19)
    assert {name: got.numbers[name] for name in ("mIoU[annotated]", "aAcc", "mAcc")} == {
        name: expected[name] for name in ("mIoU[annotated]", "aAcc", "mAcc")
    }
    assert got.numbers["mIoU"] == pytest.approx(expected["mIoU"], rel=1e-15)  # added class by class: see the next test
    assert 0.1 < expected["mIoU"] < 1.0


CITY_NUMBERS = {
    "mIoU": 0.43053222410833775,
    "mIoU[categories]": 0.4823421400704419,
    "iIoU": 0.5736827109806438,
    "iIoU[categories]": 0.673584772200531,
}
CITY_CLASSES = {
    "road": (0.4523809523809524, None),
    "person": (0.49150622876557193, 0.6060433073704857),
    "train": (0.46005509641873277, 0.5748724088032359),
    "bicycle": (0.4535031847133758, 0.5684943752192352),
    "[object]": (0.4782110091743119, None),
    "[human]": (0.5180533751962323, 0.6193377187539522),
    "[vehicle]": (0.5737221494102228, 0.72783182564711),
}


def cityscapes_pictures(true: Path, found: Path) -> list[tuple[Path, Path]]:
    """Pairs of made pictures: patches of all 34 label ids, most things as objects; the answers moved and speckled."""
    rng, pairs = np.random.default_rng(20), list[tuple[Path, Path]]()
    found.mkdir(parents=True)
    for number, city in enumerate(("aachen", "aachen", "ulm")):
        small = rng.choice(34, (7, 9), p=np.r_[np.full(24, 0.015), np.full(10, 0.064)])
        objects = np.where(
            (small >= 24) & (rng.random(small.shape) < 0.9), 1000 * small + rng.integers(0, 4, small.shape), small
        )
        ids, objects = (np.kron(one, np.ones((8, 6), dtype=int)) for one in (small, objects))
        answer = np.roll(ids, (2, 1), (0, 1))
        speckled = rng.random(answer.shape) < 0.1
        answer[speckled] = rng.choice(34, int(speckled.sum()))
        stem = f"{city}_{number:06}_000019"
        (true / city).mkdir(parents=True, exist_ok=True)
        Image.fromarray(objects.astype(np.uint16)).save(true / city / f"{stem}_gtFine_instanceIds.png")
        pairs.append((true / city / f"{stem}_gtFine_labelIds.png", found / f"{stem}_by_a_model.png"))
        for path, values in zip(pairs[-1], (ids, answer), strict=True):
            Image.fromarray(values.astype(np.uint8)).save(path)
    return pairs


def test_cityscapes_classes_categories_and_objects_have_the_bits_of_its_own_script(tmp_path: Path) -> None:
    """What `evaluateImgLists` of cityscapesScripts @ 0bcc4a7254 says of these pictures."""
    pairs = cityscapes_pictures(tmp_path / "gt", tmp_path / "dt")
    got = miou(tmp_path / "gt", tmp_path / "dt", cityscapes=True)
    assert {name: got.numbers[name] for name in CITY_NUMBERS} == CITY_NUMBERS
    assert {
        row["class"]: (row["IoU"], row["iIoU"]) for row in got.classes if row["class"] in CITY_CLASSES
    } == CITY_CLASSES
    pairs[0][0].with_name(pairs[0][0].name.replace("labelIds", "instanceIds")).unlink()
    without = miou(tmp_path / "gt", tmp_path / "dt", cityscapes=True)
    assert (without.numbers["mIoU"], without.numbers["iIoU"]) == (got.numbers["mIoU"], None)
    assert any("instanceIds" in note for note in without.notes)
    Image.fromarray(np.full((56, 54), 255, dtype=np.uint8)).save(pairs[0][0])
    with pytest.raises(OfficialError, match=r"label id 255; Cityscapes' 0\.\.33"):
        miou(tmp_path / "gt", tmp_path / "dt", cityscapes=True)


def test_label_maps_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    true, found, *_ = label_maps(tmp_path, 3)
    with pytest.raises(OfficialError, match=r"class [45]; 0\.\.3"):
        miou(true, found, 4)
    with pytest.raises(OfficialError, match="must be said"):
        miou(true, found)
    Image.new("L", (9, 9)).save(found / "2.png")
    with pytest.raises(OfficialError, match=r"\(9, 9\) pixels"):
        miou(true, found, 6)
    (found / "2.png").write_bytes(b"no picture")
    with pytest.raises(OfficialError, match="unreadable"):
        miou(true, found, 6)
    (found / "2.png").unlink()
    with pytest.raises(OfficialError, match=r"0 answers to 2\.png"):
        miou(true, found, 6)
    with pytest.raises(OfficialError, match="no folder"):
        miou(tmp_path / "none", found, 6)


# --- depth -----------------------------------------------------------------------------------------------------------


def monodepth2(true: Any, found: Any, crop: bool, cap: float, median: bool) -> list[float]:
    """The published KITTI loop (Zhou et al.; monodepth2 `evaluate_depth.py`), with BTS's two numbers more, written out."""
    h, w = true.shape
    mask = (true > 1e-3) & (true < cap)
    if crop:
        inside = np.zeros(mask.shape)
        c = np.array([0.40810811 * h, 0.99189189 * h, 0.03594771 * w, 0.96405229 * w]).astype(np.int32)
        inside[c[0] : c[1], c[2] : c[3]] = 1
        mask = mask & (inside == 1)
    p, g = found[mask], true[mask]
    if median:
        p = p * (np.median(g) / np.median(p))
    p = np.clip(p, 1e-3, cap)
    thresh, err = np.maximum(g / p, p / g), np.log(p) - np.log(g)
    return [
        float(v)
        for v in (
            np.mean(np.abs(g - p) / g), np.mean(((g - p) ** 2) / g), np.sqrt(((g - p) ** 2).mean()),
            np.sqrt(((np.log(g) - np.log(p)) ** 2).mean()), *((thresh < 1.25**k).mean() for k in (1, 2, 3)),
            np.sqrt(np.mean(err**2) - np.mean(err) ** 2) * 100, np.mean(np.abs(np.log10(p) - np.log10(g))),
        )
    ]  # fmt: skip


def depth_maps(folder: Path) -> tuple[Path, Path, list[Any], list[Any]]:
    rng, pairs = np.random.default_rng(0), ([], [])
    for number in range(3):
        true = rng.uniform(1, 90, (60, 200))
        true[rng.random(true.shape) < 0.5] = 0
        found = np.clip(np.where(true > 0, true, 20) * rng.normal(1.3, 0.2, true.shape), 0.1, 250)
        for side_, values, name in zip(pairs, (true, found), ("gt", "dt"), strict=True):
            (folder / name).mkdir(exist_ok=True)
            levels = np.round(values * 256).astype(np.uint16)
            Image.fromarray(levels).save(folder / name / f"{number}.png")
            side_.append((levels.astype(np.float32) * np.float32(1 / 256)).astype(float))
    return folder / "gt", folder / "dt", *pairs


@pytest.mark.parametrize(("crop", "align"), [("none", "none"), ("garg", "none"), ("garg", "median")])
def test_depth_folders_give_the_published_loop(crop: str, align: str, tmp_path: Path) -> None:
    true, found, trues, founds = depth_maps(tmp_path)
    got = depth(true, found, 256, crop, 80, align)
    rows = [monodepth2(t, f, crop == "garg", 80, align == "median") for t, f in zip(trues, founds, strict=True)]
    names = ("AbsRel", "SqRel", "RMSE", "RMSElog", "d1", "d2", "d3", "SILog", "log10")
    expected = dict(zip((f"{n}[{crop},80m,{align}]" for n in names), np.mean(rows, axis=0).tolist(), strict=True))
    assert {name: got.numbers[name] for name in expected} == expected
    assert list(got.numbers) == [f"{name}[{crop},80m,{align}]" for name in MEANINGS]


def test_answers_of_kittis_benchmark_crop_are_placed_as_bts_places_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    true, found = rng.uniform(2, 70, (375, 1242)), rng.uniform(2, 70, (352, 1216))
    whole = np.zeros((375, 1242))
    whole[23:, 13 : 13 + 1216] = found
    np.save(tmp_path / "gt.npy", true[None])
    numbers: dict[str, Any] = {}
    for name, values in (("crop", found), ("whole", whole), ("other", found[1:])):
        np.save(tmp_path / f"{name}.npy", values[None])
    for name in ("crop", "whole"):
        table = depth(tmp_path / "gt.npy", tmp_path / f"{name}.npy", crop="garg")
        numbers[name] = (dict(table.numbers), any("in the middle, at the bottom" in note for note in table.notes))
    assert numbers["crop"] == (numbers["whole"][0], True)
    assert numbers["whole"][1] is False
    with pytest.raises(OfficialError, match=r"\(1216, 351\) pixels"):
        depth(tmp_path / "gt.npy", tmp_path / "other.npy")


def test_depth_maps_come_as_people_have_them(tmp_path: Path) -> None:
    """KITTI's names of maps and of photos, NYUv2's millimetres beside arrays of metres, and two arrays of all maps."""
    rng = np.random.default_rng(3)
    trues, founds = rng.uniform(1, 9, (2, 3, 48, 64)).round(3), rng.uniform(1, 9, (2, 3, 48, 64)).round(3)
    names = ("2011_sync_{}_0000000005_image_02", "2011_sync_{}_0000000008_image_03", "plain")
    for kind in ("kitti", "nyu"):
        for side in ("gt", "dt"):
            (tmp_path / kind / side).mkdir(parents=True)
    for n, name in enumerate(names):
        levels = (trues[0, n] * 256).astype(np.uint16), (founds[0, n] * 256).astype(np.uint16)
        Image.fromarray(levels[0]).save(tmp_path / f"kitti/gt/{name.format('groundtruth_depth')}.png")
        Image.fromarray(levels[1]).save(tmp_path / f"kitti/dt/{name.format('image')}.png")
        millimetres = (trues[1, n] * 1000).round().astype(np.uint16)
        Image.fromarray(millimetres).save(tmp_path / f"nyu/gt/{n}.png")
        np.save(tmp_path / f"nyu/dt/{n}.npy", founds[1, n])
    for side, maps in (("gt", trues[1]), ("dt", founds[1])):
        np.save(tmp_path / f"{side}.npy", maps)
    kitti = depth(tmp_path / "kitti/gt", tmp_path / "kitti/dt", 256).numbers["AbsRel[none,80m,none]"]
    assert kitti == pytest.approx(np.mean(np.abs(founds[0] - trues[0]) / trues[0]), rel=1e-2)
    nyu = depth(tmp_path / "nyu/gt", tmp_path / "nyu/dt", 1000).numbers
    assert nyu["AbsRel[none,80m,none]"] == pytest.approx(np.mean(np.abs(founds[1] - trues[1]) / trues[1]), rel=1e-6)
    arrays = depth(tmp_path / "gt.npy", tmp_path / "dt.npy")
    assert arrays.numbers == pytest.approx(nyu, rel=1e-6)
    np.save(tmp_path / "dt.npy", founds[1][:2])
    with pytest.raises(OfficialError, match="2 maps; one to each of the 3 annotated ones"):
        depth(tmp_path / "gt.npy", tmp_path / "dt.npy")
    np.save(tmp_path / "dt.npy", np.where(founds[1] > 8, np.nan, founds[1]))
    with pytest.raises(OfficialError, match="map 0 has negative or not finite values"):
        depth(tmp_path / "gt.npy", tmp_path / "dt.npy")


def test_alignments_undo_what_they_fit(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for name in ("gt", "scaled", "moved", "disparity"):
        (tmp_path / name).mkdir()
    true = rng.uniform(2, 40, (30, 40))
    np.save(tmp_path / "gt/1.npy", true)
    np.save(tmp_path / "scaled/1.npy", 3 * true)
    np.save(tmp_path / "moved/1.npy", 0.5 * true + 7)
    np.save(tmp_path / "disparity/1.npy", 1 / (2 / true + 0.3))
    for folder, align in (("scaled", "median"), ("moved", "lsq"), ("disparity", "lsq_disparity")):
        key = f"AbsRel[none,80m,{align}]"
        assert depth(tmp_path / "gt", tmp_path / folder, alignment=align).numbers[key] == pytest.approx(0, abs=1e-4)
        plain = depth(tmp_path / "gt", tmp_path / folder).numbers["AbsRel[none,80m,none]"]
        assert plain is not None
        assert plain > 0.1


def test_a_fitted_map_may_be_in_any_unit_and_zeros_are_said(tmp_path: Path) -> None:
    """Relative depth from 0 to 1 has values below a millimetre, which metres have not."""
    rng = np.random.default_rng(2)
    true = rng.uniform(2, 40, (3, 30, 40))
    found = np.clip((true - 2) / 38 + rng.normal(0, 0.05, true.shape), 1e-5, 1)
    assert (found < 1e-3).any()
    np.save(tmp_path / "gt.npy", true)

    def numbers(maps: np.ndarray[Any, Any], align: str) -> Any:
        np.save(tmp_path / "dt.npy", maps)
        return depth(tmp_path / "gt.npy", tmp_path / "dt.npy", alignment=align)

    for align, other in (("lsq", 5 * found + 3), ("lsq_disparity", 700 * found), ("median", 0.01 * found)):
        assert numbers(found, align).numbers == pytest.approx(numbers(other, align).numbers, rel=1e-9)
    zeros = np.where(found < 1e-3, 0, found)
    said = numbers(zeros, "lsq")
    assert f"{(zeros == 0).sum()} answered pixels are 0, which is missing" in said.notes[1]
    assert len(numbers(zeros + 1, "lsq").notes) == 1
    assert len(numbers(zeros, "none").notes) == 1


TORN = b"\x93NUMPY\x01\x00\x16\x00{'descr': ('<f8', 'sh\n" + bytes(64)


def test_what_is_no_array_of_numbers_is_refused_in_one_line(tmp_path: Path) -> None:
    """Several arrays in one file (`.npz` under another name), complex numbers, texts."""
    np.save(tmp_path / "gt.npy", np.ones((2, 4, 4)))
    path = tmp_path / "dt.npy"
    for values in (np.ones((2, 4, 4), dtype=complex), np.full((2, 4, 4), "a"), None):
        with path.open("wb") as file:
            np.savez(file, np.ones((2, 4, 4))) if values is None else np.save(file, values)
        with pytest.raises(OfficialError, match=r"dt\.npy: .*an array of \(maps, height, width\) is right"):
            depth(tmp_path / "gt.npy", path)
        with pytest.raises(OfficialError, match=r"dt\.npy: .*an array of \(sessions, clicks\) is right"):
            noc(path)


@pytest.mark.filterwarnings("ignore:Exception ignored in")  # the original leaves a broken picture open
def test_torn_arrays_and_pictures_are_refused_in_one_line(tmp_path: Path) -> None:
    for name in ("gt", "dt"):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "1.npy", np.ones((4, 4)))
        np.save(tmp_path / f"{name}.npy", np.ones((1, 4, 4)))
    (tmp_path / "dt/1.npy").write_bytes(TORN)
    (tmp_path / "dt.npy").write_bytes(TORN)
    for work in (
        lambda: depth(tmp_path / "gt.npy", tmp_path / "dt.npy"), lambda: depth(tmp_path / "gt", tmp_path / "dt"),
        lambda: noc(tmp_path / "dt.npy"),
    ):  # fmt: skip
        with pytest.raises(OfficialError) as caught:
            work()
        assert "\n" not in str(caught.value)
    folder = tmp_path / "panoptic"
    folder.mkdir()
    *paths, _, found_folder, _, found = panoptic_files(folder, 3)
    picture = found_folder / found["annotations"][0]["file_name"]
    whole = picture.read_bytes()
    for broken in (whole[:40], whole[:-40], b"", whole.replace(b"IHDR", b"IHDX")):
        picture.write_bytes(broken)
        for engine in ("hotcoco", "official"):
            with pytest.raises(OfficialError) as caught:
                panoptic(*paths[:2], engine=engine)
            assert "\n" not in str(caught.value)


def test_depth_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    true, found, *_ = depth_maps(tmp_path)
    for options, words in (
        ({"crop": "half"}, "no crop"),
        ({"alignment": "best"}, "no alignment"),
        ({"levels": 0}, "above 0"),
    ):
        with pytest.raises(OfficialError, match=words):
            depth(true, found, **options)  # type: ignore[arg-type]
    nothing = depth(true, found, crop="eigen_nyu")
    assert set(nothing.numbers.values()) == {None}
    assert "3 maps left out" in nothing.notes[1]
    Image.new("RGB", (200, 60)).save(found / "1.png")
    with pytest.raises(OfficialError, match="not grey"):
        depth(true, found)


# --- the commands ----------------------------------------------------------------------------------------------------


def test_the_commands_print_the_numbers(tmp_path: Path) -> None:
    for name in ("coco", "pan", "sem", "dep"):
        (tmp_path / name).mkdir()
    table, rows = small()
    gt, dt = files(tmp_path / "coco", table, rows)
    shown = bench("coco", gt, dt, "--classes")
    assert shown.exit_code == 0, shown.output
    assert "1.000000" in shown.output
    assert "hotcoco" in shown.output
    as_json = json.loads(bench("coco", gt, dt, "--json").output)
    assert as_json["numbers"]["AP"] == pytest.approx(1.0)
    pan = panoptic_files(tmp_path / "pan", 3)
    assert json.loads(bench("panoptic", pan[0], pan[2], pan[1], pan[3], "--json").output)["numbers"]["PQ"] > 0
    true, found, *_ = label_maps(tmp_path / "sem", 1)
    assert json.loads(bench("miou", true, found, "--num-classes", 6, "--json").output)["numbers"]["mIoU"] > 0.3
    true, found, *_ = depth_maps(tmp_path / "dep")
    assert "AbsRel[garg,80m,median]" in bench("depth", true, found, "--crop", "garg", "--align", "median").output
    table["images"][1] = replace_id(table["images"][1])
    refused = bench("coco", *files(tmp_path / "coco", table, rows))
    assert refused.exit_code == 2
    assert "not annotated" in refused.output


def replace_id(image: dict[str, Any]) -> dict[str, Any]:
    return {**image, "id": 77}
