"""HR-WSI: disparity keeps the order of distances and is never given out as metres; broken files by reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.converters.vision import SCENES, grey, read, reasons, shot, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.build import Options, build, choose
from vtinstruct.build.progress import Silent
from vtinstruct.check import check
from vtinstruct.photos import PhotoError, read_depth, read_inverse_depth
from vtinstruct.shards import read_dialogues
from vtinstruct.source import SourceError
from vtinstruct.units import Depth

NAME = "hrwsi"


def test_sample_orders_but_does_not_measure(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("train", "val")
    scenes = {str(shot(index).image_id): shot(index).scene for index in SCENES}
    for split in splits:
        records, drops = read(NAME, root, split)
        assert not drops
        for record in records:
            assert record.depth is not None
            assert (record.depth.frame, record.depth.scale) == ("relative_inverse", 1 / 255)
            values, valid = read_inverse_depth(root, record.depth)
            stored = np.asarray(Image.open(root / record.depth.path)).astype(np.float64) / 255
            assert np.allclose(values[valid], stored[valid], atol=1e-6)
            with pytest.raises(PhotoError, match="not in metres"):
                read_depth(root, record.depth)
            metres = scenes.pop(record.id).depth_m
            assert np.array_equal(valid, metres > 0)
            assert not values[~valid].any()
            order = np.argsort(-metres[valid], kind="stable")
            assert (np.diff(values[valid][order]) >= 0).all(), "nearer must never be smaller"
    assert not scenes
    assert "depth" in plugins.load("converters", NAME).offers


def test_a_build_asks_for_relative_depth_and_keeps_frame_and_mask(tmp_path: Path) -> None:
    root, _ = write(NAME, tmp_path / "files")
    out = tmp_path / "built"
    build(choose([f"{NAME}={root}"]), Options(("depth",), embed=True), out, Silent())
    assert check(out, photos=True).findings == ()
    dialogues = list(read_dialogues(out, "depth", "train"))
    records, _ = read(NAME, root, "train")
    assert len(dialogues) == len(records) > 0
    for dialogue, record in zip(dialogues, records, strict=True):
        ((_, triplet, reference),) = dialogue.references()
        assert triplet.concept == "relative depth"
        assert isinstance(reference.unit, Depth)
        assert record.depth is not None
        assert reference.unit == replace(record.depth, path=f"images/{NAME}/{record.depth.path}")
        inverse, known = read_inverse_depth(out, reference.unit)
        truth, valid = read_inverse_depth(root, record.depth)
        assert np.array_equal(inverse, truth)
        assert np.array_equal(known, valid)
        assert "metric" not in str(dialogue.turns[0].parts)


def test_faults_cost_one_record_each(tmp_path: Path) -> None:
    folder = tmp_path / "HR-WSI/val"
    for name in ("a", "b", "c", "d", "e", "f", "g"):
        tiny_photo(folder / f"imgs/{name}.jpg", (3, 2))
        grey(folder / f"gts/{name}.png", np.zeros((2, 3)))
        grey(folder / f"valid_masks/{name}.png", np.full((2, 3), 255 if name != "g" else 0))
    (folder / "imgs/b.jpg").unlink()
    (folder / "gts/c.png").write_bytes((folder / "gts/c.png").read_bytes()[:20])
    (folder / "valid_masks/d.png").unlink()
    grey(folder / "gts/e.png", np.zeros((3, 3)))
    Image.new("RGB", (3, 2)).save(folder / "valid_masks/f.png")
    records, drops = read(NAME, tmp_path, "val")
    assert [record.id for record in records] == ["a"]
    assert reasons(drops) == {
        "photo: missing": 1, "picture: unreadable": 1, "file: missing": 1, "photo: another size": 1, "picture: another kind": 1,
        "depth: holds nowhere": 1,
    }  # fmt: skip


def test_one_line_when_nothing_is_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="HR-WSI/train/gts/"):
        plugins.load("converters", NAME).open(tmp_path, "train")
