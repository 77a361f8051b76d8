"""Poses of other skeletons: sigmas as their sources write them, and numbers equal to pycocotools given the same sigmas and areas."""

from __future__ import annotations

import contextlib
import copy
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.cocoeval import COCOeval

from benchmarks.official import OfficialError, coco
from benchmarks.scorer import Scorer, Setting
from benchmarks.skeletons import SKELETONS, WHOLE_BODY, skeleton_of
from tests.benchmarks.made import answered, dialogue
from tests.benchmarks.road import bench
from tests.benchmarks.test_official import COCO_of, files
from vtinstruct import plugins
from vtinstruct.dialogue import Evaluation, Reference, Triplet
from vtinstruct.record import Category
from vtinstruct.units import COCO_KEYPOINTS, Keypoints

# as the sources have them; tenths of what OKS takes, where a source says so
CROWDPOSE_API = (0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89, 0.79, 0.79)
COCOEVAL = (0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89)
MYEVAL_FOOT = (0.68, 0.66, 0.66, 0.92, 0.94, 0.94)
MMPOSE_MPII = (
    0.089,
    0.083,
    0.107,
    0.107,
    0.083,
    0.089,
    0.026,
    0.026,
    0.026,
    0.026,
    0.062,
    0.072,
    0.179,
    0.179,
    0.072,
    0.062,
)


def test_sigmas_are_those_of_the_sources() -> None:
    for name, tenths in (("crowdpose", CROWDPOSE_API), ("coco", COCOEVAL), ("posetrack18", COCOEVAL)):
        assert np.allclose(SKELETONS[name].sigmas, np.array(tenths) / 10, rtol=1e-15)
    assert np.allclose(WHOLE_BODY["foot"][2], np.array(MYEVAL_FOOT) / 10, rtol=1e-15)
    assert SKELETONS["mpii"].sigmas == MMPOSE_MPII
    whole = SKELETONS["wholebody"].sigmas
    assert (len(whole), whole[:17]) == (133, SKELETONS["coco"].sigmas)
    # sums of the tables of myeval_wholebody.py: 68 joints of the face, 21 of each hand
    assert round(sum(whole[23:91]), 3) == 1.137
    assert round(sum(whole[91:112]), 3) == round(sum(whole[112:]), 3) == 0.553


def test_every_skeleton_has_a_sigma_a_joint_and_is_found_by_its_joints() -> None:
    for skeleton in SKELETONS.values():
        assert len(skeleton.joints) == len(set(skeleton.joints)) == len(skeleton.sigmas)
        assert all(0.005 < sigma < 0.2 for sigma in skeleton.sigmas)
        assert skeleton_of([joint.replace("_", " ").title() for joint in skeleton.joints]) is skeleton
    assert skeleton_of(COCO_KEYPOINTS[:5]) is None


def crowd(seed: int, joints: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Photos of few and of many persons, without areas, and answers moved by little or much."""
    rng = np.random.default_rng(seed)
    table: dict[str, Any] = {"images": [], "categories": [{"id": 1, "name": "person"}], "annotations": []}
    rows: list[dict[str, Any]] = []
    for image in range(1, 31):
        table["images"].append({"id": image, "width": 400, "height": 300, "crowdIndex": round(float(rng.random()), 2)})
        for _ in range(int(rng.integers(0, 5))):
            x, y, w, h = rng.uniform((0, 0, 40, 40), (200, 100, 200, 200)).tolist()
            points = rng.uniform((x, y), (x + w, y + h), (joints, 2))
            seen = rng.choice([0, 1, 2], joints) * int(rng.random() < 0.9)
            pose = np.column_stack([points * (seen > 0)[:, None], seen]).ravel().tolist()
            table["annotations"].append(
                {"id": len(table["annotations"]) + 1, "image_id": image, "category_id": 1, "bbox": [x, y, w, h],
                 "iscrowd": int(rng.random() < 0.05), "keypoints": pose, "num_keypoints": int((seen > 0).sum())}
            )  # fmt: skip
            for _ in range(int(rng.choice([0, 1, 1, 2]))):
                moved = points + rng.normal(0, rng.choice([1.0, 5.0, 20.0]), points.shape)
                pose = np.column_stack([moved, np.ones(joints)]).ravel().tolist()
                rows.append(
                    {"image_id": image, "category_id": 1, "keypoints": pose, "score": round(float(rng.random()), 1)}
                )
    return table, rows


def official(
    table: dict[str, Any], rows: list[dict[str, Any]], sigmas: Any, images: list[int] | None = None
) -> list[float]:
    truth = COCO_of(table)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = COCOeval(truth, truth.loadRes(copy.deepcopy(rows)), "keypoints")
        evaluator.params.kpt_oks_sigmas = np.array(sigmas)
        if images is not None:
            evaluator.params.imgIds = images
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return [float(value) for value in evaluator.stats]


@pytest.mark.parametrize("engine", ["hotcoco", "official"])
def test_crowdpose_takes_areas_from_boxes_and_stands_apart_by_crowding(engine: Any, tmp_path: Path) -> None:
    table, rows = crowd(1, 14)
    got = coco(*files(tmp_path, table, rows), "keypoints", engine, "crowdpose").numbers
    for annotation in table["annotations"]:
        annotation["area"] = annotation["bbox"][3] * annotation["bbox"][2] * 0.53
    sigmas = np.array(CROWDPOSE_API) / 10
    ap, ap50, ap75, _, _, ar, ar50, ar75, _, _ = official(table, rows, sigmas)
    assert list(got.values())[:6] == [ap, ap50, ap75, ar, ar50, ar75]
    assert 0.05 < ap < 0.95
    for name, low, high in (("easy", 0, 0.2), ("medium", 0.2, 0.8), ("hard", 0.8, 1.01)):
        images = [image["id"] for image in table["images"] if low <= image["crowdIndex"] < high]
        assert got[f"AP_{name}"] == official(table, rows, sigmas, images)[0]


def test_crowdpose_without_crowding_has_no_numbers_by_it(tmp_path: Path) -> None:
    table, rows = crowd(2, 14)
    del table["images"][0]["crowdIndex"]
    with pytest.raises(OfficialError, match="crowdIndex None; a number, or none anywhere"):
        coco(*files(tmp_path, table, rows), "keypoints", "hotcoco", "crowdpose")
    for image in table["images"]:
        image.pop("crowdIndex", None)
    got = coco(*files(tmp_path, table, rows), "keypoints", "hotcoco", "crowdpose").numbers
    assert list(got) == ["AP", "AP50", "AP75", "AR", "AR50", "AR75"]


@pytest.mark.parametrize("engine", ["hotcoco", "official"])
@pytest.mark.parametrize("joints", [1, 4, 21])
def test_given_sigmas_are_a_skeleton_of_its_own(joints: int, engine: Any, tmp_path: Path) -> None:
    table, rows = crowd(joints, joints)
    for annotation in table["annotations"]:
        annotation["area"] = annotation["bbox"][3] * annotation["bbox"][2] * 0.6
    sigmas = np.random.default_rng(joints).uniform(0.02, 0.15, joints).tolist()
    paths = files(tmp_path, table, rows)
    got = coco(*paths, "keypoints", engine, sigmas=sigmas)
    assert [-1.0 if value is None else value for value in got.numbers.values()] == official(table, rows, sigmas)
    shown = bench(
        "coco", *map(str, paths), "--iou", "keypoints", "--sigmas", ",".join(map(str, sigmas)), "--engine", engine
    )
    assert f"{got.numbers['AP']:.6f}" in shown.stdout


def test_sigmas_that_are_none_are_refused(tmp_path: Path) -> None:
    paths = tmp_path / "gt.json", tmp_path / "dt.json"
    for sigmas in ([0.1, 0.0], [float("nan")], [-1.0]):
        with pytest.raises(OfficialError, match="numbers above 0, one a joint"):
            coco(*paths, "keypoints", sigmas=sigmas)
    for kind, skeleton in (("bbox", "coco"), ("keypoints", "aic")):
        with pytest.raises(OfficialError, match="without a skeleton's name"):
            coco(*paths, kind, skeleton=skeleton, sigmas=[0.1])  # type: ignore[arg-type]
    refused = bench("coco", *map(str, paths), "--iou", "keypoints", "--sigmas", "0.1;0.2")
    assert (refused.exit_code, "numbers with commas between" in refused.stderr) == (2, True)


@pytest.mark.parametrize("name", sorted(set(SKELETONS) - {"crowdpose", "wholebody"}))
def test_named_skeletons_are_scored_by_their_sigmas(name: str, tmp_path: Path) -> None:
    skeleton = SKELETONS[name]
    table, rows = crowd(3, len(skeleton.joints))
    for annotation in table["annotations"]:
        annotation["area"] = annotation["bbox"][3] * annotation["bbox"][2] * 0.53
    expected = official(table, rows, skeleton.sigmas)
    got = coco(*files(tmp_path, table, rows), "keypoints", "hotcoco", name).numbers
    assert [-1.0 if value is None else value for value in got.values()] == expected


@pytest.mark.parametrize("name", ["crowdpose", "aic", "mpii", "coco"])
def test_datasets_are_scored_by_the_skeleton_that_their_classes_name(name: str) -> None:
    """Our own road, from dialogues: the numbers are pycocotools' with that skeleton's sigmas and areas."""
    skeleton = SKELETONS[name]
    table, results = crowd(6, len(skeleton.joints))
    scorer: Scorer = plugins.load("benchmarks.scorers", "ap_keypoint")
    person = Category(1, "person", keypoints=tuple(joint.replace("_", " ") for joint in skeleton.joints))
    setting = Setting(vocabulary={"person": 1}, categories={1: person}, resamples=20)
    rows: list[dict[str, Any]] = []
    for image in table["images"]:
        persons, ignored = list[Reference](), list[Reference]()
        for annotation in (a for a in table["annotations"] if a["image_id"] == image["id"]):
            x, y, w, h = annotation["bbox"]
            area = h * w * 0.53 if skeleton.by_box else h * w * 0.6
            annotation |= {"bbox": [x, y, x + w - x, y + h - y], "area": area}  # as from edges
            if skeleton.by_box:
                annotation["area"] = annotation["bbox"][3] * annotation["bbox"][2] * 0.53
            unit = Keypoints(triples(annotation["keypoints"])) if annotation["num_keypoints"] else None
            made = Reference(
                unit, None, "person", 1, str(annotation["id"]), area, bool(annotation["iscrowd"]), (x, y, x + w, y + h)
            )
            (ignored if annotation["iscrowd"] or unit is None else persons).append(made)
        truth = dialogue(f"{image['id']:03d}", "keypoints", [Triplet("person", "keypoint", tuple(persons))], (400, 300),
                         Evaluation(ignore=tuple(ignored)))  # fmt: skip
        said = [row for row in results if row["image_id"] == image["id"]]
        references = tuple(Reference(Keypoints(triples(row["keypoints"])), row["score"]) for row in said)
        rows.append(scorer.score(truth, answered(Triplet("person", "keypoint", references)), setting))
    summary = scorer.summarize(scorer.frame(rows), setting)
    expected = official(table, results, skeleton.sigmas)
    assert [-1.0 if v is None else v for v in list(summary.numbers.values())[:10]] == expected
    assert 0.02 < expected[0] < 0.95
    assert summary.details["skeleton"] == name
    assert summary.intervals["AP"].low < expected[0] < summary.intervals["AP"].high


def triples(flat: list[float]) -> tuple[tuple[float, float, int], ...]:
    return tuple((flat[n], flat[n + 1], int(flat[n + 2])) for n in range(0, len(flat), 3))


def test_the_whole_body_and_its_parts_are_scored_apart(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    truth = shared_data("mmpose_keypoints") / "coco" / "test_coco_wholebody.json"
    table, rng = json.loads(truth.read_text()), np.random.default_rng(5)
    fields, rows = [field for field, _, _ in WHOLE_BODY.values()], list[dict[str, Any]]()
    for annotation in table["annotations"] * 2:
        row: dict[str, Any] = {"image_id": annotation["image_id"], "category_id": 1, "score": float(rng.random())}
        for field in fields:
            pose = np.array(annotation[field], dtype=float).reshape(-1, 3)
            pose[:, :2] += rng.normal(0, rng.choice([0.5, 2.0, 6.0]), (len(pose), 2))
            pose[:, 2] = rng.random() > 0.2  # a part that the model does not see is no answer
            row[field] = pose.ravel().tolist()
        rows.append({**row, "face_score": float(rng.random())})
    got = coco(*files(tmp_path, table, rows), "keypoints", "hotcoco", "wholebody").numbers
    for name, (field, confidence, sigmas) in WHOLE_BODY.items():
        assert [got[f"AP[{name}]"], got[f"AR[{name}]"]] == official(
            *one_part(table, rows, [field], confidence), sigmas
        )[0::5]
    whole = official(*one_part(table, rows, fields, "wholebody_score"), SKELETONS["wholebody"].sigmas)
    assert list(got.values())[:10] == [None if value < 0 else value for value in whole]
    del rows[0]["foot_kpts"]
    with pytest.raises(OfficialError, match="foot_kpts None; 18 finite numbers are right"):
        coco(*files(tmp_path, table, rows), "keypoints", "hotcoco", "wholebody")


def one_part(table: dict[str, Any], rows: list[dict[str, Any]], fields: list[str], confidence: str) -> tuple[Any, Any]:
    """The files with these fields' joints as `keypoints`; an answer's area is its body's box, as COCO-WholeBody has it."""
    truth = copy.deepcopy(table)
    for annotation in truth["annotations"]:
        annotation["keypoints"] = [value for field in fields for value in annotation[field]]
        annotation["num_keypoints"] = sum(v > 0 for v in annotation["keypoints"][2::3])
    found = list[dict[str, Any]]()
    for row in rows:
        x, y = row["keypoints"][0::3], row["keypoints"][1::3]
        pose = [value for field in fields for value in row[field]]
        if any(pose[2::3]):
            found.append(
                {"image_id": row["image_id"], "category_id": 1, "score": row.get(confidence, row["score"]), "keypoints": pose,
                 "bbox": [min(x), min(y), max(x) - min(x), max(y) - min(y)]}
            )  # fmt: skip
    return truth, found


def test_other_numbers_of_joints_are_refused_with_what_would_fit(tmp_path: Path) -> None:
    table, rows = crowd(4, 14)
    for annotation in table["annotations"]:
        annotation["area"] = 100.0
    with pytest.raises(
        OfficialError, match=r"42 numbers for keypoints; 17 x \(x, y, v\) are right; skeletons that fit: crowdpose, aic"
    ):
        coco(*files(tmp_path, table, rows), "keypoints")
    with pytest.raises(OfficialError, match="no skeleton 'dog'; known: coco, crowdpose"):
        coco(*files(tmp_path, table, rows), "keypoints", "hotcoco", "dog")
