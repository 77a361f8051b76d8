"""Traps that published numbers fall into, one test each that fails when ours does; `docs/metrics.md` lists them all, with the
tests elsewhere, and the last tests here hold that list to the tests there are.

Every case is small enough to be worked out by hand. Where it helps, the number that comes out in the trap stands beside the right
one as `fallen`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.dataset import open_dataset
from benchmarks.official import captions, coco, depth, lvis, miou, noc
from benchmarks.results import read_results
from benchmarks.scorer import Setting
from benchmarks.scorers.gcg import best_miou, greedy_miou
from benchmarks.skeletons import SKELETONS
from tests.benchmarks.made import answered, dialogue, prediction_of, write_dataset, write_predictions
from tests.benchmarks.road import perfect, score
from tests.benchmarks.test_definitions import box, expression, mask, summary
from tests.benchmarks.test_official import files, original, panoptic_files, small
from vtinstruct.dialogue import Dialogue, Evaluation, Reference, Triplet
from vtinstruct.geometry import encode_mask
from vtinstruct.record import Category
from vtinstruct.units import Mask

ROOT = Path(__file__).parents[2]
DOGS = Setting(vocabulary={"dog": 1}, categories={1: Category(1, "dog", True)}, resamples=0)


# --- boxes, masks, poses ---------------------------------------------------------------------------------------------


def test_results_of_an_unknown_class_are_counted_and_change_no_number(tmp_path: Path) -> None:
    table, rows = small()
    before = coco(*files(tmp_path, table, rows), "bbox").numbers
    got = coco(*files(tmp_path, table, [*rows, {**rows[0], "category_id": 99, "score": 0.9}]), "bbox")
    assert got.numbers == before
    assert any("1 results of classes that are not annotated match nothing: {99: 1}" in note for note in got.notes)


def test_what_is_undefined_is_null_where_the_original_prints_minus_one(tmp_path: Path) -> None:
    table, rows = small()  # squares of 1,600 pixels: neither small nor large
    got = coco(*files(tmp_path, table, rows), "bbox").numbers
    assert -1.0 in original(table, rows, "bbox").stats.tolist()
    assert (got["APs"], got["APl"], got["APm"]) == (None, None, pytest.approx(1.0))
    assert all(value is None or value >= 0 for value in got.values())


def federated(
    rows: list[tuple[int, float, float]], frequency: str = "fff"
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One photo with a box of class 1 and one of class 3, nothing known of class 2; answers of (class, x, score)."""
    side = {"image_id": 1, "area": 400.0}
    table: dict[str, Any] = {
        "images": [{"id": 1, "width": 99, "height": 99, "neg_category_ids": [], "not_exhaustive_category_ids": []}],
        "categories": [{"id": n, "name": str(n), "frequency": f} for n, f in enumerate(frequency, start=1)],
        "annotations": [{**side, "id": c, "category_id": c, "bbox": [10.0 * c, 0.0, 20.0, 20.0]} for c in (1, 3)],
    }
    found = [{"image_id": 1, "category_id": c, "bbox": [x, 0.0, 20.0, 20.0], "score": s} for c, x, s in rows]
    return table, found


def test_lvis_keeps_300_answers_before_it_leaves_classes_out(tmp_path: Path) -> None:
    right = [(1, 10.0, 0.1), (3, 30.0, 0.1)]
    for unjudged, expected in ((298, 1.0), (300, 0.0)):  # fallen: 1 both times
        table, rows = federated([*right, *[(2, 50.0, 0.9)] * unjudged])
        assert lvis(*files(tmp_path, table, rows), "bbox").numbers["AP"] == pytest.approx(expected)


def test_lvis_numbers_by_frequency_are_of_their_own_classes(tmp_path: Path) -> None:
    table, rows = federated([(1, 10.0, 0.9), (3, 70.0, 0.9)], "rfc")  # the rare one is found, the common one is not
    got = lvis(*files(tmp_path, table, rows), "bbox").numbers
    assert (got["APr"], got["APc"], got["APf"]) == (pytest.approx(1.0), 0.0, None)


def test_without_confidences_ap_is_a_range_and_f1_stands_beside(tmp_path: Path) -> None:
    truth = dialogue("a", "det", [Triplet("dog", "box", (box(0, 0, 10, 10),))], (40, 40))
    said = answered(Triplet("dog", "box", (box(0, 0, 10, 10), box(20, 20, 30, 30))))
    got = summary("ap_box", [(truth, said)], DOGS).numbers
    assert (got["AP_worst"], got["AP_best"]) == (pytest.approx(0.5), pytest.approx(1.0))
    assert got["AP_expected"] is not None
    assert 0.5 < got["AP_expected"] < 1.0
    assert (got["F1@.5"], got["F1@.75"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    sure = answered(
        Triplet("dog", "box", (Reference(box(0, 0, 10, 10).unit, 0.9),)),
        Triplet("dog", "box", (Reference(box(20, 20, 30, 30).unit, 0.1),)),
    )
    scored = summary("ap_box", [(truth, sure)], DOGS).numbers
    assert (scored["AP"], scored["AP_worst"], scored["AP_best"]) == (pytest.approx(1.0), None, None)


def test_only_20_poses_a_photo_count_and_each_skeleton_has_its_sigmas(tmp_path: Path) -> None:
    joints = [float(v) for k in range(17) for v in (10 + 3 * k, 20 + 2 * k, 2)]
    person = {"image_id": 1, "category_id": 1, "keypoints": joints}
    table = {
        "images": [{"id": 1, "width": 200, "height": 200}], "categories": [{"id": 1, "name": "person"}],
        "annotations": [{**person, "id": 1, "num_keypoints": 17, "area": 2500.0, "bbox": [10.0, 20.0, 50.0, 50.0], "iscrowd": 0}],
    }  # fmt: skip
    far = {**person, "keypoints": [v if k % 3 == 2 else v + 100 for k, v in enumerate(joints)], "score": 0.9}
    for wrong, expected in ((19, 0.05), (20, 0.0)):  # fallen (100 a photo): 1 of 21
        got = coco(*files(tmp_path, table, [*[far] * wrong, {**person, "score": 0.1}]), "keypoints").numbers
        assert got["AP"] == pytest.approx(expected, abs=1e-9)
    moved = {**person, "keypoints": [v + 14 * (k in (21, 24)) for k, v in enumerate(joints)], "score": 0.9}
    for name in ("coco", "ap10k"):  # both have 17 joints; two of them are 14 pixels off
        sigmas = np.array(SKELETONS[name].sigmas)[7:9]
        likeness = (15 + np.exp(-(14**2) / (2 * (2 * sigmas) ** 2 * 2500)).sum()) / 17
        got = coco(*files(tmp_path, table, [moved]), "keypoints", skeleton=name).numbers["AP"]
        assert got == pytest.approx(np.mean(likeness >= np.linspace(0.5, 0.95, 10)))
        assert got == pytest.approx({"coco": 0.9, "ap10k": 0.8}[name])


# --- pictures --------------------------------------------------------------------------------------------------------


def dogs(*regions: tuple[int, int], crowd: tuple[int, int] | None = None) -> Dialogue:
    """A 20 x 10 photo whose columns x0..x1 are dogs, one crowd of them, and nobody annotated the rest."""
    found = [
        Reference(mask(*one).unit, None, "dog", 1, str(n), 10.0 * (one[1] - one[0]), one == crowd)
        for n, one in enumerate((*regions, *((crowd,) if crowd else ())), start=1)
    ]
    groups = Evaluation(ignore=tuple(found[len(regions) :]))
    return dialogue("a", "panoptic", [Triplet("dog", "mask", tuple(found[: len(regions)]))], (20, 10), groups)


def quality(truth: Dialogue, *answers: tuple[int, int]) -> float | None:
    said = answered(*(Triplet("dog", "mask", (mask(*one),)) for one in answers))
    return summary("pq", [(truth, said)], DOGS).numbers["PQ"]


def test_a_panoptic_match_needs_more_than_half() -> None:
    assert quality(dogs((0, 10), (10, 20)), (0, 5)) == 0.0  # IoU is .5; fallen: .5 / 1.5
    assert quality(dogs((0, 10), (10, 20)), (0, 6)) == pytest.approx(0.6 / 1.5)


def test_void_is_no_part_of_a_panoptic_union() -> None:
    assert quality(dogs((0, 10)), (0, 20)) == 1.0  # fallen: .5, which is no match, and so 0


def test_an_answer_in_a_panoptic_crowd_of_its_class_is_no_false_alarm() -> None:
    assert quality(dogs((0, 5), crowd=(5, 20)), (0, 5), (6, 12)) == 1.0  # fallen: 1 / 1.5
    assert quality(dogs((0, 5), crowd=(5, 20)), (0, 5)) == 1.0  # a crowd is not missed; fallen: 1 / 1.5
    assert quality(dogs((0, 5), (12, 20), crowd=(5, 10)), (0, 5), (6, 12)) == pytest.approx(
        1 / 1.5
    )  # 4 of 6 columns in it
    assert quality(dogs((0, 5), (8, 20), crowd=(5, 8)), (0, 5), (6, 12)) == pytest.approx(1 / 2)  # 2 of 6: it counts


def test_panoptic_bits_do_not_hang_on_the_number_of_cores(tmp_path: Path) -> None:
    paths = panoptic_files(tmp_path, 8)[:4]
    code = "import sys; from benchmarks.official import panoptic; print(panoptic(*sys.argv[1:]))"
    code = code.replace("*sys.argv[1:]", "*map(__import__('pathlib').Path, sys.argv[1:])")
    said = [
        subprocess.run(
            [sys.executable, "-c", code, *map(str, paths)], cwd=ROOT, env={**os.environ, "RAYON_NUM_THREADS": cores},
            capture_output=True, text=True, check=True,
        ).stdout
        for cores in ("1", "3")
    ]  # fmt: skip
    assert "PQ" in said[0]
    assert said[0] == said[1]


def test_miou_is_of_the_set_without_255_and_absent_classes_are_said(tmp_path: Path) -> None:
    for folder, maps in {
        "gt": ([0, 0, 0, 1, 255], [1, 1, 255, 255, 255]),
        "dt": ([0, 0, 0, 0, 1], [1, 1, 0, 1, 2]),
    }.items():
        (tmp_path / folder).mkdir()
        for n, values in enumerate(maps):
            Image.fromarray(np.array([values], dtype=np.uint8)).save(tmp_path / folder / f"{n}.png")
    got = miou(tmp_path / "gt", tmp_path / "dt", 3)
    assert got.numbers["mIoU"] == pytest.approx((3 / 4 + 2 / 3) / 2)  # fallen: .6875 as a mean over pictures
    assert got.numbers["mIoU[absent=0]"] == pytest.approx((3 / 4 + 2 / 3) / 3)
    assert got.numbers["aAcc"] == pytest.approx(5 / 6)  # fallen: 5 / 10
    assert [row["IoU"] for row in got.classes][2] is None


def test_crops_caps_and_alignments_change_depth_and_stand_in_its_name(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:370, :1240]
    true = 2 + 0.3 * (rows % 300) + 0.001 * columns
    np.save(tmp_path / "gt.npy", true[None])
    np.save(tmp_path / "dt.npy", (0.5 * true + 0.02 * rows)[None])
    whole = np.s_[:, :]
    found = set[float]()
    for crop, cap, align, kept in (
        ("none", 80, "none", whole), ("garg", 80, "none", np.s_[151:366, 44:1195]), ("eigen", 80, "none", np.s_[122:337, 44:1195]),
        ("none", 50, "none", whole), ("none", 80, "median", whole),
    ):  # fmt: skip
        t, f = true[kept], (0.5 * true + 0.02 * rows)[kept]
        t, f = t[t < cap], f[t < cap]
        f = np.clip(f * (np.median(t) / np.median(f) if align == "median" else 1), 0.001, cap)
        numbers = depth(tmp_path / "gt.npy", tmp_path / "dt.npy", crop=crop, cap_m=cap, alignment=align).numbers
        assert numbers[f"AbsRel[{crop},{cap}m,{align}]"] == (np.abs(f - t) / t).mean()
        found.add(round(float((np.abs(f - t) / t).mean()), 3))
    assert len(found) == 5


# --- referring, grounding, words -------------------------------------------------------------------------------------


def test_res_takes_the_union_of_all_parts_and_no_mask_for_an_empty_one() -> None:
    truth = expression("res", "mask", mask(0, 5), mask(10, 15))
    both = answered(Triplet("it", "mask", (mask(10, 15), mask(0, 5))))
    assert summary("res", [(truth, both)]).numbers["cIoU"] == 1.0  # fallen: .5 by the first parts alone, or 0
    got = summary("res", [(truth, both), (truth, answered("It is there."))]).numbers
    assert (got["cIoU"], got["gIoU"]) == (0.5, 0.5)  # fallen: 1, the second left out


def test_res_is_judged_at_the_photos_resolution(tmp_path: Path) -> None:
    """A mask of the model's own resolution is no mask of the photo: not resized in silence, but invalid, and wrong."""
    truth = expression("res", "mask", mask(0, 10), id_="hand/1")
    data = write_dataset(tmp_path / "data", [truth], {"it": 1})
    small_mask = np.zeros((5, 10), dtype=bool)
    small_mask[:, :5] = True
    for name, unit, expected in (
        ("half", Mask(encode_mask(small_mask)), (0.0, 1)),
        ("whole", mask(0, 10).unit, (1.0, 0)),
    ):
        said = [prediction_of(truth, [Triplet("it", "mask", (Reference(unit),))])]
        path = write_predictions(tmp_path / f"{name}.jsonl", open_dataset(data)[0].hash, said)
        done = score(path, data, tmp_path / name)
        assert done.exit_code == 0, done.output
        (suite,) = (one for one in read_results(tmp_path / name).suites if one.scorer == "res")
        assert (suite.numbers["cIoU"], suite.invalid) == expected


def test_keeping_the_best_mask_alone_lifts_glamms_miou_and_not_the_corrected_one() -> None:
    three = np.diag([0.83, 0.62, 0.41])
    assert greedy_miou(three) == pytest.approx(0.62)
    assert greedy_miou(three[:1]) == pytest.approx(0.83)
    assert best_miou(three) == pytest.approx(0.62)
    assert best_miou(three[:1]) == pytest.approx(0.83 / 3)


def test_captions_count_against_all_references_and_cider_of_few_photos_is_said(tmp_path: Path) -> None:
    texts = ("a small brown dog sleeps on grass", "two people ride red bikes")
    table = {"annotations": [{"image_id": 1, "id": n, "caption": text} for n, text in enumerate(texts)]}
    got = captions(*files(tmp_path, table, [{"image_id": 1, "caption": texts[1]}])).numbers
    assert (got["ROUGE_L"], got["Bleu_4"]) == (
        pytest.approx(1.0),
        pytest.approx(1.0, abs=1e-6),
    )  # fallen: next to nothing
    assert got["CIDEr"] == 0.0  # one photo: every document frequency is 1, whatever is said
    assert got["CIDEr[corrected]"] is not None
    assert got["CIDEr[corrected]"] > 1.0


def test_a_session_that_never_gets_there_costs_all_its_clicks(tmp_path: Path) -> None:
    (tmp_path / "ious.json").write_text(json.dumps({"a": [0.5, 0.95], "b": [0.3] * 20}))
    got = noc(tmp_path / "ious.json").numbers
    assert (got["NoC@90"], got[">=20@90"]) == (11.0, 1.0)  # fallen: 2, the other left out


# --- everywhere ------------------------------------------------------------------------------------------------------


def test_every_suite_says_how_many_were_missing_or_invalid_and_counts_both(data: Path, tmp_path: Path) -> None:
    path = perfect(data, tmp_path / "predictions.jsonl")
    lines = path.read_text().splitlines()
    spoiled = [json.loads(line) for line in lines[1:]]
    for wire in spoiled[::3]:
        wire["text"] = wire["text"].replace("<REF>", "<REF", 1) + "<Phrase>"
    path.write_text("\n".join([lines[0], *map(json.dumps, spoiled[:-2])]) + "\n")
    assert score(path, data, tmp_path / "out").exit_code == 0
    suites = read_results(tmp_path / "out").suites
    everything = next(suite for suite in suites if suite.suite == "trp")
    assert (everything.missing, everything.n) == (2, len(spoiled))
    assert everything.invalid == len(spoiled[:-2:3])
    assert everything.numbers["parse_rate"] == pytest.approx(1 - (everything.invalid + 2) / len(spoiled))
    for suite in suites:
        assert suite.n >= suite.missing + suite.invalid
        value, got = suite.value, suite.intervals.get(suite.primary)
        assert got is None or value is None or got.low <= value <= got.high


# --- the list --------------------------------------------------------------------------------------------------------


def listed() -> list[tuple[str, str, str]]:
    """Family, trap and test of every row of the list in `docs/metrics.md`."""
    page = (ROOT / "docs/metrics.md").read_text()
    rows = re.findall(r"^\| (.+?) \| (.+?) \| `(\w+\.py)::(\w+)` \|$", page.split("## Traps")[1], re.MULTILINE)
    return [(family, trap, f"{file}::{test}") for family, trap, file, test in rows]


def test_the_list_of_traps_names_tests_that_exist() -> None:
    rows = listed()
    for _, trap, where in rows:
        file, test = where.split("::")
        assert f"\ndef {test}(" in (Path(__file__).parent / file).read_text(), trap
    assert len(rows) == len({trap for _, trap, _ in rows}) > 35


def test_every_test_here_is_in_the_list() -> None:
    here = set(re.findall(r"^def (test_\w+)\(", Path(__file__).read_text(), re.MULTILINE))
    named = {where.split("::")[1] for _, _, where in listed() if where.startswith("test_traps.py")}
    assert here - {"test_the_list_of_traps_names_tests_that_exist", "test_every_test_here_is_in_the_list"} == named
