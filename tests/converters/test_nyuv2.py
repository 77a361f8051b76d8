"""NYU Depth v2: photo and depth picture find each other in every layout; a depth picture of another kind is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.converters.coco_files import read, reasons
from vtinstruct import plugins
from vtinstruct.source import SourceError

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
    ("all", "images/a.b.jpg", "annotations/a.b.png"),
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
