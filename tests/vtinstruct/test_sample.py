"""The written sample: the same bytes on every run, the official formats' own readers accept it, and it never lies
about being finished."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

import vtinstruct.sample as sample_module
from vtinstruct.sample import NAME, Sample, SampleError, write_sample
from vtinstruct.sample._shot import THING_IDS, Shot
from vtinstruct.sample.scenes import draw_scene

SCENES, SEED = 30, 11
# The contract test of all sources writes the whole set; here the formats with a reader of their own are enough.
ONLY = (
    "coco_captions",
    "coco_instances",
    "coco_keypoints",
    "coco_panoptic",
    "grefcoco",
    "nyuv2",
    "refcoco",
    "refcoco_plus",
    "refcocog",
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sample]:
    out = tmp_path_factory.mktemp("written") / "sample"
    return out, write_sample(out, SCENES, SEED, only=ONLY)


@pytest.fixture(scope="module")
def shots() -> dict[int, Shot]:
    found = [Shot(index, SEED, draw_scene(SEED, index)) for index in range(SCENES)]
    return {shot.image_id: shot for shot in found}


def tree(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def coco_of(path: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):  # it prints how long it took
        return COCO(str(path))


def test_two_runs_write_the_same_bytes(written: tuple[Path, Sample], tmp_path: Path) -> None:
    root, sample = written
    steps: list[tuple[int, int]] = []
    again = write_sample(
        tmp_path / "again", SCENES, SEED, progress=lambda done, wanted: steps.append((done, wanted)), only=ONLY
    )
    assert again == sample
    assert tree(tmp_path / "again") == tree(root)
    assert steps == [(done, SCENES) for done in range(1, SCENES + 1)]


def test_drawing_in_other_processes_changes_nothing(tmp_path: Path) -> None:
    write_sample(tmp_path / "one", 9, SEED, only=("coco_panoptic",))
    write_sample(tmp_path / "two", 9, SEED, workers=2, only=("coco_panoptic",))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_the_summary_is_what_the_list_says(written: tuple[Path, Sample]) -> None:
    root, sample = written
    content = json.loads((root / NAME).read_text())
    assert (content["scenes"], content["seed"], content["size_wh"]) == (SCENES, SEED, [160, 120])
    assert [row["name"] for row in content["sources"]] == [part.name for part in sample.sources]
    assert write_sample(root, SCENES, SEED, only=ONLY) == sample, "a finished sample is left as it is"


def test_photos_never_cross_from_train_to_evaluation(written: tuple[Path, Sample]) -> None:
    root, _ = written
    train = {path.read_bytes() for path in (root / "coco" / "train2017").iterdir()}
    val = {path.read_bytes() for path in (root / "coco" / "val2017").iterdir()}
    assert len(train) + len(val) == SCENES
    assert not train & val
    refs = pickle.loads((root / "refer" / "refcoco" / "refs(unc).p").read_bytes())
    photos = root / "refer" / "images" / "mscoco" / "images" / "train2014"
    for ref in refs:
        photo = (photos / f"COCO_train2014_{ref['image_id']:012d}.jpg").read_bytes()
        assert photo in (train if ref["split"] == "train" else val)
    of_split = {
        split: {ref["image_id"] for ref in refs if ref["split"] == split} for split in ("val", "testA", "testB")
    }
    assert not of_split["val"] & of_split["testA"]
    assert not of_split["testA"] & of_split["testB"]


@pytest.mark.parametrize("kind", ["instances", "person_keypoints"])
def test_pycocotools_reads_the_drawn_truth(written: tuple[Path, Sample], shots: dict[int, Shot], kind: str) -> None:
    seen = crowds = several_parts = 0
    for split in ("train2017", "val2017"):
        coco = coco_of(written[0] / "coco" / "annotations" / f"{kind}_{split}.json")
        for image_id in coco.getImgIds():
            shot = shots[image_id]
            wanted = {
                shot.annotation_id(k): thing
                for k, thing in enumerate(shot.scene.things)
                if kind == "instances" or thing.category == "person"
            }
            rows = coco.loadAnns(coco.getAnnIds(imgIds=[image_id]))
            assert {row["id"] for row in rows} == set(wanted)
            for row in rows:
                thing = wanted[row["id"]]
                assert (coco.annToMask(row) == thing.mask).all()
                assert row["area"] == thing.mask.sum()
                assert row["category_id"] == THING_IDS[thing.category][0]
                x, y, width, height = row["bbox"]
                assert (x, y, x + width, y + height) == thing.box_xyxy
                assert bool(row["iscrowd"]) == thing.crowd == isinstance(row["segmentation"], dict)
                crowds += row["iscrowd"]
                several_parts += isinstance(row["segmentation"], list) and len(row["segmentation"]) > 1
                if kind == "person_keypoints":
                    assert thing.keypoints_xyv is not None
                    assert row["keypoints"] == thing.keypoints_xyv.reshape(-1).tolist()
                    assert row["num_keypoints"] == (thing.keypoints_xyv[:, 2] > 0).sum()
                seen += 1
    assert seen > 10
    if kind == "instances":
        assert crowds
        assert several_parts


def test_captions_and_photos_as_drawn(written: tuple[Path, Sample], shots: dict[int, Shot]) -> None:
    root, _ = written
    for split in ("train2017", "val2017"):
        content = json.loads((root / "coco" / "annotations" / f"captions_{split}.json").read_text())
        for row in content["images"]:
            said = {one["caption"] for one in content["annotations"] if one["image_id"] == row["id"]}
            assert said == set(shots[row["id"]].scene.captions)
            with Image.open(root / "coco" / split / row["file_name"]) as photo:
                assert photo.size == (row["width"], row["height"])
                difference = np.asarray(photo).astype(int) - shots[row["id"]].scene.photo
            assert abs(difference).mean() < 4, "JPEG at quality 92 is close"


def test_panoptic_pictures_hold_every_pixel(written: tuple[Path, Sample], shots: dict[int, Shot]) -> None:
    folder = written[0] / "coco" / "annotations"
    content = json.loads((folder / "panoptic_val2017.json").read_text())
    things = {row["id"] for row in content["categories"] if row["isthing"]}
    assert len(content["annotations"]) == SCENES // 5
    for row in content["annotations"]:
        rgb = np.asarray(Image.open(folder / "panoptic_val2017" / row["file_name"])).astype(int)
        ids = rgb[..., 0] + 256 * rgb[..., 1] + 256**2 * rgb[..., 2]
        assert set(np.unique(ids)) == {segment["id"] for segment in row["segments_info"]}
        scene = shots[row["image_id"]].scene
        for segment in row["segments_info"]:
            mask = ids == segment["id"]
            assert mask.sum() == segment["area"]
            native = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
            assert coco_mask.toBbox(native).tolist() == segment["bbox"]
            if segment["category_id"] in things:
                assert any((mask == thing.mask).all() for thing in scene.things)
            else:
                assert (scene.stuff[mask] > 0).all()


def test_depth_pictures_are_millimetres(written: tuple[Path, Sample], shots: dict[int, Shot]) -> None:
    by_index = {shot.index: shot for shot in shots.values()}
    paths = sorted((written[0] / "nyuv2").rglob("sync_depth_*.png"))
    assert len(paths) == SCENES
    for path in paths:
        scene = by_index[int(path.stem.rpartition("_")[2])].scene
        stored = np.asarray(Image.open(path))
        assert stored.dtype == np.uint16
        assert np.abs(stored / 1000 - scene.depth_m).max() < 0.0006
        assert ((stored == 0) == (scene.depth_m == 0)).all()


def test_refs_name_the_drawn_things(written: tuple[Path, Sample], shots: dict[int, Shot]) -> None:
    refer = written[0] / "refer"
    for folder, name in (("refcoco", "refs(unc).p"), ("refcoco+", "refs(unc).p"), ("refcocog", "refs(umd).p")):
        coco = coco_of(refer / folder / "instances.json")
        refs: list[dict[str, Any]] = pickle.loads((refer / folder / name).read_bytes())
        assert len({ref["ref_id"] for ref in refs}) == len(refs)
        for ref in refs:
            thing_of = {
                shots[ref["image_id"]].annotation_id(k): k for k in range(len(shots[ref["image_id"]].scene.things))
            }
            target = thing_of[ref["ann_id"]]
            known = {(one.text, one.targets) for one in shots[ref["image_id"]].scene.expressions}
            assert {(sentence["sent"], (target,)) for sentence in ref["sentences"]} <= known
            assert ref["category_id"] == coco.anns[ref["ann_id"]]["category_id"]
            if folder != "refcocog" and ref["split"] in ("testA", "testB"):
                assert (ref["category_id"] == 1) == (ref["split"] == "testA")
            if folder == "refcoco+":
                assert not any(" left" in f" {one['sent']}" or "behind" in one["sent"] for one in ref["sentences"])
    grefs = json.loads((refer / "grefcoco" / "grefs(unc).json").read_text())
    counts = {min(len([n for n in ref["ann_id"] if n != -1]), 2) for ref in grefs}
    assert counts == {0, 1, 2}
    assert all(ref["no_target"] == (ref["ann_id"] == [-1]) for ref in grefs)


# --- never looks finished when it is not, never touches what is not its own ------------------------------------------


class Interrupted(Exception):
    """The run was stopped."""


def test_an_interrupted_run_does_not_look_finished_and_is_begun_anew(
    written: tuple[Path, Sample], tmp_path: Path
) -> None:
    def stop(done: int, wanted: int) -> None:
        if done == 7:
            raise Interrupted

    out = tmp_path / "sample"
    with pytest.raises(Interrupted):
        write_sample(out, 12, SEED + 1, progress=stop, only=ONLY)
    assert not (out / NAME).exists()
    assert list(out.rglob("*.jpg")), "it was in the middle of it"
    sample = write_sample(out, SCENES, SEED, only=ONLY)
    assert sample == written[1]
    assert tree(out) == tree(written[0]), "nothing of the stopped run is left"


def test_a_run_stopped_while_the_list_is_written(
    written: tuple[Path, Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path, content: Any) -> None:
        raise Interrupted

    out = tmp_path / "sample"
    with monkeypatch.context() as patch:
        patch.setattr(sample_module, "write_json", broken)
        with pytest.raises(Interrupted):
            write_sample(out, 3, SEED, only=ONLY)
    assert not (out / NAME).exists()
    assert write_sample(out, 3, SEED, only=ONLY).scenes == 3


def test_a_folder_of_somebody_else_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco" / "mine.txt").write_text("keep me")
    before = tree(tmp_path)
    with pytest.raises(SampleError, match="not empty and no sample of ours") as caught:
        write_sample(tmp_path, 3, 0)
    assert str(tmp_path) in str(caught.value)
    assert tree(tmp_path) == before


def test_other_numbers_than_a_finished_sample_are_refused(written: tuple[Path, Sample]) -> None:
    root, _ = written
    before = tree(root)
    for scenes, seed in ((SCENES + 1, SEED), (SCENES, SEED + 1)):
        with pytest.raises(SampleError, match=f"holds another sample \\({SCENES} scenes, seed {SEED}"):
            write_sample(root, scenes, seed, only=ONLY)
    with pytest.raises(SampleError, match=f"{len(ONLY)} sources"):
        write_sample(root, SCENES, SEED, only=ONLY[:3])
    assert tree(root) == before


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"scenes": 1}', '{"scenes": 3, "sources": 7}'])
def test_a_strange_list_is_one_clear_line(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_text(content)
    with pytest.raises(SampleError) as caught:
        write_sample(tmp_path, 3, 0)
    assert "\n" not in str(caught.value)


def test_bad_wishes(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="1 or more"):
        write_sample(tmp_path / "a", 0, 0)
    with pytest.raises(SampleError, match=r"no sample for imagenet; known: .*coco_instances"):
        write_sample(tmp_path / "a", 1, 0, only=("imagenet",))
    (tmp_path / "file").write_text("x")
    with pytest.raises(SampleError, match="is a file"):
        write_sample(tmp_path / "file", 1, 0)


def test_a_sample_that_is_still_drawn_is_not_built(tmp_path: Path) -> None:
    from vtinstruct.build import choose
    from vtinstruct.build.choose import SAMPLE, UNFINISHED
    from vtinstruct.source import SourceError

    assert (SAMPLE, UNFINISHED) == (sample_module.NAME, sample_module.UNFINISHED)
    out = tmp_path / "sample"
    write_sample(out, 1, 0, only={"clevr"})
    choose([str(out)])  # nothing is said against it
    (out / UNFINISHED).touch()
    for text in (str(out), f"clevr={out / 'clevr'}"):
        with pytest.raises(SourceError, match=r"sample: a sample that is still being drawn, or was left so; wait for"):
            choose([text])
