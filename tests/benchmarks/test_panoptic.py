"""PQ against panopticapi on the same PNG pairs: the same bits; and pixel confusions counted twice."""

from __future__ import annotations

import contextlib
import copy
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from benchmarks.originals import OriginalMissing, panoptic_api
from benchmarks.phrases import rule_of
from benchmarks.scorer import MISSING, Engine, Scorer, Setting, Summary, class_key
from benchmarks.scorers._label_maps import NOTHING, Segment, overlaps, paint, side_by_side
from tests.benchmarks.made import answered, dialogue
from vtinstruct import plugins
from vtinstruct.dialogue import Dialogue, Evaluation, Part, Reference, Triplet
from vtinstruct.geometry import GeometryError, encode_mask
from vtinstruct.record import Category
from vtinstruct.units import Mask

Maps = list[NDArray[np.uint32]]


@pytest.fixture(scope="module")
def original() -> Any:
    try:
        return panoptic_api()
    except OriginalMissing as error:
        pytest.skip(str(error))


def ids_of(path: Path) -> NDArray[np.uint32]:
    rgb = np.asarray(Image.open(path)).astype(np.uint32)
    return rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2]


def write_ids(path: Path, ids: NDArray[np.uint32]) -> None:
    Image.fromarray(np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=2).astype(np.uint8)).save(path)


def made_panoptic(seed: int, photos: int = 12) -> tuple[dict[str, Any], Maps]:
    """Photos of 4 x 4 patches with void, crowds (two of a class at times), and areas that differ from the pixels."""
    rng, maps, rows = np.random.default_rng(seed), [], []
    categories = [{"id": c, "name": f"class {c}", "isthing": int(c < 4)} for c in (1, 2, 3, 7, 9)]
    for number in range(photos):
        ids = rng.choice(np.arange(1, 2**24), 9, replace=False)
        small = rng.choice([0, *ids], (4, 4)).astype(np.uint32)
        ids_map = np.kron(small, np.ones((9, 11), dtype=np.uint32))
        segments = [
            {"id": int(i), "category_id": int(rng.choice([1, 2, 3, 7, 9])), "iscrowd": int(rng.random() < 0.2),
             "area": int((ids_map == i).sum()) + int(rng.random() < 0.2)}
            for i in rng.permutation(np.unique(small[small > 0]))
        ]  # fmt: skip
        rows.append({"image_id": number + 1, "file_name": f"{number + 1:06}.png", "segments_info": segments})
        maps.append(ids_map)
    return {"images": [{"id": r["image_id"]} for r in rows], "annotations": rows, "categories": categories}, maps


def answer_to(truth: dict[str, Any], maps: Maps, seed: int) -> tuple[dict[str, Any], Maps]:
    """The truth moved, with segments lost, cut in two, renamed, and holes."""
    rng, rows, found = np.random.default_rng(seed), [], []
    classes = [c["id"] for c in truth["categories"]]
    for row, ids in zip(truth["annotations"], maps, strict=True):
        moved = np.roll(ids, tuple(rng.integers(-3, 4, 2)), (0, 1))
        new, segments = np.zeros_like(ids), []
        for segment in row["segments_info"]:
            inside = moved == segment["id"]
            if rng.random() < 0.1 or not inside.any():
                continue
            parts = [inside]
            if rng.random() < 0.2:
                left = inside & (np.arange(ids.shape[1]) < np.median(np.nonzero(inside)[1]))[None, :]
                parts = [left, inside & ~left]
            for part in parts:
                name = segment["category_id"] if rng.random() < 0.9 else int(rng.choice(classes))
                segments.append({"id": int(rng.integers(1, 2**24)), "category_id": name})
                new[part] = segments[-1]["id"]
        new[rng.random(new.shape) < 0.02] = 0
        segments = [s for s in segments if (new == s["id"]).any()]
        rows.append({"image_id": row["image_id"], "file_name": row["file_name"], "segments_info": segments})
        found.append(new)
    return {"annotations": rows}, found


def mask(ids: NDArray[np.uint32], number: int) -> Mask:
    return Mask(encode_mask(ids == number))


def truths_of(truth: dict[str, Any], maps: Maps, task: str = "panoptic") -> list[Dialogue]:
    names = {c["id"]: c["name"] for c in truth["categories"]}
    found: list[Dialogue] = []
    for row, ids in zip(truth["annotations"], maps, strict=True):
        groups: dict[str, list[Reference]] = {}
        ignore: list[Reference] = []
        for s in row["segments_info"]:
            crowd, name = bool(s["iscrowd"]), names[s["category_id"]]
            one = Reference(mask(ids, s["id"]), None, name, s["category_id"], str(s["id"]), s["area"], crowd)
            (ignore if crowd else groups.setdefault(name, [])).append(one)
        parts: list[Part] = [Triplet(name, "mask", tuple(several)) for name, several in sorted(groups.items())]
        id_, size_wh = str(row["image_id"]), (ids.shape[1], ids.shape[0])
        found.append(dialogue(id_, task, parts or ["Nothing."], size_wh, Evaluation(ignore=tuple(ignore))))
    return found


def setting_of(truth: dict[str, Any], engine: Engine = "hotcoco", resamples: int = 0) -> Setting:
    categories = {c["id"]: Category(c["id"], c["name"], bool(c["isthing"])) for c in truth["categories"]}
    names = {class_key(c.name): c.id for c in categories.values()}
    return Setting(vocabulary=names, categories=categories, engine=engine, resamples=resamples)


def scored(name: str, truth: dict[str, Any], maps: Maps, found: dict[str, Any], found_maps: Maps, setting: Setting,
           task: str = "panoptic", says: str = "{}") -> Summary:  # fmt: skip
    scorer: Scorer = plugins.load("benchmarks.scorers", name)
    names, rows = {c["id"]: c["name"] for c in truth["categories"]}, []
    for one, row, ids in zip(truths_of(truth, maps, task), found["annotations"], found_maps, strict=True):
        parts = [
            Triplet(says.format(names[s["category_id"]]), "mask", (Reference(mask(ids, s["id"])),))
            for s in row["segments_info"]
        ]
        rows.append(scorer.score(one, answered(*parts), setting))
    order = np.random.default_rng(0).permutation(len(rows))
    return scorer.summarize(scorer.frame([rows[i] for i in order]), setting)


def official(
    api: Any, truth: dict[str, Any], found: dict[str, Any], true_folder: Path, found_folder: Path
) -> tuple[dict[str, float], dict[int, dict[str, float]]]:
    categories = {c["id"]: c for c in truth["categories"]}
    pairs = list(zip(copy.deepcopy(truth["annotations"]), copy.deepcopy(found["annotations"]), strict=True))
    with contextlib.redirect_stdout(io.StringIO()):
        stat = api.pq_compute_single_core(0, pairs, str(true_folder), str(found_folder), categories)
    numbers: dict[str, float] = {}
    for group, thing in (("", None), ("_th", True), ("_st", False)):
        got = stat.pq_average(categories, thing)[0]
        numbers |= {f"PQ{group}": got["pq"], f"SQ{group}": got["sq"], f"RQ{group}": got["rq"]}
    return numbers, stat.pq_average(categories, None)[1]


def write_all(folder: Path, table: dict[str, Any], maps: Maps) -> Path:
    folder.mkdir()
    for row, ids in zip(table["annotations"], maps, strict=True):
        write_ids(folder / row["file_name"], ids)
    return folder


def dense(masks: list[NDArray[np.bool_]], values: list[int], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Label maps pixel by pixel, the last named first."""
    labels = np.full(shape, NOTHING)
    for inside, value in reversed(list(zip(masks, values, strict=True))):
        labels[inside] = value
    return labels


@given(st.integers(1, 9), st.integers(1, 9), st.lists(st.integers(0, 2**32 - 1), max_size=7), st.integers(0, 7))
def test_label_maps_from_run_lengths_are_those_of_pixels(height: int, width: int, seeds: list[int], split: int) -> None:
    """Masks over each other, empty, whole and none at all: the first has a pixel, and overlaps are counted."""
    size_hw = height, width
    masks = [np.random.default_rng(s).random(size_hw) < (s % 5) / 4 for s in seeds]
    values = [s % 3 for s in seeds]  # several may be of one value
    segments = [Segment(0, encode_mask(m), "") for m in masks]
    sides = [slice(None, split), slice(split, None)]
    pixels, (first, second) = side_by_side(*(paint(segments[s], size_hw, values[s]) for s in sides))
    expected = np.zeros((4, 4), dtype=int)
    for t, f in zip(*(dense(masks[s], values[s], size_hw).ravel() for s in sides), strict=True):
        expected[t, f] += 1  # -1, nothing, is the last
    assert overlaps(pixels, first, second, 3, 3).tolist() == expected.tolist()


def test_a_mask_of_another_photo_is_no_part_of_a_label_map() -> None:
    other = Segment(0, encode_mask(np.ones((3, 4), dtype=bool)), "")
    with pytest.raises(GeometryError, match="4 x 4"):
        paint([other], (4, 4), [0])


@pytest.mark.parametrize("seed", range(6))
def test_made_pairs_give_the_official_bits(original: Any, seed: int, tmp_path: Path) -> None:
    truth, maps = made_panoptic(seed)
    found, found_maps = answer_to(truth, maps, seed)
    folders = write_all(tmp_path / "true", truth, maps), write_all(tmp_path / "found", found, found_maps)
    expected, by_class = official(original, truth, found, *folders)
    for engine in ("hotcoco", "official"):
        summary = scored("pq", truth, maps, found, found_maps, setting_of(truth, engine))
        assert dict(summary.numbers) == expected
    assert {c["id"]: (c["PQ"], c["SQ"], c["RQ"]) for c in summary.details["by_class"]} == {
        id_: (c["pq"], c["sq"], c["rq"])
        for id_, c in by_class.items()
        if id_ in {x["id"] for x in summary.details["by_class"]}
    }
    assert 0.05 < expected["PQ"] < 0.95


def test_real_pairs_give_the_official_bits(original: Any, shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shared_data("coco128_panoptic") / "annotations"
    truth = json.loads((folder / "panoptic_train2017.json").read_text())
    truth["annotations"] = truth["annotations"][:40]
    maps = [ids_of(folder / "panoptic_train2017" / row["file_name"]) for row in truth["annotations"]]
    found, found_maps = answer_to(truth, maps, 5)
    answers = write_all(tmp_path / "found", found, found_maps)
    expected, _ = official(original, truth, found, folder / "panoptic_train2017", answers)
    assert dict(scored("pq", truth, maps, found, found_maps, setting_of(truth)).numbers) == expected


def test_overlapping_answers_keep_pixels_by_confidence_then_by_order() -> None:
    plane = np.zeros((10, 20), dtype=np.uint32)
    plane[:, :10], plane[:, 10:] = 1, 2
    table = {
        "categories": [{"id": 1, "name": "dog", "isthing": 1}],
        "annotations": [{"image_id": 1, "file_name": "", "segments_info": [
            {"id": n, "category_id": 1, "iscrowd": 0, "area": 100} for n in (1, 2)]}],
    }  # fmt: skip
    (truth,), setting = truths_of(table, [plane]), setting_of(table)
    whole, left = Mask(encode_mask(np.ones((10, 20), dtype=bool))), mask(plane, 1)
    scorer: Scorer = plugins.load("benchmarks.scorers", "pq")

    def row(*units: tuple[Mask | None, float | None]) -> dict[str, Any]:
        return scorer.score(truth, answered(Triplet("dog", "mask", tuple(Reference(u, s) for u, s in units))), setting)

    sharp = row((left, None), (whole, None))  # the whole photo keeps what is left of it: the right half
    assert (sharp["tp_iou"], sharp["fp_class"]) == ([1.0, 1.0], [])
    hidden = row((whole, None), (left, None))  # nothing is left of the second
    assert (hidden["tp_iou"], hidden["hidden"], len(hidden["fp_class"])) == ([], 1, 1)
    for sure in (
        ((whole, 0.2), (left, 0.9)),
        ((whole, 0.2), (None, None), (left, 0.9)),
    ):  # what is not decoded is no mask
        assert row(*sure)["tp_iou"] == [1.0, 1.0]


def test_silence_is_zero_and_unknown_names_are_counted() -> None:
    truth, maps = made_panoptic(1)
    scorer: Scorer = plugins.load("benchmarks.scorers", "pq")
    setting, truths = setting_of(truth, resamples=50), truths_of(truth, maps)
    unicorn = answered(Triplet("unicorn", "mask", (Reference(Mask(encode_mask(maps[0] > 0))),)))
    got = scorer.summarize(scorer.frame([scorer.score(t, unicorn, setting) for t in truths]), setting)
    assert got.numbers["PQ"] == 0.0
    assert got.details["unknown_classes"] == {"instances": len(truths), "phrases": {"unicorn": len(truths)}}
    silent = scorer.summarize(scorer.frame([scorer.score(t, MISSING, setting) for t in truths]), setting)
    assert set(silent.numbers.values()) == {0.0}


def test_the_interval_of_pq_holds_it() -> None:
    truth, maps = made_panoptic(2)
    found, found_maps = answer_to(truth, maps, 2)
    for name, key in (("pq", "PQ"), ("miou", "mIoU")):
        summary = scored(name, truth, maps, found, found_maps, setting_of(truth, resamples=200))
        got, value = summary.intervals[key], summary.numbers[key]
        assert value is not None
        assert got.low <= value <= got.high


# --- semantic --------------------------------------------------------------------------------------------------------


def class_map(table: dict[str, Any], ids: NDArray[np.uint32], row: dict[str, Any], nothing: int) -> NDArray[np.int64]:
    out = np.full(ids.shape, nothing)
    for segment in row["segments_info"]:
        if not segment.get("iscrowd"):
            out[ids == segment["id"]] = segment["category_id"]
    return out


@pytest.mark.parametrize("seed", range(3))
def test_semantic_numbers_are_those_of_label_maps_with_255_ignored(seed: int) -> None:
    """As mmsegmentation computes them: histograms of intersection, prediction and truth, summed over the set."""
    truth, maps = made_panoptic(seed)
    found, found_maps = answer_to(truth, maps, seed)
    bins = np.arange(-0.5, 11)
    sums = np.zeros((3, 11))
    for row, ids, found_row, found_ids in zip(
        truth["annotations"], maps, found["annotations"], found_maps, strict=True
    ):
        true, guess = class_map(truth, ids, row, 255), class_map(truth, found_ids, found_row, 10)  # 10: no answer
        kept = true != 255
        for k, values in enumerate((true[kept & (true == guess)], true[kept], guess[kept])):
            sums[k] += np.histogram(values, bins)[0]
    classes = [1, 2, 3, 7, 9]
    inter, area_true, area_found = sums[:, classes]
    union = area_true + area_found - inter
    summary = scored("miou", truth, maps, found, found_maps, setting_of(truth))
    assert summary.numbers["mIoU"] == np.nanmean(inter / union)
    assert summary.numbers["aAcc"] == inter.sum() / area_true.sum()
    assert summary.numbers["mAcc"] == np.nanmean(inter / area_true)
    there = area_true > 0
    assert summary.numbers["fwIoU"] == ((inter / union) * (area_true / area_true.sum()))[there].sum()
    hot = pytest.importorskip("hotcoco.semantic").SemanticEval(11, ignore_index=255)
    for row, ids, found_row, found_ids in zip(
        truth["annotations"], maps, found["annotations"], found_maps, strict=True
    ):
        hot.update(
            class_map(truth, ids, row, 255).astype(np.uint8),
            class_map(truth, found_ids, found_row, 10).astype(np.uint8),
        )
    pixels = hot.confusion()[np.ix_(classes, classes)]
    assert summary.details["by_class"][0]["IoU"] == pixels[0, 0] / union[0]


def test_absent_classes_are_named_and_count_nothing_or_zero() -> None:
    truth, maps = made_panoptic(3)
    truth["categories"].append({"id": 11, "name": "kite", "isthing": 1})
    for row in truth["annotations"]:
        row["segments_info"] = [{**segment, "iscrowd": 0} for segment in row["segments_info"]]
    found = {"annotations": truth["annotations"]}
    summary = scored("miou", truth, maps, found, maps, setting_of(truth))
    assert summary.numbers["mIoU"] == 1.0
    assert summary.numbers["mIoU[absent=0]"] == pytest.approx(5 / 6)
    assert summary.details["absent_classes"] == ["kite"]


@pytest.mark.parametrize("name", ["miou", "pq"])
def test_the_declared_phrase_rule_says_what_answered_masks_are(name: str, tmp_path: Path) -> None:
    truth, maps = made_panoptic(3)
    rules = tmp_path / "names.toml"
    rules.write_text("".join(f'"my {c["name"]}" = "{c["name"]}"\n' for c in truth["categories"]))
    setting = setting_of(truth)
    exact = scored(name, truth, maps, truth, maps, setting, says="my {}")
    declared = replace(setting, phrases=rule_of(f"synonyms:{rules}"))
    named = scored(name, truth, maps, truth, maps, declared, says="my {}")
    assert next(iter(exact.numbers.values())) == 0.0
    assert named.numbers == scored(name, truth, maps, truth, maps, setting).numbers


def test_asked_for_one_class_only_its_mask_is_held_against_the_rest() -> None:
    plane = np.zeros((10, 20), dtype=np.uint32)
    plane[:, :10], plane[:, 18:] = 1, 2
    scorer: Scorer = plugins.load("benchmarks.scorers", "miou")
    setting = Setting(
        vocabulary={"dog": 1, "cat": 2}, categories={1: Category(1, "dog"), 2: Category(2, "cat")}, resamples=0
    )
    crowd = Reference(mask(plane, 2), None, "dog", 1, "2", None, True)
    asked = dialogue(
        "a", "cond_seg", [Triplet("dog", "mask", (Reference(mask(plane, 1), None, "dog", 1, "1"),))], (20, 10),
        Evaluation(concepts=("dog",), ignore=(crowd,)),
    )  # fmt: skip
    wide = np.zeros((10, 20), dtype=bool)
    wide[:, 5:15], wide[:, 18:] = (
        True,
        True,
    )  # half of the dog, as much of the rest, and the crowd, which does not count
    parts = (
        Triplet("dog", "mask", (Reference(Mask(encode_mask(wide))),)),
        Triplet("cat", "mask", (Reference(mask(plane, 1)),)),
    )
    got = scorer.summarize(scorer.frame([scorer.score(asked, answered(*parts), setting)]), setting)
    assert got.numbers["mIoU"] == pytest.approx(50 / 150)
    none = dialogue("b", "cond_seg", [Triplet("cat", "mask")], (20, 10), Evaluation(concepts=("cat",)))
    wrong = scorer.score(none, answered(Triplet("cat", "mask", (Reference(mask(plane, 1)),))), setting)
    assert scorer.summarize(scorer.frame([wrong]), setting).numbers["mIoU"] == 0.0
    assert scorer.summarize(scorer.frame([scorer.score(none, MISSING, setting)]), setting).numbers["mIoU"] is None
