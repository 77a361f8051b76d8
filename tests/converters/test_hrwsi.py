"""HR-WSI: disparity keeps the order of distances and is never given out as metres; broken files by reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.converters.vision import SCENES, grey, read, reasons, shot, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.source import SourceError

NAME = "hrwsi"


def test_sample_orders_but_does_not_measure(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("train", "val")
    scenes = {str(shot(index).image_id): shot(index).scene for index in SCENES}
    for split in splits:
        records, drops = read(NAME, root, split)
        assert not drops
        for record in records:
            assert record.depth is None
            assert record.inverse_depth is not None
            values = np.asarray(Image.open(root / record.inverse_depth.path)).astype(int)
            valid = np.asarray(Image.open(root / record.inverse_depth.valid_path)) > 0
            metres = scenes.pop(record.id).depth_m
            assert np.array_equal(valid, metres > 0)
            order = np.argsort(-metres[valid], kind="stable")
            assert (np.diff(values[valid][order]) >= 0).all(), "nearer must never be smaller"
    assert not scenes
    assert "depth" not in plugins.load("converters", NAME).offers


def test_faults_cost_one_record_each(tmp_path: Path) -> None:
    folder = tmp_path / "HR-WSI/val"
    for name in ("a", "b", "c", "d", "e", "f"):
        tiny_photo(folder / f"imgs/{name}.jpg", (3, 2))
        grey(folder / f"gts/{name}.png", np.zeros((2, 3)))
        grey(folder / f"valid_masks/{name}.png", np.zeros((2, 3)))
    (folder / "imgs/b.jpg").unlink()
    (folder / "gts/c.png").write_bytes((folder / "gts/c.png").read_bytes()[:20])
    (folder / "valid_masks/d.png").unlink()
    grey(folder / "gts/e.png", np.zeros((3, 3)))
    Image.new("RGB", (3, 2)).save(folder / "valid_masks/f.png")
    records, drops = read(NAME, tmp_path, "val")
    assert [record.id for record in records] == ["a"]
    assert reasons(drops) == {
        "photo: missing": 1, "picture: unreadable": 1, "file: missing": 1, "photo: another size": 1, "picture: another kind": 1
    }  # fmt: skip


def test_one_line_when_nothing_is_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="HR-WSI/train/gts/"):
        plugins.load("converters", NAME).open(tmp_path, "train")
