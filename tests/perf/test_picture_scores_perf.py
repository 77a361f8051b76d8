"""Scores of whole pictures beside the originals' way, equal numbers first: panoptic id pictures as files (beside a fast engine
too) and as a predictions file, and the matching of grounded captions' masks.

    pytest -m perf tests/perf/test_picture_scores_perf.py --benchmark-enable -s
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from benchmarks.dataset import open_dataset
from benchmarks.official._pictures import rgb_values
from benchmarks.official.panoptic import panoptic
from benchmarks.originals import OriginalMissing, panoptic_api
from benchmarks.score import score_file
from benchmarks.scorers.gcg import best_miou, greedy_miou, most_matches, region_iou, script_matches
from benchmarks.shares import Options, read_truths
from tests.benchmarks.made import dialogue, prediction_of, write_dataset, write_predictions
from tests.perf.score_loads import blob, boxes
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.geometry import encode_mask
from vtinstruct.units import Mask

PICTURES, SIDE, SEGMENTS, CLASSES = 300, 480, 12, 30
PAIRS = 5000
PHOTOS, SAID, TRUE = 200, 6, 5


def seconds(work: Callable[[], Any], rounds: int = 3) -> tuple[float, Any]:
    """The least processor time of some rounds, and what came of it."""
    spent, got = float("inf"), None
    for _ in range(rounds):
        began = time.process_time()
        got = work()
        spent = min(spent, time.process_time() - began)
    return spent, got


def write_side(
    root: Path, name: str, rng: np.random.Generator, moved: int, classes: int
) -> tuple[Path, list[dict[str, Any]]]:
    """Id pictures of upright rectangles, the later over the earlier, and their rows; `moved` pixels off."""
    folder, rows = root / name, []
    folder.mkdir(parents=True)
    for image in range(PICTURES):
        places = np.random.default_rng(image).integers(0, SIDE - 60, (SEGMENTS, 2))
        ids = np.ones((SIDE, 640), dtype=np.int64)
        for number, (x, y) in enumerate(places.tolist(), start=2):
            dx, dy = rng.integers(-moved, moved + 1, 2) if moved else (0, 0)
            ids[max(y + dy, 0) : y + dy + 90, max(x + dx, 0) : x + dx + 130] = number * 300
        Image.fromarray(np.stack([ids % 256, ids // 256, np.zeros_like(ids)], axis=2).astype(np.uint8)).save(
            folder / f"{image}.png", compress_level=1
        )
        there, areas = np.unique(ids, return_counts=True)
        segments = [
            {
                "id": int(i),
                "category_id": int(i) // 300 % classes + 1,
                "area": int(a),
                "iscrowd": 0,
                "bbox": [0, 0, 1, 1],
            }
            for i, a in zip(there, areas, strict=True)
        ]
        rows.append({"image_id": image, "file_name": f"{image}.png", "segments_info": segments})
    return folder, rows


def write_pair(root: Path, classes: int) -> list[Path]:
    """Annotations and answers as official files, the pictures beside them."""
    rng, paths = np.random.default_rng(0), []
    for name, moved in (("true", 0), ("found", 12)):
        _, rows = write_side(root, name, rng, moved, classes)
        table = {
            "images": [{"id": i, "width": 640, "height": SIDE} for i in range(PICTURES)], "annotations": rows,
            "categories": [{"id": c, "name": str(c), "isthing": c % 2} for c in range(1, classes + 1)],
        }  # fmt: skip
        paths.append(root / f"{name}.json")
        paths[-1].write_text(json.dumps(table))
    return paths


def original(paths: list[Path]) -> tuple[float, Any]:
    try:
        panoptic_api()
    except OriginalMissing as error:
        pytest.skip(str(error))
    return seconds(lambda: panoptic(*paths, engine="official"), rounds=1)


def by_hotcoco(paths: list[Path]) -> Any:
    """The numbers of all classes by hotcoco, which tells sums of IoU and no single one."""
    from hotcoco.panoptic import PanopticEval

    evaluator: Any = PanopticEval(*map(str, paths))
    evaluator.evaluate()
    return evaluator.results()["All"]


@pytest.mark.perf
@pytest.mark.parametrize("classes", [CLASSES, 4])
def test_panoptic_pictures(classes: int, tmp_path: Path, benchmark: Any) -> None:
    """With 30 classes each is in a picture once; of 4 several matches are."""
    paths = write_pair(tmp_path, classes)
    slow, theirs = original(paths)
    fast, ours = benchmark.pedantic(lambda: seconds(lambda: panoptic(*paths)), rounds=1)
    assert (ours.numbers, ours.classes) == (theirs.numbers, theirs.classes)
    assert 0.2 < ours.numbers["PQ"] < 0.98
    engine, group = seconds(lambda: by_hotcoco(paths))
    assert group["pq"] == pytest.approx(ours.numbers["PQ"], abs=1e-12)
    said(benchmark, f"{PICTURES} pairs of pictures, {classes} classes", fast, panopticapi=slow, hotcoco=engine)


def said(benchmark: Any, what: str, fast: float, **peers: float) -> None:
    benchmark.extra_info.update(ours_s=fast, peers_s=peers, times_faster={n: slow / fast for n, slow in peers.items()})
    beside = "".join(f", {name} {slow:.2f} s ({slow / fast:.1f} times)" for name, slow in peers.items())
    print(f"\n{what}: ours {fast:.2f} s{beside}")


@pytest.mark.perf
def test_panoptic_pictures_by_two_workers(tmp_path: Path, benchmark: Any) -> None:
    """As many pairs as COCO's validation set has (each picture several times), by the clock."""
    paths = write_pair(tmp_path, CLASSES)
    for path in paths:
        table = json.loads(path.read_text())
        rows = [{**table["annotations"][i % PICTURES], "image_id": i} for i in range(PAIRS)]
        path.write_text(json.dumps(table | {"annotations": rows, "images": [{"id": i} for i in range(PAIRS)]}))

    def run() -> list[tuple[float, Any]]:
        found: list[tuple[float, Any]] = []
        for workers in (1, 2):
            began = time.perf_counter()
            got = panoptic(*paths, workers=workers)
            found.append((time.perf_counter() - began, got))
        return found

    (one, alone), (two, together) = benchmark.pedantic(run, rounds=1)
    assert alone == together
    benchmark.extra_info.update(one_s=one, two_s=two, times_faster=one / two)
    print(f"\n{PAIRS} pairs of pictures: one worker {one:.1f} s, two {two:.1f} s, {one / two:.2f} x")


@pytest.mark.perf
def test_panoptic_predictions(tmp_path: Path, benchmark: Any) -> None:
    """From our own predictions file, the same masks as run lengths, to the number of the pictures."""
    paths = write_pair(tmp_path, 4)
    slow, theirs = original(paths)
    sides = [answers_of(path, path.with_suffix("")) for path in paths]
    truths = [dialogue(id_, "panoptic", parts, (640, SIDE), photo=f"p:{id_}") for id_, parts in sides[0]]
    data = write_dataset(tmp_path / "data", truths, {str(c): c for c in range(1, 5)}, photos=False)
    answers = [prediction_of(t, parts) for t, (_, parts) in zip(truths, sides[1], strict=True)]
    dataset, splits = open_dataset(data)
    predictions = write_predictions(tmp_path / "predictions.jsonl", dataset.hash, answers)
    options = Options(splits, suites=("panoptic",), resamples=0)

    def run() -> Any:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)  # rows kept there would be taken over
        return score_file(predictions, dataset, tmp_path / "out", options, read_truths(dataset, options))

    fast, ours = benchmark.pedantic(lambda: seconds(run), rounds=1)
    assert {n: ours.suites[0].numbers[n] for n in ("PQ", "SQ", "RQ")} == {
        n: theirs.numbers[n] for n in ("PQ", "SQ", "RQ")
    }
    said(benchmark, f"a predictions file of {PICTURES} photos", fast, panopticapi=slow)


def answers_of(path: Path, folder: Path) -> list[tuple[str, list[Any]]]:
    """Ids and what there is in each picture, as triplets."""
    found: list[tuple[str, list[Any]]] = []
    for row in json.loads(path.read_text())["annotations"]:
        ids = rgb_values(folder / row["file_name"]).astype(np.int64) @ (1, 256, 65536)
        parts = [
            Triplet(str(s["category_id"]), "mask", (Reference(
                Mask(encode_mask(ids == s["id"])), None, str(s["category_id"]), s["category_id"], str(s["id"]), s["area"]
            ),)) for s in row["segments_info"]
        ]  # fmt: skip
        found.append((str(row["image_id"]), parts))
    return found


def dense(found: list[dict[str, Any]], true: list[dict[str, Any]]) -> tuple[np.ndarray, float]:
    """The published way in our words: every mask decoded, every pair compared pixel by pixel, the best pair taken again and
    again. Gives the IoU table and the mean of the pairs' IoU."""
    one, other = ([coco_mask.decode(m).astype(bool) for m in side] for side in (found, true))  # type: ignore[arg-type]
    table = np.array([[(a & b).sum() / max((a | b).sum(), 1) for b in other] for a in one])
    left, pairs = table.copy(), []
    while left.size and left.max() > 0:
        row, column = np.unravel_index(int(np.argmax(left)), left.shape)
        pairs.append(float(left[row, column]))
        left = np.delete(np.delete(left, row, axis=0), column, axis=1)
    return table, float(np.mean(pairs)) if pairs else 0.0


def matched(found: list[Mask], true: list[Mask], alike: np.ndarray) -> tuple[np.ndarray, float, float, int, int]:
    """Our way: run lengths against run lengths, and the four numbers of a photo."""
    iou = region_iou(found, true)
    return iou, greedy_miou(iou), best_miou(iou), most_matches(iou, alike), script_matches(iou.T, alike.T)


@pytest.mark.perf
def test_masks_of_grounded_captions(benchmark: Any) -> None:
    rng = np.random.default_rng(0)
    photos = []
    for _ in range(PHOTOS):
        true = boxes(rng, TRUE)
        found = np.vstack([np.abs(true + rng.normal(0, 8, true.shape)) + 1, boxes(rng, SAID - TRUE)])
        photos.append(([Mask(blob(b)) for b in found], [Mask(blob(b)) for b in true]))
    alike = np.ones((SAID, TRUE))
    native = [
        [[{"size": list(m.mask_rle.size_hw), "counts": m.mask_rle.counts} for m in side] for side in photo]
        for photo in photos
    ]
    fast, ours = benchmark.pedantic(lambda: seconds(lambda: [matched(f, t, alike) for f, t in photos]), rounds=1)
    slow, theirs = seconds(lambda: [dense(f, t) for f, t in native], rounds=1)
    for (iou, script, *_), (table, mean) in zip(ours, theirs, strict=True):
        assert np.array_equal(iou, table)
        assert script == mean
    mine, published = 1000 * fast / PHOTOS, 1000 * slow / PHOTOS
    benchmark.extra_info.update(ours_ms_a_photo=mine, published_way_ms_a_photo=published, times_faster=slow / fast)
    print(f"\nmasks of a grounded caption: ours {mine:.3f} ms, decoded {published:.1f} ms, {slow / fast:.0f} times")
