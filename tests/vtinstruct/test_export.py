"""What is exported is what was built: official tools read it, and what a format can carry comes back."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import tarfile
from dataclasses import replace
from typing import Any

import datasets
import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tests.benchmarks.made import coco_dialogues, dialogue, made_coco, vocabulary_of, write_dataset
from vtinstruct.build import Options, build, choose
from vtinstruct.build.progress import Silent
from vtinstruct.cli import main
from vtinstruct.dialect import Spoken, dialect_named
from vtinstruct.dialogue import Evaluation, Prompt, Reference, Triplet, Turn
from vtinstruct.export import export
from vtinstruct.exports import webdataset
from vtinstruct.exports.coco_json import side
from vtinstruct.exports.llava_json import units_in
from vtinstruct.exports.webdataset import row_from_json, row_to_json
from vtinstruct.geometry import encode_mask, rle_box
from vtinstruct.manifest import DatasetError, read_manifest
from vtinstruct.photos import file_bytes
from vtinstruct.plugins import UnknownPlugin
from vtinstruct.rows import dialogue_from_row
from vtinstruct.shards import read_dialogues
from vtinstruct.units import Box, Depth, Keypoints, Mask, Point

# --- a dialect -------------------------------------------------------------------------------------------------------


def test_answers_in_a_models_own_words_read_back(small_dataset, tmp_path):
    done = export(small_dataset, "llava-json", tmp_path / "out", ("det",), ("val2017",), dialect="qwen3_vl")
    assert done.dialect == json.loads((tmp_path / "out/export.json").read_text())["dialect"] == "qwen3_vl"
    truths = {one.id: one for one in read_dialogues(small_dataset, "det", "val2017")}
    entries = json.loads((tmp_path / "out/val2017.json").read_text())
    assert len(entries) == len(truths) > 0
    boxes = 0
    for entry in entries:
        truth = truths[entry["id"]]
        text = entry["conversations"][1]["value"]
        found = dialect_named("qwen3_vl").read(Spoken(text, truth.photo.size_wh))
        assert found.faults == ()
        true = [reference.unit for _, _, reference in truth.references()]
        assert len(found.references) == len(true)
        for a, b in zip(true, found.references, strict=True):
            cells = np.array([*truth.photo.size_wh] * 2) / 1000
            assert (np.abs(np.array(a.box_xyxy) - b.unit.box_xyxy) <= cells / 2 + 1e-9).all()
            boxes += 1
    assert boxes > 5


def test_what_a_dialect_cannot_say_is_left_out_or_noted(tmp_path):
    dog = Triplet("dog", "box", (Reference(Box((1.0, 2.0, 30.0, 40.0))),))
    mask = Mask(encode_mask(np.ones((48, 64), dtype=np.uint8)))
    rows = [
        dialogue("a", "rec", ["Here is ", dog, "."]),
        dialogue("b", "res", [Triplet("dog", "mask", (Reference(mask),))]),
        dialogue("c", "reg_box", ["A dog."], question=["What is at ", Prompt("point", Point((1.0, 2.0))), "?"]),
        dialogue("d", "caption", ["A dog."]),
    ]
    root = write_dataset(tmp_path / "data", rows, vocabulary_of(made_coco(1, photos=1)))
    done = export(root, "llava-json", tmp_path / "qwen", dialect="qwen3_vl")
    said = {entry["id"]: entry for entry in json.loads((tmp_path / "qwen/val.json").read_text())}
    assert set(said) == {"a", "d"}
    assert said["d"]["conversations"][1]["value"] == "A dog."
    assert done.left_out == {
        "a mask has no form in qwen3_vl": 1, "a question with a mark on the photo has no form in qwen3_vl": 1,
    }  # fmt: skip
    assert done.noted == {"words between phrases left out": 1}
    done = export(root, "llava-json", tmp_path / "glamm", dialect="glamm")
    said = {entry["id"]: entry for entry in json.loads((tmp_path / "glamm/val.json").read_text())}
    assert said["b"]["conversations"][1]["value"] == "<p> dog </p> [SEG]"
    assert said["b"]["masks"] == [{"size": [48, 64], "counts": mask.mask_rle.counts.decode()}]
    assert "a" not in said


def test_a_dialect_that_is_none_or_has_no_place_is_refused(small_dataset, tmp_path):
    with pytest.raises(UnknownPlugin, match=r"no 'klingon' in vtinstruct\.dialects; known: "):
        export(small_dataset, "llava-json", tmp_path / "out", dialect="klingon")
    with pytest.raises(DatasetError, match="--dialect goes with llava-json"):
        export(small_dataset, "coco-json", tmp_path / "out", dialect="qwen3_vl")
    assert not (tmp_path / "out").exists()


# --- coco-json -------------------------------------------------------------------------------------------------------


def loaded(path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def guesses(truth: COCO, kind: str) -> list[dict[str, Any]]:
    """Detections near the truth, some wrong, with many ties of score."""
    rng, found = np.random.default_rng(3), []
    for annotation in truth.loadAnns(truth.getAnnIds()):
        one = {
            "image_id": annotation["image_id"],
            "category_id": annotation["category_id"],
            "score": round(float(rng.random()), 1),
        }
        if kind == "bbox":
            one["bbox"] = [float(v) for v in np.abs(np.array(annotation["bbox"]) * rng.normal(1, 0.07, 4))]
        elif kind == "segm":
            pixels = np.roll(truth.annToMask(annotation), tuple(rng.integers(-4, 5, 2)), (0, 1))
            one["segmentation"] = coco_mask.encode(np.asfortranarray(pixels))
        else:
            pose = np.array(annotation["keypoints"], float).reshape(-1, 3)
            pose[:, :2] += rng.normal(0, 3, (len(pose), 2))
            one["keypoints"] = [float(v) for v in pose.ravel()]
        found.append(one)
    return found


def official(truth: COCO, kind: str, results: list[dict[str, Any]]) -> list[float]:
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = COCOeval(truth, truth.loadRes(copy.deepcopy(results)), kind)  # it writes into them
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return [float(value) for value in evaluator.stats]


def same_annotations(one: COCO, other: COCO, fields: tuple[str, ...]) -> None:
    assert set(one.imgs) == set(other.imgs)
    for image_id, image in one.imgs.items():
        assert (image["width"], image["height"]) == (other.imgs[image_id]["width"], other.imgs[image_id]["height"])
    assert {i: c["name"] for i, c in one.cats.items()} == {i: c["name"] for i, c in other.cats.items()}
    assert set(one.anns) == set(other.anns)
    for number, annotation in one.anns.items():
        assert {field: annotation[field] for field in fields} == {field: other.anns[number][field] for field in fields}


COMMON = ("image_id", "category_id", "area", "iscrowd")
KINDS = [("det", "bbox", "instances"), ("seg", "segm", "instances"), ("keypoints", "keypoints", "person_keypoints")]


@pytest.mark.parametrize(("task", "kind", "file"), KINDS)
def test_an_exported_split_is_the_official_file_to_pycocotools(small_sample, small_dataset, tmp_path, task, kind, file):
    done = export(small_dataset, "coco-json", tmp_path / "out", (task,), ("val2017",))
    source = "coco_keypoints" if task == "keypoints" else "coco_instances"
    assert done.files == (f"{task}/{source}_val2017.json",)
    assert done.left_out == {}
    original = loaded(small_sample / "coco" / "annotations" / f"{file}_val2017.json")
    exported = loaded(tmp_path / "out" / done.files[0])
    if task != "keypoints":  # the sample's keypoint file has one category, the vocabulary too
        assert len(original.cats) > 3
    fields = {"det": ("bbox",), "seg": (), "keypoints": ("bbox", "keypoints", "num_keypoints")}[task]
    same_annotations(original, exported, (*COMMON, *fields))
    if task == "seg":
        for annotation in original.anns.values():
            mask = exported.annToMask(exported.anns[annotation["id"]])
            np.testing.assert_array_equal(mask, original.annToMask(annotation))
    results = guesses(original, kind)
    expected = official(original, kind, results)
    assert official(exported, kind, results) == expected
    assert 0.05 < expected[0] < 1


def test_real_annotations_come_back_to_the_last_digit(shared_data, tmp_path):
    root = shared_data("coco_tiny")
    chosen = choose([f"coco_instances:val2017={root}"])
    build(chosen, Options(("det", "seg"), photo_check=False), tmp_path / "dataset", Silent())
    export(tmp_path / "dataset", "coco-json", tmp_path / "out")
    original = loaded(root / "annotations" / "instances_val2017.json")
    boxes = loaded(tmp_path / "out" / "det" / "coco_instances_val2017.json")
    same_annotations(original, boxes, COMMON)
    for number, annotation in original.anns.items():
        if annotation["bbox"] != boxes.anns[number]["bbox"]:  # the house clips boxes to their photo by a hair
            assert annotation["bbox"] == pytest.approx(boxes.anns[number]["bbox"], abs=1e-6)
    results = guesses(original, "bbox")
    assert official(boxes, "bbox", results) == official(original, "bbox", results)
    masks = loaded(tmp_path / "out" / "seg" / "coco_instances_val2017.json")
    results = guesses(original, "segm")
    assert official(masks, "segm", results) == official(original, "segm", results)


def test_made_up_poses_with_crowds_and_unlabelled_persons(tmp_path):
    coco = made_coco(5)
    for annotation in coco["annotations"]:
        annotation["id"] += 1
    root = write_dataset(tmp_path / "dataset", coco_dialogues(coco, "keypoints", "keypoint"), vocabulary_of(coco))
    (name,) = export(root, "coco-json", tmp_path / "out").files
    (tmp_path / "original.json").write_text(json.dumps(coco))
    original, exported = loaded(tmp_path / "original.json"), loaded(tmp_path / "out" / name)
    assert any(annotation["iscrowd"] for annotation in original.anns.values())
    assert any(not annotation["num_keypoints"] for annotation in original.anns.values())
    assert set(exported.anns) == set(original.anns)
    for number, annotation in original.anns.items():
        assert exported.anns[number]["bbox"] == pytest.approx(annotation["bbox"], rel=1e-13)  # of 17 digits
        for field in (*COMMON, "keypoints", "num_keypoints"):
            assert exported.anns[number][field] == annotation[field], (number, field)
    results = guesses(original, "keypoints")
    assert official(exported, "keypoints", results) == official(original, "keypoints", results)


@pytest.mark.parametrize("x", [0.0, 473.07, 13.5, 1 / 3, 199.84])
@pytest.mark.parametrize("w", [38.65, 0.01, 77.7, 1 / 7, 408.0])
def test_a_side_is_the_one_that_was_added(x, w):
    assert x + side(x, x + w) == x + w
    if w != 1 / 7:
        assert side(x, x + w) == w


def dialogue_with(kind, unit, number=1, **fields):
    """A dialogue whose answer is one dog."""
    return dialogue(f"hand/val/{number}/det/0", "det", [Triplet("dog", kind, (Reference(unit, **fields),))])


def test_numbers_are_given_where_the_source_has_none(tmp_path):
    rows = [
        dialogue_with("box", Box((1.0, 2.0, 5.0, 8.0)), 1, category="dog", annotation_id="a/1"),
        dialogue_with("box", Box((1.0, 2.0, 5.0, 8.0)), 2, category="cat", annotation_id="a/1"),  # another photo's a/1
        dialogue_with("box", Box((1.0, 2.0, 5.0, 8.0)), 3, annotation_id="1"),  # no category: the phrase
        dialogue_with("point", Point((1.0, 2.0)), 4),
    ]
    root = write_dataset(tmp_path / "dataset", rows)
    done = export(root, "coco-json", tmp_path / "out")
    assert done.left_out == {"point": 1}
    wire = json.loads((tmp_path / "out" / done.files[0]).read_text())
    assert [image["id"] for image in wire["images"]] == [1, 2, 3, 4]
    assert [(a["id"], a["image_id"]) for a in wire["annotations"]] == [(1, 1), (2, 2), (3, 3)]
    names = {category["id"]: category["name"] for category in wire["categories"]}
    assert [names[a["category_id"]] for a in wire["annotations"]] == ["dog", "cat", "dog"]
    assert wire["annotations"][0]["area"] == 24.0


def test_an_instance_of_several_dialogues_is_written_once(small_dataset, tmp_path):
    done = export(small_dataset, "coco-json", tmp_path / "out", ("rec",), ("val",))
    for name in done.files:
        wire = json.loads((tmp_path / "out" / name).read_text())
        mentioned = [
            (d.id.rsplit("/", 2)[0], r.annotation_id)
            for d in read_dialogues(small_dataset, "rec", "val")
            if f"rec/{d.source}_val.json" == name
            for _, _, r in d.references()
        ]
        assert len(wire["annotations"]) == len(set(mentioned))
        assert len({annotation["id"] for annotation in wire["annotations"]}) == len(wire["annotations"])


def test_lvis_lists_are_kept(tmp_path):
    row = dialogue_with("box", Box((1.0, 2.0, 5.0, 8.0)), category="dog", category_id=7)
    row = replace(row, evaluation=Evaluation(negatives=("cat",), not_exhaustive=("dog",)))
    root = write_dataset(tmp_path / "dataset", [row], {"dog": 7, "cat": 9})
    (name,) = export(root, "coco-json", tmp_path / "out").files
    (image,) = json.loads((tmp_path / "out" / name).read_text())["images"]
    assert (image["neg_category_ids"], image["not_exhaustive_category_ids"]) == ([9], [7])


def test_a_task_without_instances_is_refused(small_dataset, tmp_path):
    with pytest.raises(
        DatasetError, match="coco-json holds box, keypoint, mask, and caption answers with none of them"
    ):
        export(small_dataset, "coco-json", tmp_path / "out", ("caption",))


# --- llava-json ------------------------------------------------------------------------------------------------------


def test_boxes_come_back_from_llavas_text(small_dataset, tmp_path):
    export(small_dataset, "llava-json", tmp_path / "out", ("rec", "det"), ("val", "val2017"))
    checked = 0
    for task, split in (("rec", "val"), ("det", "val2017")):
        entries = {entry["id"]: entry for entry in json.loads((tmp_path / "out" / f"{split}.json").read_text())}
        for truth in read_dialogues(small_dataset, task, split):
            entry = entries[truth.id]
            assert entry["image"] == truth.photo.path
            assert [said["from"] for said in entry["conversations"]] == ["human", "gpt"]
            assert entry["conversations"][0]["value"].startswith("<image>\n")
            assert "<" not in entry["conversations"][1]["value"]
            found = units_in(entry["conversations"][1]["value"], truth.photo.size_wh)
            boxes = [reference.unit.box_xyxy for _, _, reference in truth.references()]
            assert len(found) == len(boxes)
            for box, unit in zip(boxes, found, strict=True):
                assert unit.box_xyxy == pytest.approx(box, abs=0.00051 * max(truth.photo.size_wh))
                checked += 1
            for _, triplet in truth.triplets():
                assert triplet.concept in entry["conversations"][1]["value"]
    assert checked > 10


def llava(tmp_path, *rows):
    root = write_dataset(tmp_path / "dataset", rows)
    done = export(root, "llava-json", tmp_path / "out")
    entries = json.loads((tmp_path / "out" / "val.json").read_text()) if "val.json" in done.files else []
    return done, [[said["value"] for said in entry["conversations"]] for entry in entries]


def test_llavas_text_of_every_unit_and_mark(tmp_path):
    pixels = np.zeros((48, 64), bool)
    pixels[12:24, 16:32] = True
    mask = Mask(encode_mask(pixels))
    base = dialogue_with("mask", mask)
    asked = Turn("user", ("What is ", Prompt("scribble", mask), " and ", Prompt("point", Point((32.0, 24.0))), "?"))
    several = replace(base, id="hand/val/2/det/0", turns=(asked, base.turns[1]))
    nothing = replace(
        base, id="hand/val/3/det/0", turns=(base.turns[0], Turn("assistant", (Triplet("cat", "box"), ".")))
    )
    poses = dialogue_with("keypoint", Keypoints(((1.0, 1.0, 2),)), 4)
    depth = dialogue_with("depth", Depth("images/d.png", 0.001), 5)
    blind = replace(
        base, id="hand/val/6/det/0", photo=None, turns=(Turn("user", ("Hi",)), Turn("assistant", ("Hello",)))
    )
    done, said = llava(tmp_path, base, several, nothing, poses, depth, blind)
    assert said == [
        ["<image>\nWhat is there?", "dog [0.250, 0.250, 0.500, 0.500]"],
        ["<image>\nWhat is [0.250, 0.250, 0.500, 0.500] and [0.500, 0.500]?", "dog [0.250, 0.250, 0.500, 0.500]"],
        ["<image>\nWhat is there?", "cat []."],
        ["Hi", "Hello"],
    ]
    assert done.noted == {"mask written as its box": 3}
    assert done.left_out == {"a depth map has no text": 1, "a pose has no text": 1}
    assert units_in(said[1][0], (64, 48)) == [Box((16.0, 12.0, 32.0, 24.0)), Point((32.0, 24.0))]
    assert rle_box(mask.mask_rle) == (16.0, 12.0, 32.0, 24.0)


def test_photos_go_along_on_demand(small_dataset, tmp_path):
    export(small_dataset, "llava-json", tmp_path / "out", ("rec",), ("val",), photos=True)
    for entry in json.loads((tmp_path / "out" / "val.json").read_text()):
        assert (tmp_path / "out" / entry["image"]).read_bytes() == file_bytes(small_dataset, entry["image"])


# --- webdataset ------------------------------------------------------------------------------------------------------


def samples(path):
    with tarfile.open(path) as tar:
        found: dict[str, dict[str, bytes]] = {}
        for member in tar:
            key, _, suffix = member.name.partition(".")
            file = tar.extractfile(member)
            assert file is not None
            found.setdefault(key, {})[suffix] = file.read()
    return list(found.values())


def test_rows_and_photos_come_back_from_tars(small_dataset, tmp_path):
    done = export(small_dataset, "webdataset", tmp_path / "out")
    manifest = read_manifest(small_dataset)
    assert set(done.files) == {f"{t}/{s}-000000.tar" for t in manifest.tasks() for s in manifest.splits(t)}
    depths = 0
    for name in done.files:
        task, split = name.removesuffix("-000000.tar").split("/")
        found = samples(tmp_path / "out" / name)
        assert [dialogue_from_row(row_from_json(one["json"].decode())) for one in found] == list(
            read_dialogues(small_dataset, task, split)
        )
        for one in found:
            row = json.loads(one["json"])
            assert one[row["image"]["path"].rpartition(".")[2]] == file_bytes(small_dataset, row["image"]["path"])
            for n, unit in enumerate(row["units"]):
                if unit["depth"] is not None:
                    assert one[f"depth-{n}.png"] == file_bytes(small_dataset, unit["depth"]["path"])
                    depths += 1
    assert depths


def test_datasets_own_reader_takes_the_tars(small_dataset, tmp_path):
    export(small_dataset, "webdataset", tmp_path / "out", ("rec",), ("val",))
    datasets.disable_progress_bars()
    rows = datasets.load_dataset(
        "webdataset", data_files=str(tmp_path / "out" / "rec" / "val-*.tar"), split="train",
        cache_dir=str(tmp_path / "cache"), streaming=True,
    )  # fmt: skip
    rows = rows.decode(False)
    found = [row["json"]["id"] for row in rows]
    assert found == [dialogue.id for dialogue in read_dialogues(small_dataset, "rec", "val")]


def test_tars_end_when_they_are_large_enough(small_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(webdataset, "TAR_BYTES", 20_000)
    done = export(small_dataset, "webdataset", tmp_path / "out", ("rec",), ("val",))
    assert len(done.files) > 1
    assert done.files == tuple(f"rec/val-{n:06d}.tar" for n in range(len(done.files)))
    rows = [row_from_json(one["json"].decode()) for name in done.files for one in samples(tmp_path / "out" / name)]
    assert [dialogue_from_row(row) for row in rows] == list(read_dialogues(small_dataset, "rec", "val"))


def test_json_of_a_row_is_the_row():
    row = {
        "id": "x",
        "units": [{"mask_rle": {"size_hw": [4, 6], "counts": b"06\\k"}}, {"mask_rle": None}],
        "a": 0.1 + 0.2,
    }
    assert row_from_json(row_to_json(row)) == row


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command(small_dataset, tmp_path, monkeypatch, capsys):
    words = ["export", str(small_dataset), "--to", "llava-json", "--out", str(tmp_path / "out"), "--tasks", "depth,res"]
    monkeypatch.setattr("sys.argv", ["vtinstruct", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("left out: ")
    assert "a depth map has no text" in out[0]
    assert out[1].endswith("mask written as its box")
    assert out[-1].endswith(str(tmp_path / "out"))


def test_a_photo_that_is_gone_is_one_line(handmade, tmp_path, monkeypatch, capsys):
    handmade.add(1)
    build(handmade.chosen(), Options(("rec",)), tmp_path / "dataset", Silent())
    (handmade.root / "photos/1.png").unlink()
    words = ["export", str(tmp_path / "dataset"), "--to", "webdataset", "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", ["vtinstruct", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert "photos/1.png: photo: missing" in err
    assert err.count("\n") == 1
