"""The sample in another official layout of the same source gives the same records: only paths and names of splits differ.

Layouts that have a test beside their converter's: GRIT as tars (`test_grit`), VG 1.0, 1.2 and 1.4 (`test_visual_genome`), ADE20K's
lists and its 2017 and 2021 forms (`test_ade20k`, `test_ade20k_full`), Cityscapes polygons, GQA in pieces, Pascal Context as PNG.
"""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.converters.vision import read, read_spoken, write
from vtinstruct.dialogue import StoredPhoto
from vtinstruct.photos import open_photo, read_depth
from vtinstruct.record import Record


def bare(record: Record) -> Record:
    """A record without what the layout decides: folders, the names of its annotation file and split."""
    photo, depth = record.photo, record.depth
    return replace(
        record,
        split="",
        origin=replace(record.origin, file=""),
        photo=photo and replace(photo, path=Path(photo.path).name),
        depth=depth and replace(depth, path=Path(depth.path.removesuffix("/sun3d.npy")).name),
    )


def below(name: str) -> Callable[[Path], None]:
    """Everything moved into a folder of this name."""

    def move(root: Path) -> None:
        (root / name).mkdir(parents=True)
        for path in sorted(root.iterdir()):
            if path.name != name.partition("/")[0]:
                path.rename(root / name / path.name)

    return move


def _kitti(root: Path) -> None:
    (root / "data_depth_annotated").mkdir()
    (root / "raw").mkdir()
    for path in sorted(root.iterdir()):
        if path.name in ("train", "val"):
            path.rename(root / "data_depth_annotated" / path.name)
        elif path.name[:2] == "20":
            path.rename(root / "raw" / path.name)
    (root / "depth_selection/val_selection_cropped").rename(root / "val_selection_cropped")


def _zipped(root: Path) -> None:
    for split in ("train2017", "val2017"):
        with zipfile.ZipFile(root / f"{split}.zip", "w") as archive:
            for path in sorted((root / split).iterdir()):
                archive.write(path, f"{split}/{path.name}")
        shutil.rmtree(root / split)


def _annotations_twice(root: Path) -> None:
    """As the archive unpacks into a folder of its own name."""
    below("annotations")(root / "annotations")


def _lvis_in_a_folder(root: Path) -> None:
    (root / "lvis_v1/annotations").mkdir(parents=True)
    for path in sorted(root.glob("lvis_v1_*.json")):
        path.rename(root / "lvis_v1/annotations" / path.name)


def _lvis_of_2019(root: Path) -> None:
    """v0.5: photos have `file_name`, as COCO spelt it in 2014, and annotations no more than in v1."""
    for split in ("train", "val"):
        path = root / f"lvis_v1_{split}.json"
        content = json.loads(path.read_text())
        for image in content["images"]:
            folder, name = image["coco_url"].split("/")[-2:]
            image["file_name"] = f"COCO_{folder.replace('2017', '2014')}_{name}"
        (root / f"lvis_v0.5_{split}.json").write_text(json.dumps(content))
        path.unlink()


def _refs_as_json(root: Path) -> None:
    (path,) = root.rglob("refs(unc).p")
    refs = pickle.loads(path.read_bytes())  # the sample's own, written a moment ago
    path.with_suffix(".json").write_text(json.dumps(refs))
    path.unlink()


def _refs_of_umd_by_an_old_pickle(root: Path) -> None:
    (path,) = root.rglob("refs(umd).p")
    path.write_bytes(pickle.dumps(pickle.loads(path.read_bytes()), protocol=0))


def _sunrgbd(root: Path) -> None:
    """The root is SUNRGBD/ itself, the list beside it, and depth not filled."""
    (root / "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat").rename(root / "allsplit.mat")
    for camera in sorted((root / "SUNRGBD").iterdir()):
        camera.rename(root / camera.name)
    for folder in sorted(root.rglob("depth_bfx")):
        folder.rename(folder.with_name("depth"))


V05 = {"v1_train": "v0.5_train", "v1_val": "v0.5_val"}
LAYOUTS: list[tuple[str, str, Callable[[Path], None], dict[str, str]]] = [
    ("coco_instances", "photos in the official zips", _zipped, {}),
    ("coco_instances", "annotations/annotations/", _annotations_twice, {}),
    ("lvis", "v0.5", _lvis_of_2019, V05),
    ("lvis", "in lvis_v1/annotations/", _lvis_in_a_folder, {}),
    ("refcoco", "refs as JSON", _refs_as_json, {}),
    ("refcocog", "an old pickle", _refs_of_umd_by_an_old_pickle, {}),
    ("kitti_depth", "archives unpacked beside each other", _kitti, {}),
    ("hrwsi", "in its archive's folder", below("HR-WSI"), {}),
    ("sunrgbd", "the frames at the root", _sunrgbd, {}),
]


@pytest.mark.parametrize(
    ("name", "move", "splits"), [(n, m, s) for n, _, m, s in LAYOUTS], ids=[f"{n}: {w}" for n, w, *_ in LAYOUTS]
)
def test_another_layout(tmp_path: Path, name: str, move: Callable[[Path], None], splits: dict[str, str]) -> None:
    spoken = read_spoken if name.startswith("ref") else read
    root, there = write(name, tmp_path)
    usual: dict[str, Any] = {split: spoken(name, root, split) for split in there}
    move(root)
    seen = 0
    for split, (records, drops) in usual.items():
        others, other_drops = spoken(name, root, splits.get(split, split))
        assert [bare(record) for record in others] == [bare(record) for record in records]
        assert len(other_drops) == len(drops) == 0
        assert [record.photo and record.photo.path for record in others] != [
            record.photo and record.photo.path for record in records
        ] or name in ("lvis", "refcoco", "refcocog", "coco_instances")
        seen += len(others)
    assert seen > 5


def test_a_sequence_alone(tmp_path: Path) -> None:
    """TUM's archives are one sequence each: unpacked into one folder, or each a root."""
    root, _ = write("tum_rgbd", tmp_path)
    together = read("tum_rgbd", root, "train")[0]
    apart: list[Record] = []
    for folder in sorted(root.iterdir()):
        if not folder.name.endswith("_validation"):
            apart += read("tum_rgbd", folder, "train")[0]
    assert [each.photo and Path(each.photo.path).name for each in apart] == [
        each.photo and Path(each.photo.path).name for each in together
    ]
    assert len(apart) == len(together) > 3


def test_nyu_in_three_forms(tmp_path: Path) -> None:
    """The labelled .mat and single .h5 frames give the pixels and metres of the picture folders."""
    h5py = pytest.importorskip("h5py")
    savemat = pytest.importorskip("scipy.io").savemat
    root, splits = write("nyuv2", tmp_path)
    assert splits == ("train", "test")
    photos: dict[str, list[np.ndarray]] = {}
    metres: dict[str, list[np.ndarray]] = {}
    for split in splits:
        for record in read("nyuv2", root, split)[0]:
            assert record.photo is not None
            assert record.depth is not None
            stored = StoredPhoto(record.photo.path, "", record.photo.size_wh, record.photo.id)
            photos.setdefault(split, []).append(np.asarray(open_photo(root, stored)))
            metres.setdefault(split, []).append(read_depth(root, record.depth))
    mat, frames = tmp_path / "mat", tmp_path / "frames"
    mat.mkdir()
    with h5py.File(mat / "nyu_depth_v2_labeled.mat", "w", userblock_size=512) as file:
        file["images"] = np.stack([p.transpose(2, 1, 0) for split in splits for p in photos[split]])
        file["depths"] = np.stack([m.T for split in splits for m in metres[split]])
    first = len(photos["train"])
    numbers = {"trainNdxs": np.arange(1, first + 1), "testNdxs": np.arange(first + 1, first + len(photos["test"]) + 1)}
    savemat(mat / "splits.mat", {key: value[:, None].astype(np.uint16) for key, value in numbers.items()})
    for split, folder in (("train", "train"), ("test", "val")):
        (frames / folder / "a").mkdir(parents=True)
        for n, (photo, depth) in enumerate(zip(photos[split], metres[split], strict=True)):
            with h5py.File(frames / folder / "a" / f"{n:05d}.h5", "w") as file:
                file["rgb"], file["depth"] = photo.transpose(2, 0, 1), depth
    for split, folder in (("train", "train"), ("test", "val")):
        for where, records in ((mat, read("nyuv2", mat, split)[0]), (frames, read("nyuv2", frames, folder)[0])):
            for n, record in enumerate(records):
                assert record.photo is not None
                assert record.depth is not None
                stored = StoredPhoto(record.photo.path, "", record.photo.size_wh, record.photo.id)
                assert np.array_equal(np.asarray(open_photo(where, stored)), photos[split][n])
                assert np.array_equal(read_depth(where, record.depth), metres[split][n])
            assert len(records) == len(photos[split])


def test_ade20k_in_pictures_of_either_kind(tmp_path: Path) -> None:
    """Label pictures with a palette (as some mirrors keep them) mean what grey ones do: the index, not the colour."""
    root, splits = write("ade20k", tmp_path)
    usual = {split: read("ade20k", root, split)[0] for split in splits}
    changed = 0
    for path in sorted((root / "annotations").rglob("*.png")):
        with Image.open(path) as picture:
            grey = np.asarray(picture)
        palette = Image.fromarray(grey)
        palette.putpalette([(7 * n) % 256 for n in range(768)])
        palette.save(path)
        changed += 1
    assert changed == sum(map(len, usual.values())) > 0
    for split, records in usual.items():
        assert read("ade20k", root, split)[0] == records
