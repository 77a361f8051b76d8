"""KITTI depth: metres to the level, pairs of maps and raw photos, the cropped selection, broken files by reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.converters.vision import by_id, grey, read, reasons, shot, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.photos import depth_of
from vtinstruct.source import SourceError

NAME = "kitti_depth"
DRIVE = "2011_09_26_drive_0002_sync"


def test_sample_in_metres(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("train", "val", "val_selection_cropped")
    for split in ("train", "val"):
        records, drops = read(NAME, root, split)
        assert not drops
        for record in records:
            truth = shot(int(record.id[-10:]) - 5 + 50 * int(record.id[17:21])).scene.depth_m
            assert record.depth is not None
            metres = depth_of(root / record.depth.path, record.depth.scale)
            seen = metres > 0
            assert 0.2 < seen.mean() < 0.34
            assert np.abs(metres - truth)[seen].max() <= 1 / 512 + 1e-6
    whole, cropped = by_id(read(NAME, root, "val")[0]), read(NAME, root, "val_selection_cropped")[0]
    assert len(cropped) == len(whole) > 0
    assert {r.photo.id for r in cropped if r.photo} == {
        r.photo.id for r in whole.values() if r.photo
    }  # leakage is seen


def annotated(
    root: Path, number: str, levels: object, photo: str | None = "raw", size_wh: tuple[int, int] = (3, 2)
) -> None:
    grey(root / "train" / DRIVE / "proj_depth/groundtruth/image_03" / f"{number}.png", levels, np.uint16)
    if photo is not None:
        tiny_photo(root / photo / "2011_09_26" / DRIVE / "image_03/data" / f"{number}.png", size_wh)


def test_what_the_benchmark_says_of_a_pixel(tmp_path: Path) -> None:
    annotated(tmp_path, "0000000005", [[0, 256, 512], [128, 65535, 1]])
    (record,), drops = read(NAME, tmp_path, "train")
    assert not drops
    assert record.id == f"{DRIVE}/image_03/0000000005"
    assert record.photo is not None
    assert record.photo.id == f"kitti_raw:{record.id}"
    assert record.depth is not None
    metres = depth_of(tmp_path / record.depth.path, record.depth.scale, record.photo.size_wh)
    assert metres.tolist() == [[0.0, 1.0, 2.0], [0.5, 65535 / 256, 1 / 256]]


def test_real_16_bit_depth_is_read_as_it_is(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    given = shared_data("depth_open3d_rgbd") / "RGBD"
    levels = np.asarray(Image.open(given / "depth/00000.png"))
    annotated(tmp_path, "0000000005", levels, size_wh=(640, 480))
    (record,), _ = read(NAME, tmp_path, "train")
    assert record.depth is not None
    metres = depth_of(tmp_path / record.depth.path, record.depth.scale)
    assert np.array_equal(metres, levels.astype(np.float32) / 256)
    assert (metres == 0).mean() == pytest.approx(0.13, abs=0.01)  # PROVENANCE.md of the folder


def test_faults_cost_one_record_each(tmp_path: Path) -> None:
    level = [[1, 2, 3], [4, 5, 6]]
    annotated(tmp_path, "0000000005", level, "")
    annotated(tmp_path, "0000000006", level, None)
    annotated(tmp_path, "0000000007", level, "", (4, 4))
    annotated(tmp_path, "0000000008", level, "")
    (tmp_path / "2011_09_26" / DRIVE / "image_03/data/0000000008.png").write_bytes(b"\xff\xfenot a picture")
    folder = tmp_path / "train" / DRIVE / "proj_depth/groundtruth/image_03"
    grey(folder / "0000000009.png", level)  # 8 bits
    tiny_photo(tmp_path / "2011_09_26" / DRIVE / "image_03/data/0000000009.png", (3, 2))
    grey(folder / "0000000010.png", level, np.uint16).write_bytes(b"")
    tiny_photo(tmp_path / "2011_09_26" / DRIVE / "image_03/data/0000000010.png", (3, 2))
    grey(folder / "five.png", level, np.uint16)
    records, drops = read(NAME, tmp_path, "train")
    assert [record.id[-2:] for record in records] == ["05"]
    assert reasons(drops) == {
        "photo: missing": 1, "photo: another size": 1, "photo: unreadable": 1, "depth: not 16 bits": 1,
        "picture: unreadable": 1, "depth: not a known path": 1,
    }  # fmt: skip


def test_selections(tmp_path: Path) -> None:
    folder = tmp_path / "depth_selection/val_selection_cropped"
    tiny_photo(folder / f"image/{DRIVE}_image_0000000005_image_02.png", (3, 2))
    tiny_photo(folder / f"image/{DRIVE}_image_0000000008_image_02.png", (3, 2))
    tiny_photo(folder / "image/other.png", (3, 2))
    grey(folder / f"groundtruth_depth/{DRIVE}_groundtruth_depth_0000000005_image_02.png", np.ones((2, 3)), np.uint16)
    tiny_photo(tmp_path / "depth_selection/test_depth_prediction_anonymous/image/0000000000.png", (3, 2))
    assert plugins.load("converters", NAME).find(tmp_path) == (
        "val_selection_cropped",
        "test_depth_prediction_anonymous",
    )
    records, drops = read(NAME, tmp_path, "val_selection_cropped")
    assert [record.id for record in records] == [f"{DRIVE}_image_0000000005_image_02"]
    assert reasons(drops) == {"file: missing": 1, "photo: not a known name": 1}
    (record,), drops = read(NAME, tmp_path, "test_depth_prediction_anonymous")
    assert record.depth is None
    assert not drops


def test_the_two_tests_have_photos_of_their_own(tmp_path: Path) -> None:
    for name in ("prediction", "completion"):
        tiny_photo(tmp_path / f"kitti_depth/depth_selection/test_depth_{name}_anonymous/image/0000000000.png", (3, 2))
    identities = [
        read(NAME, tmp_path, f"test_depth_{name}_anonymous")[0][0].photo.id for name in ("prediction", "completion")
    ]
    assert identities == ["kitti_depth_test:0000000000", "kitti_depth_completion_test:0000000000"]


@pytest.mark.parametrize(
    ("maps", "photos"),
    [
        ("kitti_depth/train", f"kitti_rgb/train/{DRIVE}"),
        ("data_depth_annotated/train", f"train/{DRIVE}"),  # where a folder of the split's name has photos only
        ("train", f"input/2011_09_26/{DRIVE}"),
    ],
)
def test_trees_others_have(tmp_path: Path, maps: str, photos: str) -> None:
    grey(tmp_path / maps / DRIVE / "proj_depth/groundtruth/image_02/0000000005.png", np.ones((2, 3)), np.uint16)
    tiny_photo(tmp_path / photos / "image_02/data/0000000005.png", (3, 2))
    assert plugins.load("converters", NAME).find(tmp_path) == ("train",)
    (record,), drops = read(NAME, tmp_path, "train")
    assert (record.id, record.photo.path, drops) == (
        f"{DRIVE}/image_02/0000000005",
        f"{photos}/image_02/data/0000000005.png",
        [],
    )


def test_one_line_when_nothing_is_there(tmp_path: Path) -> None:
    source = plugins.load("converters", NAME)
    with pytest.raises(SourceError, match="data_depth_annotated/train/"):
        source.open(tmp_path, "train")
    (tmp_path / "train").mkdir()
    with pytest.raises(SourceError, match="proj_depth/groundtruth"):
        source.open(tmp_path, "train")
