"""NYU Depth v2: photo and depth picture find each other in every layout; a depth picture of another kind is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from tests.converters.coco_files import read, reasons
from vtinstruct import plugins
from vtinstruct.build import Options, build, choose
from vtinstruct.build.progress import Silent
from vtinstruct.check import check
from vtinstruct.dialogue import StoredPhoto
from vtinstruct.photos import open_photo, read_depth
from vtinstruct.shards import read_dialogues
from vtinstruct.source import SourceError
from vtinstruct.units import Depth

SIZE_WH = (12, 8)


def pair(photo: Path, depth: Path) -> None:
    photo.parent.mkdir(parents=True, exist_ok=True)
    depth.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", SIZE_WH).save(photo)
    Image.fromarray(np.full(SIZE_WH[::-1], 1234, np.uint16)).save(depth)


LAYOUTS = [
    # split, photo, depth
    ("train", "official_splits/train/bath/rgb_00045.jpg", "official_splits/train/bath/sync_depth_00045.png"),
    ("test", "official_splits/test/bath_0001/rgb_00045.png", "official_splits/test/bath_0001/sync_depth_00045.png"),
    ("test", "official_splits/test/rgb_00045.jpg", "official_splits/test/sync_depth_00045.png"),
    ("sync", "sync/bath/rgb_00045.jpg", "sync/bath/sync_depth_00045.png"),
    ("train", "images/train/a.jpg", "annotations/train/a.png"),
    ("whole", "images/a.b.jpg", "annotations/a.b.png"),
]


@pytest.mark.parametrize(("split", "photo", "depth"), LAYOUTS)
def test_layouts(tmp_path: Path, split: str, photo: str, depth: str) -> None:
    pair(tmp_path / photo, tmp_path / depth)
    assert plugins.load("converters", "nyuv2").find(tmp_path) == (split,)
    records, drops = read("nyuv2", tmp_path, split)
    assert drops == []
    (record,) = records
    assert record.photo is not None
    assert record.depth is not None
    assert (record.photo.path, record.photo.size_wh) == (photo, SIZE_WH)
    assert (record.depth.path, record.depth.scale) == (depth, 0.001)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.unlink(), "depth: missing"),
        (lambda path: Image.new("L", SIZE_WH).save(path), "depth: not 16 bits"),
        (lambda path: Image.new("RGB", SIZE_WH).save(path), "depth: not 16 bits"),
        (lambda path: path.write_bytes(b"no picture"), "picture: unreadable"),
        (lambda path: path.write_bytes(path.read_bytes()[:20]), "picture: unreadable"),
    ],
)
def test_a_bad_depth_picture_costs_its_record(tmp_path: Path, spoil: Any, reason: str) -> None:
    folder = tmp_path / "official_splits" / "test" / "bath"
    for number in (1, 2):
        pair(folder / f"rgb_{number}.jpg", folder / f"sync_depth_{number}.png")
    spoil(folder / "sync_depth_1.png")
    records, drops = read("nyuv2", tmp_path, "test")
    assert [record.id for record in records] == ["official_splits/test/bath/rgb_2"]
    assert reasons(drops) == {reason: 1}


def test_a_depth_picture_without_a_photo_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "official_splits" / "test" / "bath"
    pair(folder / "rgb_1.jpg", folder / "sync_depth_1.png")
    (folder / "rgb_1.jpg").rename(folder / "rgb_2.txt")
    records, drops = read("nyuv2", tmp_path, "test")
    assert records == []
    assert reasons(drops) == {"depth: no photo": 1}


def test_a_scene_may_not_be_a_link_out_of_the_root(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    pair(outside / "rgb_1.jpg", outside / "sync_depth_1.png")
    root = tmp_path / "root"
    (root / "official_splits" / "test").mkdir(parents=True)
    (root / "official_splits" / "test" / "bath").symlink_to(outside)
    with pytest.raises(SourceError, match="link"):
        read("nyuv2", root, "test")


# --- HDF5 ------------------------------------------------------------------------------------------------------------

COUNT = 5


def labelled(root: Path, splits: dict[str, list[int]] | None) -> tuple[Any, Any]:
    """The labelled set in small, with MATLAB's axes: photos (N, H, W, 3) and metres (N, H, W)."""
    h5py = pytest.importorskip("h5py")
    width, height = SIZE_WH
    rng = np.random.default_rng(0)
    photos = rng.integers(0, 256, (COUNT, height, width, 3), dtype=np.uint8)
    metres = rng.uniform(0.7, 9.9, (COUNT, height, width)).astype(np.float32)
    root.mkdir(exist_ok=True)
    with h5py.File(root / "nyu_depth_v2_labeled.mat", "w", userblock_size=512) as file:  # as MATLAB writes a header
        file["images"], file["depths"] = photos.transpose(0, 3, 2, 1), metres.transpose(0, 2, 1)
        file["rawDepths"], file["labels"] = metres.transpose(0, 2, 1), np.zeros((COUNT, width, height), np.uint16)
    if splits is not None:
        savemat(
            root / "splits.mat", {name: np.asarray(numbers, np.uint16)[:, None] for name, numbers in splits.items()}
        )
    return photos, metres


OFFICIAL = {"trainNdxs": [3, 4, 5], "testNdxs": [1, 2]}


@pytest.mark.parametrize("splits", [OFFICIAL, None])
def test_the_labelled_mat(tmp_path: Path, splits: dict[str, list[int]] | None) -> None:
    photos, metres = labelled(tmp_path, splits)
    wanted = {"train": [2, 3, 4], "test": [0, 1]} if splits else {"labeled": list(range(COUNT))}
    assert plugins.load("converters", "nyuv2").find(tmp_path) == tuple(wanted)
    for split, numbers in wanted.items():
        records, drops = read("nyuv2", tmp_path, split)
        assert drops == []
        assert [record.id for record in records] == [f"labeled/{n}" for n in numbers]
        for record, n in zip(records, numbers, strict=True):
            assert record.photo is not None
            assert record.depth is not None
            assert (record.photo.size_wh, record.photo.id) == (SIZE_WH, f"nyuv2:labeled/{n}")
            assert np.array_equal(read_depth(tmp_path, record.depth, SIZE_WH), metres[n])
            stored = StoredPhoto(record.photo.path, "", SIZE_WH, record.photo.id)
            assert np.array_equal(np.asarray(open_photo(tmp_path, stored)), photos[n])


def test_a_photo_of_the_split_folders_is_the_same_photo(tmp_path: Path) -> None:
    folder = tmp_path / "official_splits" / "test" / "bath"
    pair(folder / "rgb_00001.jpg", folder / "sync_depth_00001.png")
    (record,), _ = read("nyuv2", tmp_path, "test")
    assert record.photo is not None
    assert record.photo.id == "nyuv2:labeled/1"


@pytest.mark.parametrize("copy", [False, True])
def test_a_build_from_the_mat(tmp_path: Path, copy: bool) -> None:
    photos, metres = labelled(tmp_path / "nyu", OFFICIAL)
    out = tmp_path / "out"
    build(choose([f"nyuv2={tmp_path / 'nyu'}"]), Options(("depth",), copy_photos=copy), out, Silent())
    assert check(out, photos=True).findings == ()
    for dialogue, n in zip(read_dialogues(out, "depth", "test"), (0, 1), strict=True):
        assert dialogue.photo is not None
        ((_, _, reference),) = dialogue.references()
        assert isinstance(reference.unit, Depth)
        assert np.array_equal(read_depth(out, reference.unit), metres[n])
        assert np.array_equal(np.asarray(open_photo(out, dialogue.photo)), photos[n])


BROKEN_SPLITS = [{"trainNdxs": [0, 1]}, {"trainNdxs": [1, 1]}, {"trainNdxs": [6]}, {"testNdxs": [1]}]


@pytest.mark.parametrize("splits", BROKEN_SPLITS)
def test_a_broken_splits_file_is_one_line(tmp_path: Path, splits: dict[str, list[int]]) -> None:
    labelled(tmp_path, splits)
    with pytest.raises(SourceError, match=r"splits\.mat.*trainNdxs"):
        read("nyuv2", tmp_path, "train")


def test_a_broken_mat_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    for data in (b"", b"MATLAB 5.0 MAT-file", b"\x89HDF\r\n\x1a\n" * 99):
        (tmp_path / "nyu_depth_v2_labeled.mat").write_bytes(data)
        with pytest.raises(SourceError, match=r"nyu_depth_v2_labeled\.mat") as caught:
            read("nyuv2", tmp_path, "labeled")
        assert "\n" not in str(caught.value)


def test_frames(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    width, height = SIZE_WH
    metres = np.linspace(1, 5, width * height, dtype=np.float32).reshape(height, width)
    for path in ("train/kitchen_0001/00001.h5", "train/bath/00021.h5", "val/official/00001.h5"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(tmp_path / path, "w") as file:
            file["rgb"], file["depth"] = np.full((3, height, width), 7, np.uint8), metres
    with h5py.File(tmp_path / "train/bath/00022.h5", "w") as file:
        file["rgb"], file["depth"] = np.zeros((3, 2, 2), np.uint8), metres
    (tmp_path / "train/bath/00023.h5").write_bytes(b"no file")
    assert plugins.load("converters", "nyuv2").find(tmp_path) == ("train", "val")
    records, drops = read("nyuv2", tmp_path, "train")
    assert [record.id for record in records] == ["train/bath/00021", "train/kitchen_0001/00001"]
    assert reasons(drops) == {"photo: another size": 1, "file: unreadable": 1}
    depth = records[0].depth
    assert depth is not None
    assert np.array_equal(read_depth(tmp_path, depth), metres)


def test_written_frames(shared_data: Callable[[str], Path]) -> None:
    h5py = pytest.importorskip("h5py")
    root = shared_data("datumaro_format_fixtures") / "nyu_depth_v2_dataset"
    records, drops = read("nyuv2", root, "whole")
    assert drops == []
    assert [record.id for record in records] == ["1", "2"]
    for record in records:
        with h5py.File(root / f"{record.id}.h5") as file:
            rgb, metres = file["rgb"][()], file["depth"][()]
        assert record.photo is not None
        assert record.depth is not None
        assert record.photo.size_wh == metres.shape[::-1]
        assert np.array_equal(read_depth(root, record.depth), metres)
        pixels = np.asarray(open_photo(root, StoredPhoto(record.photo.path, "", record.photo.size_wh, record.photo.id)))
        assert np.array_equal(pixels, rgb.transpose(1, 2, 0))


def test_folders_of_other_pictures_are_not_claimed(tmp_path: Path) -> None:
    pair(tmp_path / "images/a.jpg", tmp_path / "annotations/a.png")
    Image.new("L", SIZE_WH).save(tmp_path / "annotations/a.png")
    assert plugins.load("converters", "nyuv2").find(tmp_path) == ()


# --- raw frames ------------------------------------------------------------------------------------------------------


def raw_frame(path: Path, raw: int = 900) -> None:
    """A raw depth frame: a PGM whose numbers have the low byte first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"P5 640 480 65535\n" + np.full(480 * 640, raw, "<u2").tobytes())


def raw_photo(path: Path, size_wh: tuple[int, int] = (640, 480)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size_wh).save(path)


def test_raw_frames_take_the_photo_nearest_in_time(tmp_path: Path) -> None:
    place = tmp_path / "kitchens_part1" / "kitchen_0001"
    for time in ("10.00", "10.10", "10.30"):
        raw_photo(place / f"r-{time}-77.ppm")
    for time in ("9.9", "10.04", "10.06", "10.5"):
        raw_frame(place / f"d-{time}-77.pgm")
    (place / "a-10.00-77.dump").write_bytes(b"")
    (place / "INDEX.txt").write_text("d-9.9-77.pgm\n")
    raw_frame(tmp_path / "bath" / "d-1.0-77.pgm")
    assert plugins.load("converters", "nyuv2").find(tmp_path) == ("raw",)
    records, drops = read("nyuv2", tmp_path, "raw")
    assert reasons(drops) == {"depth: no photo": 1}
    base = "kitchens_part1/kitchen_0001"
    assert [(record.id, record.photo and record.photo.path) for record in records] == [
        (f"{base}/d-{depth}-77", f"{base}/r-{photo}-77.ppm")
        for depth, photo in (("9.9", "10.00"), ("10.04", "10.00"), ("10.06", "10.10"), ("10.5", "10.30"))
    ]


def test_a_raw_pair_with_a_fault_costs_its_record(tmp_path: Path) -> None:
    for n in range(4):
        raw_frame(tmp_path / f"{n}/d-1-{n}.pgm")
        raw_photo(tmp_path / f"{n}/r-1-{n}.ppm", (640, 480) if n != 1 else (64, 48))
    (tmp_path / "2/d-1-2.pgm").write_bytes(b"P5 640")
    Image.new("L", (640, 480)).save(tmp_path / "3/d-1-3.pgm")
    records, drops = read("nyuv2", tmp_path, "raw")
    assert [record.id for record in records] == ["0/d-1-0"]
    assert reasons(drops) == {"photo: another size": 1, "picture: unreadable": 1, "depth: not 16 bits": 1}


def test_the_real_raw_pair(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    given = shared_data("depth_open3d_rgbd") / "RGBD" / "other_formats"
    for name, ours in (("NYU_color.ppm", "r-1.5-1.ppm"), ("NYU_depth.pgm", "d-1.6-1.pgm")):
        (tmp_path / ours).write_bytes((given / name).read_bytes())
    (record,), drops = read("nyuv2", tmp_path, "raw")
    assert not drops
    assert record.photo is not None
    assert (record.photo.path, record.photo.size_wh) == ("r-1.5-1.ppm", (640, 480))
    assert record.depth is not None
    metres = read_depth(tmp_path, record.depth, (640, 480))
    raw = np.frombuffer((given / "NYU_depth.pgm").read_bytes()[-2 * 480 * 640 :], "<u2")
    values = {np.float32(351.3 / (1092.5 - int(level))) for level in np.unique(raw) if level != 2047}
    assert set(metres[metres > 0].tolist()) <= {float(value) for value in values}
    assert metres.max() == pytest.approx(6.6914, abs=1e-4)
    assert (metres > 0).mean() > 0.75
