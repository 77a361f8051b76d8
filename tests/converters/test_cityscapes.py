"""Cityscapes: the sample, the real frame of Frankfurt against numpy, the official drawing of polygons, broken files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converters.cityscapes import Polygons, draw
from tests.converters.vision import by_id, decoded, grey, read, reasons, shot, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.sample.cityscapes import THINGS
from vtinstruct.source import SourceError

NAME = "cityscapes"


def frame(root: Path, stem: str, labels: object, kind: str = "instanceIds", size_wh: tuple[int, int] = (4, 2)) -> Path:
    tiny_photo(root / "leftImg8bit/val/x" / f"{stem}_leftImg8bit.png", size_wh)
    return grey(root / "gtFine/val/x" / f"{stem}_gtFine_{kind}.png", labels, np.uint16)


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("train", "val")
    crowds = 0
    for split in splits:
        records, drops = read(NAME, root, split)
        assert not drops
        for record in records:
            scene = shot(int(record.id.rpartition("_")[2])).scene
            wanted = [thing for thing in scene.things if THINGS[thing.category][2] and not thing.crowd]
            found = [region for region in record.regions if region.thing and not region.crowd]
            assert {region.box_xyxy for region in found} == {thing.box_xyxy for thing in wanted}
            for region, thing in zip(
                sorted(found, key=lambda region: region.box_xyxy or ()),
                sorted(wanted, key=lambda thing: thing.box_xyxy),
                strict=True,
            ):
                assert region.category == thing.category
                assert np.array_equal(decoded(region), thing.mask)
            crowds += sum(region.crowd for region in record.regions)
    assert crowds == sum(
        t.crowd and THINGS[t.category][2] for n in (0, 3, 6, 4, 9, 14, 33) for t in shot(n).scene.things
    )


def test_real_frame(shared_data: Callable[[str], Path]) -> None:
    root = shared_data("mmseg_samples") / "pseudo_cityscapes_dataset"
    (record,), drops = read(NAME, root, "val")
    truth = np.asarray(Image.open(next(root.glob("gtFine/val/frankfurt/*_instanceIds.png")))).astype(int)
    classes, training = (
        np.asarray(Image.open(next(root.glob(f"gtFine/val/frankfurt/*_{kind}.png")))).astype(int)
        for kind in ("labelIds", "labelTrainIds")
    )
    assert record.id == "frankfurt_000000_000294"
    assert record.photo is not None
    assert record.photo.id == "cityscapes:frankfurt_000000_000294"
    assert truth.max() == 26002
    covered = np.zeros(truth.shape, bool)
    for region in record.regions:
        assert np.array_equal(decoded(region), truth == int(region.id))
        assert (classes[decoded(region)] == region.category_id).all()
        covered |= decoded(region)
    assert set(np.unique(truth[~covered]).tolist()) == {1, 2, 3, 4}  # the car, the frame of the photo, static
    # Void where no official score looks; the picture of training ids was scaled down on its own and differs at borders.
    assert (covered == (training != 255)).mean() > 0.998
    assert sorted(region.id for region in record.regions if region.category == "car") == ["26000", "26001", "26002"]
    assert not drops


def test_written_fixtures(shared_data: Callable[[str], Path]) -> None:
    root = shared_data("datumaro_format_fixtures") / "cityscapes_dataset" / "dataset"
    source = plugins.load("converters", NAME)
    assert source.find(root) == ("train", "val", "test")
    for split in source.find(root):
        records, _ = read(NAME, root, split)
        assert len(records) == len(list((root / "gtFine" / split).rglob("*_instanceIds.png")))
        assert all(record.exhaustive == (split != "test") for record in records)


def test_polygons_are_drawn_as_the_official_script_does(tmp_path: Path) -> None:
    root, _ = write(NAME, tmp_path, (0, 3, 6))
    before = by_id(read(NAME, root, "train")[0])
    for path in root.rglob("*_instanceIds.png"):
        path.unlink()
    after, _ = read(NAME, root, "train")
    for record in after:
        # PIL fills the border of a polygon too, so a drawn thing is up to one pixel larger than its mask.
        old = {(region.id, region.category): region.area for region in before[record.id].regions if region.thing}
        new = {(region.id, region.category): region.area for region in record.regions if region.thing}
        assert set(new) == set(old)
        assert all(0.8 * (old[key] or 0) <= (new[key] or 0) <= 1.6 * (old[key] or 0) for key in old)
    objects = [
        {"label": "car", "polygon": [[0, 0], [3, 0], [3, 1], [0, 1]]},
        {"label": "license plate", "polygon": [[0, 0], [5, 0], [5, 5]]},
        {"label": "car", "polygon": [[5, 0], [8, 0], [8, 1]]},
        {"label": "persongroup", "polygon": [[0, 4], [9, 4], [9, 5]]},
        {"label": "truck", "polygon": [[0, 0], [9, 0], [9, 5]], "deleted": 1},
        {"label": "sky", "polygon": [[0, 2], [1, 2]]},
    ]
    drops: list[object] = []
    notes = type("Notes", (), {"dropped": lambda self, *what: drops.append(what)})()
    import msgspec

    drawn = draw(msgspec.convert({"imgHeight": 6, "imgWidth": 10, "objects": objects}, Polygons), notes)
    assert set(np.unique(drawn).tolist()) == {0, 26000, 26001, 24, 23}
    assert (drawn == 23).sum() == 2  # two points are a line, as in the official script
    assert not drops


def test_groups_are_crowds_and_ignored_classes_void(tmp_path: Path) -> None:
    frame(tmp_path, "a_0_0", [[26, 26000, 26001, 9], [7, 99, 24005, 7003]])
    (record,), drops = read(NAME, tmp_path, "val")
    assert [(region.id, region.category, region.crowd) for region in record.regions] == [
        ("7", "road", False), ("26", "car", True), ("24005", "person", False), ("26000", "car", False), ("26001", "car", False)
    ]  # fmt: skip
    assert [drop.row for drop in drops] == ["a_0_0, label 99", "a_0_0, label 7003"]


def test_faults_cost_one_record_each(tmp_path: Path) -> None:
    frame(tmp_path, "a_0_0", [[7, 7, 7, 7]] * 2)
    frame(tmp_path, "b_0_0", [[7, 7, 7, 7]] * 3)
    frame(tmp_path, "c_0_0", [[7, 7, 7, 7]] * 2).write_bytes(b"\x89PNG\r\n\x1a\n")
    tiny_photo(tmp_path / "leftImg8bit/val/x/d_0_0_leftImg8bit.png")
    frame(tmp_path, "e_0_0", [[7]]).unlink()
    broken = {
        "e": "{", "f": '{"imgHeight": 2, "imgWidth": 4}', "g": '{"imgHeight": -2, "imgWidth": 4, "objects": []}',
        "h": json.dumps({"imgHeight": 2, "imgWidth": 4, "objects": [
            {"label": "tram", "polygon": [[0, 0], [4, 0], [4, 2]]}, {"label": "road", "polygon": [[0, 0]]},
            {"label": "car", "polygon": [[0, 0], [1e30, 0], [0, 2]]}, {"label": "sky", "polygon": [[0, 0], [4, 0], [4, 2], [0, 2]]}]}),
    }  # fmt: skip
    for letter, text in broken.items():
        tiny_photo(tmp_path / f"leftImg8bit/val/x/{letter}_0_0_leftImg8bit.png", (4, 2))
        (tmp_path / f"gtFine/val/x/{letter}_0_0_gtFine_polygons.json").write_text(text)
    records, drops = read(NAME, tmp_path, "val")
    assert list(by_id(records)) == ["a_0_0", "h_0_0"]
    assert [region.category for region in records[1].regions] == ["sky"]
    assert reasons(drops) == {
        "photo: another size": 1, "picture: unreadable": 1, "file: missing": 1, "file: unreadable": 2,
        "image: no size": 1, "label: unknown": 1, "polygon: cannot be drawn": 2,
    }  # fmt: skip


def test_one_line_when_there_are_no_labels(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SourceError, match=r"gtFine/val/|no such folder"):
            plugins.load("converters", NAME).open(root, "val")


def test_coarse_outlines_are_never_complete(tmp_path: Path) -> None:
    """gtCoarse has its own folder and name; train_extra has no fine labels, and its photos lie beside the others."""
    for part in ("train", "train_extra"):
        tiny_photo(tmp_path / f"leftImg8bit/{part}/x/x_0_0_leftImg8bit.png", (4, 2))
        grey(tmp_path / f"gtCoarse/{part}/x/x_0_0_gtCoarse_instanceIds.png", [[0, 7, 26000, 24]] * 2, np.uint16)
    source = plugins.load("converters", NAME)
    assert source.find(tmp_path) == ("coarse_train", "coarse_train_extra")
    for split in source.find(tmp_path):
        (record,), drops = read(NAME, tmp_path, split)
        assert drops == []
        assert [(region.category, region.crowd) for region in record.regions] == [
            ("road", False), ("person", True), ("car", False),
        ]  # fmt: skip
        assert not record.exhaustive
        assert {"car", "road"} <= set(record.not_exhaustive)


def test_archives_unpacked_into_folders_of_their_names(tmp_path: Path) -> None:
    frame(tmp_path, "a_0_0", [[7, 7, 26000, 7]] * 2)
    for kind in ("gtFine", "leftImg8bit"):
        (tmp_path / f"{kind}_trainvaltest").mkdir()
        (tmp_path / kind).rename(tmp_path / f"{kind}_trainvaltest" / kind)
    assert plugins.load("converters", NAME).find(tmp_path) == ("val",)
    (record,), drops = read(NAME, tmp_path, "val")
    assert drops == []
    assert record.photo is not None
    assert record.photo.path == "leftImg8bit_trainvaltest/leftImg8bit/val/x/a_0_0_leftImg8bit.png"
    assert [region.category for region in record.regions] == ["road", "car"]
